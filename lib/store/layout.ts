// How arrays lie in a store: zarr v3, one chunk for each tile, each with its checksum.
import { TangentError } from '../core/errors.js'
import { shapeSize } from '../core/shape.js'
import {
  bytesPerElement,
  type DType,
  dtypeOf,
  fromBytes,
  type NdArray,
  type StoredType,
  toBfloat16,
  toBytes,
  toFloat16,
  zeros,
} from '../io/ndarray.js'
import {
  partShape,
  type TiledArray,
  type TilePlace,
  type TilePlan,
  transposed,
} from '../io/sink.js'
import { crc32c } from './crc32c.js'

/** An array of a store, and where in it. */
export interface StoredArray extends TiledArray {
  /** Folder of the array in the store; '' where it is the store. */
  path: string
  /** Type of its numbers on disk, where it is another than `dtype`, in which they are computed. */
  stored?: StoredType
}

/** Type of an array's numbers on disk. */
export const storedType = ({ stored, dtype }: StoredArray): StoredType => stored ?? dtype

/** Others are the columns of rows of features, int32. */
export const isFloating = (dtype: DType): boolean => dtype.startsWith('float')

/** Type of its numbers once they are read. */
export function typeRead(array: StoredArray): DType {
  const stored = storedType(array)
  return stored === 'float16' || stored === 'bfloat16' ? 'float32' : stored
}

/** The tiles of a store. */
export interface Grid extends Omit<TilePlan, 'arrays' | 'digest'> {
  arrays: readonly StoredArray[]
  /** Of a symmetric kernel only the tiles on and below the diagonal lie there; the rest reads as NaN. */
  half: boolean
  /** Of the group, for who reads it: of features how their arrays belong together. */
  attributes?: Readonly<Record<string, unknown>>
}

/** Of the codec crc32c, behind each chunk. */
const checksumBytes = 4

const inside = (folder: string, name: string) => (folder === '' ? name : `${folder}/${name}`)

/** Sizes of a chunk: those of a whole tile, also at the array's edges. */
export function chunkShape({ shape }: StoredArray, { axes, size }: Grid): number[] {
  return shape.map((length, axis) =>
    axis === axes.rows || axis === axes.columns ? size : Math.max(1, length),
  )
}

export function chunkBytes(array: StoredArray, grid: Grid): number {
  return bytesPerElement(storedType(array)) * shapeSize(chunkShape(array, grid)) + checksumBytes
}

