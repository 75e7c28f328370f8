// The sequence model with fixed or adaptive eigenvalues (METHOD.md section 6).

import { badArgument, TangentError, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { checkTargets, numbersOf } from '../linear/checks.js'
import { call, type SolveOptions, threadsOf } from '../native/call.js'
import type { FlowOptions } from '../native/fit.js'
import { native } from '../native/index.js'

/**
 * What a flow's numbers are divided by before it starts, and its results multiplied by after: λ by
 * `kernel`, z by `target`.
 */
export interface FlowScales {
  kernel: number
  target: number
}

/** Which eigenvalue model, and when its training stops. */
export interface EigenvalueOptions extends SolveOptions {
  /**
   * `fixed`: the eigenvalues stay; otherwise the depth D ≥ 0 of θ_j = a_j b_j^D β_j (default 0).
   */
  depth?: number | 'fixed' | undefined
  /** b_0, in the units of `scales` (default ε^{1/(D+2)}). */
  start?: number | undefined
  /**
   * When to stop: `'risk'` (default) where Stein's unbiased estimate of the risk is least; `'rate'` by
   * the rule of Li & Lin (2024), ε^{−1} at depth 0 and ε^{−1} b_0^{−D} at more, which is of the right
   * order but knows no constant; or a time t ≥ 0 of the flow in the units of `scales`, Infinity for
   * its limit.
   */
  time?: number | 'risk' | 'rate' | undefined
  /**
   * Adaptive flows depend on how large the target is next to the kernel. By default they run on
   * λ/max λ and z/max |z|, so that the fit has the units of its targets, whatever those of the kernel;
   * `fixed` ones, which do not, on the numbers as they are. `{ kernel: 1, target: 1 }` always does.
   */
  scales?: FlowScales | undefined
}

/** Coefficients after training in the sequence model z = θ* + ε·noise. */
export interface SequenceFit {
  /** θ_j. */
  theta: Float64Array
  /**
   * The kernel's eigenvalues after training, in the units of λ: λ_j for `fixed`, else the squares
   * (a_j b_j^D)². At the start they are λ_j b_0^{2D}.
   */
  eigenvalues: Float64Array
  /** When training stopped, in the units of `scales`. */
  time: number
  /** b_0; 1 where there is none. */
  start: number
  scales: FlowScales
  /** Stein's estimate of Σ (θ_j − θ*_j)² at that time. */
  risk: number
  /** Largest relative difference of two integrals that must agree: how exact the flow is. */
  drift: number
}

/**
 * Trains the sequence model z_j = θ*_j + ε·noise by gradient flow, with fixed or adaptive
 * eigenvalues (Li & Lin 2024), and stops it knowing the noise but not the target.
 * @param lambda λ_j ≥ 0, the kernel's eigenvalues
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
 *
 * // Adaptive ones keep what stands out of the noise, however small its eigenvalue.
 * const adaptive = await fitSequence([1, 0.1, 0.001], [0.01, 0.02, 1], 0.02)
 * console.log([...adaptive.theta].map((value) => Math.abs(value) > 0.5).join(' '))
 * // false false true
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
  const values = checkEigenvalues(lambda)
  const data = checkTargets(z, values.length)
  if (!(Number.isFinite(epsilon) && epsilon > 0)) {
    throw badArgument('epsilon', 'a noise level > 0', epsilon)
  }
  const { time = 'risk' } = options
  if (time !== 'risk' && time !== 'rate' && !(typeof time === 'number' && time >= 0)) {
    throw badArgument('options.time', "a time ≥ 0, 'risk' or 'rate'", time)
  }
  const scales = scalesOf(options, values, data)
  const noise = epsilon / scales.target
  const flow = flowOf(options, () => noise)
  const { fixed, depth, start } = flow
  if (fixed && time === 'rate') {
    throw badArgument('options.time', "a time ≥ 0 or 'risk' for fixed eigenvalues", time)
  }
  const own = values.map((value) => value / scales.kernel)
  const target = data.map((value) => value / scales.target)
  const found = await call(options.signal, async (control) => {
    const risks = (times: Float64Array) =>
      native.flowRisks(own, target, flow, times, noise, control)
    const until =
      time === 'rate'
        ? 1 / (noise * start ** depth)
        : time === 'risk'
          ? await leastRisk(timesOf(own, target, flow, noise), risks)
          : time
    return { until, ...(await native.flow(own, target, flow, until, noise, control)) }
  })
  if (found.drift > 1e-6) {
    throw new TangentError(
      'NUMERICAL',
      `The gradient flow's integrals differ by ${found.drift.toExponential(1)}: stop it earlier`,
    )
  }
  return {
    theta: found.theta.map((value) => value * scales.target),
    eigenvalues: fixed ? values : found.roots.map((root) => root * root * scales.kernel),
    time: found.until,
    start,
    scales,
    risk: found.risk * scales.target ** 2,
    drift: found.drift,
  }
}

/** λ as doubles; throws for negative ones and those that are not finite. */
export function checkEigenvalues(lambda: ArrayLike<number>): Float64Array {
  const values = numbersOf('lambda', lambda)
  for (const value of values) {
    if (!(value >= 0 && Number.isFinite(value))) throw badArgument('lambda', 'numbers ≥ 0', value)
  }
  return values
}

/** The model of the options, checked; the noise (in units of the scales) gives b_0 its default. */
export function flowOf(options: Omit<EigenvalueOptions, 'time'>, noise: () => number): FlowOptions {
  const threads = threadsOf(options)
  const { depth = 0 } = options
  if (depth === 'fixed') return { fixed: true, depth: 0, start: 1, threads }
  wholeNumber('options.depth', depth, 0)
  const start = depth === 0 ? 1 : (options.start ?? noise() ** (1 / (depth + 2)))
  if (!(Number.isFinite(start) && start > 0)) {
    throw badArgument('options.start', 'a number > 0', start)
  }
  return { fixed: false, depth, start, threads }
}

/** The scales of the options, checked, or those of the numbers; 1 for what is zero throughout. */
export function scalesOf(
  { scales, depth }: Pick<EigenvalueOptions, 'scales' | 'depth'>,
  lambda: Float64Array,
  z: Float64Array,
): FlowScales {
  if (scales === undefined) {
    if (depth === 'fixed') return { kernel: 1, target: 1 }
    return { kernel: largest(lambda) || 1, target: largest(z) || 1 }
  }
  const { kernel, target } = Object(scales) as FlowScales
  for (const [name, value] of Object.entries({ kernel, target })) {
    if (!(Number.isFinite(value) && value > 0)) {
      throw badArgument(`options.scales.${name}`, 'a number > 0', value)
    }
  }
  return { kernel, target }
}

export function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
}

