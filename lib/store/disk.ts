// What files take of a file system: whole blocks, and an entry each in folders, which take blocks themselves.
import type { TilePlace } from '../io/sink.js'
import { chunkBytes, chunksOf, type Grid } from './layout.js'
import type { Room } from './storage.js'

/** Bytes of a file's entry in its folder, with room for a temporary name. */
const entryBytes = 128
/** What a task writes in addition to its tiles: what rounding did, its lease. */
const filesOfTask = 2

export interface DiskUse {
  bytes: number
  files: number
}

/**
 * Of the chunks of these tiles.
 * @param tasks how many tasks they are in
 */
export function diskOf(
  places: readonly TilePlace[],
  grid: Grid,
  tasks: number,
  { block }: Pick<Room, 'block'>,
): DiskUse {
  const whole = (bytes: number) => Math.ceil(bytes / block) * block
  const entries = new Map<string, number>()
  let bytes = tasks * filesOfTask * whole(1)
  let files = tasks * filesOfTask
  for (const place of places) {
    for (const { array, key } of chunksOf(grid, place)) {
      const folder = key.slice(0, key.lastIndexOf('/'))
      entries.set(folder, (entries.get(folder) ?? 0) + 1)
      bytes += whole(chunkBytes(array, grid))
      files += 1
    }
  }
  for (const count of entries.values()) bytes += whole(count * entryBytes)
  return { bytes, files: files + entries.size }
}
