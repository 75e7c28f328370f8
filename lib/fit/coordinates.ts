// Diagonal over-parameterisation on samples, in given coordinates (METHOD.md section 6).

import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { roomBeside } from '../core/memory.js'
import { checkCall } from '../core/options.js'
import type { NdArray } from '../io/index.js'
import { checkTargets } from '../linear/checks.js'
import { call, memoryOf, type SolveOptions } from '../native/call.js'
import { deviceForWork, flowWork } from '../native/choose.js'
import { type ChosenDevice, type DeviceOptions, deviceName } from '../native/device.js'
import type { FlowOptions } from '../native/fit.js'
import { native } from '../native/index.js'
import { shuffled } from './folds.js'
import { checkEigenvalues, type FlowScales, flowOf, largest, scalesOf } from './sequence.js'

/** Which model of the coordinates, and when its training stops. */
export interface CoordinateOptions extends SolveOptions, DeviceOptions {
  /**
   * `fixed`: the eigenvalues stay; otherwise the depth D ≥ 0 of θ_j = a_j b_j^D β_j (default 0).
   */
  depth?: number | 'fixed' | undefined
  /** b_0, in the units of `scales` (default ε^{1/(D+2)}, ε = noise/√n, which `noise` is for). */
  start?: number | undefined
  /** σ of the targets' noise; needed for b_0 alone. */
  noise?: number | undefined
  /**
   * When to stop: `'held-out'` (default) where the error of samples left out is least, or a finite
   * time t ≥ 0 of the flow in the units of `scales`.
   */
  time?: number | 'held-out' | undefined
  /** Parts of the samples that are left out in turn (default 5, or as many as there are samples). */
  folds?: number | undefined
  /** Of the shuffle into folds (default 1). */
  seed?: number | undefined
  /**
   * As for {@link fitSequence}, by default max λ and the root mean square of y; for `fixed` 1 and 1.
   */
  scales?: FlowScales | undefined
}

/** A model Σ_j θ_j e_j(x). */
export interface CoordinateFit {
  /** θ_j: the prediction on other samples is Σ_j θ_j e_j(x). */
  theta: Float64Array
  /** (n): the fit on the training samples. */
  fit: Float64Array
  /** The kernel's eigenvalues after training, as those of {@link SequenceFit}. */
  eigenvalues: Float64Array
  /** When training stopped, in the units of `scales`. */
  time: number
  /** b_0; 1 where there is none. */
  start: number
  scales: FlowScales
  /**
   * The mean squared error of samples left out at each time that was tried; infinite after a part's
   * error was twice its least, where its training ended. Null where a time was given.
   */
  heldOut: { times: Float64Array; errors: Float64Array } | null
  /** Where the flow was computed, and why there. */
  device: ChosenDevice
}

/**
 * Diagonal over-parameterisation in given coordinates (Li & Lin 2025, arXiv 2501.08679):
 * f(x) = Σ_j θ_j e_j(x) with θ_j = a_j b_j^D β_j, all trained by gradient flow on
 * ½ mean_i (y_i − f(x_i))² from a_j = √λ_j, b_j = b_0, β_j = 0. The e_j are a kernel's
 * eigenfunctions, known or from many unlabelled samples ({@link KernelSpectrum.eigenfunctions}).
 * @param functions e_j(x_i), (n, m)
 * @param lambda λ_j ≥ 0, (m)
 * @param y targets, (n)
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options, `MEMORY_BUDGET`, `NUMERICAL` for a
 *   time that takes too many steps.
 * @example
 * ```js
 * import { fitCoordinates } from 'adaptive-tangent'
 *
 * // The cosines √2 cos(πjx) at 60 places; the target is the 20th.
 * const x = Array.from({ length: 60 }, (_, i) => (i + 0.5) / 60)
 * const m = 40
 * const e = x.flatMap((at) =>
 *   Array.from({ length: m }, (_, j) => Math.SQRT2 * Math.cos(Math.PI * (j + 1) * at)),
 * )
 * const lambda = Array.from({ length: m }, (_, j) => (j + 1) ** -2)
 * const y = x.map((at, i) => Math.SQRT2 * Math.cos(20 * Math.PI * at) + 0.2 * Math.sin(97 * i * i))
 * const functions = { data: Float64Array.from(e), shape: [60, m] }
 * const { theta } = await fitCoordinates(functions, lambda, y)
 * console.log(theta.findIndex((value) => Math.abs(value) > 0.5) + 1)
 * // 20
 * ```
 * @since 0.2.0
 */
