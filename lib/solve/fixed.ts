import { badArgument, mismatch, TangentError } from '../errors.js'
import { native } from '../native.js'
import { checkTargets, notNegative } from './checks.js'
import { call, type SolveOptions, threadsOf } from './native-call.js'
import { KernelSpectrum } from './spectrum.js'

/** Options of {@link solveKernel}. */
export interface KernelSolveOptions extends SolveOptions {
  /**
   * λ ≥ 0 (default 1e-3), or the one of least generalised cross-validation (`gcv`) or leave-one-out
   * (`loo`) error. 0 is the ridgeless limit.
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
}

/**
 * Kernel ridge regression, α = (K + ridge·I)⁻¹ y: the fixed tangent-feature model on a kernel that
 * fits in memory. Classification is the same with one column of ±1 (or of one-hot minus its mean)
 * per class.
 * @param kernel (n, n)
 * @param y (n, columns)
 */
export async function solveKernel(
  kernel: Float32Array | Float64Array,
  y: ArrayLike<number>,
  options: KernelSolveOptions = {},
): Promise<KernelSolution> {
  const n = Math.round(Math.sqrt(kernel.length))
  if (n < 1 || n * n !== kernel.length) {
    throw mismatch('kernel', 'a square matrix', `${kernel.length} numbers`)
  }
  if (y.length === 0 || y.length % n !== 0) {
    throw mismatch('y', `a multiple of ${n} numbers`, `${y.length} numbers`)
  }
  const targets = checkTargets(y, y.length)
  const columns = y.length / n
  const { ridge = 1e-3, signal } = options
  if (typeof ridge === 'number') {
    notNegative('options.ridge', ridge)
    const { alpha, condition } = await call(signal, (control) =>
      native.solveKernel(kernel, n, targets, columns, ridge, threadsOf(options), control),
    )
    // Beyond this the factorisation's last digits are noise: the eigenvalues say what is left.
    if (alpha && !(ridge === 0 && condition * n > 2 ** 52)) {
      const fit = targets.map((value, i) => value - ridge * (alpha[i] as number))
      return { alpha, fit, ridge, method: 'cholesky', status: 'solved', condition }
    }
    if (ridge > 0) {
      throw new TangentError(
        'NUMERICAL',
        `The kernel plus the ridge ${ridge} is not positive definite in double precision: raise ` +
          'the ridge',
      )
    }
  } else if (ridge !== 'gcv' && ridge !== 'loo') {
    throw badArgument('options.ridge', "a number ≥ 0, 'gcv' or 'loo'", ridge)
  }
  const spectrum = await KernelSpectrum.of(kernel, options)
  const chosen =
    typeof ridge === 'number' ? ridge : (await spectrum.chooseRidge(targets, ridge)).ridge
  const alpha = await spectrum.coefficients(targets, chosen)
  const fit = await spectrum.filter(
    spectrum.values.map((value, j) => {
      if (chosen === 0) return j < spectrum.rank ? 1 : 0
      const kept = Math.max(value, 0)
      return kept / (kept + chosen)
    }),
    targets,
  )
  const { rank, values } = spectrum
  const least = Math.max(values[n - 1] as number, 0) + chosen
  return {
    alpha,
    fit,
    ridge: chosen,
    method: 'eigen',
    status: rank < n ? 'rank-deficient' : 'solved',
    rank,
    condition: least > 0 ? ((values[0] as number) + chosen) / least : Number.POSITIVE_INFINITY,
  }
}
