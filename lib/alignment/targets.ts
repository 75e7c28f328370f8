// Labels and learned outputs → the factors R of target kernels RRᵀ.

import { badArgument, mismatch, TangentError } from '../core/errors.js'
import { classNumbers, integerClasses } from '../io/classes.js'
import type { NdArray } from '../io/index.js'
import { checkArray } from '../io/index.js'
import { type Labels, readLabels } from '../io/labels.js'
import { targetMatrix } from '../kernels/target.js'

/** R (rows, columns) of a target kernel RRᵀ. */
export interface Factor {
  y: Float64Array
  columns: number
}

/** Which outputs of the samples the kernels are made of. */
export interface Outputs {
  samples: number
  /** Flat indices of the outputs wanted. */
  outputs: readonly number[]
  kernel: 'trace' | 'full'
}

/**
 * The labels' factor: Y less its column means; for full kernels as one column vec(Y).
 * @throws TangentError BAD_ARGUMENT where a full kernel's rows have no label.
 */
export function labelsFactor(target: NdArray | undefined, where: Outputs): Factor | null {
  if (!target) return null
  const labels = readLabels(target, where.samples)
  const { samples, outputs, kernel } = where
  if (kernel === 'trace') {
    const { matrix, outputs: columns } = targetMatrix(labels.array, {})
    return { y: matrix, columns }
  }
  const values = outputNumbers(target, where, labels)
  if (typeof values === 'string') {
    throw new TangentError('BAD_ARGUMENT', `Expected options.target with full kernels as ${values}`)
  }
  const { matrix } = targetMatrix({ data: values, shape: [samples, outputs.length] }, {})
  return { y: matrix, columns: 1 }
}

/** ŷ (N, O) in C order; null where nothing says what it is. */
export function learnedOutputs(
  learned: NdArray | undefined,
  target: NdArray | undefined,
  where: Outputs,
): Float64Array | null {
  const { samples, outputs } = where
  if (!learned) {
    const own = target && outputNumbers(target, where)
    return own === undefined || typeof own === 'string' ? null : own
  }
  checkArray(learned, 'options.learned')
  const { data, shape } = learned
  const fits = shape[0] === samples && data.length === samples * outputs.length && shape.length <= 2
  if (!fits) {
    throw mismatch(
      'options.learned',
      `an array (${samples}, ${outputs.length})`,
      `an array (${shape.join(', ')})`,
    )
  }
  const values = Float64Array.from(data as ArrayLike<number | bigint>, Number)
  const bad = values.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0) throw badArgument(`options.learned[${bad}]`, 'a finite number', values[bad])
  return values
}

/** The factor of K_ŷ = (ŷ − f_0)(ŷ − f_0)ᵀ. */
export function learnedFactor(
  learned: Float64Array | null,
  initial: ArrayLike<number>,
  { outputs, kernel }: Outputs,
): Factor | null {
  if (!learned) return null
  const y = learned.map((value, e) => value - (initial[e] as number))
  return { y, columns: kernel === 'full' ? 1 : outputs.length }
}

/** The target as (N, O) numbers, its own or those of classes; a text where it has none: why. */
export function outputNumbers(
  target: NdArray,
  { samples, outputs }: Pick<Outputs, 'samples' | 'outputs'>,
  { classes, values }: Labels = readLabels(target, samples),
): Float64Array | string {
  if (!integerClasses(target) && target.data.length === samples * outputs.length) {
    return Float64Array.from(target.data as ArrayLike<number | bigint>, Number)
  }
  if (classes) return classNumbers({ labels: values, of: classes }, { outputs })
  return `a number for each of ${samples} × ${outputs.length} outputs, or classes, but it is an array (${target.shape.join(', ')})`
}
