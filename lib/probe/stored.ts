// What a page says of a kernel on disk: all by products with its tiles, never whole in memory.
import { badArgument, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import type { NdArray } from '../io/index.js'
import type { Estimate } from '../linear/estimates.js'
import type { KernelKind } from '../native/engine.js'
import { StoredKernel } from '../store/kernel.js'
import { software } from './software.js'

/** Options of {@link probeKernel}. */
export interface ProbeKernelOptions {
  /** How the kernel is called (default: `kernel`). */
  name?: string | undefined
  /** Largest eigenvalues that are found (default: 50, or all of fewer). */
  count?: number | undefined
  /** Labels (N,) or numbers (N, O) to compare with. */
  target?: NdArray | undefined
  /** Which of all random vectors (default: 1). */
  seed?: number | undefined
  /** Threads that compute (default: one for each core). */
  threads?: number | undefined
  signal?: AbortSignal | undefined
}

/** What {@link probeKernel} finds: plain data, as `report.json` has it. */
export interface KernelReport {
  kind: 'kernel'
  /** Of this form of report. */
  version: 1
  /** When, ISO 8601. */
  created: string
  /** The package and its version. */
  software: string
  name: string
  /** As of the kernel on disk. */
  kernel: KernelKind
  shape: number[]
  /** Rows of the Gram matrix. */
  size: number
  /** tr K. */
  trace: number
  /** ‖K‖, Frobenius. */
  norm: number
  /** (tr K)² / tr K². */
  participationRatio: number
  /** exp of the entropy of the eigenvalues over their sum, estimated from random vectors. */
  effectiveRank: Estimate
  /** The largest, descending. */
  eigenvalues: number[]
  /** How far each of them may be off. */
  residuals: number[]
  /** Whether all were found. */
  status: 'converged' | 'iteration limit'
  /** What to do where not. */
  advice: string
  /** Share of the trace that these carry. */
  topShare: number
  /** How many eigenvalues lie above a value: an estimate from random vectors. */
  above: {
    /** An eigenvalue. */
    value: number
    count: Estimate
  }[]
  /** Alignments with the target, plain and with the kernel centred; null without one. */
  alignment: {
    /** ⟨K, yyᵀ⟩ / (‖K‖ ‖yyᵀ‖). */
    cosine: number
    /** The same of kernel and target without their means. */
    centred: number
  } | null
  seconds: number
}

/** Values for which it is estimated how many eigenvalues lie above. */
const levels = 40
/** Share of the largest eigenvalue below which numbers of float32 say nothing. */
const least = 1e-7

/**
 * Spectrum, effective rank and alignment of a kernel on disk, for {@link renderKernel}: by products that read
 * it tile by tile, so that its size is limited by time only.
 * @param kernel of samples with themselves
 * @throws TangentError `BAD_ARGUMENT` for a kernel between two inputs, or another target's shape.
 * @example
 * ```js
 * import { openKernel, probeKernel, writeNpy } from 'adaptive-tangent'
 *
 * await writeNpy('probed.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
 * const kernel = await openKernel('probed.npy')
 * const { trace, eigenvalues } = await probeKernel(kernel, { count: 2 })
 * console.log(trace, eigenvalues.map((value) => value.toFixed(2)).join(' '))
 * await kernel.close()
 * // 4 3.00 1.00
 * ```
 * @since 0.2.0
 */
export async function probeKernel(
  kernel: StoredKernel,
  options: ProbeKernelOptions = {},
): Promise<KernelReport> {
  checkCall(options)
  if (!(kernel instanceof StoredKernel)) throw badArgument('kernel', 'a StoredKernel', kernel)
  const { name = 'kernel', target, seed = 1, threads, signal } = options
  const begun = performance.now()
  const count = options.count ?? Math.min(50, kernel.size)
  wholeNumber('options.count', count, 1, kernel.size)
  // First what refuses most.
  const alignment = target
    ? {
        cosine: await kernel.targetAlignment(target, { signal }),
        centred: await kernel.targetAlignment(target, { centred: true, signal }),
      }
    : null
  const trace = await kernel.trace({ signal })
  const norm = await kernel.norm({ signal })
  const top = await kernel.topEigenvalues({ count, seed, threads, signal })
  const density = await kernel.density({ seed, threads, signal })
  const entropy = density.sum((value) => {
    const share = value / trace
    return share > 0 ? -share * Math.log(share) : 0
  })
  const rank = Math.exp(entropy.value)
  const largest = top.values[0] ?? 0
  const above = Array.from({ length: largest > 0 ? levels : 0 }, (_, k) => {
    const value = largest * least ** ((k + 1) / levels)
    return { value, count: density.sum((each) => (each >= value ? 1 : 0)) }
  })
  return {
    ...({ kind: 'kernel', version: 1, created: new Date().toISOString() } as const),
    ...{ software: software(), name, kernel: kernel.kind, shape: [...kernel.shape] },
    ...{ size: kernel.size, trace, norm, alignment, above },
    participationRatio: norm === 0 ? 0 : (trace / norm) ** 2,
    effectiveRank: { value: rank, error: rank * entropy.error },
    eigenvalues: [...top.values],
    residuals: [...top.residuals],
    ...{ status: top.status, advice: top.advice },
    topShare: trace === 0 ? 0 : top.values.reduce((sum, value) => sum + value, 0) / trace,
    seconds: (performance.now() - begun) / 1000,
  }
}
