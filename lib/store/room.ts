// What of a worker's memory is left for the calls of its tasks: the same for all workers of a store, as it
// decides how many samples pass at once.
import { TangentError } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'
import type { Grid } from './layout.js'
import type { Samples } from './samples.js'
import type { Task } from './tasks.js'

/** What Node, onnxruntime and the network take before any work, and the part of a budget that it may be. */
const processBytes = 200 * 2 ** 20
const processPart = 1 / 8

interface Sides {
  x: Samples
  x2: Samples | undefined
}

/**
 * The budget less the process itself, as far as it is no more than an eighth of it, and less the samples that are
 * read for a task.
 * @param tile samples a side of a tile
 * @param samples of the task's rows, and of its columns where it has any
 * @throws TangentError MEMORY_BUDGET
 */
export function roomOf(
  memory: number,
  { x, x2 }: Sides,
  { tile, samples }: { tile: number; samples: readonly [number, number?] },
): number {
  const own = Math.min(processBytes, Math.floor(memory * processPart))
  const bytesOf = (side: Samples, count: number | undefined) =>
    count === undefined ? 0 : side.held.stripe * tile + side.held.task * count
  const read = bytesOf(x, samples[0]) + bytesOf(x2 ?? x, samples[1])
  const left = memory - own - read
  if (left > 0) return left
  throw new TangentError(
    'MEMORY_BUDGET',
    `The samples of a tile of ${tile} samples a side take ${formatBytes(read)} but the memory budget of a worker is ${formatBytes(memory)}; take smaller tiles, or at least ${formatBytes(2 * read)}`,
  )
}

/** The same of a task. */
export function roomOfTask(
  memory: number,
  sides: Sides,
  { size }: Pick<Grid, 'size'>,
  { rows, columns }: Pick<Task, 'rows' | 'columns'>,
): number {
  const of = (tiles: { count: number } | null) => (tiles ? tiles.count * size : undefined)
  return roomOf(memory, sides, { tile: size, samples: [rows.count * size, of(columns)] })
}

/** Samples a side of a tile at most, so that those that are read take no more than an eighth of a budget. */
export function mostSamplesRead(memory: number, { x, x2 }: Sides): number {
  const each = x.held.stripe + (x2 ?? x).held.stripe
  return each > 0 ? Math.max(1, Math.floor(memory / 8 / each)) : Number.POSITIVE_INFINITY
}
