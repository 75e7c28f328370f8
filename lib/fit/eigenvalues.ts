// Adaptive eigenvalues in a kernel's own eigenbasis (METHOD.md section 6).

import { badArgument } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { checkTargets } from '../linear/checks.js'
import { KernelSpectrum } from '../linear/spectrum.js'
import { type EigenvalueOptions, fitSequence, type SequenceFit } from './sequence.js'

/** A fit with adaptive eigenvalues of one kernel, ready to predict. */
export interface EigenvalueFit extends SequenceFit {
  /** (n): the prediction on other samples is K(x, X) α. */
  alpha: Float64Array
  /** (n): the fit on the training samples. */
  fit: Float64Array
}

/**
 * Adaptive eigenvalues on n samples: in the kernel's eigenbasis z_j = v_jᵀ y/√n, λ_j the Gram
 * matrix's eigenvalues over n, ε = noise/√n. That basis is the samples' own: where the target lies in
 * few eigenfunctions of small eigenvalues, they are not among its vectors, and {@link fitCoordinates}
 * on eigenfunctions of more samples errs less.
 * @param residual y − f_0 on the samples, (n)
 * @param noise σ of the targets' noise
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
 * @example
 * ```js
 * import { fitEigenvalues, KernelSpectrum } from 'adaptive-tangent'
 *
 * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
 * const spectrum = await KernelSpectrum.of(kernel)
 * const { fit } = await fitEigenvalues(spectrum, [1, 1], 0.1, { depth: 1 })
 * console.log(fit[0].toFixed(3) === fit[1].toFixed(3))
 * // true
 * ```
 * @since 0.1.0
 */
export async function fitEigenvalues(
  spectrum: KernelSpectrum,
  residual: ArrayLike<number>,
  noise: number,
  options: EigenvalueOptions = {},
): Promise<EigenvalueFit> {
  checkCall(options)
  if (!(spectrum instanceof KernelSpectrum)) {
    throw badArgument('spectrum', 'a KernelSpectrum', spectrum)
  }
  if (!(Number.isFinite(noise) && noise > 0)) throw badArgument('noise', 'a number > 0', noise)
  const { n, rank, values } = spectrum
  const y = checkTargets(residual, n)
  const root = Math.sqrt(n)
  const z = (await spectrum.coordinates(y)).slice(0, rank).map((value) => value / root)
  const lambda = values.slice(0, rank).map((value) => value / n)
  const found = await fitSequence(lambda, z, noise / root, options)
  // θ√n in the eigenbasis is the fit, and over the eigenvalue α: both as columns of one product.
  const both = new Float64Array(2 * n)
  found.theta.forEach((theta, j) => {
    both[2 * j] = theta * root
    both[2 * j + 1] = (theta * root) / (values[j] as number)
  })
  const columns = await spectrum.combined(both)
  const column = (c: number) =>
    Float64Array.from({ length: n }, (_, i) => columns[2 * i + c] as number)
  return { ...found, alpha: column(1), fit: column(0) }
}