/** From when nothing is learned yet until all that stands out of the noise is. */
function timesOf(
  lambda: Float64Array,
  z: Float64Array,
  { fixed, depth, start }: FlowOptions,
  noise: number,
): [number, number] {
  const [top, size] = [largest(lambda), largest(z)]
  if (!(top > 0 && size > 0)) return [1, 1]
  if (fixed) {
    const least = lambda.reduce((a, b) => (b > 1e-14 * top ? Math.min(a, b) : a), top)
    return [1e-3 / top, 30 / least]
  }
  // θ = √(λ + β²)·(b_0² + Dβ²)^{D/2}·β is at most `size`, which bounds β and with it the rate.
  const deep = (size / depth ** (depth / 2)) ** (1 / (depth + 2))
  const beta = Math.min(size / (Math.sqrt(top) * start ** depth), deep)
  const b = start ** 2 + depth * beta ** 2
  const a = top + beta ** 2
  const rate = b ** depth * (a + beta ** 2 + (a * (depth * beta) ** 2) / b)
  const first = 1e-2 / rate
  return [first, Math.max(10 * first, 30 / (noise * start ** depth))]
}

/** The time of least estimated risk, from a logarithmic grid and the parabola at its least value. */
async function leastRisk(
  [first, last]: [number, number],
  risks: (times: Float64Array) => Promise<Float64Array>,
): Promise<number> {
  const count = 49
  const step = Math.log(last / first) / (count - 1)
  const times = Float64Array.from({ length: count }, (_, i) => first * Math.exp(i * step))
  const found = await risks(times)
  const best = found.reduce((at, risk, i) => (risk < (found[at] as number) ? i : at), 0)
  const [left = 0, least = 0, right = 0] = found.slice(Math.max(best - 1, 0), best + 2)
  const inside = best > 0 && best < count - 1
  const curve = left - 2 * least + right
  const shift = inside && curve > 0 ? (left - right) / (2 * curve) : 0
  return (times[best] as number) * Math.exp(shift * step)
}
