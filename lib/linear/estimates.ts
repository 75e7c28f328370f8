// Traces and eigenvalue densities of kernels that are only known by their products.

import { abortError } from '../core/abort.js'
import { badArgument, TangentError, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { type OnProgress, timed } from '../core/progress.js'
import { threadsOf } from '../native/call.js'

import { Basis } from './lanczos.js'
import { checkedProduct, type KernelProduct, productOf } from './product.js'
import { gaussians, signs, uniforms } from './random.js'

/** Options of {@link estimateTrace}. */
export interface TraceOptions {
  /** Products, one for each column (default 32). */
  probes?: number | undefined
  /** Vectors that share one product (default 8): more take more memory. */
  together?: number | undefined
  /** Threads for the basis, in addition to those of the products (default: what the machine has). */
  threads?: number | undefined
  /** Default 1. */
  seed?: number | undefined
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

/** A mean over random vectors and its standard error. */
export interface Estimate {
  value: number
  /** Standard deviation of `value`, estimated from the spread of the probes. */
  error: number
}

/** What {@link estimateTrace} gives. */
export interface TraceEstimate {
  /** tr K. */
  trace: Estimate
  /** tr K² = ‖K‖_F²; Infinity where that leaves the range of a number. */
  squared: Estimate
  /** (tr K)² / tr K², the participation ratio: about how many directions carry the kernel. */
  participation: number
  /** Products that were made. */
  probes: number
}

/**
 * Trace and Frobenius norm of a symmetric matrix from products with it, by Hutch++ (Meyer, Musco,
 * Musco & Woodruff 2021): a third of the products finds the directions Q that carry most of K, another
 * third gives K's share in them exactly, and the last, with random signs z, estimates the rest:
 * tr K = tr QᵀKQ + E z'ᵀKz' and tr K² = ‖KQ‖² + E ‖Kz'‖², z' = (I − QQᵀ)z. The standard errors are
 * those of the last third's means, given Q. Below six products all are random signs (Hutchinson 1990).
 * @param product v (n, columns) ↦ K·v.
 * @throws TangentError BAD_INPUT for products that are not finite.
 * @example
 * ```js
 * import { estimateTrace } from 'adaptive-tangent'
 *
 * // The matrix diag(1, 2, …, 100), known by its products only: its trace is 5050.
 * const product = async (v, columns) =>
 *   v.map((value, at) => (Math.floor(at / columns) + 1) * value)
 * const { trace } = await estimateTrace(product, 100, { seed: 1 })
 * console.log(Math.abs(trace.value - 5050) < 4 * trace.error + 1e-6)
 * // true
 * ```
 * @since 0.1.0
 */
export async function estimateTrace(
  product: KernelProduct,
  n: number,
  options: TraceOptions = {},
): Promise<TraceEstimate> {
  checkCall(options)
  const { probes = 32, together = 8, seed = 1, signal } = options
  if (typeof product !== 'function') throw badArgument('product', 'a function', product)
  wholeNumber('n', n, 1)
  wholeNumber('options.seed', options.seed ?? 1, 0)
  wholeNumber('options.probes', probes, 2)
  wholeNumber('options.together', together, 1)
  const uniform = uniforms(seed)
  const progress = timed(options.onProgress)
  const kept = probes < 6 ? 0 : Math.min(n, Math.floor(probes / 3))
  let done = 0
  const images = async (block: Float64Array) => {
    const counted: KernelProduct = async (v, columns) => {
      if (signal?.aborted) throw abortError(signal)
      const image = await product(v, columns)
      done += columns
      progress(Math.min(1, done / probes))
      return image
    }
    return productOf(counted, block, n, together)
  }
  const basis = new Basis(product, n, seed, threadsOf(options))
  let inside: Moments[] = []
  let scale = 1
  if (kept > 0) {
    // Of another stream than the signs: they have to be independent.
    const sketch = await images(gaussians(n * kept, seed + 7919))
    scale = magnitude(sketch)
    await basis.add(sketch, kept)
    const block = basis.next
    const image = await images(block)
    inside = moments(block, image, basis.width, scale)
    await basis.take(image)
  }
  // With a basis of the whole space nothing is left to estimate.
  const rest = basis.size === n ? 0 : probes - done
  const outside = await basis.outside(signs(n * rest, uniform), rest)
  const image = await images(outside)
  if (kept === 0) scale = magnitude(image)
  const random = moments(outside, image, rest, scale)
  const sum = (f: (each: Moments) => number) => inside.reduce((all, each) => all + f(each), 0)
  const trace = shifted(
    sum(({ along }) => along),
    random.map(({ along }) => along),
  )
  const squared = shifted(
    sum(({ square }) => square),
    random.map(({ square }) => square),
  )
  return {
    trace: times(trace, scale),
    squared: times(times(squared, scale), scale),
    participation: trace.value ** 2 / squared.value,
    probes: done,
  }
}

interface Moments {
  /** zᵀKz and ‖Kz‖² of a column, K divided by the scale. */
  along: number
  square: number
}

function moments(
  block: Float64Array,
  image: Float64Array,
  columns: number,
  scale: number,
): Moments[] {
  return Array.from({ length: columns }, (_, c) => {
    let along = 0
    let square = 0
    for (let e = c; e < image.length; e += columns) {
      const value = (image[e] as number) / scale
      along += value * (block[e] as number)
      square += value * value
    }
    return { along, square }
  })
}

/** The largest entry, by which K is divided so that its squares stay in range. */
function magnitude(image: Float64Array): number {
  let largest = 0
  for (const value of image) {
    if (!Number.isFinite(value)) {
      throw new TangentError('BAD_INPUT', 'Expected finite products with the kernel')
    }
    largest = Math.max(largest, Math.abs(value))
  }
  return largest || 1
}

/** `exact` plus the mean of the values, with that mean's standard error. */
function shifted(exact: number, values: readonly number[]): Estimate {
  if (values.length === 0) return { value: exact, error: 0 }
  const { value, error } = mean(values)
  return { value: exact + value, error }
}

const times = ({ value, error }: Estimate, factor: number): Estimate => ({
  value: value * factor,
  error: error * factor,
})

/** Options of {@link estimateDensity}. */
export interface DensityOptions {
  /** Random vectors (default 8). */
  probes?: number | undefined
  /** Lanczos steps for each (default 40, at most n). */
  steps?: number | undefined
  /** Threads for the bases, in addition to those of the products (default: what the machine has). */
  threads?: number | undefined
  /** Default 1. */
  seed?: number | undefined
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

/** An eigenvalue density as weighted points. */
export interface DensityEstimate {
  /** Ascending. */
  nodes: Float64Array
  /** How many of the n eigenvalues each stands for: they add up to n. */
  weights: Float64Array
  /** Σ_j f(λ_j) over all n eigenvalues, estimated, with its standard error. */
  sum(f: (eigenvalue: number) => number): Estimate
  probes: number
  steps: number
}

/**
 * The density of all eigenvalues by stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017): each
 * random vector's Gauss quadrature of its spectral measure, averaged.
 * @param product v (n, columns) ↦ K·v.
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
 * @example
 * ```js
 * import { estimateDensity } from 'adaptive-tangent'
 *
 * // The matrix diag(1, 2, …, 100), known by its products only.
 * const n = 100
 * const product = async (v, columns) =>
 *   v.map((value, at) => (Math.floor(at / columns) + 1) * value)
 * const density = await estimateDensity(product, n, { seed: 1 })
 * console.log(density.sum(() => 1).value.toFixed(1))
 * // 100.0
 * ```
 * @since 0.1.0
 */
export async function estimateDensity(
  product: KernelProduct,
  n: number,
  options: DensityOptions = {},
): Promise<DensityEstimate> {
  checkCall(options)
  const { probes = 8, seed = 1, signal } = options
  if (typeof product !== 'function') throw badArgument('product', 'a function', product)
  wholeNumber('n', n, 1)
  wholeNumber('options.seed', options.seed ?? 1, 0)
  const steps = options.steps ?? Math.min(40, n)
  wholeNumber('options.probes', probes, 2)
  wholeNumber('options.steps', steps, 1, n)
  const threads = threadsOf(options)
  const uniform = uniforms(seed)
  const progress = timed(options.onProgress)
  // All probes advance together, so that a product serves them all.
  const bases = await Promise.all(
    Array.from({ length: probes }, async (_, p) => {
      const basis = new Basis(product, n, seed + p, threads)
      await basis.add(signs(n, uniform), 1)
      return basis
    }),
  )
  for (let step = 0; step < steps; step += 1) {
    if (signal?.aborted) throw abortError(signal)
    // A probe whose Krylov space is complete has its quadrature.
    const open = bases.filter(({ width }) => width > 0)
    if (open.length === 0) break
    const block = new Float64Array(n * open.length)
    open.forEach(({ next }, p) => {
      for (let i = 0; i < n; i += 1) block[i * open.length + p] = next[i] as number
    })
    const image = checkedProduct(await product(block, open.length), block.length)
    for (const [p, basis] of open.entries()) {
      const own = new Float64Array(n)
      for (let i = 0; i < n; i += 1) own[i] = image[i * open.length + p] as number
      await basis.take(own)
    }
    progress((step + 1) / steps)
  }
  const rules = await Promise.all(
    bases.map(async (basis) => {
      const { values, first } = await basis.ritz()
      return { values, weights: first.map((part) => n * part ** 2) }
    }),
  )
  const points = rules
    .flatMap(({ values, weights }) =>
      Array.from(values, (value, j) => [value, (weights[j] as number) / probes] as const),
    )
    .sort(([a], [b]) => a - b)
  return {
    nodes: Float64Array.from(points, ([node]) => node),
    weights: Float64Array.from(points, ([, weight]) => weight),
    sum: (f) => mean(rules.map(({ values, weights }) => dot(values.map(f), weights))),
    probes,
    steps,
  }
}

const dot = (a: Float64Array, b: Float64Array) =>
  a.reduce((sum, value, i) => sum + value * (b[i] as number), 0)

function mean(values: readonly number[]): Estimate {
  const value = values.reduce((sum, each) => sum + each, 0) / values.length
  const spread = values.reduce((sum, each) => sum + (each - value) ** 2, 0)
  return { value, error: Math.sqrt(spread / (values.length - 1) / values.length) }
}
