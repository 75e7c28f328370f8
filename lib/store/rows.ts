// An array of a store by rows, wherever the store lies.
import { shapeSize } from '../core/shape.js'
import { type NdArray, zeros } from '../io/ndarray.js'
import { put, type TilePlace } from '../io/sink.js'
import { type ArraySource, checkRows } from '../io/source.js'
import { chunkKey, decodeChunk, type Grid, type StoredArray, typeRead } from './layout.js'
import type { Storage } from './storage.js'

/** Chunks that are read together. */
const together = 8

/** Rows of a store's array; what is not there reads as NaN. */
export function rowsOfStore(storage: Storage, grid: Grid, array: StoredArray): ArraySource {
  const { shape } = array
  const [length = 0, ...rest] = shape
  const dtype = typeRead(array)
  const source: ArraySource = {
    length,
    shape,
    dtype,
    rows: async (first, count) => {
      checkRows(source, first, count)
      const whole = { data: zeros(dtype, count * shapeSize(rest)), shape: [count, ...rest] }
      whole.data.fill(Number.NaN as never)
      const places = placesOfRows(grid, array, first, count)
      for (let k = 0; k < places.length; k += together) {
        const some = places.slice(k, k + together)
        const parts = await Promise.all(some.map((place) => partAt(storage, grid, array, place)))
        for (const [j, place] of some.entries()) {
          const part = parts[j]
          if (part) putRows(whole, part, { grid, place, first, count })
        }
      }
      return whole
    },
  }
  return source
}

/** All tiles of some rows, those of a symmetric kernel's other half, too. */
function placesOfRows(
  grid: Grid,
  { shape }: StoredArray,
  first: number,
  count: number,
): TilePlace[] {
  const { axes, size } = grid
  const range = (tile: number, samples: number) => {
    return { first: tile * size, count: Math.min(size, samples - tile * size) }
  }
  const [from, to] = [Math.floor(first / size), Math.ceil((first + count) / size)]
  const across = axes.columns === null ? null : (shape[axes.columns] as number)
  return Array.from({ length: Math.max(0, to - from) }, (_, k) => from + k).flatMap(
    (row): TilePlace[] => {
      const rows = range(row, shape[axes.rows] as number)
      if (across === null) return [{ row, column: 0, rows, columns: null }]
      return Array.from({ length: Math.ceil(across / size) }, (_, column) => {
        return { row, column, rows, columns: range(column, across) }
      })
    },
  )
}

async function partAt(
  storage: Storage,
  grid: Grid,
  array: StoredArray,
  place: TilePlace,
): Promise<NdArray | undefined> {
  const key = chunkKey(array, grid, place)
  const chunk = await storage.read(key)
  return chunk && decodeChunk(chunk, array, grid, place, `${storage.name}/${key}`)
}

/** Those rows of a part that are wanted. */
function putRows(
  whole: NdArray,
  part: NdArray,
  { grid, place, first, count }: { grid: Grid; place: TilePlace; first: number; count: number },
): void {
  const { rows, columns } = place
  const start = Math.max(0, first - rows.first)
  const end = Math.min(rows.count, first + count - rows.first)
  const size = shapeSize(part.shape.slice(1))
  const own: NdArray = {
    data: part.data.subarray(start * size, end * size) as NdArray['data'],
    shape: [end - start, ...part.shape.slice(1)],
  }
  put(whole, own, grid.axes, [rows.first + start - first, columns?.first ?? 0])
}
