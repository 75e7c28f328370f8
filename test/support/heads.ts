// Heads of a network's outputs by their definitions, and their gradients by central differences.
import type { Head, NdArray, Network } from '../../lib/index.js'

/** A head by its definition. */
export function headOf(head: Head, f: number[], label: number): number {
  const logits = f.length === 1 ? [-f[0]! / 2, f[0]! / 2] : f
  const total = logits.reduce((sum, value) => sum + Math.exp(value), 0)
  const p = Math.exp(logits[label]!) / total
  if (head === 'cross-entropy') return -Math.log(p)
  if (head === 'margin') return Math.log(p / (1 - p))
  return f.length === 1 ? (label === 1 ? 1 : -1) * f[0]! : logits[label]!
}

export type Jacobian = { f: number[][]; rows: number[][][] }
const jacobians = new WeakMap<Network, Map<NdArray, Promise<Jacobian>>>()

/** Outputs, or another value, and their derivatives by all parameters, by central differences. */
export async function jacobianOf(
  network: Network,
  at: NdArray,
  output?: string,
): Promise<Jacobian> {
  const outputs = async (own: Network) => {
    const { data, shape } = await own.run(at, { output })
    const width = shape[1] as number
    return Array.from({ length: shape[0] as number }, (_, i) =>
      Array.from(data.slice(i * width, (i + 1) * width) as Float64Array, Number),
    )
  }
  const f = await outputs(network)
  const rows = f.map((row) => row.map((): number[] => []))
  for (const { name } of network.parameters) {
    const own = network.weight(name)
    for (let e = 0; e < own.data.length; e += 1) {
      const moved = async (step: number) => {
        const data = own.data.map((value, k) => (k === e ? value + step : value))
        const other = await network.withParameters(new Map([[name, { ...own, data }]]))
        const values = await outputs(other)
        await other.dispose()
        return values
      }
      const [up, down] = [await moved(1e-4), await moved(-1e-4)]
      rows.forEach((row, i) => {
        row.forEach((column, o) => {
          column.push((up[i]![o]! - down[i]![o]!) / 2e-4)
        })
      })
    }
  }
  return { f, rows }
}

/** Heads of all samples and their gradients by all parameters: the head's own derivative by differences, too. */
export async function gradients(network: Network, head: Head, at: NdArray, labels: NdArray) {
  const known = jacobians.get(network) ?? new Map<NdArray, Promise<Jacobian>>()
  jacobians.set(network, known)
  const found = known.get(at) ?? jacobianOf(network, at)
  known.set(at, found)
  const { f, rows } = await found
  const values = f.map((row, i) => headOf(head, row, Number(labels.data[i])))
  return {
    values,
    rows: f.map((row, i) => {
      const by = row.map((_, o) => {
        const moved = (step: number) =>
          headOf(
            head,
            row.map((value, k) => (k === o ? value + step : value)),
            Number(labels.data[i]),
          )
        return (moved(1e-4) - moved(-1e-4)) / 2e-4
      })
      const own = rows[i] as number[][]
      return own[0]!.map((_, e) => by.reduce((sum, value, o) => sum + value * own[o]![e]!, 0))
    }),
  }
}

export const dot = (a: number[], b: number[]) => a.reduce((sum, value, e) => sum + value * b[e]!, 0)
