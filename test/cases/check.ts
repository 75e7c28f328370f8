// Holds an operator's rules to onnxruntime: its Jacobian, forward derivatives, the adjoint identity,
// the kernel methods.
import { type NdArray, Network } from '../../lib/index.js'
import { kernelOnDevice, operatorOf } from '../support/on-device.js'
import { model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { Draw, joined, type Mode } from './draw.js'
import { checkForward } from './forward.js'
import { type Differences, differences } from './reference.js'

/** A row of the table: one operator, drawn at random and by hand. */
export interface OpCase {
  /** 'Relu', 'com.microsoft::Gelu'. */
  op: string
  /** Opsets that the draws are spread over (default: 17). */
  opsets?: readonly number[]
  /** Adds the operator to the draw and returns its output, batch first. */
  draw(d: Draw): string
  /** Edge attributes by hand, each in one opset (default: the last of `opsets`). */
  edges?: readonly { opset?: number; mode?: Mode; draw(d: Draw): string }[]
  /** Which ways to draw (default: both). */
  modes?: readonly Mode[]
  /** Largest error, relative to the draw's largest derivative or 1 (default: 1e-4). */
  tolerance?: number
  /** Differences in float32 only. */
  only32?: boolean
  /** Draws per operator (default: 30). */
  draws?: number
  /** How many draws share a network (default: 12). */
  together?: number
  /** Which of its nodes a device leaves to the processor, where it has code for the others. */
  onHost?: string
  /** Whether it does so in passes forward, too (default: it does not). */
  onHostForward?: boolean
}

export interface Outcome {
  op: string
  draws: number
  precision: Set<string>
  worst: number
  /** Operators with nodes that the processor served in place of a device: in passes back, and forward. */
  onHost: Set<string>
  onHostForward: Set<string>
}

export const samples = 3

/** Draws that share a network, with its opset. */
export function bundles(row: OpCase, seed: number): [number, Draw[]][] {
  const byOpset = new Map<number, Draw[]>()
  const opsets = row.opsets ?? [17]
  const modes = row.modes ?? ['batched', 'unbatched']
  const add = (index: number, opset: number, mode: Mode, make: (d: Draw) => string) => {
    const random = new Random(seed * 7919 + index * 104729 + 17)
    const draw = new Draw(random, `d${index}`, opset, samples, mode)
    draw.finish(make(draw))
    byOpset.set(opset, [...(byOpset.get(opset) ?? []), draw])
  }
  const total = row.draws ?? 30
  for (let index = 0; index < total; index++) {
    // Two draws in three follow the samples.
    const mode = modes[index % 3 === 2 ? modes.length - 1 : 0] ?? 'batched'
    add(index, opsets[index % opsets.length] ?? 17, mode, (d) => row.draw(d))
  }
  row.edges?.forEach((edge, index) => {
    add(total + index, edge.opset ?? opsets.at(-1) ?? 17, edge.mode ?? 'batched', edge.draw)
  })
  // Kernels grow with the square of the outputs, so not too many in one network.
  const together = row.together ?? 12
  return [...byOpset].flatMap(([opset, draws]) =>
    Array.from({ length: Math.ceil(draws.length / together) }, (_, b): [number, Draw[]] => [
      opset,
      draws.slice(b * together, (b + 1) * together),
    ]),
  )
}

/** Throws with the operator, the parameter and the numbers where a rule is wrong. */
export async function checkCase(row: OpCase, seed = 1): Promise<Outcome> {
  const outcome: Outcome = {
    op: row.op,
    draws: 0,
    precision: new Set(),
    worst: 0,
    onHost: new Set(),
    onHostForward: new Set(),
  }
  for (const [opset, draws] of bundles(row, seed)) {
    const spec = joined(draws, opset)
    const truth = await differences(spec, draws, row.only32 ?? false)
    const network = await loaded(model(spec), draws)
    try {
      const feeds = feedsOf(draws)
      const where = `${row.op} (opset ${opset}, seed ${seed})`
      checkNames(network, draws, where)
      const tolerance = row.tolerance ?? 1e-4
      const jacobian = await network.jacobian(feeds)
      const worst = compareJacobians(jacobian, truth, where, tolerance, draws)
      for (const node of await checkForward(network, feeds, truth, where, tolerance))
        outcome.onHostForward.add(operatorOf(node))
      await checkAdjoint(network, feeds, truth, where, tolerance)
      for (const node of await checkKernels(network, feeds, truth, where, tolerance))
        outcome.onHost.add(operatorOf(node))
      outcome.draws += draws.length
      outcome.precision.add(truth.precision)
      outcome.worst = Math.max(outcome.worst, worst)
    } finally {
      await network.dispose()
    }
  }
  return outcome
}

/** What the draws' inputs take. */
export function feedsOf(draws: readonly Draw[]): Record<string, NdArray> {
  const entries = draws.flatMap(({ feeds }) =>
    Object.entries(feeds).map(([name, { type, shape, data }]): [string, NdArray] => [
      name,
      {
        shape: [...shape],
        data: arrayOf(type, data),
        ...(type === 'bool' ? { boolean: true } : {}),
      },
    ]),
  )
  return Object.fromEntries(entries)
}

/** The network with every drawn parameter as one, also those that are constants by their looks. */
export async function loaded(bytes: Uint8Array, draws: readonly Draw[]): Promise<Network> {
  const drawn = new Set(draws.flatMap((draw) => Object.keys(draw.parameters)))
  const constants = await constantsOf(bytes, draws)
  // A Constant where a weight stands is one by default; the draws' are constants.
  return Network.load(bytes, { threads: 2, constants, parameters: ({ name }) => drawn.has(name) })
}

/** Drawn parameters that are constants by their looks. */
export async function constantsOf(bytes: Uint8Array, draws: readonly Draw[]): Promise<string[]> {
  const drawn = new Set(draws.flatMap((draw) => Object.keys(draw.parameters)))
  const plain = await Network.load(bytes, { threads: 2, unsupported: 'defer' })
  const constants = [...plain.constants.keys()].filter((name) => drawn.has(name))
  await plain.dispose()
  return constants
}

export function arrayOf(type: string, data: ArrayLike<number>): NdArray['data'] {
  if (type === 'int64') return BigInt64Array.from(Array.from(data), BigInt)
  if (type === 'bool') return Uint8Array.from(data)
  return Float32Array.from(data)
}

function checkNames(network: Network, draws: readonly Draw[], where: string): void {
  const wanted = draws.flatMap((draw) => Object.keys(draw.parameters)).sort()
  const found = network.parameters
    .filter(({ frozen }) => !frozen)
    .map(({ name }) => name)
    .sort()
  const missing = wanted.filter((name) => !found.includes(name))
  const extra = found.filter((name) => !wanted.includes(name))
  if (missing.length + extra.length > 0) {
    throw new Error(`${where}: parameters missing: ${missing}; not expected: ${extra}`)
  }
}

function largest(values: ArrayLike<number>): number {
  let most = 0
  for (let e = 0; e < values.length; e++) most = Math.max(most, Math.abs(values[e] ?? 0))
  return most
}

/** Every draw's own block against the differences; every other block must be zero. */
function compareJacobians(
  jacobian: Map<string, NdArray<Float32Array>>,
  truth: Differences,
  where: string,
  tolerance: number,
  draws: readonly Draw[],
): number {
  let worst = 0
  for (const [name, entry] of truth.jacobian) {
    const found = jacobian.get(name)
    if (!found) throw new Error(`${where}: no Jacobian of ${name}`)
    const scale = Math.max(1, largest(entry.data))
    const rows = samples * truth.width
    const size = found.data.length / rows
    const width = entry.last - entry.first
    for (let e = 0; e < found.data.length; e++) {
      const row = Math.floor(e / size)
      const o = row % truth.width
      const inside = o >= entry.first && o < entry.last
      const at = (Math.floor(row / truth.width) * width + o - entry.first) * size + (e % size)
      const expected = inside ? (entry.data[at] ?? 0) : 0
      const error = Math.abs((found.data[e] ?? 0) - expected) / scale
      worst = Math.max(worst, error)
      if (!(error <= tolerance)) {
        const draw = draws.find(({ parameters }) => name in parameters)
        const nodes = draw?.nodes
          .map(({ op, inputs, attributes }) => `${op}(${inputs}) ${JSON.stringify(attributes)}`)
          .join('; ')
        const shapes = Object.entries({ ...draw?.parameters, ...draw?.feeds })
          .map(([key, { shape }]) => `${key}: [${shape}]`)
          .join(', ')
        throw new Error(
          `${where}: ∂out[${Math.floor(row / truth.width)},${o - entry.first}]/∂${name}[${e % size}]` +
            ` is ${found.data[e]}, differences say ${expected}; ${draw?.mode}: ${nodes}; ${shapes}`,
        )
      }
    }
  }
  return worst
}

/** ⟨u, J·e⟩ = ⟨Jᵀu, e⟩ for every unit vector e, J by differences. */
async function checkAdjoint(
  network: Network,
  feeds: Record<string, NdArray>,
  truth: Differences,
  where: string,
  tolerance: number,
): Promise<void> {
  const random = new Random(4711)
  const u = random.normals(samples * truth.width)
  const products = await network.vjp(feeds, { data: u, shape: [samples, truth.width] })
  for (const [name, { first, last, data }] of truth.jacobian) {
    const found = products.get(name)?.data ?? new Float32Array()
    const size = found.length
    const expected = new Float64Array(size)
    for (let i = 0; i < samples; i++)
      for (let o = first; o < last; o++)
        for (let e = 0; e < size; e++)
          expected[e] =
            (expected[e] ?? 0) +
            (u[i * truth.width + o] ?? 0) * (data[(i * (last - first) + o - first) * size + e] ?? 0)
    const scale = Math.max(1, largest(expected), largest(data))
    for (let e = 0; e < size; e++) {
      const error = Math.abs((found[e] ?? 0) - (expected[e] ?? 0)) / scale
      if (!(error <= 3 * tolerance)) {
        throw new Error(`${where}: vjp of ${name}[${e}] is ${found[e]}, expected ${expected[e]}`)
      }
    }
  }
}

/**
 * The kernel by each method, and by a device, against J·Jᵀ, J by differences. Returns the nodes
 * that the device left to the processor.
 */
async function checkKernels(
  network: Network,
  feeds: Record<string, NdArray>,
  truth: Differences,
  where: string,
  tolerance: number,
): Promise<string[]> {
  const { width } = truth
  const side = samples * width
  const expected = new Float64Array(side * side)
  for (const { first, last, data } of truth.jacobian.values()) {
    const own = last - first
    const size = data.length / (samples * own)
    for (let a = 0; a < samples * own; a++)
      for (let b = 0; b < samples * own; b++) {
        let sum = 0
        for (let e = 0; e < size; e++) sum += (data[a * size + e] ?? 0) * (data[b * size + e] ?? 0)
        const row = Math.floor(a / own) * width + first + (a % own)
        const column = Math.floor(b / own) * width + first + (b % own)
        expected[row * side + column] = (expected[row * side + column] ?? 0) + sum
      }
  }
  const device = await kernelOnDevice(network, feeds)
  const kernels = new Map<string, ArrayLike<number>>([['a device', device.data]])
  for (const method of ['jacobian', 'structured', 'mixed'] as const)
    kernels.set(method, (await network.ntk(feeds, { method })).data)
  for (const [way, data] of kernels) {
    for (let e = 0; e < expected.length; e++) {
      // Each draw to its own scale: the diagonal entries' geometric mean bounds every entry.
      const [r, c] = [Math.floor(e / side), e % side]
      const bound = Math.sqrt((expected[r * side + r] ?? 0) * (expected[c * side + c] ?? 0))
      const error = Math.abs((data[e] ?? 0) - (expected[e] ?? 0)) / Math.max(1, bound)
      if (!(error <= 6 * tolerance)) {
        throw new Error(
          `${where}: kernel by ${way} [${r},${c}] is ${data[e]}, expected ${expected[e]}`,
        )
      }
    }
  }
  return device.onHost
}
