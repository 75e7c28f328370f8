// Eigenvalues of kernels that are only known by their products.
import { badArgument, TangentError, wholeNumber } from '../errors.js'
import { abortError, type Progress } from '../forward/host.js'
import { native } from '../native.js'
import { gaussians, type KernelProduct } from '../solve/gradients.js'
import type { NativeKrylovBasis } from '../solve/native.js'
import { call, threadsOf } from '../solve/native-call.js'

/** Options of {@link topEigenvalues}. */
export interface LanczosOptions {
  /** Eigenvalues wanted, the largest (default 10, at most n). */
  count?: number | undefined
  /**
   * An eigenvalue is accepted when its residual ‖Kv − λv‖ is below this times the largest one
   * (default 1e-5: products are made in single precision).
   */
  tolerance?: number | undefined
  /** Products at most (default 20 · count + 100, at most n). */
  maxIterations?: number | undefined
  /** Of the starting vector (default 1). */
  seed?: number | undefined
  /** Give the eigenvectors, too (default: false). */
  vectors?: boolean | undefined
  /** Threads for the basis, beside those of the products (default: what the machine has). */
  threads?: number | undefined
  /** Aborts with a DOMException named AbortError. */
  signal?: AbortSignal | undefined
  /** By products made, of those allowed. */
  onProgress?: ((progress: Progress) => void) | undefined
}

/** What the Lanczos method found. */
export interface TopEigenvalues {
  /** Descending. */
  values: Float64Array
  /** ‖Kv − λv‖ of each: no eigenvalue of K is further away from λ than this. */
  residuals: Float64Array
  /** (count, n): row j belongs to values[j]; empty unless asked for. */
  vectors: Float64Array
  /** Products with K that were made. */
  iterations: number
  status: 'converged' | 'iteration limit'
  /** What to try next. */
  advice: string
}

/**
 * The largest eigenvalues of a symmetric positive semidefinite n × n matrix, by the Lanczos method
 * with full reorthogonalisation (Golub & Van Loan, *Matrix Computations*, 10.3). Sees products
 * only; keeps one vector of n numbers per product. Eigenvalues that coincide exactly are found once
 * each unless the iteration exhausts their invariant subspace and starts again in a new direction.
 * @param product v (n, columns) ↦ K·v.
 */
export async function topEigenvalues(
  product: KernelProduct,
  n: number,
  options: LanczosOptions = {},
): Promise<TopEigenvalues> {
  wholeNumber('n', n, 1)
  const count = options.count ?? Math.min(10, n)
  wholeNumber('options.count', count, 1, n)
  const { tolerance = 1e-5, signal, onProgress } = options
  if (!(tolerance > 0)) throw badArgument('options.tolerance', 'a number > 0', tolerance)
  const { maxIterations = 20 * count + 100 } = options
  wholeNumber('options.maxIterations', maxIterations, count)
  const limit = Math.min(n, maxIterations)
  const started = performance.now()
  const basis = new Basis(n, options.seed ?? 1, threadsOf(options))
  let ritz: Ritz | undefined
  while (basis.size < limit) {
    if (signal?.aborted) throw abortError(signal)
    await basis.extend(await product(basis.next, 1))
    const m = basis.size
    const fraction = m / limit
    const seconds = (performance.now() - started) / 1000
    onProgress?.({ fraction, remaining: (seconds * (1 - fraction)) / fraction })
    // The small problem costs m³: it is looked at when the basis has grown by a twentieth.
    const due = m >= count && (m === limit || m % Math.max(1, Math.floor(m / 20)) === 0)
    if (!due) continue
    ritz = await ritzPairs(basis)
    const bound = tolerance * Math.abs(ritz.values[0] as number)
    if (largest(ritz.residuals, count) <= bound) break
  }
  if (!ritz) throw new TangentError('FAILED', 'No Ritz values were computed')
  const bound = tolerance * Math.abs(ritz.values[0] as number)
  const converged = largest(ritz.residuals, count) <= bound
  onProgress?.({ fraction: 1, remaining: 0 })
  return {
    values: ritz.values.slice(0, count),
    residuals: ritz.residuals.slice(0, count),
    vectors: options.vectors ? await basis.combine(ritz.vectors, count) : new Float64Array(0),
    iterations: basis.size,
    status: converged ? 'converged' : 'iteration limit',
    advice: converged
      ? 'Nothing: every residual is below the tolerance.'
      : 'Raise options.maxIterations, ask for fewer eigenvalues, or loosen options.tolerance.',
  }
}

