import { abortError } from '../core/abort.js'
import { badArgument, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { timed } from '../core/progress.js'
import { each } from '../core/turns.js'
import type { Direction } from '../derivatives/direction.js'
import { heldInputs } from '../io/held.js'
import type { NdArray } from '../io/index.js'
import { manyGaussians } from '../linear/random.js'
import { type CallOptions, type Core, cores } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { picker } from './kernels.js'

/** Options of {@link sampledVariance}. */
export interface SampledVarianceOptions extends CallOptions {
  /** λ > 0, noise over prior variance. */
  ridge: number
  /** Draws from the posterior (default: 32): the relative standard error is √(2/draws). */
  draws?: number | undefined
  /** Flat indices of the outputs (default: all). */
  outputs?: readonly number[] | undefined
  /** Conjugate gradients end at this relative residual (default: 1e-3). */
  tolerance?: number | undefined
  /** Default: 200. */
  maxIterations?: number | undefined
  /** Default 1. */
  seed?: number | undefined
}

/** What {@link sampledVariance} found, and how far it may be off. */
export interface SampledVariance {
  /** (N2, O), in the kernel's units, without noise. */
  variance: NdArray<Float64Array>
  /** Its standard errors, (N2, O): variance·√(2/draws). */
  error: NdArray<Float64Array>
  draws: number
  /** The largest ‖b − (K + λI)α‖ / ‖b‖ of all draws, and how many products with K were made for each. */
  residual: number
  iterations: number
}

/**
 * The posterior variance k** − k*ᵀ(K + ridge·I)⁻¹k* where the kernel of the training samples is too large to
 * factor: from draws of the posterior, each made of a draw from the prior and one linear system that conjugate
 * gradients solve on products with the kernel (Matheron's rule; Antorán et al. 2023). Nothing of size (N·O)²
 * is stored.
 * @param x N training samples
 * @param query N2 samples
 * @throws TangentError as {@link Network.kernelOperator} does.
 * @since 0.2.0
 * @example
 * ```js
 * import { buildMlp, Network, sampledVariance } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [16], outputs: 1 }))
 * const x = { data: Float32Array.of(-1, 0, 1), shape: [3, 1] }
 * const query = { data: Float32Array.of(0, 9), shape: [2, 1] }
 * const { variance, error } = await sampledVariance(network, x, query, { ridge: 0.1 })
 * console.log(variance.data[1] > variance.data[0], error.shape.join(' × '))
 * await network.dispose()
 * // true 2 × 1
 * ```
 */
export async function sampledVariance(
  network: Network,
  x: Inputs,
  query: Inputs,
  options: SampledVarianceOptions,
): Promise<SampledVariance> {
  checkCall(options)
  const { ridge, draws = 32, outputs, tolerance = 1e-3, maxIterations = 200, seed = 1 } = options
  if (!(typeof ridge === 'number' && ridge > 0 && Number.isFinite(ridge)))
    throw badArgument('options.ridge', 'a number above 0', ridge)
  if (!(typeof tolerance === 'number' && tolerance > 0 && tolerance < 1))
    throw badArgument('options.tolerance', 'a number between 0 and 1', tolerance)
  wholeNumber('options.draws', draws, 2)
  wholeNumber('options.maxIterations', maxIterations, 1)
  wholeNumber('options.seed', seed, 0)
  const core = cores.get(network) as Core | undefined
  if (!core) throw badArgument('network', 'a Network', network)
  const { signal, threads, memory } = options
  const common = { signal, threads, memory, outputs }
  const train = await picker(network, heldInputs(x, 'x'), 'x', common)
  const ask = await picker(network, heldInputs(query, 'query'), 'query', common)
  const progress = timed(options.onProgress)
  const operator = await network.kernelOperator(train.all, common)
  const { size: n } = operator
  const priors = core.architecture.active.map(({ parameter }) => parameter)
  const drawn = (draw: number) => priorDraw(priors, seed + 7919 * draw)

  // Right-hand sides J Δ₀ + ε, a column for each draw.
  const b = new Float64Array(n * draws)
  for (let s = 0; s < draws; s += 1) {
    const image = await network.jvp(train.all, await drawn(s), common)
    const noise = await manyGaussians(n, seed + 104_729 * (s + 1))
    for (let r = 0; r < n; r += 1)
      b[r * draws + s] = Number(image.data[r]) + Math.sqrt(ridge) * (noise[r] as number)
    progress((0.2 * (s + 1)) / draws)
  }
  const product = (v: Float64Array) => operator.product(v, draws, { signal })
  const solved = await conjugateGradients(product, b, draws, {
    ...{ ridge, tolerance, maxIterations, signal },
    onIteration: (fraction) => progress(0.2 + 0.5 * fraction),
  })

  const width = n / train.samples
  const sums = new Float64Array(ask.samples * width)
  for (let s = 0; s < draws; s += 1) {
    const alpha = Float32Array.from({ length: n }, (_, r) => solved.alpha[r * draws + s] as number)
    const cotangents = { data: alpha, shape: [train.samples, width] }
    const back = await network.vjp(train.all, cotangents, common)
    const direction = await drawn(s)
    for (const [name, { data }] of back) {
      const own = direction.get(name)?.data as Float32Array
      for (let e = 0; e < own.length; e += 1) own[e] = (own[e] as number) - (data[e] as number)
    }
    const { data } = await network.jvp(ask.all, direction, common)
    for (let r = 0; r < sums.length; r += 1)
      sums[r] = (sums[r] as number) + (data[r] as number) ** 2 / draws
    progress(0.7 + (0.3 * (s + 1)) / draws)
  }
  const shape = [ask.samples, width]
  const error = sums.map((value) => value * Math.sqrt(2 / draws))
  const { residual, iterations } = solved
  return {
    variance: { data: sums, shape },
    error: { data: error, shape },
    draws,
    residual,
    iterations,
  }
}

/** Δ₀ ~ N(0, I). */
async function priorDraw(
  parameters: readonly { name: string; shape: readonly number[]; count: number }[],
  seed: number,
): Promise<Map<string, NdArray<Float32Array>> & Direction> {
  const total = parameters.reduce((sum, { count }) => sum + count, 0)
  const numbers = Float32Array.from(await manyGaussians(total, seed))
  let at = 0
  return new Map(
    parameters.map(({ name, shape, count }) => {
      at += count
      return [name, { data: numbers.slice(at - count, at), shape: [...shape] }]
    }),
  )
}

interface Solving {
  ridge: number
  tolerance: number
  maxIterations: number
  signal: AbortSignal | undefined
  onIteration(fraction: number): void
}

/** (K + λI) α = b for columns that share each product. */
async function conjugateGradients(
  product: (v: Float64Array) => Promise<Float64Array>,
  b: Float64Array,
  columns: number,
  { ridge, tolerance, maxIterations, signal, onIteration }: Solving,
): Promise<{ alpha: Float64Array; residual: number; iterations: number }> {
  const rows = b.length / columns
  const alpha = new Float64Array(b.length)
  const r = b.slice()
  const p = b.slice()
  const start = squares(b, columns)
  let rr: Float64Array = start.slice()
  let iterations = 0
  const worst = () =>
    Math.sqrt(
      rr.reduce((most, value, s) => {
        const size = start[s] as number
        return size > 0 ? Math.max(most, value / size) : most
      }, 0),
    )
  while (iterations < maxIterations && worst() > tolerance) {
    if (signal?.aborted) throw abortError(signal)
    const image = await product(p)
    const along = new Float64Array(columns)
    const shift = (row: number) => {
      for (let s = 0; s < columns; s += 1) {
        const e = row * columns + s
        image[e] = (image[e] as number) + ridge * (p[e] as number)
        along[s] = (along[s] as number) + (image[e] as number) * (p[e] as number)
      }
    }
    await each(rows, 4 * columns, shift, signal)
    // A column that is solved stays as it is.
    const step = rr.map((value, s) => ((along[s] as number) > 0 ? value / (along[s] as number) : 0))
    const next = new Float64Array(columns)
    const advance = (row: number) => {
      for (let s = 0; s < columns; s += 1) {
        const e = row * columns + s
        alpha[e] = (alpha[e] as number) + (step[s] as number) * (p[e] as number)
        r[e] = (r[e] as number) - (step[s] as number) * (image[e] as number)
        next[s] = (next[s] as number) + (r[e] as number) ** 2
      }
    }
    await each(rows, 4 * columns, advance, signal)
    const turn = next.map((value, s) => ((rr[s] as number) > 0 ? value / (rr[s] as number) : 0))
    const follow = (row: number) => {
      for (let s = 0; s < columns; s += 1) {
        const e = row * columns + s
        p[e] = (r[e] as number) + (turn[s] as number) * (p[e] as number)
      }
    }
    await each(rows, 4 * columns, follow, signal)
    rr = next
    iterations += 1
    onIteration(Math.min(1, Math.log(worst() || tolerance) / Math.log(tolerance)))
  }
  return { alpha, residual: worst(), iterations }
}

function squares(v: Float64Array, columns: number): Float64Array {
  const sums = new Float64Array(columns)
  for (let e = 0; e < v.length; e += 1)
    sums[e % columns] = (sums[e % columns] as number) + (v[e] as number) ** 2
  return sums
}
