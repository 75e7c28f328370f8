// Arrays that are read by rows as needed, so that they may be larger than memory.

import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { shapeSize } from '../core/shape.js'
import {
  allocate,
  bytesPerElement,
  type DType,
  dtypeOf,
  elementCount,
  type NdArray,
  toBytes,
  zeros,
} from './ndarray.js'

/**
 * An array read by rows, the entries along its first axis: a file that {@link openArray} opened, or
 * anything else that has these fields.
 *
 * ```ts
 * const source: ArraySource = {
 *   length: 1000,
 *   shape: [1000, 4],
 *   dtype: 'float32',
 *   rows: async (first, count) => ({
 *     data: Float32Array.from({ length: 4 * count }, (_, e) => 4 * first + e),
 *     shape: [count, 4],
 *   }),
 * }
 * ```
 */
export interface ArraySource {
  /** How many rows; 1 for an array without axes. */
  readonly length: number
  /** Of the whole array, `length` first. */
  readonly shape: readonly number[]
  readonly dtype: DType
  /** Rows [first, first + count) as an array of their own, (count, …). */
  rows(first: number, count: number): Promise<NdArray>
  /** Set where rows come one after another and going back is to begin again, or not possible. */
  readonly inOrder?: boolean
  /**
   * A text that is another one for other rows, as the seed of rows that are generated: a store then takes it for
   * what they are, and does not read all of them for a digest.
   */
  readonly identity?: string | undefined
  /** Lets go of what is open; nothing is read afterwards. */
  close?(): Promise<void>
}

export function isSource(value: unknown): value is ArraySource {
  return typeof (value as ArraySource | null | undefined)?.rows === 'function'
}

/** Entries of one row. */
export function rowSize({ shape }: { readonly shape: readonly number[] }): number {
  return shapeSize(shape.slice(1))
}

/** An array in memory as a source. */
export function sourceOf(array: NdArray): ArraySource {
  const { data, shape } = array
  const [length = 1, ...rest] = shape
  const size = rowSize(array)
  const source: ArraySource = {
    length,
    shape,
    dtype: dtypeOf(array),
    rows: async (first, count) => {
      checkRows(source, first, count)
      const part = data.subarray(first * size, (first + count) * size)
      const own = shape.length === 0 ? [] : [count, ...rest]
      return { ...array, data: part as NdArray['data'], shape: own }
    },
  }
  return source
}

/** Bytes of one row. */
export const rowBytes = (source: Pick<ArraySource, 'shape' | 'dtype'>) =>
  rowSize(source) * bytesPerElement(source.dtype)

/** Refuses rows that are not there. */
export function checkRows({ length }: ArraySource, first: number, count: number): void {
  wholeNumber('first', first, 0, length)
  wholeNumber('count', count, 0, length - first)
}

/**
 * Rows of a source, checked to be what it says of itself.
 * @param name of the source, for messages
 */
export async function rowsOf(
  source: ArraySource,
  first: number,
  count: number,
  name: string,
): Promise<NdArray> {
  const array = await source.rows(first, count)
  const what = `rows ${first} to ${first + count - 1} of ${name}`
  const wanted = source.shape.length === 0 ? [] : [count, ...source.shape.slice(1)]
  const same =
    Array.isArray(array?.shape) &&
    array.shape.length === wanted.length &&
    array.shape.every((size, d) => size === wanted[d]) &&
    array.data?.length === elementCount(wanted)
  if (same && dtypeOf(array) === source.dtype) return array
  if (same) throw mismatch(what, source.dtype, dtypeOf(array))
  const shape = Array.isArray(array?.shape) ? `(${array.shape.join(', ')})` : String(array?.shape)
  throw mismatch(what, `an array (${wanted.join(', ')})`, shape)
}

/** A source as one array in memory. */
export async function wholeOf(source: ArraySource, name = 'the source'): Promise<NdArray> {
  const { length } = source
  if (source.shape.length === 0) return rowsOf(source, 0, 1, name)
  const bytes = rowBytes(source)
  const count = elementCount(source.shape)
  if (count === null) throw badArgument('shape', 'an array that has a size', source.shape.join())
  const room = allocate(count * bytesPerElement(source.dtype), name)
  const out: NdArray = { data: zeros(source.dtype, 0), shape: [...source.shape] }
  const Kind = out.data.constructor as new (buffer: ArrayBuffer) => NdArray['data']
  const all = new Uint8Array(room)
  const block = Math.max(1, Math.floor((1 << 26) / Math.max(1, bytes)))
  for (let first = 0; first < length; first += block) {
    const part = await rowsOf(source, first, Math.min(block, length - first), name)
    all.set(toBytes(part), first * bytes)
  }
  out.data = new Kind(room)
  return source.dtype === 'bool' ? { ...out, boolean: true } : out
}
