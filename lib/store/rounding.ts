// Stores of 16-bit floats: numbers are rounded once, what that does to them is measured, and none becomes infinite.
import { TangentError } from '../core/errors.js'
import {
  fromBfloat16,
  fromFloat16,
  type NdArray,
  type StoredType,
  toBfloat16,
  toFloat16,
} from '../io/ndarray.js'
import type { Tile, TilePlace } from '../io/sink.js'
import { type Grid, type StoredArray, storedType } from './layout.js'
import type { Storage } from './storage.js'
import type { Task } from './tasks.js'

/** Types of numbers that a store can be asked for. */
export const storeTypes = ['float32', 'float16', 'bfloat16'] as const
export type StoreType = (typeof storeTypes)[number]

/** What rounding has done to the numbers of a store. */
export interface StoreRounding {
  dtype: StoreType
  /** ‖rounded − exact‖ / ‖exact‖ over all of them, Frobenius. */
  relative: number
  /** The largest |rounded − exact| / |exact| of a number; 1 where one became 0. */
  largest: number
  /** How many became 0. */
  vanished: number
  /** Tiles whose numbers these are: a worker that is killed takes those of its task with it, not the tiles. */
  tiles: number
}

type Sums = Omit<StoreRounding, 'dtype' | 'relative'> & { squares: number; errors: number }

const folder = 'rounding'

export class Rounding {
  readonly #sums: Sums = { squares: 0, errors: 0, largest: 0, vanished: 0, tiles: 0 }

  /**
   * The tile with its numbers as they will be read.
   * @throws TangentError NUMERICAL where one is beyond the type's range.
   */
  of(tile: Tile, grid: Grid): Tile {
    if (!isNarrower(grid)) return tile
    const arrays = new Map(tile.arrays)
    // The mirrored tile has the same numbers again.
    const times = grid.symmetric && tile.row !== tile.column ? 2 : 1
    for (const array of grid.arrays) {
      if (storedType(array) === array.dtype) continue
      const part = arrays.get(array.name) as NdArray
      arrays.set(array.name, this.#rounded(part, array, tile, times))
    }
    this.#sums.tiles += 1
    return { ...tile, arrays }
  }

  /** What was measured so far. */
  report(grid: Grid): StoreRounding | undefined {
    return this.#sums.tiles === 0 ? undefined : reportOf(this.#sums, grid)
  }

  /** Keeps what was measured of those tiles that a task lacked. */
  async keep(storage: Storage, { id, places }: Task, lacked: readonly TilePlace[]): Promise<void> {
    if (this.#sums.tiles === 0) return
    // Whoever goes on with the task lacks others, and has another name.
    const first = places.indexOf(lacked[0] as TilePlace)
    const bytes = Buffer.from(`${JSON.stringify(this.#sums)}\n`)
    await storage.put(`${folder}/${id}.${first}.json`, bytes)
  }

  #rounded(part: NdArray, array: StoredArray, tile: Tile, times: number): NdArray {
    const type = storedType(array)
    const data = part.data as Float32Array
    const rounded = asStored(data, type)
    const sums = this.#sums
    for (let e = 0; e < data.length; e += 1) {
      const [exact, kept] = [data[e] as number, rounded[e] as number]
      // NaN and infinities stay what they are.
      if (!Number.isFinite(exact)) continue
      if (!Number.isFinite(kept)) throw tooLarge(exact, type, array, tile)
      if (exact === 0) continue
      const error = kept - exact
      sums.squares += times * exact * exact
      sums.errors += times * error * error
      if (kept === 0) sums.vanished += times
      const relative = Math.abs(error / exact)
      if (relative > sums.largest) sums.largest = relative
    }
    return { data: rounded, shape: part.shape }
  }
}

/** Are numbers stored in fewer bits than they are computed in? */
export function isNarrower({ arrays }: Grid): boolean {
  return arrays.some((array) => storedType(array) !== array.dtype)
}

/** What all workers have measured; undefined where nothing is rounded. */
export async function storeRounding(
  storage: Storage,
  grid: Grid,
): Promise<StoreRounding | undefined> {
  if (!isNarrower(grid)) return undefined
  const all: Sums = { squares: 0, errors: 0, largest: 0, vanished: 0, tiles: 0 }
  for (const name of await storage.list(folder)) {
    const bytes = await storage.read(`${folder}/${name}`)
    if (!bytes) continue
    const sums = JSON.parse(Buffer.from(bytes).toString('utf8')) as Sums
    for (const key of ['squares', 'errors', 'vanished', 'tiles'] as const) all[key] += sums[key]
    all.largest = Math.max(all.largest, sums.largest)
  }
  return reportOf(all, grid)
}

function reportOf({ squares, errors, largest, vanished, tiles }: Sums, grid: Grid): StoreRounding {
  const narrow = grid.arrays.find((array) => storedType(array) !== array.dtype) as StoredArray
  const dtype = storedType(narrow) as StoreType
  const relative = squares === 0 ? 0 : Math.sqrt(errors / squares)
  return { dtype, relative, largest, vanished, tiles }
}

function asStored(data: Float32Array, type: StoredType): Float32Array {
  if (type === 'float16') return fromFloat16(toFloat16(data))
  return type === 'bfloat16' ? fromBfloat16(toBfloat16(data)) : Float32Array.from(data)
}

const largestOf: Partial<Record<StoredType, string>> = {
  float16: '65504',
  bfloat16: '3.39e38',
  float32: '3.40e38',
}

function tooLarge(value: number, type: StoredType, { name }: StoredArray, { rows }: Tile) {
  const other = type === 'float16' ? 'bfloat16 or float32' : 'more bits'
  return new TangentError(
    'NUMERICAL',
    `Expected numbers up to ${largestOf[type]}, the largest of ${type}, but ${name} of samples ${rows.first} to ${rows.first + rows.count - 1} has ${value.toPrecision(6)}; a store of ${other} holds it`,
  )
}
