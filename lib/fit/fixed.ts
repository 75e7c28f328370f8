import { badArgument, mismatch } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import type { NdArray } from '../io/index.js'
import { checkTargets, notNegative, numbersOf } from '../linear/checks.js'
import { KernelFactor, notPositive } from '../linear/factor.js'
import { type GramOptions, gramOf, heldKernel } from '../linear/gram.js'
import type { ChosenRidge, RidgeOptions } from '../linear/ridge.js'
import { KernelSpectrum } from '../linear/spectrum.js'
import type { ChosenDevice } from '../native/device.js'

/** Options of {@link solveKernel}. */
export interface KernelSolveOptions extends GramOptions, Pick<RidgeOptions, 'precision'> {
  /**
   * λ ≥ 0 (default 1e-3), or the one of least error when each sample is left out (`loo`), or of least
   * generalised cross-validation error (`gcv`); see {@link KernelSpectrum.chooseRidge}. 0 is the
   * ridgeless limit.
   */
  ridge?: number | 'gcv' | 'loo' | undefined
}

/** Kernel ridge regression's solution on the training samples. */
export interface KernelSolution {
  /** (n, columns): on other samples the prediction is K(x, X) α. */
  alpha: Float64Array
  /** (n, columns): K α. */
  fit: Float64Array
  ridge: number
  /**
   * `cholesky`; `eigen` when the ridge was chosen, or K without ridge is rank-deficient: then α is
   * the minimum-norm least-squares solution.
   */
  method: 'cholesky' | 'eigen'
  /** What was found out about the system, in words for people. */
  status: 'solved' | 'rank-deficient'
  /** Rank of K where `eigen` was used. */
  rank?: number
  /** A lower estimate of the condition number of K + ridge·I. */
  condition: number
  /** Where it was solved, and why there. */
  device: ChosenDevice
  /** How the ridge was chosen, where it was. */
  choice?: ChosenRidge
}

/**
 * Kernel ridge regression, α = (K + ridge·I)⁻¹ y: the fixed tangent-feature model on a kernel that
 * fits in memory. Classification is the same with one column of ±1 (or of one-hot minus its mean)
 * per class.
 * @param given K, (n, n) or (N, O, N, O)
 * @param y (n, columns)
 * @throws TangentError BAD_INPUT for a kernel that is not finite or not symmetric.
 * @example
 * ```js
 * import { solveKernel } from 'adaptive-tangent'
 *
 * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
 * const { alpha, status } = await solveKernel(kernel, [3, 3], { ridge: 0 })
 * console.log(status, [...alpha].map((value) => value.toFixed(3)).join(' '))
 * // solved 1.000 1.000
 * ```
 * @since 0.1.0
 */
export async function solveKernel(
  given: Float32Array | Float64Array | NdArray,
  y: ArrayLike<number>,
  options: KernelSolveOptions = {},
): Promise<KernelSolution> {
  checkCall(options)
  const kernel = heldKernel(given)
  const { n } = gramOf(kernel, options)
  const { length } = numbersOf('y', y)
  if (length === 0 || length % n !== 0) {
    throw mismatch('y', `a multiple of ${n} numbers`, `${length} numbers`)
  }
  const targets = checkTargets(y, length)
  const { ridge = 1e-3, precision, signal } = options
  if (typeof ridge === 'number') {
    notNegative('options.ridge', ridge)
    const factor = await KernelFactor.try(kernel, ridge, options)
    // Beyond this the factorisation's last digits are noise: the eigenvalues say what is left.
    if (factor && !(ridge === 0 && factor.condition * n > 2 ** 52)) {
      const alpha = await factor.solve(targets)
      const fit = targets.map((value, i) => value - ridge * (alpha[i] as number))
      const { condition, device } = factor
      factor.free()
      return { alpha, fit, ridge, method: 'cholesky', status: 'solved', condition, device }
    }
    factor?.free()
    if (ridge > 0) throw notPositive(ridge)
  } else if (ridge !== 'gcv' && ridge !== 'loo') {
    throw badArgument('options.ridge', "a number ≥ 0, 'gcv' or 'loo'", ridge)
  }
  const spectrum = await KernelSpectrum.of(kernel, options)
  const choice =
    typeof ridge === 'number'
      ? undefined
      : await spectrum.chooseRidge(targets, { by: ridge, precision, signal })
  const chosen = choice?.ridge ?? (ridge as number)
  const alpha = await spectrum.coefficients(targets, chosen)
  const fit = await spectrum.filter(
    spectrum.values.map((value, j) => {
      if (chosen === 0) return j < spectrum.rank ? 1 : 0
      const kept = Math.max(value, 0)
      return kept / (kept + chosen)
    }),
    targets,
  )
  const { rank, values, device } = spectrum
  spectrum.free()
  const least = Math.max(values[n - 1] as number, 0) + chosen
  return {
    alpha,
    fit,
    ridge: chosen,
    method: 'eigen',
    status: rank < n ? 'rank-deficient' : 'solved',
    rank,
    condition: least > 0 ? ((values[0] as number) + chosen) / least : Number.POSITIVE_INFINITY,
    ...(choice && { choice }),
    device,
  }
}
