// Kernels → numbers, by the addon.

import { leavable } from '../core/abort.js'
import { TangentError } from '../core/errors.js'
import { call } from '../native/call.js'
import { native } from '../native/index.js'
import type { NativeKernelChange, NativeKernelMeasures } from '../native/measures.js'
import type { Factor } from './targets.js'
import type { KernelChange, KernelMeasures, TargetAlignment } from './types.js'

/** A kernel with those that it is compared with, n × n each. */
export interface Question {
  kernel: Float32Array
  initial: Float32Array | undefined
  previous: Float32Array | undefined
  spectrum: boolean
}

export interface MeasureSetup {
  /** Rows of the kernels. */
  rows: number
  learned: Factor | null
  labels: Factor | null
  top: readonly number[]
  threads: number
  /** Kernels whose spectra are computed at the same time. */
  atOnce: number
  /** That finds eigenvalues; the processor where there is none. */
  device?: string | undefined
}

/** Bytes that the spectrum of one kernel takes in addition to it: itself in double, and LAPACK's work. */
export const spectrumBytes = (rows: number): number => 8 * (3 * rows * rows + 8 * rows)

/**
 * Measures kernels. An abort rejects at once; `settled` tells when the kernels' memory is let go.
 * @throws TangentError NUMERICAL when a kernel is not finite.
 */
export function measure(
  questions: readonly Question[],
  setup: MeasureSetup,
  signal?: AbortSignal,
): { result: Promise<Omit<KernelMeasures, 'margin'>[]>; settled: Promise<void> } {
  const { rows, learned, labels, top, threads, atOnce, device } = setup
  const targets = [learned, labels].filter((factor) => factor !== null)
  const work = call(signal, (control) =>
    native.measureKernels(questions, rows, targets, top, { threads, atOnce, control, device }),
  )
  const settled = work.then(
    () => {},
    () => {},
  )
  const result = leavable(signal, work).then((found) =>
    found.map((measures, g) => {
      const { initial, spectrum } = questions[g] as Question
      return read(measures, setup, { spectrum, compared: initial !== undefined })
    }),
  )
  return { result, settled }
}

function read(
  found: NativeKernelMeasures,
  { learned, labels }: MeasureSetup,
  { spectrum, compared }: { spectrum: boolean; compared: boolean },
): Omit<KernelMeasures, 'margin'> {
  const targets = found.targets.map(
    ({ alignment, centred, energy }): TargetAlignment => ({
      alignment: defined(alignment),
      centred: defined(centred),
      energy: [...energy],
    }),
  )
  const one = { alignment: 1, centred: 1, distance: 0, rotation: 0 }
  return {
    trace: found.trace,
    norm: found.norm,
    participationRatio: found.participation,
    effectiveRank: spectrum ? found.effectiveRank : null,
    eigenvalues: spectrum ? found.eigenvalues : null,
    learned: learned ? (targets[0] as TargetAlignment) : null,
    labels: labels ? (targets.at(-1) as TargetAlignment) : null,
    initial: change(found.initial ?? one),
    previous: found.previous && change(found.previous),
    split:
      learned && compared
        ? {
            initial: found.wInitial,
            target: found.wTarget,
            initialSize: defined(found.initialSize),
            targetSize: defined(found.targetSize),
            rest: defined(found.rest),
          }
        : null,
  }
}

function change({ alignment, centred, distance, rotation }: NativeKernelChange): KernelChange {
  const turned = defined(rotation)
  return {
    alignment: defined(alignment),
    centred: defined(centred),
    distance: defined(distance),
    rotation: turned,
    angle: turned === null ? null : 2 * Math.asin(Math.min(1, Math.sqrt(turned / 2))),
  }
}

const defined = (value: number): number | null => (Number.isNaN(value) ? null : value)

/** Names the checkpoint whose kernel the addon refused. */
export function named(error: unknown, name: string): unknown {
  if (!(error instanceof TangentError) || error.code !== 'NUMERICAL') return error
  const message = `Expected finite kernels at every checkpoint but at ${name}: ${error.message}`
  return new TangentError('NUMERICAL', message, { cause: error })
}
