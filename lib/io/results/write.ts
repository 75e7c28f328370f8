// Arrays into files, whole or as their rows are made.
import { badArgument, oneOf, TangentError, wholeNumber } from '../../core/errors.js'
import { checkCall } from '../../core/options.js'
import {
  bytesPerElement,
  checkArray,
  type DType,
  dtypeOf,
  dtypes,
  elementCount,
  type NdArray,
  toBytes,
} from '../ndarray.js'
import { encodeNpy, npyHeader } from '../npy.js'
import { checkPath } from '../reasons.js'
import { writeFileAtomic } from '../write.js'
import { csvLines } from './csv.js'
import { type ArrayKind, arrayKindOf, arrayKinds } from './kinds.js'
import { npzBytes } from './npz.js'
import { writeZarr } from './zarr.js'

export interface WriteArrayOptions {
  /** The form of what has no name that tells it: a pipe, a device. */
  kind?: ArrayKind | undefined
  signal?: AbortSignal | undefined
}

/** What is known of an array before its rows are. */
export interface RowsHeader {
  dtype: DType
  shape: readonly number[]
}

/**
 * Writes an array as the ending of its name says: `.npy`, `.npz` (one member, `arr_0`, as numpy names
 * it), `.csv` (a line for each entry of the first axis, its numbers in C order) or `.zarr` (a v3 array);
 * whole or not at all.
 *
 * ```ts
 * await writeArray('kernel.zarr', await network.ntk(x))
 * ```
 * @throws TangentError BAD_ARGUMENT for another ending, FAILED
 * @example
 * ```js
 * import { readArray, writeArray } from 'adaptive-tangent'
 *
 * await writeArray('x.csv', { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] })
 * console.log((await readArray('x.csv')).shape.join(' × '))
 * // 2 × 2
 * ```
 * @since 0.2.0
 */
export async function writeArray(
  path: string,
  array: NdArray,
  options: WriteArrayOptions = {},
): Promise<void> {
  checkCall(options)
  checkArray(array)
  const kind = kindOf(path, options)
  if (kind === 'npy') return writeFileAtomic(path, encodeNpy(array), options)
  await writeRows(path, { dtype: dtypeOf(array), shape: array.shape }, [array], options)
}

/**
 * The same of an array whose rows come in blocks (count, …), so that it may be larger than memory.
 *
 * ```ts
 * const block = { data: new Float32Array(6), shape: [2, 3] }
 * await writeRows('y.npy', { dtype: 'float32', shape: [4, 3] }, [block, block])
 * ```
 * @param blocks rows in order; together they are `shape`
 * @example
 * ```js
 * import { readArray, writeRows } from 'adaptive-tangent'
 *
 * async function* blocks() {
 *   for (const first of [0, 2]) yield { data: Float32Array.of(first, first + 1), shape: [2] }
 * }
 * await writeRows('long.npy', { dtype: 'float32', shape: [4] }, blocks())
 * console.log((await readArray('long.npy')).data.join(' '))
 * // 0 1 2 3
 * ```
 * @since 0.2.0
 */
export async function writeRows(
  path: string,
  header: RowsHeader,
  blocks: AsyncIterable<NdArray> | Iterable<NdArray>,
  options: WriteArrayOptions = {},
): Promise<void> {
  checkCall(options)
  const kind = kindOf(path, options)
  checkHeader(header)
  checkBlocks(blocks)
  const { dtype, shape } = header
  const rows = checked(blocks, dtype, shape)
  const { signal } = options
  const size = (elementCount(shape) ?? 0) * bytesPerElement(dtype)
  switch (kind) {
    case 'zarr':
      return writeZarr(path, [{ name: '', dtype, shape, rows }], signal)
    case 'npz':
      return writeFileAtomic(
        path,
        npzBytes([{ name: 'arr_0', dtype, shape, bytes: bytesOf(rows) }]),
        { signal, size },
      )
    case 'csv':
      return writeFileAtomic(path, linesOf(rows), options)
    default:
      return writeFileAtomic(path, withHeader(npyHeader(dtype, shape), bytesOf(rows)), {
        signal,
        size,
      })
  }
}

/** Several arrays into one `.npz` file or one zarr group, by name. */
export async function writeArrays(
  path: string,
  arrays: ReadonlyMap<string, NdArray>,
  options: WriteArrayOptions = {},
): Promise<void> {
  checkCall(options)
  const kind = kindOf(path, options)
  const entries = [...arrays].map(([name, array]) => ({
    name,
    dtype: dtypeOf(array),
    shape: array.shape,
    rows: [array],
    bytes: [toBytes(array)],
  }))
  if (kind === 'zarr') return writeZarr(path, entries, options.signal)
  if (kind === 'npz') return writeFileAtomic(path, npzBytes(entries), options)
  throw new TangentError(
    'BAD_ARGUMENT',
    `Expected a .npz or .zarr for several arrays but received .${kind}`,
  )
}

function checkHeader(header: RowsHeader): void {
  if (typeof header !== 'object' || header === null) {
    throw badArgument('header', '{ dtype, shape }', header)
  }
  if (!dtypes.includes(header.dtype))
    throw badArgument('header.dtype', 'a type of numbers', header.dtype)
  if (!Array.isArray(header.shape) || elementCount(header.shape) === null) {
    throw badArgument('header.shape', 'a list of whole numbers ≥ 0', header.shape)
  }
}

function checkBlocks(blocks: unknown): void {
  const iterable = typeof blocks === 'object' && blocks !== null
  if (iterable && (Symbol.asyncIterator in blocks || Symbol.iterator in blocks)) return
  throw badArgument('blocks', 'an iterable of arrays', blocks)
}

function kindOf(path: string, { kind }: WriteArrayOptions): ArrayKind {
  checkPath(path)
  return kind === undefined ? arrayKindOf(path) : oneOf(kind, arrayKinds, 'options.kind')
}

async function* withHeader(head: Uint8Array, rest: AsyncIterable<Uint8Array>) {
  yield head
  yield* rest
}

/** Blocks that are what the header says. */
async function* checked(
  blocks: AsyncIterable<NdArray> | Iterable<NdArray>,
  dtype: DType,
  shape: readonly number[],
): AsyncGenerator<NdArray> {
  const [length, ...rest] = shape
  let count = 0
  for await (const block of blocks) {
    checkArray(block, 'block')
    const own = block.shape.slice(1)
    const same = dtypeOf(block) === dtype && own.length === rest.length
    if (!same || own.some((size, d) => size !== rest[d])) {
      throw new TangentError(
        'FAILED',
        `Expected rows (${rest.join(', ')}) of ${dtype} but received (${own.join(', ')}) of ${dtypeOf(block)}`,
      )
    }
    count += block.shape[0] ?? 1
    yield block
  }
  if (length !== undefined) wholeNumber('the number of rows', count, length, length)
  else if (elementCount(shape) !== count) wholeNumber('the number of entries', count, 1, 1)
}

async function* bytesOf(rows: AsyncIterable<NdArray>): AsyncGenerator<Uint8Array> {
  for await (const block of rows) yield toBytes(block)
}

async function* linesOf(rows: AsyncIterable<NdArray>): AsyncGenerator<Uint8Array> {
  for await (const block of rows) yield* csvLines(block)
}
