// Adaptive eigenvalues in a kernel's own eigenbasis (METHOD.md section 6).

import { badArgument, TangentError, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { checkTargets, numbersOf } from '../linear/checks.js'
import { KernelSpectrum } from '../linear/spectrum.js'
import { call, type SolveOptions } from '../native/call.js'
import { native } from '../native/index.js'

/** Which eigenvalue model, and when its training stops. */
export interface EigenvalueOptions extends SolveOptions {
  /**
   * `fixed`: the eigenvalues stay; otherwise the depth D ≥ 0 of θ_j = a_j b_j^D β_j (default 0).
   */
  depth?: number | 'fixed' | undefined
  /** b_0 (default ε^{1/(D+2)}). */
  start?: number | undefined
  /**
   * When to stop (default: ε^{−1} at depth 0, ε^{−1} b_0^{−D} at more, and for `fixed` the time of
   * least unbiased risk estimate, since no time fits every target there).
   */
  time?: number | undefined
}

/** Coefficients after training in the sequence model z = θ* + ε·noise. */
export interface SequenceFit {
  /** θ_j. */
  theta: Float64Array
  /** Learned eigenvalues (a_j b_j^D)²; λ_j for `fixed`. */
  eigenvalues: Float64Array
  time: number
  /** b_0; 1 where there is none. */
  start: number
  /** Largest relative drift of the flow's conserved quantities: how exact the integration is. */
  drift: number
}

/**
 * Trains the sequence model z_j = θ*_j + ε·noise by gradient flow, with fixed or adaptive
 * eigenvalues, and stops by the rule of Li & Lin (2024), which knows the noise but not the target.
 * @param lambda λ_j ≥ 0
 * @param z as many
 * @param epsilon ε > 0, the noise of each z_j
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
 * @example
 * ```js
 * import { fitSequence } from 'adaptive-tangent'
 *
 * const { theta } = await fitSequence([1, 0.1], [1, 0.02], 0.01, { depth: 'fixed', time: 10 })
 *
 * // Fixed eigenvalues: θ_j(t) = (1 − exp(−λ_j t)) z_j.
 * console.log(theta[1].toFixed(5), ((1 - Math.exp(-1)) * 0.02).toFixed(5))
 * // 0.01264 0.01264
 * ```
 * @since 0.1.0
 */
export async function fitSequence(
  lambda: ArrayLike<number>,
  z: ArrayLike<number>,
  epsilon: number,
  options: EigenvalueOptions = {},
): Promise<SequenceFit> {
  checkCall(options)
  const values = numbersOf('lambda', lambda)
  for (const value of values) {
    if (!(value >= 0 && Number.isFinite(value))) throw badArgument('lambda', 'numbers ≥ 0', value)
  }
  const data = checkTargets(z, values.length)
  if (!(Number.isFinite(epsilon) && epsilon > 0)) {
    throw badArgument('epsilon', 'a noise level > 0', epsilon)
  }
  const { depth = 0, time, signal } = options
  if (time !== undefined && !(Number.isFinite(time) && time >= 0)) {
    throw badArgument('options.time', 'a time ≥ 0', time)
  }
  if (depth === 'fixed') {
    const until = time ?? leastRisk(values, data, epsilon)
    const theta = data.map((value, j) => -Math.expm1(-(values[j] as number) * until) * value)
    return { theta, eigenvalues: values, time: until, start: 1, drift: 0 }
  }
  wholeNumber('options.depth', depth, 0)
  const start = depth === 0 ? 1 : (options.start ?? epsilon ** (1 / (depth + 2)))
  if (!(Number.isFinite(start) && start > 0)) {
    throw badArgument('options.start', 'a number > 0', start)
  }
  const until = time ?? 1 / (epsilon * start ** depth)
  const flow = await call(signal, (control) =>
    native.flow(values, data, { depth, start, time: until }, control),
  )
  if (flow.drift > 1e-6) {
    throw new TangentError(
      'NUMERICAL',
      `The gradient flow's conserved quantities drifted by ${flow.drift.toExponential(1)}: stop ` +
        'it earlier',
    )
  }
  const eigenvalues = flow.values.map((root) => root * root)
  return { theta: flow.theta, eigenvalues, time: until, start, drift: flow.drift }
}

/** Stein's estimate of the risk, Σ (1−w)² z² + 2ε² Σ w, over times from none to all fitted. */
function leastRisk(lambda: Float64Array, z: Float64Array, epsilon: number): number {
  const top = lambda.reduce((a, b) => Math.max(a, b), 0)
  if (!(top > 0)) return 0
  const positive = lambda.filter((value) => value > 1e-14 * top)
  const low = Math.log(1e-3 / top)
  const high = Math.log(30 / positive.reduce((a, b) => Math.min(a, b), top))
  let best = { time: 0, risk: Number.POSITIVE_INFINITY }
  const count = 200
  for (let i = 0; i < count; i++) {
    const time = Math.exp(low + ((high - low) * i) / (count - 1))
    let risk = 0
    for (let j = 0; j < z.length; j++) {
      const rest = Math.exp(-(lambda[j] as number) * time)
      risk += (rest * (z[j] as number)) ** 2 + 2 * epsilon * epsilon * (1 - rest)
    }
    if (risk < best.risk) best = { time, risk }
  }
  return best.time
}

/** A fit with adaptive eigenvalues of one kernel, ready to predict. */
export interface EigenvalueFit extends SequenceFit {
  /** (n): the prediction on other samples is K(x, X) α. */
  alpha: Float64Array
  /** (n): the fit on the training samples. */
  fit: Float64Array
}

/**
 * Adaptive eigenvalues on n samples: in the kernel's eigenbasis z_j = v_jᵀ y/√n, λ_j the Gram
 * matrix's eigenvalues over n, ε = noise/√n.
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
  const { n, rank } = spectrum
  const y = checkTargets(residual, n)
  const vectors = spectrum.vectors()
  const root = Math.sqrt(n)
  const z = new Float64Array(rank)
  for (let j = 0; j < rank; j++) {
    let sum = 0
    for (let i = 0; i < n; i++) sum += (vectors[j * n + i] as number) * (y[i] as number)
    z[j] = sum / root
  }
  const lambda = spectrum.values.slice(0, rank).map((value) => value / n)
  const found = await fitSequence(lambda, z, noise / root, options)
  const alpha = new Float64Array(n)
  const fit = new Float64Array(n)
  for (let j = 0; j < rank; j++) {
    const onSamples = (found.theta[j] as number) * root
    const dual = onSamples / (spectrum.values[j] as number)
    for (let i = 0; i < n; i++) {
      const v = vectors[j * n + i] as number
      alpha[i] = (alpha[i] as number) + dual * v
      fit[i] = (fit[i] as number) + onSamples * v
    }
  }
  return { ...found, alpha, fit }
}
