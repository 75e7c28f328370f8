// What is there of a store, and what the rest takes of the disk.
import type { TilePlace } from '../io/sink.js'
import { diskOf } from './disk.js'
import { chunkBytes, chunksOf } from './layout.js'
import type { Manifest } from './manifest.js'
import { type QueueStatus, queueStatus } from './queue.js'
import { type StoreRounding, storeRounding } from './rounding.js'
import type { Storage } from './storage.js'
import { tasksOf } from './tasks.js'
import type { Tiles } from './tiles.js'
import type { WorkOptions } from './work.js'

/** What is there of a store. */
export interface StoreStatus {
  /** Tiles that are there, whole. */
  done: number
  tiles: number
  /** Bytes of all chunks. */
  bytes: number
  /** Of those that are not there yet. */
  missing: number
  /** Where a queue was asked for. */
  queue?: QueueStatus
  /** Of a store of rounded numbers: of the tiles that are there; of an estimate without any, of a trial's. */
  rounding?: StoreRounding
}

/** What is left to do on a store, and what it will take. */
export interface StoreEstimate extends StoreStatus {
  /** What the missing chunks take on the disk: whole blocks of its file system, and folders. */
  disk: number
  /** Bytes that are free where the store lies, and files; null where that has no meaning. */
  free: number | null
  /** Files and folders still to write, and how many there is room for; null where the file system does not say. */
  files: { missing: number; free: number | null }
  /** The budget of each worker, in bytes. */
  memory: number
  /** One worker on this machine. */
  seconds: number
}

/** Looks at every chunk. @returns the tiles that are not there, too. */
export async function lookAt(
  storage: Storage,
  manifest: Manifest,
  tiles: Tiles,
  { signal, queue }: Pick<WorkOptions, 'signal' | 'queue'>,
): Promise<{ status: StoreStatus; left: readonly TilePlace[] }> {
  const { grid } = manifest
  const places = tasksOf(grid, manifest).flatMap((task) => task.places)
  const left = await tiles.missing(places, signal)
  const rounding = await storeRounding(storage, grid)
  const bytesOf = (some: typeof places) =>
    some
      .flatMap((place) => chunksOf(grid, place))
      .reduce((sum, { array }) => sum + chunkBytes(array, grid), 0)
  const status = {
    tiles: places.length,
    done: places.length - left.length,
    bytes: bytesOf(places),
    missing: bytesOf(left),
    ...(queue === undefined ? {} : { queue: await queueStatus(manifest, queue) }),
    ...(rounding && { rounding }),
  }
  return { status, left }
}

/** What these tiles take where the store lies. */
export async function diskLeft(
  storage: Storage,
  manifest: Manifest,
  left: readonly TilePlace[],
): Promise<Pick<StoreEstimate, 'disk' | 'free' | 'files'>> {
  const { grid } = manifest
  const room = await storage.free()
  const tasks = left.length === 0 ? 0 : tasksOf(grid, manifest).length
  const { bytes, files } = diskOf(left, grid, tasks, { block: room?.block ?? 1 })
  const most = room && Number.isFinite(room.files) ? room.files : null
  return { disk: bytes, free: room?.free ?? null, files: { missing: files, free: most } }
}
