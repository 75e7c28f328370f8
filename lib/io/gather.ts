// Rows here and there of what is read by rows: few reads of neighbours in place of one for each.
import type { NdArray, TypedArray } from './ndarray.js'

/** Rows that nobody wants are read along where the next wanted one is not further: bytes and rows. */
const [gapBytes, gapRows] = [1 << 17, 64]
/** Bytes of one read, and reads under way at once. */
const [mostBytes, together] = [1 << 23, 4]

/** One read, and where the rows wanted of it go. */
interface Range {
  first: number
  count: number
  wanted: { row: number; at: number }[]
}

/** In the order of the file. */
function rangesOf(rows: ArrayLike<number>, bytes: number): Range[] {
  const wanted = Array.from(rows, (row, at) => ({ row, at })).sort((a, b) => a.row - b.row)
  const gap = Math.min(gapRows, Math.floor(gapBytes / Math.max(1, bytes)))
  const most = Math.max(1, Math.floor(mostBytes / Math.max(1, bytes)))
  const ranges: Range[] = []
  for (const one of wanted) {
    const last = ranges.at(-1)
    const end = last ? last.first + last.count : 0
    if (last && one.row <= end + gap && one.row < last.first + most) {
      last.count = Math.max(last.count, one.row + 1 - last.first)
      last.wanted.push(one)
    } else ranges.push({ first: one.row, count: 1, wanted: [one] })
  }
  return ranges
}

/**
 * Copies rows, in the order in which they are wanted, to where they are wanted.
 * @param to one behind the other
 * @param size numbers of a row
 */
export async function gather<T extends TypedArray>(
  rows: ArrayLike<number>,
  to: T,
  size: number,
  read: (first: number, count: number) => Promise<NdArray['data']>,
): Promise<T> {
  const ranges = rangesOf(rows, size * to.BYTES_PER_ELEMENT)
  const work = async () => {
    for (let range = ranges.shift(); range; range = ranges.shift()) {
      const { first, count, wanted } = range
      const data = await read(first, count)
      for (const { row, at } of wanted) {
        const from = (row - first) * size
        to.set(data.subarray(from, from + size) as never, at * size)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(together, ranges.length) }, work))
  return to
}
