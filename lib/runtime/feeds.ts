// Batches made from others: for probes, and blocks of a fixed size.
import { shapeSize } from '../core/shape.js'
import { firstAxisTo } from '../io/axes.js'
import { isRead, loaded } from './loaded.js'
import type { Feed, FeedArray } from './protocol.js'

type Data = FeedArray['data']

function empty(like: Data, length: number): Data {
  return new (like.constructor as new (length: number) => Data)(length)
}

/** The given rows of a feed, then all of `more`. */
export function stack(x: Feed, rows: readonly number[], more?: Feed): Feed {
  const samples = rows.length + (more?.samples ?? 0)
  const arrays = x.arrays.map((array, k) => {
    const size = array.data.length / x.samples
    const data = empty(array.data, samples * size)
    rows.forEach((row, at) => {
      data.set(array.data.subarray(row * size, (row + 1) * size) as never, at * size)
    })
    const rest = more?.arrays[k]
    if (rest) data.set(rest.data as never, rows.length * size)
    return { ...array, data, shape: [samples, ...array.shape.slice(1)] }
  })
  return { ...x, samples, arrays }
}

/** `samples` rows: those of the feed, over and over. */
export function repeated(x: Feed, samples: number): Feed {
  return stack(
    x,
    Array.from({ length: samples }, (_, row) => row % x.samples),
  )
}

/** The same entries in another order and, where they are real numbers, of another size. */
export function disturbed(x: Feed): Feed {
  const arrays = x.arrays.map((array) => {
    const data = array.data.slice().reverse() as Data
    if (data instanceof Float32Array || data instanceof Float64Array) {
      for (let e = 0; e < data.length; e += 1) data[e] = 1.5 * (data[e] as number) + 0.25
    }
    return { ...array, data }
  })
  return { ...x, arrays }
}

/**
 * Blocks of `size` samples as the file takes them, each of which is one sample then; the last is
 * filled up with its last sample.
 */
export function inBlocks(x: Feed, size: number): Feed {
  const samples = Math.ceil(x.samples / size)
  if (isRead(x)) return readInBlocks(x, size)
  const rows = Array.from({ length: samples * size }, (_, row) => Math.min(row, x.samples - 1))
  const filled = stack(x, rows)
  const arrays = filled.arrays.map((array): FeedArray => {
    const { axis, shape, data } = array
    const [, ...rest] = shape
    const length = data.length / samples
    if (axis) {
      for (let start = 0; start < data.length; start += length) {
        const block = data.slice(start, start + length)
        data.set(firstAxisTo(block, [size, ...rest], axis) as never, start)
      }
    }
    return { ...array, data, shape: [samples, ...rest.toSpliced(axis ?? 0, 0, size)], axis: null }
  })
  return { ...filled, samples, arrays }
}

/** The same where the numbers have to be read. */
function readInBlocks(x: Feed, size: number): Feed {
  const arrays = x.arrays.map((array): FeedArray => {
    const only = { samples: x.samples, arrays: [array] }
    const { axis, shape } = array
    const [, ...rest] = shape
    return {
      ...array,
      shape: [Math.ceil(x.samples / size), ...rest.toSpliced(axis ?? 0, 0, size)],
      axis: null,
      read: async (first, count) => {
        const end = Math.min((first + count) * size, x.samples)
        const blocks = inBlocks(await loaded(only, first * size, end - first * size), size)
        return (blocks.arrays[0] as FeedArray).data
      },
    }
  })
  return { ...x, samples: Math.ceil(x.samples / size), arrays }
}

/** What tells feeds apart whose values have other shapes: the sizes of a sample, what is shared. */
export function kindOfFeed({ arrays, shared = [] }: Feed): string {
  const sizes = arrays.map(({ shape, axis = 0 }) => `${axis}:${shape.slice(1).join('x')}`)
  const numbers = shared.map(({ shape, data }) => `${shape.join('x')}=${data.slice(0, 64)}`)
  return [...sizes, ...numbers].join(' ')
}

/** Bytes of a sample that is read for a run: where it is read, on its way here, and here. */
export function bytesRead(x: Feed): number {
  return x.arrays.reduce((sum, { read, shape, data }) => {
    return read ? sum + 3 * data.BYTES_PER_ELEMENT * shapeSize(shape.slice(1)) : sum
  }, 0)
}

/** The file's value of `count` samples of this array. */
export function shapeInFile({ shape, axis = 0 }: FeedArray, count: number): number[] {
  const rest = shape.slice(1)
  return axis === null ? rest : rest.toSpliced(axis, 0, count)
}
