// Results that leave tile by tile.

import { abortError } from '../core/abort.js'
import { badArgument, wholeNumber } from '../core/errors.js'
import { stages, type Watch } from '../core/progress.js'
import { shapeSize } from '../core/shape.js'
import { dtypeOf, type Floats, type NdArray } from '../io/index.js'
import {
  partShape,
  placesOf,
  type Tile,
  type TiledArray,
  type TilePlace,
  type TilePlan,
  type TileReport,
  type TileSink,
} from '../io/sink.js'
import { native } from '../native/index.js'
import { kindOf } from '../runtime/jobs/index.js'
import type { Axes } from '../runtime/jobs/kind.js'
import type { TileMessage } from '../runtime/protocol.js'
import { checkSeparable } from './blocks.js'
import { askJob, measuredError, type Planned } from './derive.js'
import { digestOfJob } from './identity.js'
import type { Prepared } from './prepared.js'

/** Of calls whose results leave tile by tile. */
export interface SinkOptions {
  /** Where they go: see {@link TileSink}. */
  sink: TileSink
  /** Samples a side of a tile (default: as many as memory allows, 256 at most). */
  tile?: number | undefined
}

/** Does a call give its results to a sink? @throws TangentError BAD_ARGUMENT for what is none. */
export function toSink<T extends Partial<SinkOptions>>(options: T): options is T & SinkOptions {
  const { sink, tile } = options
  if (sink === undefined) {
    if (tile === undefined) return false
    throw badArgument('options.tile', 'no tiles without options.sink', tile)
  }
  if (typeof sink?.write !== 'function') {
    throw badArgument('options.sink', 'an object that has a function write', sink)
  }
  if (tile !== undefined) wholeNumber('options.tile', tile, 1)
  return true
}

/** Samples a side where the caller does not say. */
const mostSamples = 256
/** Bytes of a tile. */
const tileBytes = 2 ** 26

/**
 * Runs a job whose results go to a sink.
 * @param change of each part before it goes.
 */
export async function fill(
  planned: Planned,
  { sink, tile }: SinkOptions,
  change: (data: Floats) => void = () => {},
): Promise<TileReport> {
  const { prepared, job, x2 } = planned
  checkSeparable(prepared, 'for results that leave in tiles')
  const kind = kindOf(job)
  if (kind.tiles === null) throw badArgument('options.sink', `no sink of a ${job.kind} job`, sink)
  const axes = kind.axes(job as never)
  const symmetric = axes.columns !== null && x2 === undefined
  const { double } = prepared.core.architecture
  const widths = planned.results.map(({ shape }) =>
    shapeSize(shape.filter((_, axis) => axis !== axes.rows && axis !== axes.columns)),
  )
  const plan: TilePlan = {
    arrays: planned.results.map(({ name, shape }) => {
      return { name, shape, dtype: double ? 'float64' : 'float32' }
    }),
    size: tile ?? chosenSize(prepared, axes, widths),
    ...{ axes, symmetric },
    digest: await digestOfJob(planned),
  }
  const { places, missing } = await openSink(sink, plan)
  const columns = places.reduce((most, { column }) => Math.max(most, column), 0) + 1
  const numberOf = ({ row, column }: TilePlace | TileMessage) => row * columns + column
  const wanted = new Map(missing.map((place) => [numberOf(place), place]))
  const finished = places.map(numberOf).filter((number) => !wanted.has(number))
  const computed = missing.length
  if (computed === 0) return { tiles: places.length, computed, peakBytes: 0 }
  const { signal } = prepared.options
  const onTile = async (message: TileMessage) => {
    const place = wanted.get(numberOf(message)) as TilePlace
    const tileNow = received(plan, place, message)
    if (signal?.aborted) return
    for (const { data } of tileNow.arrays.values()) change(data as Floats)
    await sink.write(tileNow)
  }
  // Tiles that wait to be written are in addition to what the job works with.
  const waiting = 3 * (double ? 8 : 4) * widths.reduce((sum, width) => sum + width, 0)
  const memory = prepared.budget - waiting * plan.size * (axes.columns === null ? 1 : plan.size)
  const { result } = askJob(prepared, job, Math.max(memory, 0), {
    x2,
    tiles: { size: plan.size, finished, widths },
    onTile,
  })
  const done = await result
  const { peakBytes, methods } = done
  const tf32 = measuredError(prepared, done)
  const report = { tiles: places.length, computed, peakBytes, ...(tf32 ? { tf32 } : {}) }
  if (job.kind !== 'ntk') return report
  const { active } = prepared.core.architecture
  const named = active.map(({ parameter }, p) => [parameter.name, methods[p] as string] as const)
  return { ...report, methods: Object.fromEntries(named) }
}

