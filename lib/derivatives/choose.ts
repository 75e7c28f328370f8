// Which device `auto` chooses for a call: the one that is expected to be faster.
import { hostNodes } from '../model/devices.js'
import type { ChosenDevice } from '../native/device.js'
import { native } from '../native/index.js'
import type { Costs, MatrixLayer } from '../runtime/protocol.js'
import type { Prepared } from './prepared.js'

/** What decides what a call costs. */
export interface Call {
  layers: readonly MatrixLayer[]
  samples: number
  /** Of a kernel's other side: the same ones, where they are `same`. */
  samples2: number
  same: boolean
  outputs: number
  /** Are products between samples computed, as for a kernel? */
  pairs: boolean
  /** Numbers of all values of one sample. */
  extent: number
  /** Bytes of the results, and of one number. */
  results: number
  bytes: number
  /** Of the nodes with derivatives: all, and those that a card leaves to the processor. */
  nodes: number
  onHost: number
}

/** What a call comes to. */
export interface Work {
  /** Of products. */
  flops: number
  /** Bytes that pass through the memory of the device. */
  moved: number
  /** Bytes between host and card. */
  traffic: number
  launches: number
}

/** What a machine does in a second. */
export interface Rates {
  flops: number
  /** Bytes of its memory. */
  bandwidth: number
}

/** Of the most that a machine can do what large products reach; small ones reach less. */
const REACHED = 0.6
/** Bytes a second between host and card, where nothing else goes on meanwhile, and seconds of a launch: no card has told. */
const TRAFFIC = 10e9
const LAUNCH = 5e-6
/** Seconds until a card is ready for a first call, and for every other one. */
const FIRST = 0.5
const EVERY = 1e-3

/**
 * Counted from shapes as docs/architecture.md has it: a pass multiplies O cotangents by every weight, a
 * kernel's pairs cost what their cheapest method does.
 */
export function workOf(call: Call): Work {
  const { samples, samples2, outputs: O, pairs, bytes } = call
  const N = samples + (call.same ? 0 : samples2)
  // Of a kernel of samples with themselves half is computed.
  const both = (call.same ? 1 : 2) * samples * samples2
  let flops = 0
  let factors = 0
  for (const { rows: m, columns: k, positions: T } of call.layers) {
    flops += 2 * N * O * T * m * k
    factors += N * T * (O * m + k)
    if (!pairs) continue
    const formed = 2 * N * O * T * m * k
    flops += Math.min(
      formed + both * O * O * m * k,
      both * (T * T * k + O * O * T * T * m),
      formed + both * (O * T * m * k + O * O * T * m),
    )
  }
  const passed = N * O * call.extent
  const weights = call.layers.reduce((sum, { rows, columns }) => sum + rows * columns, 0)
  // What the processor serves comes down and goes up again.
  const fetched = call.nodes === 0 ? 0 : (2 * passed * call.onHost) / call.nodes
  return {
    flops,
    moved: bytes * (3 * passed + 2 * factors) + 3 * call.results,
    traffic: bytes * (N * call.extent + weights + fetched) + call.results,
    // Blocks as jobs cut them.
    launches: call.nodes * 4 * Math.ceil((N * O) / 4096),
  }
}

/** Seconds of the work on the processor, or on a card, whose traffic and launches count too. */
export function expectedSeconds(work: Work, { flops, bandwidth }: Rates, card = false): number {
  const own = work.flops / (REACHED * flops) + work.moved / (REACHED * bandwidth)
  return card ? own + work.traffic / TRAFFIC + work.launches * LAUNCH : own
}

/** A card that can be used, with its rates for the call's numbers. */
export interface Candidate extends Rates {
  name: string
  what: string
}

/**
 * The faster of a card and the processor, and why.
 * @param first is it the process's first call there?
 */
export function chooseFaster(
  call: Call,
  card: Candidate,
  processor: Rates & { threads: number },
  first: boolean,
): ChosenDevice {
  if (!(card.flops > 0 && card.bandwidth > 0))
    return { name: card.name, why: `${card.what} can be used; its driver tells no rates` }
  const work = workOf(call)
  const there = expectedSeconds(work, card, true) + (first ? FIRST : EVERY)
  const here = expectedSeconds(work, processor)
  const words = `${inWords(there)} expected on ${card.what}, ${inWords(here)} on ${processor.threads} of the processor's threads`
  return { name: there < here ? card.name : 'cpu', why: words }
}

const inWords = (seconds: number) => `${Number(seconds.toPrecision(2))} s`

let used = false

/**
 * The device for a call that may choose.
 * @param other samples of a kernel's other side, absent: the same ones
 * @param numbers of the results
 */
export function fasterDevice(
  { core, device, samples, width, extent, threads }: Prepared,
  { layers, rates }: Costs,
  { pairs, other, numbers }: { pairs: boolean; other: number | undefined; numbers: number },
): ChosenDevice {
  const { double } = core.architecture
  const { nodes, onHost } = hostNodes(core.architecture)
  const bytes = double ? 8 : 4
  const card = native.cards().find(({ name }) => name === device.name)
  const { what = device.name, float32 = 0, float64 = 0, bandwidth = 0 } = card ?? {}
  const chosen = chooseFaster(
    {
      ...{ layers, samples, samples2: other ?? samples, same: other === undefined },
      ...{ outputs: width, pairs },
      ...{ extent, bytes, results: bytes * numbers, nodes, onHost: onHost.length },
    },
    { name: device.name, what, flops: double ? float64 : float32, bandwidth },
    { flops: double ? rates.flops / 2 : rates.flops, bandwidth: rates.bandwidth, threads },
    !used,
  )
  used ||= chosen.name !== 'cpu'
  return chosen
}
