import { badArgument, mismatch, oneOf } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { isArray } from './held.js'
import { checkArray, type Floats, type NdArray } from './ndarray.js'
import { type ArraySource, isSource, rowsOf, sourceOf } from './source.js'

/** Options of {@link normalized}. */
export interface NormalizeOptions {
  /** What the numbers are multiplied by first (default: 1), such as 1/255 for bytes. */
  scale?: number | undefined
  /** What is then taken away (default: 0): one number, or one for each channel. */
  mean?: number | readonly number[] | undefined
  /** What that is divided by (default: 1): one number, or one for each channel. */
  std?: number | readonly number[] | undefined
  /** The axis of the channels (default: 1; −1 is the last). */
  axis?: number | undefined
  /** Of the result (default: float32). */
  dtype?: 'float32' | 'float64' | undefined
}

/**
 * Integers or floats as the floats that a network was trained on, (value · scale − mean) / std, computed
 * for each block of rows when it is read.
 *
 * ```ts
 * const images = normalized(await openArray('images.npy'), {
 *   scale: 1 / 255,
 *   mean: [0.485, 0.456, 0.406],
 *   std: [0.229, 0.224, 0.225],
 * })
 * ```
 * @returns a source of the same shape
 * @throws TangentError `BAD_ARGUMENT` for numbers that are not finite, a deviation of 0, or another
 *   number of channels.
 * @example
 * ```js
 * import { normalized } from 'adaptive-tangent'
 *
 * const bytes = { data: Uint8Array.of(0, 255, 51), shape: [3, 1] }
 * const source = normalized(bytes, { scale: 1 / 255, mean: 0.5, std: 0.5 })
 * const { data } = await source.rows(0, 3)
 * console.log([...data].map((value) => value.toFixed(2)).join(' '))
 * // -1.00 1.00 -0.60
 * ```
 * @since 0.2.0
 */
export function normalized(x: NdArray | ArraySource, options: NormalizeOptions = {}): ArraySource {
  checkCall(options)
  if (!isArray(x) && !isSource(x)) throw badArgument('x', 'an array or a source of rows', x)
  if (isArray(x)) checkArray(x, 'x')
  const source = isArray(x) ? sourceOf(x) : x
  const change = changeOf(source, options)
  const { length, shape, inOrder } = source
  return {
    ...{ length, shape, dtype: options.dtype ?? 'float32' },
    ...(inOrder ? { inOrder } : {}),
    rows: async (first, count) => {
      const { data, shape: own } = await rowsOf(source, first, count, 'the rows to normalise')
      return { data: change(data), shape: own }
    },
    close: async () => {
      await source.close?.()
    },
  }
}

/** The change of a block of rows, checked. */
function changeOf({ shape, dtype }: ArraySource, options: NormalizeOptions) {
  const { scale = 1, mean = 0, std = 1, axis = 1 } = options
  if (dtype === 'bool') throw badArgument('x', 'an array of numbers', dtype)
  const kind = oneOf(options.dtype, ['float32', 'float64'] as const, 'options.dtype')
  if (!Number.isFinite(scale)) throw badArgument('options.scale', 'a finite number', scale)
  const lists = { mean: [mean].flat(), std: [std].flat() }
  const channels = Math.max(lists.mean.length, lists.std.length)
  const at = Number.isInteger(axis) && axis < 0 ? axis + shape.length : axis
  if (!Number.isInteger(at) || at < 1 || (channels > 1 && at >= shape.length)) {
    const wanted = `an axis of ${shape.length - 1} behind the first`
    throw badArgument('options.axis', wanted, axis)
  }
  const count = shape[at] ?? 1
  for (const [name, list] of Object.entries(lists)) {
    const sound = list.every((value) => Number.isFinite(value) && (name === 'mean' || value !== 0))
    const numbers = name === 'mean' ? 'finite numbers' : 'finite numbers other than 0'
    if (!sound || list.length === 0) throw badArgument(`options.${name}`, numbers, list)
    if (list.length > 1 && list.length !== count) {
      const wanted = `one number, or ${count} along axis ${at} of (${shape.join(', ')}),`
      throw mismatch(`options.${name}`, wanted, `${list.length}`)
    }
  }
  const inner = shape.slice(at + 1).reduce((product, size) => product * size, 1)
  const of = (list: readonly number[], channel: number) =>
    list[list.length === 1 ? 0 : channel] as number
  return (data: NdArray['data']): Floats => {
    const own = kind === 'float64' ? new Float64Array(data.length) : new Float32Array(data.length)
    const size = channels === 1 ? data.length : inner
    for (let start = 0, block = 0; start < data.length; start += size, block += 1) {
      const channel = block % count
      const [less, by] = [of(lists.mean, channel), of(lists.std, channel)]
      for (let e = start; e < start + size; e += 1) {
        own[e] = (Number(data[e]) * scale - less) / by
      }
    }
    return own
  }
}
