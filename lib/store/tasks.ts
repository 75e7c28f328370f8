// A store's work in parts: squares of tiles, each of which one worker computes at a time.
import { placesOf, type TilePlace } from '../io/sink.js'
import type { Grid } from './layout.js'

/** Rows and columns of tiles that belong together, so that their features serve several tiles. */
export interface Task {
  /** Its number, and its name in leases and queues. */
  readonly id: number
  /** First tile and number of tiles. */
  readonly rows: Range
  readonly columns: Range | null
  readonly places: readonly TilePlace[]
}

interface Range {
  readonly first: number
  readonly count: number
}

/** @param group tiles a side of a task. */
export function tasksOf(grid: Grid, group: number): Task[] {
  const tasks = new Map<string, TilePlace[]>()
  for (const place of placesOf({ ...grid, digest: '' })) {
    const [row, column] = [Math.floor(place.row / group), Math.floor(place.column / group)]
    const key = `${row} ${column}`
    const places = tasks.get(key)
    if (places) places.push(place)
    else tasks.set(key, [place])
  }
  return [...tasks.values()].map((places, id) => {
    const range = (tiles: number[]): Range => {
      const first = Math.min(...tiles)
      return { first, count: Math.max(...tiles) - first + 1 }
    }
    const columns = grid.axes.columns === null ? null : range(places.map(({ column }) => column))
    return { id, rows: range(places.map(({ row }) => row)), columns, places }
  })
}

/** Samples of a range of tiles. */
export function samplesOf({ first, count }: Range, size: number, samples: number): Range {
  const start = first * size
  return { first: start, count: Math.min(count * size, samples - start) }
}
