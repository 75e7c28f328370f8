// How long a store will take on this machine: told by timing a few samples.
import type { Tile } from '../io/sink.js'
import { callOf } from './calls.js'
import { landmarksIn } from './landmarks.js'
import type { Manifest } from './manifest.js'
import { roomOf } from './room.js'
import { Rounding, type StoreRounding } from './rounding.js'
import { isOwn, samplesOf, tasksOf } from './tasks.js'
import { type Hands, requestOf } from './work.js'

/** A trial that takes longer tells enough. */
const enoughSeconds = 1
const fewest = 8

/** What some samples tell of the whole store. */
export interface Trial {
  /** Seconds of one worker: those of each sample's features, and of each pair. */
  seconds: number
  /** What rounding does to the numbers of these samples. */
  rounding: StoreRounding | undefined
}

export async function trialOf(
  manifest: Manifest,
  hands: Hands,
  signal: AbortSignal | undefined,
): Promise<Trial> {
  const { network, x, x2 } = hands
  const { grid, threads, memory, x: first, x2: second } = manifest
  const request = requestOf(manifest)
  const most = Math.min(grid.size, first.samples, second?.samples ?? first.samples)
  const sides = grid.axes.columns === null || x2 === undefined ? 1 : 2
  const columns = grid.axes.columns === null ? undefined : most
  const room = roomOf(memory, { x, x2 }, { tile: grid.size, samples: [most, columns] })
  const how = { threads, memory: room, signal }
  const landmarks = await landmarksIn(hands, request, how)
  let rounding = new Rounding()
  const sink = { write: (tile: Tile) => void rounding.of(tile, grid) }
  const trial = async (count: number) => {
    rounding = new Rounding()
    const begun = performance.now()
    const [rows, others] = [await x.inputs(0, count), await x2?.inputs(0, count)]
    await callOf(network, request, rows, others, { ...how, sink, tile: grid.size }, landmarks)
    return (performance.now() - begun) / 1000
  }
  const pairsOf = (count: number) => (x2 ? count * count : (count * (count + 1)) / 2)
  let count = Math.min(most, fewest)
  // The first run opens what later ones have.
  await trial(count)
  let before: [count: number, seconds: number] = [0, 0]
  let now: [count: number, seconds: number] = [count, await trial(count)]
  while (now[1] < enoughSeconds && count < most) {
    count = Math.min(most, 2 * count)
    before = now
    now = [count, await trial(count)]
  }
  // Seconds = a · samples + b · pairs.
  const [n1, s1, n2, s2] = [...before, ...now]
  const alone = s2 / (sides * n2)
  const rest = pairsOf(n2) - (pairsOf(n1) * n2) / Math.max(1, n1)
  const perPair =
    grid.axes.columns === null || n1 === 0 ? 0 : Math.max(0, (s2 - (s1 * n2) / n1) / rest)
  const perSample = Math.min(alone, Math.max(0, (s2 - perPair * pairsOf(n2)) / (sides * n2)))
  let seconds = 0
  for (const task of tasksOf(grid, manifest)) {
    const height = samplesOf(task.rows, grid.size, first.samples).count
    seconds += perSample * height
    if (!task.columns) continue
    const width = samplesOf(task.columns, grid.size, (second ?? first).samples).count
    const own = isOwn(task, grid)
    if (!own) seconds += perSample * width
    seconds += perPair * (own ? pairsOf(height) : height * width)
  }
  return { seconds, rounding: rounding.report(grid) }
}
