// Zarr arrays, v2 and v3, in folders: read by the chunks that hold the rows.

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { TangentError } from '../../core/errors.js'
import { shapeSize } from '../../core/shape.js'
import {
  bytesPerElement,
  type DType,
  dtypes,
  fromBfloat16,
  fromFloat16,
  type NdArray,
  zeros,
} from '../ndarray.js'
import { type ArraySource, checkRows, sourceOf } from '../source.js'

/** Does a folder hold a zarr array or group? */
export async function isZarr(path: string): Promise<boolean> {
  const names = ['zarr.json', '.zarray', '.zgroup']
  const found = await Promise.all(
    names.map((name) => stat(join(path, name)).then(Boolean, () => false)),
  )
  return found.some(Boolean)
}

/** @param member the array's path in a group. */
export async function openZarr(path: string, member?: string): Promise<ArraySource> {
  const zarr = await import('zarrita')
  const { FolderStore, isPlain } = await import('./folder-store.js')
  const name = member === undefined ? path : `${path}#${member}`
  const store = new FolderStore(path)
  const root = zarr.root(store)
  const where = member === undefined ? root : root.resolve(member)
  const found = await zarr.open(where).catch((cause: unknown) => {
    throw new TangentError('BAD_FILE', `${name} is not a zarr array.`, { cause })
  })
  if (!(found instanceof zarr.Array)) {
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected an array but ${name} is a group; name one of its arrays, as ${path}#NAME`,
    )
  }
  const dtype = String(found.dtype)
  if (!dtypes.includes(dtype as DType)) {
    throw new TangentError(
      'BAD_FILE',
      `${name} holds entries of type ${dtype}, but only booleans, integers and floats of 16, 32 or 64 bits can be read.`,
    )
  }
  if (await isPlain(member === undefined ? path : join(path, member))) {
    const count = shapeSize(found.chunks)
    store.chunkBytes = count * bytesPerElement(dtype as DType)
  }
  const get = async (selection: Parameters<typeof zarr.get>[1]) => {
    try {
      return await zarr.get(found, selection)
    } catch (cause) {
      if (cause instanceof TangentError) throw cause
      throw new TangentError('BAD_FILE', `${name} cannot be read: a chunk is damaged.`, { cause })
    }
  }
  const { narrow } = store
  const arrayOf = (data: unknown, own: number[]): NdArray => {
    if (narrow === 'float16') return { data: fromFloat16(data as Uint16Array), shape: own }
    if (narrow === 'bfloat16') return { data: fromBfloat16(data as Uint16Array), shape: own }
    if (dtype !== 'bool') return { data: data as NdArray['data'], shape: own }
    return { data: Uint8Array.from(data as Iterable<boolean>, Number), shape: own, boolean: true }
  }
  const shape = [...found.shape]
  if (shape.length === 0) {
    const one = zeros(dtype as DType, 1)
    const value = await get(null)
    one[0] = (typeof value === 'boolean' ? Number(value) : value) as never
    return sourceOf(arrayOf(one, []))
  }
  const [length = 0, ...rest] = shape
  const source: ArraySource = {
    length,
    shape,
    dtype: narrow ? 'float32' : (dtype as DType),
    rows: async (first, count) => {
      checkRows(source, first, count)
      if (count === 0) return arrayOf(zeros(dtype as DType, 0), [0, ...rest])
      const all = rest.map(() => null)
      const { data } = await get([zarr.slice(first, first + count), ...all])
      return arrayOf(data, [count, ...rest])
    },
  }
  return source
}
