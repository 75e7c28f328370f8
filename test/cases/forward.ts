// Holds an operator's forward rule to differences of onnxruntime's forward and to its reverse rule.
import type { NdArray, Network } from '../../lib/index.js'
import { tangentOnDevice } from '../support/on-device.js'
import { Random } from '../support/random.js'
import type { Differences } from './reference.js'

const samples = 3

/**
 * J·Δ of random directions, and the same by a device, against J by differences, each draw to its own
 * scale, and adjoint to vjp: ⟨u, JΔ⟩ = ⟨Jᵀu, Δ⟩. Returns the nodes that the device left to the processor.
 */
export async function checkForward(
  network: Network,
  feeds: Record<string, NdArray>,
  truth: Differences,
  where: string,
  tolerance: number,
): Promise<string[]> {
  const random = new Random(815)
  const onHost: string[] = []
  for (const all of [true, false]) {
    // All parameters at once, then about half of them: the others have no tangent at all.
    const direction = new Map<string, NdArray<Float32Array>>()
    for (const { name, shape, count } of network.parameters.filter(({ frozen }) => !frozen)) {
      if (!all && random.chance()) continue
      direction.set(name, { data: random.normals(count), shape: [...shape] })
    }
    const found = await network.jvp(feeds, direction)
    compare(found.data, direction, truth, where, tolerance)
    const there = await tangentOnDevice(network, feeds, direction)
    compare(there.data, direction, truth, `${where}, on a device`, tolerance)
    onHost.push(...there.onHost)
    await checkTranspose(network, feeds, direction, found, where)
  }
  return onHost
}

export function compare(
  found: ArrayLike<number>,
  direction: ReadonlyMap<string, NdArray<Float32Array>>,
  truth: Differences,
  where: string,
  tolerance: number,
): void {
  const rows = samples * truth.width
  const expected = new Float64Array(rows)
  const scale = new Float64Array(rows).fill(1)
  for (const [name, { first, last, data }] of truth.jacobian) {
    const delta = direction.get(name)?.data
    if (!delta) continue
    const own = last - first
    for (let row = 0; row < samples * own; row += 1) {
      const at = Math.floor(row / own) * truth.width + first + (row % own)
      let sum = 0
      let size = 0
      delta.forEach((value, e) => {
        const term = value * (data[row * delta.length + e] as number)
        sum += term
        size += Math.abs(term)
      })
      expected[at] = (expected[at] as number) + sum
      scale[at] = (scale[at] as number) + size
    }
  }
  expected.forEach((value, row) => {
    const error = Math.abs((found[row] as number) - value) / (scale[row] as number)
    if (error <= 3 * tolerance) return
    const place = `[${Math.floor(row / truth.width)},${row % truth.width}]`
    throw new Error(`${where}: jvp${place} is ${found[row]}, differences say ${value}`)
  })
}

/** Forward and reverse rules read the same numbers, so they agree closely. */
async function checkTranspose(
  network: Network,
  feeds: Record<string, NdArray>,
  direction: ReadonlyMap<string, NdArray<Float32Array>>,
  found: NdArray<Float32Array>,
  where: string,
): Promise<void> {
  const random = new Random(99)
  const u = { data: random.normals(found.data.length), shape: found.shape }
  const back = await network.vjp(feeds, u)
  let right = 0
  let size = 1
  for (const [name, { data }] of direction) {
    data.forEach((value, e) => {
      const term = value * (back.get(name)?.data[e] as number)
      right += term
      size += Math.abs(term)
    })
  }
  let left = 0
  found.data.forEach((value, e) => {
    const term = value * (u.data[e] as number)
    left += term
    size += Math.abs(term)
  })
  if (!(Math.abs(left - right) <= 1e-5 * size)) {
    throw new Error(`${where}: ⟨u, JΔ⟩ = ${left} but ⟨Jᵀu, Δ⟩ = ${right}`)
  }
}
