// Zarr v3 arrays in folders, without compression, so that every reader opens them.

import { readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TangentError } from '../../core/errors.js'
import { shapeSize } from '../../core/shape.js'
import { makeFolder } from '../folders.js'
import { bytesPerElement, type DType, type NdArray } from '../ndarray.js'
import { reason } from '../reasons.js'
import { isZarr } from '../sources/zarr.js'
import { destinationOf } from '../special.js'
import { clearLeftOver, settled, temporaryFor } from '../unfinished.js'

/** Bytes of a chunk, about. */
const chunkBytes = 1 << 24

/** An array that is written row by row. */
export interface ZarrArray {
  /** Its path in a group; '' for an array alone. */
  name: string
  dtype: DType
  shape: readonly number[]
  rows: AsyncIterable<NdArray> | Iterable<NdArray>
}

/** May the folder become, or be replaced by, a zarr array? @returns why not. */
export async function zarrObstacle(path: string): Promise<string | undefined> {
  const { path: place, found } = await destinationOf(path)
  if (!found) return undefined
  if (!found.isDirectory()) return `${path} is a file`
  if ((await isZarr(place)) || (await readdir(place)).length === 0) return undefined
  return `${path} is a folder that holds something else`
}

/**
 * Writes arrays into a new folder next to the one wanted, which then takes its place: what stood there
 * before goes when all is written.
 */
export async function writeZarr(
  path: string,
  arrays: Iterable<ZarrArray>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const obstacle = await zarrObstacle(path)
  if (obstacle !== undefined) throw new TangentError('FAILED', `Cannot write ${path}: ${obstacle}.`)
  const { path: place } = await destinationOf(path)
  await clearLeftOver(dirname(place))
  const temporary = temporaryFor(place)
  try {
    await makeFolder(temporary)
    for (const array of arrays) {
      if (array.name !== '') await makeGroup(temporary)
      await writeOne(temporary, array, signal)
    }
    signal?.throwIfAborted()
    await replace(temporary, place)
  } catch (error) {
    if (error instanceof TangentError || signal?.aborted) throw error
    throw new TangentError('FAILED', `Cannot write ${path}: ${reason(error)}.`, { cause: error })
  } finally {
    await rm(temporary, { recursive: true, force: true })
    settled(temporary)
  }
}

/** A folder is not replaced in one step: the old one steps aside, and returns if the new one cannot come. */
async function replace(temporary: string, place: string): Promise<void> {
  const aside = temporaryFor(place)
  const before = await rename(place, aside).then(
    () => true,
    () => false,
  )
  try {
    await rename(temporary, place)
  } catch (error) {
    if (before) await rename(aside, place)
    throw error
  } finally {
    await rm(aside, { recursive: true, force: true })
    settled(aside)
  }
}

async function makeGroup(folder: string): Promise<void> {
  const zarr = await import('zarrita')
  const { default: FileSystemStore } = await import('@zarrita/storage/fs')
  await zarr.create(new FileSystemStore(folder))
}

async function writeOne(
  folder: string,
  { name, dtype, shape, rows }: ZarrArray,
  signal: AbortSignal | undefined,
): Promise<void> {
  const zarr = await import('zarrita')
  const { default: FileSystemStore } = await import('@zarrita/storage/fs')
  const [length = 1, ...rest] = shape
  const width = bytesPerElement(dtype)
  const bytes = width * shapeSize(rest)
  const count = Math.min(length, Math.max(1, Math.floor(chunkBytes / Math.max(1, bytes))))
  const store = new FileSystemStore(join(folder, name))
  const array = await zarr.create(store, {
    shape: [...shape],
    chunkShape: shape.length === 0 ? [] : [Math.max(1, count), ...rest.map((d) => Math.max(1, d))],
    dtype,
    fillValue: (dtype === 'bool' ? false : 0) as never,
    codecs: [{ name: 'bytes', configuration: width > 1 ? { endian: 'little' } : {} }],
  })
  let first = 0
  for await (const part of rows) {
    signal?.throwIfAborted()
    const [some = 1] = part.shape
    if (part.data.length === 0) continue
    const data = dtype === 'bool' ? new zarr.BoolArray(copied(part)) : part.data
    if (shape.length === 0) {
      await zarr.set(array, null, (data as Float32Array)[0] as never)
      continue
    }
    const strides = part.shape.map((_, d) => shapeSize(part.shape.slice(d + 1)))
    const chunk = { data, shape: part.shape, stride: strides }
    const where = [zarr.slice(first, first + some), ...rest.map(() => null)]
    await zarr.set(array, where, chunk as never)
    first += some
  }
}

const copied = ({ data }: NdArray): ArrayBuffer => Uint8Array.from(data as Uint8Array).buffer