/** Tells the sink what comes; all tiles, and those that it does not have. */
async function openSink(
  sink: TileSink,
  plan: TilePlan,
): Promise<{ places: TilePlace[]; missing: TilePlace[] }> {
  await sink.open?.(plan)
  const places = placesOf(plan)
  const missing: TilePlace[] = []
  for (const place of places) if (!(await sink.has?.(place))) missing.push(place)
  return { places, missing }
}

/** What rows of samples come to, of calls that are no job of the addon's with results of a known size. */
export interface RowsPlan {
  samples: number
  /** Arrays of one sample. */
  one: ReadonlyMap<string, NdArray>
  /** Samples a tile. */
  size: number
  digest: string
  /** Arrays of samples [first, first + count). */
  rows(first: number, count: number): Promise<ReadonlyMap<string, NdArray>>
}

/** Computes rows tile by tile, each while the one before is written. */
export async function fillRows(
  { samples, one, size, digest, rows }: RowsPlan,
  { sink, signal, onProgress }: SinkOptions & Watch,
): Promise<TileReport> {
  const arrays = [...one].map(([name, array]): TiledArray => {
    return { name, shape: [samples, ...array.shape.slice(1)], dtype: dtypeOf(array) }
  })
  const axes = { rows: 0, columns: null }
  const { places, missing } = await openSink(sink, { arrays, size, axes, symmetric: false, digest })
  const tell = stages(missing.length, onProgress)
  let writing: Promise<void> | undefined
  for (const [done, place] of missing.entries()) {
    const made = await rows(place.rows.first, place.rows.count)
    await writing
    if (signal?.aborted) throw abortError(signal)
    writing = Promise.resolve(sink.write({ ...place, arrays: made }))
    // Waited for with the next one.
    writing.catch(() => {})
    tell(done, 1)
  }
  await writing
  return { tiles: places.length, computed: missing.length, peakBytes: 0 }
}

/** A tile whose pass and features take a part of the budget. */
export function chosenSize(
  { budget, outputs, extent, core }: Prepared,
  axes: Axes,
  widths: readonly number[],
): number {
  const bytes = core.architecture.double ? 8 : 4
  const width = bytes * widths.reduce((sum, one) => sum + one, 0)
  const room = Math.min(tileBytes, budget / 32)
  const byResult = axes.columns === null ? room / width : Math.sqrt(room / width)
  const byFeatures = budget / 16 / (bytes * (extent + 1) * (outputs.length + 8))
  return Math.max(1, Math.floor(Math.min(mostSamples, byResult, byFeatures)))
}

/** The tile that a message tells of, with its blocks as arrays of this thread. */
function received(plan: TilePlan, place: TilePlace, { blocks }: TileMessage): Tile {
  const arrays = new Map<string, NdArray<Floats>>()
  plan.arrays.forEach((array, k) => {
    const shape = partShape(array, plan, place)
    const length = shapeSize(shape)
    const id = blocks[k] as number
    const Kind = array.dtype === 'float64' ? Float64Array : Float32Array
    const buffer = native.attachShared(id, Kind.BYTES_PER_ELEMENT * length)
    native.releaseShared(id)
    arrays.set(array.name, { data: new Kind(buffer, 0, length), shape })
  })
  return { ...place, arrays }
}
