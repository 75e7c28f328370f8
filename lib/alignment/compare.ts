import { availableParallelism } from 'node:os'
import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { parseBytes, roomBeside } from '../core/memory.js'
import { checkCall } from '../core/options.js'
import { threadCount } from '../core/threads.js'
import { checkArray } from '../io/index.js'
import type { TangentKernel } from '../kernels/kernel.js'
import { checkKernel } from '../kernels/kernel.js'
import { numbersOf } from '../linear/checks.js'
import type { CallOptions } from '../model/core.js'
import { deviceForWork, spectrumWork } from '../native/choose.js'
import { type ChosenDevice, type DeviceOptions, deviceName } from '../native/device.js'
import { marginOf } from './margin.js'
import { measure, spectrumBytes } from './measures.js'
import { labelsFactor, learnedFactor, learnedOutputs } from './targets.js'
import type { AlongOptions, KernelMeasures } from './types.js'

/** Options of {@link measureKernel}. */
export interface MeasureOptions
  extends Pick<AlongOptions, 'target' | 'top'>,
    Pick<CallOptions, 'threads' | 'memory' | 'signal'>,
    DeviceOptions {
  /** The kernel K_0 that it is compared with and split by; default: itself. */
  initial?: TangentKernel | undefined
  /** The kernel before it. */
  previous?: TangentKernel | undefined
  /** ŷ (N, O), or (N,) for one output; default: no K_ŷ. */
  learned?: AlongOptions['learned']
  /** f_0 (N, O) of K_ŷ = (ŷ − f_0)(ŷ − f_0)ᵀ; default: zero. */
  outputs?: ArrayLike<number> | undefined
  /** Eigenvalues and energies too (default: true). */
  spectrum?: boolean | undefined
}

/**
 * Measures one kernel, such as the path-averaged K̄ of {@link averageKernel}: alignment with K_ŷ and
 * with the labels, distance and split against the initial kernel, rank and spectrum. What each
 * number is says {@link KernelMeasures}; `device` where the eigenvalues were computed, and why there.
 * @param kernel of N samples with themselves, trace or full.
 * @throws TangentError `BAD_ARGUMENT` for kernels or targets of other sizes, `MEMORY_BUDGET`,
 *   `NUMERICAL` for a kernel that is not finite; a DOMException named AbortError.
 * @example
 * ```js
 * import { buildMlp, measureKernel, Network } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
 * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
 * const kernel = await network.ntk(x, { kernel: 'trace' })
 * const { trace, labels } = await measureKernel(kernel, {
 *   target: { data: Int32Array.of(0, 0, 1), shape: [3] },
 * })
 * console.log(trace === kernel.trace(), labels.alignment > 0)
 * await network.dispose()
 * // true true
 * ```
 * @since 0.1.0
 */
export async function measureKernel(
  kernel: TangentKernel,
  options: MeasureOptions = {},
): Promise<KernelMeasures & { device: ChosenDevice }> {
  checkCall(options)
  checkKernel(kernel)
  const { kind, symmetric, shape } = kernel
  if (!symmetric || kind === 'diagonal') {
    throw badArgument('kernel', 'a trace or full kernel of one input with itself', kind)
  }
  const [samples = 0] = shape
  const { initial, previous, learned, target, top = [1, 5, 10, 50], spectrum = true } = options
  if (!Array.isArray(top)) throw badArgument('options.top', 'a list of whole numbers', top)
  for (const k of top) wholeNumber('options.top', k, 1)
  for (const [name, other] of [['initial', initial] as const, ['previous', previous] as const]) {
    if (other !== undefined) checkKernel(other, `options.${name}`)
    if (!other || other.shape.join() === shape.join()) continue
    throw mismatch(
      `options.${name}`,
      `a kernel (${shape.join(', ')})`,
      `(${other.shape.join(', ')})`,
    )
  }
  if (learned !== undefined) checkArray(learned, 'options.learned')
  const given = learned ? learned.data.length / samples : 1
  const outputs = kind === 'full' ? kernel.outputs : given
  const where = { samples, outputs: Array.from({ length: outputs }, (_, o) => o), kernel: kind }
  const values = learnedOutputs(learned, undefined, where)
  const start = numbersOf('options.outputs', options.outputs ?? new Float64Array(samples * outputs))
  if (values && start.length !== values.length) {
    throw mismatch('options.outputs', `${values.length} numbers`, `${start.length} numbers`)
  }
  const rows = samples * kernel.outputs
  if (spectrum && options.memory !== undefined) {
    const bytes = spectrumBytes(rows)
    roomBeside(bytes, parseBytes(options.memory), 'The spectrum', () => 'leave the spectrum out')
  }
  const device = await deviceForWork(options, spectrumWork(rows, false))
  const { result } = measure(
    [
      {
        kernel: kernel.data,
        initial: (initial ?? kernel).data,
        previous: previous?.data,
        spectrum,
      },
    ],
    {
      ...{ rows, top, atOnce: 1 },
      learned: learnedFactor(values, start, where),
      labels: labelsFactor(target, where),
      threads: threadCount(options.threads) ?? availableParallelism(),
      device: deviceName(device),
    },
    options.signal,
  )
  const [found] = await result
  return { ...(found as KernelMeasures), margin: marginOf(kernel, values), device }
}