export async function fitCoordinates(
  functions: NdArray<Float32Array | Float64Array>,
  lambda: ArrayLike<number>,
  y: ArrayLike<number>,
  options: CoordinateOptions = {},
): Promise<CoordinateFit> {
  checkCall(options)
  const values = checkEigenvalues(lambda)
  const m = values.length
  const { data, shape } = functions ?? {}
  const [n = 0] = shape ?? []
  if (shape?.length !== 2 || shape[1] !== m || n < 1 || m < 1) {
    throw mismatch('functions', `a shape (n, ${m})`, `(${shape?.join(', ')})`)
  }
  if (!(data instanceof Float32Array || data instanceof Float64Array) || data.length !== n * m) {
    throw badArgument('functions.data', `${n * m} floats`, data)
  }
  const budget = memoryOf(options)
  // A copy of the functions, and for each part of the samples its state and its steps.
  const bytes = 8 * (n * m + (1 + (options.folds ?? 5)) * (12 * m + 2 * n))
  roomBeside(bytes, budget, `The flow of ${n} × ${m} functions`, () => {
    return `${Math.floor((m * budget) / bytes)} functions would fit`
  })
  const targets = checkTargets(y, n)
  const { time = 'held-out', folds = Math.min(5, n), seed = 1, noise } = options
  if (time !== 'held-out' && !(typeof time === 'number' && Number.isFinite(time) && time >= 0)) {
    throw badArgument('options.time', "a time ≥ 0 or 'held-out'", time)
  }
  if (time === 'held-out') wholeNumber('options.folds', folds, 2, n)
  wholeNumber('options.seed', seed, 0)
  if (noise !== undefined && !(Number.isFinite(noise) && noise > 0)) {
    throw badArgument('options.noise', 'a number > 0', noise)
  }
  const size = Math.sqrt(targets.reduce((sum, value) => sum + value ** 2, 0) / n)
  const scales = scalesOf(options, values, Float64Array.of(size))
  const flow = flowOf(options, () => {
    if (noise !== undefined) return noise / Math.sqrt(n) / scales.target
    throw badArgument('options.noise', 'the noise of the targets, or options.start', noise)
  })
  const times =
    time === 'held-out'
      ? timesOf(flow, largest(values) / scales.kernel, size / scales.target)
      : Float64Array.of(time)
  const parts = time === 'held-out' ? folds : 0
  const fold = shuffled(n, seed).map((place) => place % folds)
  const device = await deviceForWork(options, flowWork(n, m))
  const found = await call(options.signal, (control) =>
    native.coordinateFlow(
      data,
      targets.map((value) => value / scales.target),
      values.map((value) => value / scales.kernel),
      { ...flow, device: deviceName(device), memory: budget },
      times,
      fold,
      parts,
      control,
    ),
  )
  const errors = found.errors.map((value) => value * scales.target ** 2)
  return {
    theta: found.theta.map((value) => value * scales.target),
    fit: found.fit.map((value) => value * scales.target),
    eigenvalues: flow.fixed ? values : found.roots.map((root) => root * root * scales.kernel),
    time: found.time,
    start: flow.start,
    scales,
    heldOut: parts > 0 ? { times, errors } : null,
    device,
  }
}

/**
 * Times at which parts of the samples left out are predicted, in units of what the flow takes to
 * learn a target of that size, or with fixed eigenvalues its first coordinate.
 */
function timesOf({ fixed, start, depth }: FlowOptions, top: number, size: number): Float64Array {
  const unit = (fixed ? top : size * start ** depth) || 1
  const growth = fixed ? 1.35 : 1.25
  return Float64Array.from({ length: 48 }, (_, i) => (0.03 * growth ** i) / unit)
}
