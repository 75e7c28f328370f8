// How large tiles and tasks of a store are: told by small trials, whose results are not kept.
import { shapeSize } from '../core/shape.js'
import { bytesPerElement } from '../io/index.js'
import type { TilePlan } from '../io/sink.js'
import { callOf, type PlainRequest } from './calls.js'
import { mostSamplesRead } from './room.js'
import type { Hands } from './work.js'

export interface Sizes {
  /** Samples a side of a tile. */
  tile: number
  /** Samples of a pass, where a tile takes several. */
  block: number | undefined
  /** Samples a side of a task. */
  task: number
}

/** Samples a side of a tile at most, and bytes of it. */
const mostSamples = 256
const mostBytes = 2 ** 26
/** Passes of fewer samples may take more than their part of the budget. */
const fewAtOnce = 8
/** Samples a side of a task from which on its features cost little. */
const worthwhile = 1024

interface Given {
  threads: number
  memory: number
  tile: number | undefined
  signal: AbortSignal | undefined
}

/** @param plan of the call, whose tiles fit one pass. */
export async function chosenSizes(
  hands: Hands,
  request: PlainRequest,
  plan: TilePlan,
  given: Given,
): Promise<Sizes> {
  const { x, x2 } = hands
  const samples = Math.max(x.length, x2?.length ?? 0)
  const pass = Math.min(plan.size, samples)
  // Rows have nothing to keep for each other.
  if (plan.axes.columns === null) {
    return { tile: given.tile ?? pass, block: undefined, task: Math.ceil(samples / 32) }
  }
  const byMemory = Math.min(byResult(plan, given.memory), mostSamplesRead(given.memory, hands))
  const goal = Math.min(given.tile ?? Math.min(mostSamples, byMemory), samples)
  const kept = await keptSamples(hands, request, pass, given)
  const tile = given.tile ?? Math.max(1, Math.min(goal, Math.max(pass, Math.floor(kept))))
  const inMemory = x.held.task > 0 ? Math.floor(given.memory / 8 / x.held.task) : samples
  const part = Math.ceil(samples / 8)
  const least = Math.min(worthwhile, Math.ceil(samples / 4))
  const task = Math.min(Math.max(part, least), kept, inMemory)
  const several = pass < Math.min(tile, samples) && request.block === undefined
  // A pass takes a sixteenth of the budget, unless one sample takes more. All of a tile are alike.
  const most = Math.min(tile, pass < fewAtOnce ? pass : 4 * pass)
  const block = Math.ceil(tile / Math.ceil(tile / most))
  return { tile, block: several ? block : undefined, task: Math.max(1, task) }
}

/** A tile takes a part of the budget. */
function byResult({ arrays, axes }: TilePlan, memory: number): number {
  const bytes = arrays.reduce((sum, { shape, dtype }) => {
    const inner = shape.filter((_, axis) => axis !== axes.rows && axis !== axes.columns)
    return sum + bytesPerElement(dtype) * shapeSize(inner)
  }, 0)
  return Math.max(1, Math.floor(Math.sqrt(Math.min(mostBytes, memory / 32) / bytes)))
}

/** How many samples' features half of the budget keeps, by the memory that two trials took. */
async function keptSamples(
  { network, x, x2 }: Hands,
  request: PlainRequest,
  pass: number,
  { threads, memory, signal }: Given,
): Promise<number> {
  const most = Math.min(x.length, (x2 ?? x).length)
  const few = Math.min(pass, 16, Math.floor(most / 2))
  if (few < 1) return Number.POSITIVE_INFINITY
  const peakOf = async (count: number) => {
    const [rows, columns] = [await x.inputs(0, count), await (x2 ?? x).inputs(0, 1)]
    const more = { sink: { write: () => {} }, tile: count, threads, memory, signal }
    const block = request.block ?? few
    return (await callOf(network, { ...request, block }, rows, columns, more)).peakBytes
  }
  const bytes = ((await peakOf(2 * few)) - (await peakOf(few))) / few
  return bytes > 0 ? memory / 2 / bytes : Number.POSITIVE_INFINITY
}