const largest = (values: Float64Array, count: number) =>
  values.slice(0, count).reduce((most, value) => Math.max(most, value), 0)

interface Ritz {
  values: Float64Array
  /** (m, m), row j belongs to values[j]. */
  vectors: Float64Array
  residuals: Float64Array
}

/** Eigenpairs of the projected matrix and the residuals of what they stand for. */
async function ritzPairs(basis: Basis): Promise<Ritz> {
  const m = basis.size
  const { values, vectors } = await tridiagonal(basis.diagonal, basis.offDiagonal)
  const rest = basis.offDiagonal[m - 1] as number
  const residuals = Float64Array.from(values, (_, j) =>
    Math.abs(rest * (vectors[j * m + m - 1] as number)),
  )
  return { values, vectors, residuals }
}

/** Eigenvalues (descending) and vectors (rows) of a symmetric tridiagonal matrix. */
export async function tridiagonal(
  diagonal: readonly number[],
  offDiagonal: readonly number[],
): Promise<{ values: Float64Array; vectors: Float64Array }> {
  const m = diagonal.length
  const matrix = new Float64Array(m * m)
  for (let j = 0; j < m; j += 1) {
    matrix[j * m + j] = diagonal[j] as number
    if (j + 1 === m) continue
    matrix[j * m + j + 1] = offDiagonal[j] as number
    matrix[(j + 1) * m + j] = offDiagonal[j] as number
  }
  const spectrum = await native.createSpectrum(matrix, m)
  return { values: spectrum.values, vectors: spectrum.vectors() }
}

/** An orthonormal basis of the Krylov space and K in it; the vectors are the addon's. */
export class Basis {
  readonly n: number
  readonly diagonal: number[] = []
  /** Entry j couples vectors j and j + 1. */
  readonly offDiagonal: number[] = []
  readonly #vectors: NativeKrylovBasis
  #seed: number
  /** Vector that K is to be applied to. */
  next: Float64Array

  /** @param start instead of a random vector; any length but zero. */
  constructor(n: number, seed: number, threads: number, start?: Float64Array) {
    this.n = n
    this.#seed = seed
    this.#vectors = new native.KrylovBasis(n, threads)
    this.next = start?.slice() ?? gaussians(n, seed)
    scale(this.next, 1 / Math.sqrt(dot(this.next, this.next)))
  }

  get size(): number {
    return this.diagonal.length
  }

  /** Takes K·next. */
  async extend(image: Float64Array): Promise<void> {
    const step = await call(undefined, () => this.#vectors.extend(this.next, image))
    this.diagonal.push(step.along)
    let { rest, length } = step
    // An invariant subspace: K couples it to nothing else.
    const closed = length <= 1e-10 * step.size || step.size === 0
    this.offDiagonal.push(closed ? 0 : length)
    if (closed && this.size < this.n) {
      this.#seed += 1
      const fresh = await this.#vectors.orthogonalise(gaussians(this.n, this.#seed))
      rest = fresh.rest
      length = fresh.length
    }
    scale(rest, 1 / (length || 1))
    this.next = rest
  }

  /** Rows of `coefficients` (count, size) as vectors (count, n). */
  combine(coefficients: Float64Array, count: number): Promise<Float64Array> {
    return this.#vectors.combine(coefficients.slice(0, count * this.size), count)
  }
}

/** Several sums at once, which do not wait for each other. */
export function dot(a: Float64Array, b: Float64Array): number {
  const whole = a.length - (a.length % 4)
  let [p, q, r, s] = [0, 0, 0, 0]
  for (let i = 0; i < whole; i += 4) {
    p += (a[i] as number) * (b[i] as number)
    q += (a[i + 1] as number) * (b[i + 1] as number)
    r += (a[i + 2] as number) * (b[i + 2] as number)
    s += (a[i + 3] as number) * (b[i + 3] as number)
  }
  for (let i = whole; i < a.length; i += 1) p += (a[i] as number) * (b[i] as number)
  return p + q + (r + s)
}

function scale(a: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i += 1) a[i] = (a[i] as number) * factor
}
