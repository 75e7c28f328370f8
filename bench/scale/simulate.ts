// How many workers share a store's tasks, past the cores that are here: the steps of lib/store/work.ts with measured
// times in place of the work.
import type { Grid } from '../../lib/store/layout.js'
import { type Grouping, tasksOf } from '../../lib/store/tasks.js'

/** Seconds. */
export interface Costs {
  /** One tile, its features and its way to the disk included. */
  tile: number
  /** Until a worker has opened the network and the store. */
  start: number
  /** A lease that is made and given up. */
  lease: number
  /** A look at one lease of another. */
  other: number
  /** A look at a tile that is there. */
  look: number
}

interface Simulated {
  tasks: number
  /** By the clock. */
  seconds: number
  /** Time of one worker alone ÷ (workers × time). */
  efficiency: number
}

interface Worker {
  now: number
  /** Tasks that it does not know to be done, and where it is in its round. */
  open: number[]
  next: number
}

/** What is done at a time, by leases and files. */
interface Place {
  held: Map<number, number>
  done: Map<number, number>
}

export function simulated(
  grid: Grid,
  grouping: Grouping,
  workers: number,
  costs: Costs,
): Simulated {
  const sizes = tasksOf(grid, grouping).map(({ places }) => places.length)
  const alone = run(sizes, 1, costs)
  const seconds = run(sizes, workers, costs)
  return { tasks: sizes.length, seconds, efficiency: alone / (workers * seconds) }
}

function run(sizes: readonly number[], count: number, costs: Costs): number {
  const place: Place = { held: new Map(), done: new Map() }
  const workers = Array.from({ length: count }, (): Worker => {
    return { now: costs.start, open: sizes.map((_, task) => task), next: 0 }
  })
  const busy = new Set(workers)
  let end = 0
  while (busy.size > 0) {
    // Whoever is earliest takes the next step, so that all see what happened before.
    const worker = [...busy].reduce((a, b) => (b.now < a.now ? b : a))
    if (worker.open.length === 0) {
      busy.delete(worker)
      end = Math.max(end, worker.now)
    } else step(worker, sizes, place, costs)
  }
  return end
}

function step(worker: Worker, sizes: readonly number[], { held, done }: Place, costs: Costs): void {
  const { now, open } = worker
  const task = open[worker.next]
  if (task === undefined) {
    // A round is over: what others did meanwhile is looked at, or waited for.
    const finished = new Set(
      open.filter((one) => (done.get(one) ?? Number.POSITIVE_INFINITY) <= now),
    )
    worker.open = open.filter((one) => !finished.has(one))
    worker.next = 0
    const looked = [...finished].reduce((sum, one) => sum + (sizes[one] as number), 0)
    worker.now += costs.look * looked + (worker.open.length > 0 ? 2 : 0)
    return
  }
  worker.next += 1
  if ((held.get(task) ?? 0) > now) return
  const size = sizes[task] as number
  const others = [...held.values()].filter((until) => until > now).length
  const isDone = done.has(task)
  worker.now += costs.lease + others * costs.other + size * (isDone ? costs.look : costs.tile)
  worker.open = open.filter((one) => one !== task)
  worker.next -= 1
  if (isDone) return
  held.set(task, worker.now)
  done.set(task, worker.now)
}
