// Traces and eigenvalue densities of kernels that are only known by their products.
import { wholeNumber } from '../errors.js'
import { abortError, type Progress } from '../forward/host.js'
import { type KernelProduct, mulberry } from '../solve/gradients.js'
import { threadsOf } from '../solve/native-call.js'
import { Basis, dot, tridiagonal } from './lanczos.js'

/** Options of {@link estimateTrace}. */
export interface TraceOptions {
  /** Random vectors (default 32). */
  probes?: number | undefined
  /** Vectors that share one product (default 8): more take more memory. */
  together?: number | undefined
  /** Default 1. */
  seed?: number | undefined
  signal?: AbortSignal | undefined
  onProgress?: ((progress: Progress) => void) | undefined
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
  /** tr K² = ‖K‖_F². */
  squared: Estimate
  /** (tr K)² / tr K², the participation ratio: about how many directions carry the kernel. */
  participation: number
  probes: number
}

/**
 * Trace and Frobenius norm of a symmetric matrix from products with random signs (Hutchinson 1990):
 * tr K = E zᵀKz and tr K² = E ‖Kz‖².
 * @param product v (n, columns) ↦ K·v.
 */
export async function estimateTrace(
  product: KernelProduct,
  n: number,
  options: TraceOptions = {},
): Promise<TraceEstimate> {
  const { probes = 32, together = 8, seed = 1, signal, onProgress } = options
  wholeNumber('n', n, 1)
  wholeNumber('options.probes', probes, 2)
  wholeNumber('options.together', together, 1)
  const uniform = mulberry(seed)
  const first: number[] = []
  const second: number[] = []
  const started = performance.now()
  for (let done = 0; done < probes; done += together) {
    if (signal?.aborted) throw abortError(signal)
    const columns = Math.min(together, probes - done)
    const z = signs(n * columns, uniform)
    const image = await product(z, columns)
    for (let c = 0; c < columns; c += 1) {
      let along = 0
      let square = 0
      for (let e = c; e < image.length; e += columns) {
        const value = image[e] as number
        along += value * (z[e] as number)
        square += value * value
      }
      first.push(along)
      second.push(square)
    }
    report(onProgress, started, (done + columns) / probes)
  }
  const trace = mean(first)
  const squared = mean(second)
  return { trace, squared, participation: trace.value ** 2 / squared.value, probes }
}

/** Options of {@link estimateDensity}. */
export interface DensityOptions {
  /** Random vectors (default 8). */
  probes?: number | undefined
  /** Lanczos steps for each (default 40, at most n). */
  steps?: number | undefined
  /** Threads for the bases, beside those of the products (default: what the machine has). */
  threads?: number | undefined
  /** Default 1. */
  seed?: number | undefined
  signal?: AbortSignal | undefined
  onProgress?: ((progress: Progress) => void) | undefined
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
 */
export async function estimateDensity(
  product: KernelProduct,
  n: number,
  options: DensityOptions = {},
): Promise<DensityEstimate> {
  const { probes = 8, seed = 1, signal, onProgress } = options
  wholeNumber('n', n, 1)
  const steps = options.steps ?? Math.min(40, n)
  wholeNumber('options.probes', probes, 2)
  wholeNumber('options.steps', steps, 1, n)
  const threads = threadsOf(options)
  const uniform = mulberry(seed)
  const started = performance.now()
  // All probes advance together, so that a product serves them all.
  const bases = Array.from(
    { length: probes },
    (_, p) => new Basis(n, seed + 1000 * (p + 1), threads, signs(n, uniform)),
  )
  for (let step = 0; step < steps; step += 1) {
    if (signal?.aborted) throw abortError(signal)
    const block = new Float64Array(n * probes)
    bases.forEach(({ next }, p) => {
      for (let i = 0; i < n; i += 1) block[i * probes + p] = next[i] as number
    })
    const image = await product(block, probes)
    for (const [p, basis] of bases.entries()) {
      const own = new Float64Array(n)
      for (let i = 0; i < n; i += 1) own[i] = image[i * probes + p] as number
      await basis.extend(own)
    }
    report(onProgress, started, (step + 1) / steps)
  }
  const rules = await Promise.all(
    bases.map(async ({ diagonal, offDiagonal }) => {
      const { values, vectors } = await tridiagonal(diagonal, offDiagonal)
      const weights = values.map((_, j) => n * (vectors[j * steps] as number) ** 2)
      return { values, weights }
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

function signs(count: number, uniform: () => number): Float64Array {
  return Float64Array.from({ length: count }, () => (uniform() < 0.5 ? -1 : 1))
}

function mean(values: readonly number[]): Estimate {
  const value = values.reduce((sum, each) => sum + each, 0) / values.length
  const spread = values.reduce((sum, each) => sum + (each - value) ** 2, 0)
  return { value, error: Math.sqrt(spread / (values.length - 1) / values.length) }
}

function report(
  onProgress: ((progress: Progress) => void) | undefined,
  started: number,
  fraction: number,
): void {
  const seconds = (performance.now() - started) / 1000
  onProgress?.({ fraction, remaining: (seconds * (1 - fraction)) / fraction })
}
