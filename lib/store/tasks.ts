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

/** How tiles are put together in tasks. */
export interface Grouping {
  /** Tiles a side of a square. */
  group: number
  /** Squares of a task, in a row: the features of its rows are kept, those of the columns run past them. */
  span: number
}

/** On the diagonal of a symmetric kernel a task is one square; it is a call of its samples with themselves. */
export function tasksOf(grid: Grid, { group, span }: Grouping): Task[] {
  const tasks = new Map<string, TilePlace[]>()
  for (const place of placesOf({ ...grid, digest: '' })) {
    const [row, column] = [Math.floor(place.row / group), Math.floor(place.column / group)]
    const own = grid.symmetric && row === column
    const key = own ? `${row} own` : `${row} ${Math.floor(column / span)}`
    const places = tasks.get(key)
    if (places) places.push(place)
    else tasks.set(key, [place])
  }
  return [...tasks.values()].map((places, id) => {
    const range = (tiles: number[]): Range => {
      const [first, last] = tiles.reduce(
        ([least, most], tile) => [Math.min(least, tile), Math.max(most, tile)] as const,
        [tiles[0] as number, tiles[0] as number] as const,
      )
      return { first, count: last - first + 1 }
    }
    const columns = grid.axes.columns === null ? null : range(places.map(({ column }) => column))
    return { id, rows: range(places.map(({ row }) => row)), columns, places }
  })
}

/** Is a task's call one of its samples with themselves? */
export function isOwn({ rows, columns }: Task, { symmetric }: Grid): boolean {
  return symmetric && columns !== null && rows.first === columns.first
}

/** Samples of a range of tiles. */
export function samplesOf({ first, count }: Range, size: number, samples: number): Range {
  const start = first * size
  return { first: start, count: Math.min(count * size, samples - start) }
}