/** `zarr.json` of an array. What is not there yet reads as NaN, never as a kernel's 0; of columns as −1. */
export function arrayMetadata(array: StoredArray, grid: Grid): object {
  return {
    zarr_format: 3,
    node_type: 'array',
    shape: [...array.shape],
    data_type: storedType(array),
    chunk_grid: { name: 'regular', configuration: { chunk_shape: chunkShape(array, grid) } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    fill_value: isFloating(array.dtype) ? 'NaN' : -1,
    codecs: [{ name: 'bytes', configuration: { endian: 'little' } }, { name: 'crc32c' }],
    attributes: array.path === '' ? {} : { name: array.name },
  }
}

/** Everything but chunks that makes the folder an array, or a group of some. */
export function metadataFiles(grid: Grid): Map<string, object> {
  const files = new Map<string, object>()
  const group = { zarr_format: 3, node_type: 'group', attributes: grid.attributes ?? {} }
  if (grid.arrays.some(({ path }) => path !== '')) files.set('zarr.json', group)
  for (const array of grid.arrays) {
    files.set(inside(array.path, 'zarr.json'), arrayMetadata(array, grid))
  }
  return files
}

/** Folder of a row of chunks, and the chunk's name in it. */
export function chunkKey(
  { path, shape }: StoredArray,
  { axes }: Pick<Grid, 'axes'>,
  { row, column }: Pick<TilePlace, 'row' | 'column'>,
): string {
  const indices = shape.map((_, axis) =>
    axis === axes.rows ? row : axis === axes.columns ? column : 0,
  )
  return inside(path, `c/${indices.join('/')}`)
}

/** A tile's chunks: of a symmetric kernel that of the mirrored place, too. */
export function chunksOf(
  grid: Grid,
  { row, column }: Pick<TilePlace, 'row' | 'column'>,
): { array: StoredArray; key: string; mirrored: boolean }[] {
  const places = [{ row, column, mirrored: false }]
  if (grid.symmetric && !grid.half && row !== column)
    places.push({ row: column, column: row, mirrored: true })
  return grid.arrays.flatMap((array) =>
    places.map(({ mirrored, ...place }) => {
      return { array, key: chunkKey(array, grid, place), mirrored }
    }),
  )
}

/** A tile's part of an array as the bytes of its chunk. */
export function encodeChunk(part: NdArray, array: StoredArray, grid: Grid): Uint8Array {
  const shape = chunkShape(array, grid)
  const bytes = toBytes(narrow(padded(part, shape), storedType(array)))
  const chunk = new Uint8Array(bytes.length + checksumBytes)
  chunk.set(bytes)
  chunk.set(crc32c(bytes), bytes.length)
  return chunk
}

/** The bit patterns, or numbers, of a chunk of that type. */
function narrow(part: NdArray, type: StoredType): NdArray {
  if (type === dtypeOf(part)) return part
  const data = part.data as Float32Array
  if (type === 'float16') return { data: toFloat16(data), shape: part.shape }
  if (type === 'bfloat16') return { data: toBfloat16(data), shape: part.shape }
  return { data: Float32Array.from(data), shape: part.shape }
}

/** The part as that of a chunk: of the mirrored place where it is wanted. */
export function partOf(part: NdArray, { axes }: Grid, mirrored: boolean): NdArray {
  return mirrored ? transposed(part, axes.columns as number) : part
}

/** What is not there behind the array's edges. */
function padded(part: NdArray, shape: readonly number[]): NdArray {
  if (part.shape.every((size, axis) => size === shape[axis])) return part
  const { data } = part
  const isNumber = data instanceof Float32Array || data instanceof Float64Array
  const whole = new (data.constructor as new (length: number) => Float32Array)(shapeSize(shape))
  whole.fill(isNumber ? Number.NaN : -1)
  copyLines(part.shape, shape, (from, to, length) => {
    whole.set((data as Float32Array).subarray(from, from + length), to)
  })
  return { data: whole, shape: [...shape] }
}

/** Lines along the last axis of a smaller array, in it and in a larger one that begins alike. */
function copyLines(
  small: readonly number[],
  large: readonly number[],
  copy: (from: number, to: number, length: number) => void,
): void {
  const length = small.at(-1) ?? 1
  const lines = shapeSize(small.slice(0, -1))
  for (let line = 0; line < lines; line += 1) {
    let rest = line
    let to = 0
    let stride = large.at(-1) ?? 1
    for (let axis = small.length - 2; axis >= 0; axis -= 1) {
      const size = small[axis] as number
      to += (rest % size) * stride
      rest = Math.floor(rest / size)
      stride *= large[axis] as number
    }
    copy(line * length, to, length)
  }
}

/** Is a chunk whole, and as it was written? */
export function isSound(chunk: Uint8Array, array: StoredArray, grid: Grid): boolean {
  if (chunk.length !== chunkBytes(array, grid)) return false
  const end = chunk.length - checksumBytes
  const sum = crc32c(chunk.subarray(0, end))
  return sum.every((byte, k) => byte === chunk[end + k])
}

/** A tile's part out of its chunk. @throws TangentError BAD_FILE for one that is damaged. */
export function decodeChunk(
  chunk: Uint8Array,
  array: StoredArray,
  grid: Grid,
  place: TilePlace,
  name: string,
): NdArray {
  if (!isSound(chunk, array, grid)) {
    throw new TangentError('BAD_FILE', `Expected a chunk with its checksum in ${name}`)
  }
  const shape = chunkShape(array, grid)
  const bytes = chunk.subarray(0, chunk.length - checksumBytes)
  const whole = fromBytes(bytes, storedType(array), shape)
  const own = partShape(array, { ...grid, digest: '' }, place)
  if (own.every((size, axis) => size === shape[axis])) return whole
  const part = zeros(dtypeOf(whole), shapeSize(own))
  copyLines(own, shape, (to, from, length) => {
    part.set(whole.data.subarray(from, from + length) as never, to)
  })
  return { data: part, shape: own }
}
