// A kernel on disk as blocks of its Gram matrix.
import { TangentError } from '../core/errors.js'
import { shapeSize } from '../core/shape.js'
import { type ArraySource, type NdArray, rowsOf } from '../io/index.js'
import { placesOf, type TilePlace } from '../io/sink.js'
import { chunkKey, decodeChunk, type Grid, type StoredArray } from './layout.js'
import type { Storage } from './storage.js'

/** Rows and columns of the Gram matrix. */
export interface Block {
  row: number
  rows: number
  column: number
  columns: number
  /** Stands for its mirrored place, too. */
  mirrored: boolean
  place: TilePlace
}

export interface KernelBlocks {
  /** Of a store that has but one half. */
  half: boolean
  /** Samples whose rows are best read together. */
  stripe: number
  list: readonly Block[]
  /** The numbers of a block, (rows, columns). */
  read(block: Block): Promise<ArrayLike<number>>
}

/** Of a diagonal kernel's part one output. */
export function oneOutput({ data, shape }: NdArray, output: number | undefined): ArrayLike<number> {
  const numbers = data as Float32Array
  if (output === undefined || shape.length !== 3) return numbers
  const outputs = shape[2] as number
  const own = new Float32Array(numbers.length / outputs)
  for (let e = 0; e < own.length; e += 1) own[e] = numbers[e * outputs + output] as number
  return own
}

/** Outputs of each sample in the Gram matrix. */
const widthOf = (shape: readonly number[]) => (shape.length === 4 ? (shape[1] as number) : 1)

/** The tiles of a store: of a symmetric kernel those on and below the diagonal. */
export function blocksOfStore(
  storage: Storage,
  grid: Grid,
  array: StoredArray,
  output: number | undefined,
): KernelBlocks {
  const width = widthOf(array.shape)
  const list = placesOf({ ...grid, digest: '' }).map((place): Block => {
    const { rows, columns } = place
    if (!columns) throw new TangentError('BAD_ARGUMENT', 'Expected a kernel')
    return {
      ...{ row: rows.first * width, rows: rows.count * width },
      ...{ column: columns.first * width, columns: columns.count * width },
      mirrored: grid.symmetric && place.row !== place.column,
      place,
    }
  })
  const read = async ({ place }: Block) => {
    const key = chunkKey(array, grid, place)
    const chunk = await storage.read(key)
    const name = `${storage.name}/${key}`
    if (!chunk) throw new TangentError('BAD_FILE', `Expected a chunk in ${name} but there is none`)
    return oneOutput(decodeChunk(chunk, array, grid, place, name), output)
  }
  return { half: grid.half, stripe: grid.size, list, read }
}

/** Bytes of a block. */
const blockBytes = 1 << 24

/** Rows of any file. */
export function blocksOfRows(source: ArraySource, output: number | undefined): KernelBlocks {
  const { shape } = source
  const [samples = 0, ...rest] = shape
  const width = widthOf(shape)
  const columns = shapeSize(rest) / (shape.length === 3 ? (shape[2] as number) : width)
  const count = Math.max(1, Math.floor(blockBytes / (4 * shapeSize(rest))))
  const list = Array.from({ length: Math.ceil(samples / count) }, (_, k): Block => {
    const first = k * count
    const rows = Math.min(count, samples - first)
    return {
      ...{ row: first * width, rows: rows * width, column: 0, columns, mirrored: false },
      place: { row: k, column: 0, rows: { first, count: rows }, columns: null },
    }
  })
  const read = async ({ place: { rows } }: Block) =>
    oneOutput(await rowsOf(source, rows.first, rows.count, 'the kernel'), output)
  return { half: false, stripe: 1, list, read }
}

/** result += part · v, or partᵀ · v. */
export function multiply(
  part: ArrayLike<number>,
  { row, rows, column, columns }: Block,
  v: Float64Array,
  result: Float64Array,
  { width, transposed = false }: { width: number; transposed?: boolean },
): void {
  for (let r = 0; r < rows; r += 1) {
    const own = (row + r) * width
    for (let c = 0; c < columns; c += 1) {
      const value = part[r * columns + c] as number
      const other = (column + c) * width
      const to = transposed ? other : own
      const from = transposed ? own : other
      for (let k = 0; k < width; k += 1) {
        ;(result[to + k] as number) += value * (v[from + k] as number)
      }
    }
  }
}
