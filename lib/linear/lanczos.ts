// Eigenvalues of kernels that are only known by their products.

import { abortError } from '../core/abort.js'
import { badArgument, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { type OnProgress, timed } from '../core/progress.js'
import { call, threadsOf } from '../native/call.js'
import type { NativeKrylovBasis, NativeRitz } from '../native/fit.js'
import { native } from '../native/index.js'
import { type KernelProduct, productOf } from './product.js'
import { gaussians } from './random.js'

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
  /** Of the random vectors (default 1). */
  seed?: number | undefined
  /** Give the eigenvectors, too (default: false). */
  vectors?: boolean | undefined
  /** Threads for the basis, in addition to those of the products (default: what the machine has). */
  threads?: number | undefined
  /** Aborts with a DOMException named AbortError. */
  signal?: AbortSignal | undefined
  /** By products made, of those allowed. */
  onProgress?: OnProgress | undefined
}

/** What the Lanczos method found. */
export interface TopEigenvalues {
  /** Descending, each as often as it is an eigenvalue. */
  values: Float64Array
  /**
   * ‖Kv − λv‖ of each, with what is seen of the products' own errors: no eigenvalue of K is further
   * away from λ than this.
   */
  residuals: Float64Array
  /** (count, n): row j belongs to values[j]; empty unless asked for. */
  vectors: Float64Array
  /** Products with K that were made, one for each column. */
  iterations: number
  /**
   * `converged`: all residuals are below the tolerance, and random vectors outside of what was found
   * show that no larger eigenvalue, nor another copy of one, is missing.
   */
  status: 'converged' | 'iteration limit'
  /** What to try next. */
  advice: string
}

/** Random vectors added at once, at most, unless more are wanted to fill the list. */
const widest = 16
/** A missing eigenvalue may stay unseen with this probability. */
const doubt = 1e-3
/** Values this near, relatively, to the least one of the list count as that. */
const margin = 0.001

/**
 * The largest eigenvalues of a symmetric positive semidefinite n × n matrix, each as often as it
 * occurs, by the block Lanczos method with full reorthogonalisation (Golub & Van Loan, *Matrix
 * Computations*, 10.3). It sees products only and keeps one vector of n numbers per product.
 *
 * One vector's Krylov space holds one eigenvector of a multiple eigenvalue. Once the values wanted
 * have converged, a random vector outside of that space therefore starts another: it finds what is
 * missing, or bounds the probability that anything is (below 1e-3). Whenever something was missing,
 * twice as many vectors join the block.
 *
 * @param product v (n, columns) ↦ K·v.
 * @throws TangentError BAD_INPUT for products that are not finite or not those of a symmetric
 *   matrix.
 * @example
 * ```js
 * import { topEigenvalues } from 'adaptive-tangent'
 *
 * // The matrix diag(1, 2, …, 100), known by its products only.
 * const product = async (v, columns) =>
 *   v.map((value, at) => (Math.floor(at / columns) + 1) * value)
 * const { values } = await topEigenvalues(product, 100, { count: 3 })
 * console.log([...values].map((value) => value.toFixed(3)).join(' '))
 * // 100.000 99.000 98.000
 * ```
 * @since 0.1.0
 */
export async function topEigenvalues(
  product: KernelProduct,
  n: number,
  options: LanczosOptions = {},
): Promise<TopEigenvalues> {
  checkCall(options)
  if (typeof product !== 'function') throw badArgument('product', 'a function', product)
  wholeNumber('n', n, 1)
  wholeNumber('options.seed', options.seed ?? 1, 0)
  const count = options.count ?? Math.min(10, n)
  wholeNumber('options.count', count, 1, n)
  const { tolerance = 1e-5, signal } = options
  if (!(typeof tolerance === 'number' && tolerance > 0))
    throw badArgument('options.tolerance', 'a number > 0', tolerance)
  const { maxIterations = 20 * count + 100 } = options
  wholeNumber('options.maxIterations', maxIterations, count)
  const limit = Math.min(n, maxIterations)
  const progress = timed(options.onProgress)
  const basis = new Basis(product, n, options.seed ?? 1, threadsOf(options))
  await basis.probe(1)
  let ritz: NativeRitz | undefined
  let state: Search = { probes: 0, next: 'go on' }
  while (basis.size < limit && state.next !== 'stop') {
    if (signal?.aborted) throw abortError(signal)
    if (basis.width === 0) await refill(basis, Math.min(limit, count))
    if (basis.size + basis.width > limit) break
    const before = basis.size
    await basis.extend()
    const m = basis.size
    progress(m / limit)
    // The small problem costs m³: it is looked at when the basis has grown by a thirtieth.
    const due = Math.floor(m / growth(m)) > Math.floor(before / growth(m))
    if (m < count || !(due || m === limit || basis.width === 0)) continue
    ritz = await basis.ritz()
    state = await search(basis, ritz, count, tolerance, state.probes)
    const room = limit - m - (state.next === 'widen' ? basis.width + basis.aside : 0)
    if (state.next === 'probe') await basis.probe(Math.min(state.probes, room))
    if (state.next === 'widen') await basis.probe(Math.min(state.probes, room), true)
    if (state.next === 'recall') await basis.recall()
  }
  ritz ??= await basis.ritz()
  const done = state.next === 'stop'
  progress(1)
  return {
    values: ritz.values.slice(0, count),
    residuals: ritz.residuals.slice(0, count),
    vectors: options.vectors ? await basis.vectors(count) : new Float64Array(0),
    iterations: basis.size,
    status: done ? 'converged' : 'iteration limit',
    advice: done
      ? 'Nothing: every residual is below the tolerance, and no larger eigenvalue is missing.'
      : 'Raise options.maxIterations, ask for fewer eigenvalues, or loosen options.tolerance.',
  }
}

