// One model through everything: loaded, run, differentiated, and what comes out checked.
import * as ort from 'onnxruntime-node'
import { type ErrorCode, Network, TangentError } from '../../lib/index.js'
import { elementCount, type NdArray } from '../../lib/io/index.js'
import type { ValueInfo } from '../../lib/onnx/index.js'
import { Random } from '../support/random.js'

/** `right`, an error's code, or what must not happen: `wrong`, `untyped`. */
export interface Outcome {
  kind: 'right' | 'unchecked' | ErrorCode | 'wrong' | 'untyped'
  detail: string
}

/** An input that is too large to try, or outputs too many to compare. */
class Unchecked extends Error {}
class Wrong extends Error {}

ort.env.logLevel = 'fatal'

function input({ type, shape }: ValueInfo, random: Random): NdArray {
  const dims = (shape ?? [2, 2]).map((size, axis) => {
    if (typeof size === 'number') return size
    return axis === 0 ? 2 : 3
  })
  const count = elementCount(dims)
  if (count === null || count > 100_000) throw new Unchecked('a large input')
  const small = () => random.integer(0, 2)
  switch (type) {
    case 'int64':
      return { data: BigInt64Array.from({ length: count }, () => BigInt(small())), shape: dims }
    case 'int32':
      return { data: Int32Array.from({ length: count }, small), shape: dims }
    case 'bool':
      return { data: Uint8Array.from({ length: count }, small), shape: dims, boolean: true }
    default:
      return { data: random.normals(count), shape: dims }
  }
}

function largest(values: ArrayLike<number>): number {
  let most = 0
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i] as number))
  return most
}

function finite(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false
  return true
}

function near(one: ArrayLike<number>, two: ArrayLike<number>, tolerance: number): boolean {
  if (one.length !== two.length) return false
  const scale = tolerance * Math.max(largest(one), largest(two), 1e-30)
  for (let i = 0; i < one.length; i++) {
    if (!(Math.abs((one[i] as number) - (two[i] as number)) <= scale)) return false
  }
  return true
}

/** The same output by onnxruntime alone, where it takes the file as it is. */
async function compareRun(
  bytes: Uint8Array,
  network: Network,
  x: Record<string, NdArray>,
  y: Float32Array,
): Promise<void> {
  if (Object.values(x).some(({ shape }) => shape[0] !== 1) && network.inputs[0]?.shape?.[0] === 1)
    return
  let found: ort.Tensor | undefined
  try {
    const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4 })
    const feeds: Record<string, ort.Tensor> = {}
    for (const { name, type } of network.inputs) {
      const { data, shape } = x[name] as NdArray
      feeds[name] = new ort.Tensor(type as 'float32', data as Float32Array, shape)
    }
    found = (await session.run(feeds, [network.output], { logSeverityLevel: 4 }))[network.output]
    await session.release()
  } catch {
    return
  }
  // Half precision and float64 are computed in float32 here.
  if (!(found?.data instanceof Float32Array)) return
  if (finite(found.data) && finite(y) && !near(found.data, y, 2e-2))
    throw new Wrong('the output is not onnxruntime’s')
}

/**
 * Central differences in a random direction; silent where two step sizes do not agree, or the two
 * sides, because the point is a kink.
 */
async function compareDerivative(
  network: Network,
  x: Record<string, NdArray>,
  jacobian: ReadonlyMap<string, NdArray<Float32Array>>,
  random: Random,
): Promise<void> {
  const directions = new Map<string, Float32Array>()
  const rows = [...jacobian.values()][0]?.shape.slice(0, 2) ?? [0, 0]
  const expected = new Float64Array((rows[0] as number) * (rows[1] as number))
  for (const [name, { data }] of jacobian) {
    const count = network.weight(name).data.length
    const direction = random.normals(count)
    directions.set(name, direction)
    for (let row = 0; row < expected.length; row++) {
      for (let k = 0; k < count; k++) {
        expected[row] =
          (expected[row] as number) + (data[row * count + k] as number) * (direction[k] as number)
      }
    }
  }
  const shifted = async (step: number): Promise<Float32Array> => {
    const weights = new Map<string, Float32Array>()
    for (const [name, direction] of directions) {
      weights.set(
        name,
        network.weight(name).data.map((w, k) => w + step * (direction[k] as number)),
      )
    }
    await using other = await network.withParameters(weights)
    return (await other.run(x)).data as Float32Array
  }
  const difference = async (low: number, high: number): Promise<Float64Array> => {
    const [down, up] = [await shifted(low), await shifted(high)]
    return Float64Array.from(up, (value, i) => (value - (down[i] as number)) / (high - low))
  }
  const [coarse, fine] = [await difference(-2e-3, 2e-3), await difference(-5e-4, 5e-4)]
  if (!finite(coarse) || !near(coarse, fine, 0.01) || largest(fine) < 1e-3) return
  if (!near(await difference(-2e-3, 0), await difference(0, 2e-3), 0.03)) return
  if (!near(fine, expected, 0.05)) {
    throw new Wrong(`derivative ${expected.slice(0, 4)} but differences ${fine.slice(0, 4)}`)
  }
}

async function derive(network: Network, x: Record<string, NdArray>, random: Random): Promise<void> {
  const jacobian = await network.jacobian(x)
  const kernel = await network.ntk(x)
  const size = kernel.shape[0]! * (kernel.shape[1] as number)
  const gram = new Float64Array(size * size)
  for (const { data } of jacobian.values()) {
    const count = data.length / size
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        let sum = 0
        for (let k = 0; k < count; k++)
          sum += (data[i * count + k] as number) * (data[j * count + k] as number)
        gram[i * size + j] = (gram[i * size + j] as number) + sum
      }
    }
  }
  if (finite(gram) && largest(gram) < 1e30 && !near(kernel.data, gram, 1e-3)) {
    throw new Wrong('the kernel is not the Jacobian’s Gram matrix')
  }
  if (finite(gram)) await compareDerivative(network, x, jacobian, random)
}

async function everything(bytes: Uint8Array, index: number): Promise<void> {
  const random = new Random(index)
  await using network = await Network.load(bytes, { threads: 1, memory: '256MiB' })
  const x = Object.fromEntries(network.inputs.map((info) => [info.name, input(info, random)]))
  const { data, shape } = await network.run(x)
  if (!(data instanceof Float32Array)) throw new Unchecked('an output of integers')
  await compareRun(bytes, network, x, data)
  if (elementCount(shape)! > 200) throw new Unchecked('many outputs')
  await derive(network, x, random)
}

/** Tries a model; never throws. */
export async function attempt(bytes: Uint8Array, index: number): Promise<Outcome> {
  try {
    await everything(bytes, index)
    return { kind: 'right', detail: '' }
  } catch (error) {
    if (error instanceof Unchecked) return { kind: 'unchecked', detail: error.message }
    if (error instanceof Wrong) return { kind: 'wrong', detail: error.message }
    if (error instanceof TangentError && !/\n/.test(error.message)) {
      return { kind: error.code, detail: error.message }
    }
    return { kind: 'untyped', detail: String((error as Error)?.stack ?? error) }
  }
}
