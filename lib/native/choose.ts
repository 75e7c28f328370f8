// Which device `auto` chooses: the one that is expected to be faster, by counted work.
import { threadsOf } from './call.js'
import { type ChosenDevice, chooseDevice, type DeviceOptions } from './device.js'
import { native } from './index.js'

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
  work: Work,
  card: Candidate,
  processor: Rates & { threads: number },
  first: boolean,
): ChosenDevice {
  if (!(card.flops > 0 && card.bandwidth > 0))
    return { name: card.name, why: `${card.what} can be used; its driver tells no rates` }
  const there = expectedSeconds(work, card, true) + (first ? FIRST : EVERY)
  const here = expectedSeconds(work, processor)
  const words = `${inWords(there)} expected on ${card.what}, ${inWords(here)} on ${processor.threads} of the processor's threads`
  return { name: there < here ? card.name : 'cpu', why: words }
}

const inWords = (seconds: number) => `${Number(seconds.toPrecision(2))} s`

let used = false

/**
 * The faster one for a call that may choose, by the card's own rates.
 * @param processor its rates for numbers of this size
 */
export function fasterDevice(
  { name }: ChosenDevice,
  work: Work,
  processor: Rates & { threads: number },
  double: boolean,
): ChosenDevice {
  const card = native.cards().find((each) => each.name === name)
  const { what = name, float32 = 0, float64 = 0, bandwidth = 0 } = card ?? {}
  const rates = { flops: double ? float64 : float32, bandwidth }
  const chosen = chooseFaster(work, { name, what, ...rates }, processor, !used)
  used ||= chosen.name !== 'cpu'
  return chosen
}

const measured = new Map<number, Promise<Rates>>()

/** What this machine does in a second on so many threads, in double; measured once, off the JS thread. */
export function doubleRates(threads: number): Promise<Rates> {
  let known = measured.get(threads)
  if (!known) {
    // A copy reads and writes.
    known = native
      .machineLater(512, threads)
      .then(({ gemm, copy }) => ({ flops: 0.5e9 * gemm, bandwidth: 2e9 * copy }))
    measured.set(threads, known)
  }
  return known
}

/**
 * The device of a call that factors, decomposes or multiplies matrices of doubles.
 * @param work what it comes to
 * @throws TangentError `BAD_ARGUMENT`, `NO_DEVICE`
 */
export async function deviceForWork(
  options: DeviceOptions & { threads?: number | undefined },
  work: Work,
): Promise<ChosenDevice> {
  const chosen = chooseDevice(options.device)
  if (options.device !== 'auto' || chosen.name === 'cpu') return chosen
  const threads = threadsOf(options)
  return fasterDevice(chosen, work, { ...(await doubleRates(threads)), threads }, true)
}

const BYTES = 8

/** K + ridge·I of n rows by Cholesky, and a few solutions. */
export const factorWork = (n: number): Work => ({
  flops: n ** 3 / 3 + 8 * n ** 2,
  moved: 6 * BYTES * n ** 2,
  traffic: BYTES * n ** 2,
  launches: 20,
})

/**
 * Eigenvalues of n rows, and eigenvectors where they are wanted. Half of the reduction to three diagonals is
 * products with a vector, each of which reads what is left of the matrix.
 */
export const spectrumWork = (n: number, vectors: boolean): Work => ({
  flops: (vectors ? 9 : 4 / 3) * n ** 3,
  moved: (BYTES / 6) * n ** 3,
  traffic: (vectors ? 2 : 1) * BYTES * n ** 2,
  launches: 4 * n,
})

/** Steps of a fit that are counted, and of a flow: most take at least as many. */
const FIT_STEPS = 10
const FLOW_STEPS = 1000

/** A fit of n rows with so many numbers of features each: a kernel and a factor in each step. */
export const fitWork = (n: number, numbers: number): Work => ({
  flops: FIT_STEPS * (n ** 2 * numbers + n ** 3 / 3),
  moved: FIT_STEPS * BYTES * (n * numbers + 6 * n ** 2),
  traffic: BYTES * n * numbers,
  launches: FIT_STEPS * 100,
})

/** Softmax regression on n rows: in each step of Newton's method a matrix is made and factored. */
export const softmaxWork = (n: number): Work => ({
  flops: FIT_STEPS * (n ** 3 / 3 + 20 * n ** 2),
  moved: FIT_STEPS * 10 * BYTES * n ** 2,
  traffic: BYTES * n ** 2,
  launches: FIT_STEPS * 30,
})

/** A flow of m coordinates on n samples: two products with the functions in each step. */
export const flowWork = (n: number, m: number): Work => ({
  flops: FLOW_STEPS * 4 * n * m,
  moved: FLOW_STEPS * 2 * BYTES * n * m,
  traffic: BYTES * n * m + FLOW_STEPS * 2 * BYTES * (n + m),
  launches: FLOW_STEPS * 4,
})
