import { badArgument, mismatch, TangentError, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import type { NdArray } from '../io/index.js'
import { call, memoryOf, threadsOf } from '../native/call.js'
import { deviceForWork, softmaxWork } from '../native/choose.js'
import { type ChosenDevice, deviceName } from '../native/device.js'
import { native } from '../native/index.js'
import { numbersOf } from './checks.js'
import { type GramOptions, gramOf, heldKernel } from './gram.js'

/** Options of {@link solveSoftmax}. */
export interface SoftmaxOptions extends GramOptions {
  /** λ > 0 (default 1). */
  ridge?: number | undefined
  /** f0 (N, O), which the fit is added to (default: zeros). */
  offset?: ArrayLike<number> | undefined
  /** Newton steps at most (default 100). */
  maxIterations?: number | undefined
}

/** Multinomial kernel regression's solution on the training samples. */
export interface SoftmaxSolution {
  /** (N, O): on other samples the logits are f0 + K(x, X) α. */
  alpha: Float64Array
  /** (N, O): K α. */
  fit: Float64Array
  /** Σ −log of the probability of each sample's class. */
  loss: number
  /** loss + λ/2 αᵀKα. */
  objective: number
  /** What the last step promised, relative to the objective. */
  decrease: number
  /** Newton steps that were made. */
  iterations: number
  /** How it ended; `stalled`: rounding hides further progress. */
  status: 'converged' | 'iteration limit' | 'stalled'
  /** Where it was solved, and why there. */
  device: ChosenDevice
}

/**
 * Multinomial (softmax) regression on a kernel, by Newton's method in the dual: the α that minimises
 * Σ_i −Σ_o y_io log softmax(f0_i + (Kα)_i)_o + λ/2 αᵀKα, which is convex. At the optimum
 * λα = y − softmax(f0 + Kα). A step factors one matrix of N·O rows.
 * @param kernel K, (n, n) or (N, O, N, O)
 * @param y (N, O): one-hot classes, or probabilities that sum to 1
 * @throws TangentError `BAD_ARGUMENT`, `MEMORY_BUDGET`, `NUMERICAL`; a DOMException named AbortError
 * @example
 * ```js
 * import { solveSoftmax } from 'adaptive-tangent'
 *
 * // Two samples of two classes, with the identity as kernel.
 * const kernel = { data: new Float64Array(16), shape: [2, 2, 2, 2] }
 * for (let r = 0; r < 4; r += 1) kernel.data[5 * r] = 1
 * const { alpha, status } = await solveSoftmax(kernel, [1, 0, 0, 1], { ridge: 0.1 })
 * console.log(status, [...alpha].map((value) => value.toFixed(3)).join(' '))
 * // converged 1.064 -1.064 -1.064 1.064
 * ```
 * @since 0.2.0
 */
export async function solveSoftmax(
  kernel: Float32Array | Float64Array | NdArray,
  y: ArrayLike<number>,
  options: SoftmaxOptions = {},
): Promise<SoftmaxSolution> {
  checkCall(options)
  const { data, n, outputs } = gramOf(heldKernel(kernel), options)
  const { ridge = 1, maxIterations = 100, offset = new Float64Array(n), signal } = options
  if (!(typeof ridge === 'number' && ridge > 0 && Number.isFinite(ridge))) {
    throw badArgument('options.ridge', 'a number above 0', ridge)
  }
  wholeNumber('options.maxIterations', maxIterations, 1)
  if (outputs < 2) throw badArgument('options.outputs', 'at least two, one for each class', outputs)
  const target = checkProbabilities(numbersOf('y', y), n, outputs)
  const before = numbersOf('options.offset', offset)
  if (before.length !== n) {
    throw mismatch('options.offset', `${n} numbers`, `${before.length} numbers`)
  }
  const bad = before.find((value) => !Number.isFinite(value))
  if (bad !== undefined) throw badArgument('options.offset', 'finite numbers', bad)
  const device = await deviceForWork(options, softmaxWork(n))
  const memory = memoryOf(options)
  checkSoftmaxMemory(n, memory, device)
  const settings = {
    ...{ outputs, ridge, iterations: maxIterations, threads: threadsOf(options) },
    ...{ device: deviceName(device), memory },
  }
  const { converged, ...found } = await call(signal, (control) =>
    native.solveSoftmax(data, before, target, settings, control),
  )
  const spent = found.iterations >= maxIterations
  const status = converged ? 'converged' : spent ? 'iteration limit' : 'stalled'
  return { ...found, status, device }
}

/**
 * The kernel and the matrix that is factored, and the caller's kernel; a device counts its own memory.
 * @internal
 */
export function checkSoftmaxMemory(rows: number, budget: number, device: ChosenDevice): void {
  if (device.name !== 'cpu') return
  const needed = 24 * rows * rows
  if (needed <= budget) return
  throw new TangentError(
    'MEMORY_BUDGET',
    `Softmax regression on ${rows} rows (samples times classes) takes ${needed} bytes but the budget is ${budget}: raise the memory budget, or fit fewer samples`,
  )
}

function checkProbabilities(y: Float64Array, n: number, outputs: number): Float64Array {
  if (y.length !== n) throw mismatch('y', `${n} numbers`, `${y.length} numbers`)
  for (let at = 0; at < n; at += outputs) {
    const row = y.subarray(at, at + outputs)
    const sum = row.reduce((all, value) => all + value, 0)
    if (!(Math.abs(sum - 1) < 1e-9 && row.every((value) => value >= 0))) {
      throw badArgument('y', 'probabilities that sum to 1 for each sample', [...row])
    }
  }
  return y
}