const growth = (size: number) => Math.max(1, Math.floor(size / 30))

/** K maps the basis to itself: new directions, as many as are wanted still. */
async function refill(basis: Basis, wanted: number): Promise<void> {
  if (basis.aside > 0) await basis.recall()
  else await basis.probe(Math.max(1, wanted - basis.size))
}

interface Search {
  /** Random vectors that look for what is missing; 0: none did so far. */
  probes: number
  next: 'go on' | 'probe' | 'widen' | 'recall' | 'stop'
}

const largest = (values: Float64Array, count: number) =>
  values.slice(0, count).reduce((most, value) => Math.max(most, value), 0)

/** Whether all is found, and whether it is time to look for what is missing. */
async function search(
  basis: Basis,
  { values, residuals, own }: NativeRitz,
  count: number,
  tolerance: number,
  probes: number,
): Promise<Search> {
  const bound = tolerance * Math.abs(values[0] as number)
  const least = values[count - 1] as number
  const near = largest(residuals, count) <= bound
  if (basis.size === basis.n) return { probes, next: near ? 'stop' : 'go on' }
  // Where copies mix with what they are copies of, what was left of that is in the way.
  const recall = basis.aside > 0 && largest(own, count) <= bound
  if (!near) return { probes, next: recall ? 'recall' : 'go on' }
  if (probes === 0) return { probes: 1, next: 'probe' }
  if (!basis.probing) return { probes, next: 'widen' }
  const unseen = await basis.unseen(levelOf(values.subarray(0, count), bound))
  if (unseen.value > least + bound) {
    // In addition to what waits: that may hold parts of further copies.
    return { probes: Math.min(2 * probes, widest), next: 'widen' }
  }
  const nothing =
    unseen.value + unseen.residual <= least + bound && unseen.logProbability <= Math.log(doubt)
  return { probes, next: nothing ? 'stop' : 'go on' }
}

/**
 * Above what nothing may be hidden: a further copy of the list's least value would not change the list,
 * so the next larger one.
 */
function levelOf(values: Float64Array, bound: number): number {
  const least = values.at(-1) as number
  const next = values.findLast((value) => value > least + bound + margin * Math.abs(least))
  return next ?? least + Math.max(bound, 0.1 * Math.abs(least))
}

/** An orthonormal basis of a block Krylov space and K in it; the vectors are the addon's. */
export class Basis {
  readonly n: number
  readonly #product: KernelProduct
  readonly #native: NativeKrylovBasis
  #seed: number
  /** The space grows from random vectors alone, since the last call of {@link probe}. */
  probing = false
  /** The block that waits for its products, (n, width). */
  next: Float64Array = new Float64Array(0)

  constructor(product: KernelProduct, n: number, seed: number, threads: number) {
    this.n = n
    this.#product = product
    this.#seed = seed
    this.#native = new native.KrylovBasis(n, threads)
  }

  get size(): number {
    return this.#native.size
  }

  get width(): number {
    return this.#native.width
  }

  get aside(): number {
    return this.#native.aside
  }

  /** Random vectors wait instead of what does now, or in addition to all of that. */
  async probe(columns: number, append = false): Promise<void> {
    if (columns < 1) return
    await this.add(gaussians(this.n * columns, this.#seed), columns, append)
    this.#seed += 1
    this.probing = true
  }

  async add(block: Float64Array, columns: number, append = false): Promise<void> {
    this.next = await call(undefined, () => this.#native.add(block, columns, append))
  }

  /** What was set aside waits, too. */
  async recall(): Promise<void> {
    this.next = await call(undefined, () => this.#native.recall())
    this.probing = false
  }

  /** The block that waits meets K and joins the basis. */
  async extend(): Promise<void> {
    const products = await productOf(this.#product, this.next, this.n)
    await this.take(products)
  }

  /** The same with products that were made elsewhere. */
  async take(products: Float64Array): Promise<void> {
    this.next = await call(undefined, () => this.#native.extend(products))
  }

  ritz(): Promise<NativeRitz> {
    return call(undefined, () => this.#native.ritz())
  }

  unseen(level: number) {
    return call(undefined, () => this.#native.unseen(level))
  }

  /** What of the vectors (n, columns) lies outside of the basis. */
  outside(block: Float64Array, columns: number): Promise<Float64Array> {
    return call(undefined, () => this.#native.outside(block, columns))
  }

  vectors(count: number): Promise<Float64Array> {
    return call(undefined, () => this.#native.vectors(count))
  }
}
