// (K + λ) α = y where the kernel is too large to store: conjugate gradients (native/linear).

import { abortError } from '../core/abort.js'
import { badArgument, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { call, type SolveOptions, threadsOf } from '../native/call.js'
import { native } from '../native/index.js'
import { checkTargets, notNegative, numbersOf } from './checks.js'
import { checkedProduct, type KernelProduct } from './product.js'
import { manyGaussians } from './random.js'

/** Options of {@link solveByProducts}. */
export interface ProductSolveOptions extends SolveOptions {
  /** λ ≥ 0 (default 1e-3). */
  ridge?: number | undefined
  /** Stops when ‖r − (K + λI)α‖ is below this times ‖r‖ (default 1e-10). */
  tolerance?: number | undefined
  /** Default 1000. */
  maxIterations?: number | undefined
  /**
   * Rank of the randomised Nyström preconditioner (Frangella, Tropp & Udell 2021; default 64 but
   * at most n/4): costs as many products at the start. 0: none.
   */
  rank?: number | undefined
  /** α of a nearby problem to start from. */
  start?: Float64Array | undefined
  /** Called after every iteration. */
  onIteration?: ((iteration: { iteration: number; residual: number }) => void) | undefined
}

/** What conjugate gradients found. */
export interface ProductSolution {
  alpha: Float64Array
  /** K α. */
  fit: Float64Array
  ridge: number
  iterations: number
  /** ‖r − (K + λI)α‖ / ‖r‖ at the end, as the recurrence has it. */
  residual: number
  status: 'converged' | 'iteration limit' | 'stalled'
  /** What to try next. */
  advice: string
}

/**
 * (K + ridge·I) α = y by preconditioned conjugate gradients on products with K; nothing of size n²
 * is stored.
 * @param y (n)
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
 * @example
 * ```js
 * import { solveByProducts } from 'adaptive-tangent'
 *
 * const kernel = [2, 1, 1, 2]
 * const product = async (v, columns) =>
 *   v.map((_, at) => {
 *     const [row, column] = [Math.floor(at / columns), at % columns]
 *     return kernel[2 * row] * v[column] + kernel[2 * row + 1] * v[columns + column]
 *   })
 * const { alpha, status } = await solveByProducts(product, [4, 4], { ridge: 1 })
 * console.log(status, [...alpha].map((value) => value.toFixed(3)).join(' '))
 * // converged 1.000 1.000
 * ```
 * @since 0.1.0
 */
export async function solveByProducts(
  product: KernelProduct,
  y: ArrayLike<number>,
  options: ProductSolveOptions = {},
): Promise<ProductSolution> {
  checkCall(options)
  const { ridge = 1e-3, tolerance = 1e-10, maxIterations = 1000, signal, start } = options
  notNegative('options.ridge', ridge)
  notNegative('options.tolerance', tolerance)
  wholeNumber('options.maxIterations', maxIterations, 1)
  if (typeof product !== 'function') throw badArgument('product', 'a function', product)
  const b = checkTargets(y, numbersOf('y', y).length)
  const n = b.length
  const rank = options.rank ?? Math.min(64, Math.floor(n / 4))
  wholeNumber('options.rank', rank, 0)
  if (rank > n) throw badArgument('options.rank', `at most the ${n} rows`, rank)
  if (start !== undefined) checkTargets(start, n)

  const omega = await manyGaussians(n * rank)
  const sketch = rank > 0 ? checkedProduct(await product(omega, rank), n * rank) : omega
  const solver = new native.ConjugateGradients(n, 1, ridge, {
    tolerance,
    iterations: maxIterations,
    threads: threadsOf(options),
  })
  let next = await call(signal, () => solver.begin(b, omega, sketch, rank))
  if (start && next.length > 0) {
    const image = checkedProduct(await product(start, 1), n)
    next = await call(signal, () => solver.start(start, image))
  }
  while (next.length > 0) {
    if (signal?.aborted) throw abortError(signal)
    const image = checkedProduct(await product(next, 1), n)
    next = await call(undefined, () => solver.take(image))
    options.onIteration?.({ iteration: solver.iterations, residual: solver.residual })
  }
  const { value, image, status, advice, iterations, residual } = solver.solution()
  return { alpha: value, fit: image, ridge, iterations, residual, status, advice }
}
