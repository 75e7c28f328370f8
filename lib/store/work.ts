// One worker on a store: takes tasks that nobody has until all tiles are there.
import { abortError } from '../core/abort.js'
import { badArgument, TangentError } from '../core/errors.js'
import { timed } from '../core/progress.js'
import type { Floats } from '../io/index.js'
import type { TilePlace } from '../io/sink.js'
import type { CallOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { callOf, type PlainRequest } from './calls.js'
import { landmarksIn, type OwnLandmarks } from './landmarks.js'
import type { Grid } from './layout.js'
import { type Lease, Leases } from './leases.js'
import type { Manifest } from './manifest.js'
import { pause } from './pause.js'
import { roomOfTask } from './room.js'
import { Rounding, type StoreRounding, storeRounding } from './rounding.js'
import { OtherSamples, type Samples } from './samples.js'
import type { Storage } from './storage.js'
import { isOwn, samplesOf, type Task, tasksOf } from './tasks.js'
import { Tiles } from './tiles.js'

/** Options of a worker. */
export interface WorkOptions extends Pick<CallOptions, 'signal' | 'onProgress'> {
  /** Seconds after which a worker that gives no sign is taken for dead (default: 30). */
  lease?: number | undefined
  /**
   * Address of a Redis (`redis://…`): tasks are jobs of BullMQ there, in place of leases in the store. Needs the
   * packages bullmq and ioredis.
   */
  queue?: string | undefined
}

/** What a worker did. */
export interface WorkReport {
  /** All tiles, and those that this worker computed. */
  tiles: number
  computed: number
  /** Seconds in all, and those in which tiles were written. */
  seconds: number
  writing: number
  /** Of a store of rounded numbers, by all workers. */
  rounding?: StoreRounding
}

/** A network and the samples of a store's job. */
export interface Hands {
  network: Network<Floats>
  x: Samples
  x2: Samples | undefined
  own: OwnLandmarks
}

/** The call of a task. */
export function requestOf({ request, block, methods }: Manifest): PlainRequest {
  return {
    ...request,
    ...(block === null ? {} : { block }),
    ...(methods === null ? {} : { method: methods }),
  }
}

/** Seconds between two looks at what others do, at most. */
const patience = 2

export class Work {
  readonly #manifest: Manifest
  readonly #hands: Hands
  readonly #storage: Storage
  readonly #tiles: Tiles
  readonly tasks: readonly Task[]
  computed = 0
  writing = 0

  /** @param seen chunks that are known to be there, whole. */
  constructor(
    manifest: Manifest,
    storage: Storage,
    hands: Hands,
    seen: ReadonlySet<string> = new Set(),
  ) {
    this.#manifest = manifest
    this.#hands = hands
    this.#storage = storage
    this.#tiles = new Tiles(storage, manifest.grid, seen)
    this.tasks = tasksOf(manifest.grid, manifest)
  }

  /** Tiles of a task that are not there. */
  missing(task: Task, signal?: AbortSignal): Promise<TilePlace[]> {
    return this.#tiles.missing(task.places, signal)
  }

  /** Are all tiles of a task there? */
  async isDone({ places }: Task, signal?: AbortSignal): Promise<boolean> {
    for (const place of places) {
      signal?.throwIfAborted()
      if (!(await this.#tiles.has(place))) return false
    }
    return true
  }

  /** Computes what a task lacks. @param onTile is told of each tile when it is on the disk. */
  async run(task: Task, signal: AbortSignal | undefined, onTile: () => void): Promise<void> {
    const wanted = await this.missing(task, signal)
    if (wanted.length === 0) return
    const { grid, threads, memory, x: first, x2: second } = this.#manifest
    const request = requestOf(this.#manifest)
    const { network, x, x2 } = this.#hands
    const { size } = grid
    const rows = await x.checked({ ...samplesOf(task.rows, size, first.samples), size }, first)
    let columns: Inputs | undefined
    if (task.columns && second && x2) {
      const range = samplesOf(task.columns, size, second.samples)
      columns = await x2.checked({ ...range, size }, second)
    } else if (task.columns && !isOwn(task, grid)) {
      const range = samplesOf(task.columns, size, first.samples)
      columns = await x.checked({ ...range, size }, first)
    }
    const own = new Set(wanted.map(({ row, column }) => `${row} ${column}`))
    const placed = ({ row, column }: Pick<TilePlace, 'row' | 'column'>) => {
      return { row: row + task.rows.first, column: column + (task.columns?.first ?? 0) }
    }
    const rounding = new Rounding()
    const sink = {
      has: (place: TilePlace) => {
        const { row, column } = placed(place)
        return !own.has(`${row} ${column}`)
      },
      write: async (tile: Parameters<Tiles['write']>[0]) => {
        const begun = performance.now()
        await this.#tiles.write(rounding.of({ ...tile, ...placed(tile) }, grid))
        this.writing += performance.now() - begun
        this.computed += 1
        onTile()
      },
    }
    const room = roomOfTask(memory, this.#hands, grid, task)
    const more = { sink, tile: grid.size, threads, memory: room, signal }
    const keep = () => rounding.keep(this.#storage, task, wanted)
    const landmarks = await landmarksIn(this.#hands, request, more, this.#storage)
    await callOf(network, request, rows, columns, more, landmarks).catch(async (error) => {
      await keep().catch(() => {})
      throw inPlace(error, task, grid)
    })
    await keep()
  }

  /** What there is to tell at the end. */
  async report(tiles: number, begun: number): Promise<WorkReport> {
    const seconds = (performance.now() - begun) / 1000
    const rounding = await storeRounding(this.#storage, this.#manifest.grid)
    const told = { tiles, computed: this.computed, seconds, writing: this.writing / 1000 }
    return rounding ? { ...told, rounding } : told
  }
}

/** The numbers of samples in a message are those of the task. */
function inPlace(error: unknown, { rows, columns }: Task, { size }: Grid): unknown {
  const places = [rows, columns].filter((range) => range !== null && range.first > 0)
  if (!(error instanceof TangentError) || places.length === 0) return error
  if (error instanceof OtherSamples) return error
  if (error.code !== 'NUMERICAL' && error.code !== 'BAD_INPUT') return error
  const shift = places.map((range) => (range?.first ?? 0) * size)
  const where = [...new Set(shift)].join(' or ')
  return new TangentError(
    error.code,
    `${error.message} (samples are counted from ${where} on here: that of the task's rows or columns)`,
    { cause: error },
  )
}

/** @throws TangentError BAD_ARGUMENT for wrong options. */
export function checkWork({ lease = 30, queue }: WorkOptions): void {
  if (!(typeof lease === 'number' && lease >= 0.2 && lease < 1e6)) {
    throw badArgument('options.lease', 'a number of seconds ≥ 0.2', lease)
  }
  if (queue === undefined || typeof queue === 'string') return
  throw badArgument('options.queue', 'an address redis://HOST:PORT', queue)
}

/** Works until the store is complete, with whoever else does. */
export async function workWithLeases(
  work: Work,
  storage: Storage,
  { signal, onProgress, lease = 30 }: WorkOptions,
): Promise<WorkReport> {
  const begun = performance.now()
  const tiles = work.tasks.reduce((sum, { places }) => sum + places.length, 0)
  /** Tasks that are not known to be done, and what each lacked when it was last looked at. */
  const open = new Map<Task, number>()
  for (const task of work.tasks) {
    const missing = (await work.missing(task, signal)).length
    if (missing > 0) open.set(task, missing)
  }
  const left = () => [...open.values()].reduce((sum, count) => sum + count, 0)
  const tell = timed(onProgress, (tiles - left()) / tiles)
  const leases = new Leases(storage, 1000 * lease)
  const stopped = () => {
    if (signal?.aborted) throw abortError(signal)
  }
  const attempt = async (task: Task, own: Lease) => {
    try {
      await work.run(task, signal, () => {
        open.set(task, Math.max(0, (open.get(task) ?? 1) - 1))
        tell((tiles - left()) / tiles)
      })
      stopped()
      open.delete(task)
    } finally {
      await own.release()
    }
  }
  try {
    while (open.size > 0) {
      stopped()
      await leases.refresh()
      let worked = false
      for (const task of [...open.keys()]) {
        stopped()
        const own = await leases.claim(task.id)
        if (!own) continue
        await attempt(task, own)
        worked = true
        await leases.refresh()
      }
      if (worked) continue
      await pause(Math.min(patience, lease / 4), signal)
      for (const task of [...open.keys()]) {
        const missing = (await work.missing(task, signal)).length
        if (missing === 0) open.delete(task)
        else open.set(task, missing)
      }
      tell((tiles - left()) / tiles)
    }
  } finally {
    await leases.close()
  }
  tell(1)
  return work.report(tiles, begun)
}
