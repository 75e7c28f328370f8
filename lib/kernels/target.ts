import { badArgument, mismatch } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { integerClasses } from '../io/classes.js'
import type { NdArray } from '../io/index.js'
import { checkArray } from '../io/index.js'
import { TangentKernel } from './kernel.js'

/** Options of {@link targetKernel}. */
export interface TargetOptions {
  /**
   * `trace` (default): (N, N), Y Yᵀ, to compare with a trace kernel. `full`: (N, O, N, O),
   * vec(Y) vec(Y)ᵀ, to compare with a full kernel.
   */
  kernel?: 'trace' | 'full'
  /** Number of classes when labels are given; default: the largest label plus one. */
  classes?: number
  /** Subtract each column's mean from Y first (default: true). */
  centred?: boolean
}

/**
 * The kernel that a target asks for: Y Yᵀ of one-hot classes or of real targets.
 * @param target labels (N,), integers or floats that are whole numbers ≥ 0, or a matrix (N, O) of
 *   numbers.
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
 * @example
 * ```js
 * import { targetKernel } from 'adaptive-tangent'
 *
 * const kernel = targetKernel(
 *   { data: Int32Array.of(0, 1, 0), shape: [3] },
 *   { centred: false },
 * )
 * console.log(kernel.shape.join(' '), kernel.data.join(' '))
 * // 3 3 1 0 1 0 1 0 1 0 1
 * ```
 * @since 0.1.0
 */
export function targetKernel(target: NdArray, options: TargetOptions = {}): TangentKernel {
  checkCall(options)
  const { matrix, samples, outputs } = targetMatrix(target, options)
  if (options.kernel === 'full') {
    const size = samples * outputs
    const data = new Float32Array(size * size)
    for (let a = 0; a < size; a += 1) {
      const value = matrix[a] as number
      for (let b = 0; b < size; b += 1) data[a * size + b] = value * (matrix[b] as number)
    }
    return new TangentKernel(data, [samples, outputs, samples, outputs], 'full', true)
  }
  const data = new Float32Array(samples * samples)
  for (let i = 0; i < samples; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = 0
      for (let o = 0; o < outputs; o += 1) {
        sum += (matrix[i * outputs + o] as number) * (matrix[j * outputs + o] as number)
      }
      data[i * samples + j] = sum
      data[j * samples + i] = sum
    }
  }
  return new TangentKernel(data, [samples, samples], 'trace', true)
}

/** Y, one-hot for labels, with centred columns unless told otherwise. */
export function targetMatrix(target: NdArray, options: TargetOptions) {
  checkArray(target, 'target')
  const { shape, data } = target
  const [samples = 0, given] = shape
  if (samples === 0 || shape.length > 2 || shape.length === 0) {
    throw mismatch('target', 'labels (N,) or a matrix (N, O)', `an array (${shape.join(', ')})`)
  }
  const given64 = Float64Array.from(data as ArrayLike<number | bigint>, Number)
  // Labels such as −1 and 1 have no column of their number.
  const signed = options.classes === undefined && given64.some((value) => value < 0)
  const classes = signed ? integerClasses(target) : null
  const values = classes ? Float64Array.from(classes.of) : given64
  const bad = values.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0) throw badArgument(`target[${bad}]`, 'a finite number', values[bad])
  const labels = given === undefined
  const outputs = labels ? classCount(values, options.classes) : given
  const matrix = labels ? new Float64Array(samples * outputs) : values
  if (labels) {
    values.forEach((label, i) => {
      matrix[i * outputs + label] = 1
    })
  }
  if (options.centred ?? true) {
    for (let o = 0; o < outputs; o += 1) {
      let mean = 0
      for (let i = 0; i < samples; i += 1) mean += (matrix[i * outputs + o] as number) / samples
      for (let i = 0; i < samples; i += 1) {
        matrix[i * outputs + o] = (matrix[i * outputs + o] as number) - mean
      }
    }
  }
  return { matrix, samples, outputs }
}

function classCount(labels: Float64Array, classes: number | undefined): number {
  const largest = labels.reduce((most, label) => Math.max(most, label), 0)
  const bad = labels.findIndex((label) => !Number.isInteger(label) || label < 0)
  if (bad >= 0) throw badArgument(`target[${bad}]`, 'a class, a whole number ≥ 0,', labels[bad])
  const count = classes ?? largest + 1
  if (!Number.isInteger(count) || count <= largest || count > 1e6) {
    throw badArgument('classes', `a whole number above the largest label, ${largest},`, count)
  }
  return count
}
