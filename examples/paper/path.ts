// The straight path θ_t = (1 − t)θ0 + tθ1 between the weights before and after training, point by
// point: the loss, the tangent kernel, and how far the linearisation there explains the training.
import type { NdArray, Network } from 'adaptive-tangent'
import { first, type KernelSettings, type Target, trainedOn, wantedOf } from './kernels.js'

/** What one point of the path shows. */
export interface PathPoint {
  t: number
  /** Mean ½(f − y)² of the samples trained on, and of others. */
  loss: number
  heldOut: number
  /** cos(K_t, K_ŷ), cos(K_t, K_0) of the first samples. */
  target: number
  initial: number
  /** tr K_t ÷ tr K_0. */
  trace: number
  /** ‖f1 − f0‖² ÷ ‖f1 − f0 − F_tΔθ‖² in decibels, on those samples. */
  signal: number
}

/**
 * Trains on the first samples of x and walks the path.
 * @param x more than `settings.samples` rows: the others are held out
 * @param y as many
 */
export async function pathRun(
  x: NdArray<Float32Array>,
  y: Float32Array,
  target: Target,
  settings: KernelSettings,
  context: { threads: number; say(text: string): void },
): Promise<PathPoint[]> {
  const { samples, drawn, points } = settings
  const wanted = wantedOf(y, target)
  const learned = first(x, samples)
  const trained = await trainedOn(learned, wanted.slice(0, samples), settings, context)
  await using before = trained.before
  await using after = trained.after
  const few = first(x, drawn)
  const change = differences(await outputs(after, few), await outputs(before, few))
  const step = direction(trained.initial, trained.weights)
  const start = await before.ntk(few)
  const kernel = outer(change)
  const found: PathPoint[] = []
  for (let k = 0; k <= points; k += 1) {
    const t = k / points
    await using network = await before.withParameters(at(trained.initial, step, t))
    const all = await outputs(network, x)
    const half = Float64Array.from(all, (value, i) => (value - (wanted[i] as number)) ** 2 / 2)
    const local = await network.ntk(few)
    const linear = (await network.jvp(few, step)).data as Float32Array
    found.push({
      t,
      loss: mean(half.subarray(0, samples)),
      heldOut: mean(half.subarray(samples)),
      target: await local.alignment(kernel),
      initial: await local.alignment(start.gram()),
      trace: local.trace() / start.trace(),
      signal: 10 * Math.log10(square(change) / square(differences(change, linear))),
    })
  }
  return found
}

type Weights = ReadonlyMap<string, NdArray>

async function outputs(network: Network, x: NdArray): Promise<Float32Array> {
  return (await network.run(x)).data as Float32Array
}

/** Δθ */
function direction(from: Weights, to: Weights): Map<string, NdArray<Float32Array>> {
  return new Map(
    [...from].map(([name, { data, shape }]) => {
      const end = to.get(name)?.data as Float32Array
      return [name, { data: differences(end, data as Float32Array), shape: [...shape] }]
    }),
  )
}

/** θ0 + tΔθ */
function at(from: Weights, step: Weights, t: number): Map<string, NdArray<Float32Array>> {
  return new Map(
    [...from].map(([name, { data, shape }]) => {
      const change = step.get(name)?.data as Float32Array
      const values = Float32Array.from(data as Float32Array, (value, e) => {
        return value + t * (change[e] as number)
      })
      return [name, { data: values, shape: [...shape] }]
    }),
  )
}

function differences(a: ArrayLike<number>, b: ArrayLike<number>): Float32Array {
  return Float32Array.from(a, (value, e) => value - (b[e] as number))
}

/** The kernel vvᵀ. */
function outer(v: Float32Array): NdArray<Float32Array> {
  const n = v.length
  const data = Float32Array.from({ length: n * n }, (_, e) => {
    return (v[Math.floor(e / n)] as number) * (v[e % n] as number)
  })
  return { data, shape: [n, n] }
}

const square = (v: ArrayLike<number>) => Array.from(v).reduce((sum, value) => sum + value ** 2, 0)
const mean = (v: Float64Array) => v.reduce((sum, value) => sum + value, 0) / v.length
