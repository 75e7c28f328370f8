// Does what a network computes for a sample depend on its batch: on how many samples there are, on
// which, or on their order? Found out by trying, on numbers (METHOD.md section 11).

import { TangentError } from '../core/errors.js'
import type * as ort from '../native/onnxruntime.js'
import { type Gap, gapOf, isSame, stridesOf, type Taken, worse } from './compare.js'
import { disturbed, stack } from './feeds.js'
import { generic, noisy, noisyFeed } from './perturb.js'
import type { Feed, WorkerInit } from './protocol.js'
import type { Outcome, Session } from './session.js'
import type { Sessions } from './sessions.js'

type Tensors = ReadonlyMap<string, ort.Tensor>
type Node = WorkerInit['graph']['nodes'][number]

/** Relative to the largest entry: a difference that no order of summation explains, as a rule. */
const tolerance = 1e-5
/** Where it is not enough: how far rounding errors of a few units in the last place reach, times this. */
const margin = 64

/** Samples by place. Each of the first three stands at two places, in two numbers, among others. */
const batches = [
  [0, 1, 2],
  [2, 0],
  [1],
  // Next to one that the caller did not give; compared is sample 0.
  [0, 3],
] as const

/** What is looked at. */
export interface Subject {
  sessions: Sessions
  init: WorkerInit
  weights: Tensors
  threads: number
  /** Values that must not change with the batch: the output and what derivatives read. */
  names: readonly string[]
  /** Gives them. */
  session: Session
  /** Nodes that carry a derivative, by name. */
  active: ReadonlySet<string>
}

/** What lets samples meet, in words. */
export type Meeting = string

/** A run of a trial: what it gave for so many samples. */
export interface Tried {
  samples: number
  outcome: Outcome
}

/**
 * Why samples cannot be taken one by one, undefined where they can, and the runs that tell: of three
 * samples, of two and, where the network takes it, of one and of two again.
 */
export async function meetingOf(
  subject: Subject,
  x: Feed,
): Promise<{ meeting: Meeting | undefined; runs: Tried[] }> {
  const trial = await Trial.of(subject.session, x, generic(subject.weights), subject.names)
  return { meeting: await meetingIn(subject, x, trial), runs: trial.tried }
}

async function meetingIn(subject: Subject, x: Feed, trial: Trial): Promise<Meeting | undefined> {
  if (!subject.names.some((name) => trial.changed(name))) return undefined
  const weights = generic(subject.weights)
  // What rounding does to the numbers, and which node is at fault, takes more runs and all values.
  const names = await everything(subject)
  const session = await subject.sessions
    .get(`everything ${names.length}`, subject.threads, { values: names, shapes: [] })
    .catch(() => undefined)
  const all = session
    ? await Trial.of(session, x, weights, names)
    : await Trial.of(subject.session, x, weights, subject.names)
  await all.measureNoise()
  const known = session ? names : subject.names
  const guilty = subject.names.some((name) => known.includes(name) && all.departs(name))
  return guilty ? blame(subject, all, known) : undefined
}

/** Outputs whose samples were found not to meet, with the axes of the inputs. */
const apart = new Set<string>()

/**
 * The axis along which an output grows with the samples (-1: none, or not one alone), and whether
 * its part of one sample changes with its batch.
 */
export async function outputOfPairs(
  sessions: Sessions,
  output: string,
  x: Feed,
  weights: { tensors: Tensors },
  threads: number,
): Promise<{ axis: number; meet: boolean }> {
  const session = await sessions.get(`run ${output}`, threads, { values: [output], shapes: [] })
  const trial = await Trial.of(session, x, generic(weights.tensors), [output])
  let meet = trial.changed(output)
  if (meet) {
    await trial.measureNoise()
    meet = trial.departs(output)
  }
  if (!meet) apart.add(keyOf(output, x))
  return { axis: trial.axis(output), meet }
}

function keyOf(output: string, { arrays }: Feed): string {
  return [output, ...arrays.map(({ axis = 0 }) => axis)].join(' ')
}

/** Does an output's part of one sample change with its batch? */
export async function samplesMeet(
  sessions: Sessions,
  output: string,
  x: Feed,
  weights: { tensors: Tensors },
  threads: number,
): Promise<boolean> {
  if (apart.has(keyOf(output, x))) return false
  return (await outputOfPairs(sessions, output, x, weights, threads)).meet
}

/** Names of all values that are numbers of a kind that can be compared. */
async function everything({ init, sessions, names }: Subject): Promise<string[]> {
  const { values: inferred } = await sessions.inferred()
  const compared = (name: string) => /^float(32|64)$|^bool$/.test(inferred.get(name)?.type ?? '')
  const made = init.graph.nodes.flatMap(({ outputs }) =>
    outputs.map((id) => init.graph.values[id]?.name ?? ''),
  )
  return [...new Set([...made.filter(compared), ...names])]
}

/** The first node, in the order in which they run, whose numbers depend on the batch. */
function blame(subject: Subject, trial: Trial, known: readonly string[]): Meeting {
  const { nodes, values } = subject.init.graph
  const nameOf = (id: number) => values[id]?.name ?? ''
  const is = new Set(known)
  const departs = (id: number) => is.has(nameOf(id)) && trial.departs(nameOf(id))
  const read = new Set(subject.names)
  const guilty = nodes.find(
    ({ name, inputs, outputs }) =>
      outputs.some(
        (id) => departs(id) && (subject.active.has(name) || trial.batched(nameOf(id))),
      ) ||
      (subject.active.has(name) && inputs.some((id) => departs(id) && read.has(nameOf(id)))),
  )
  const random = nodes.find(({ outputs }) =>
    outputs.some((id) => is.has(nameOf(id)) && trial.random(nameOf(id))),
  )
  if (random) return `what node ${told(random)} computes changes from run to run`
  const through = guilty?.inputs.find(departs)
  const by = through === undefined ? '' : ` through its input ${JSON.stringify(nameOf(through))}`
  return `what is computed for a sample changes with the number, the order or the others of its batch, first in node ${guilty ? told(guilty) : '?'}${by}`
}

const told = ({ name, op }: Node) => `${name} (${op})`

export function meetingError(meeting: Meeting): TangentError {
  return new TangentError(
    'UNSUPPORTED',
    `Expected a network that treats each sample by itself but ${meeting}; export the network without that or with a fixed batch of 1, or load it with batch 'whole', which takes all samples of a call as one`,
  )
}

interface Run {
  batch: readonly number[]
  outcome: Outcome
}

/** Runs of the batches, and what came of them. */
class Trial {
  readonly #session: Session
  readonly #samples: Feed
  readonly #weights: Tensors
  readonly #more: readonly string[]
  readonly #runs: Run[] = []
  #again: Outcome | undefined
  #noise: Outcome | undefined

  private constructor(session: Session, samples: Feed, weights: Tensors, more: readonly string[]) {
    this.#session = session
    this.#samples = samples
    this.#weights = weights
    this.#more = more
  }

  /** @param x the caller's samples, of which the first three are taken. */
  static async of(
    session: Session,
    x: Feed,
    weights: Tensors,
    more: readonly string[],
  ): Promise<Trial> {
    const own = Array.from({ length: Math.min(x.samples, 3) }, (_, row) => row)
    const first = stack(x, [0])
    const strange = disturbed(first)
    const paired = async (one: Feed, two: Feed) => {
      const trial = new Trial(
        session,
        stack(x, own, stack(one, [0], stack(two, [0], one))),
        weights,
        more,
      )
      await trial.#runAll()
      return trial
    }
    try {
      return await paired(strange, disturbed(strange))
    } catch (error) {
      if (x.samples >= 3) throw error
      // Changed, indices may be out of range: copies of the caller's tell numbers and places.
      return paired(first, first)
    }
  }

  async #runAll(): Promise<void> {
    for (const batch of batches) {
      const outcome = await this.#run(batch, this.#samples, this.#weights).catch((error) => {
        // Some networks cannot take one sample alone, or not a sample that nobody gave.
        if (batch.length === 3 || (batch as readonly number[]).includes(2)) throw error
      })
      if (outcome) this.#runs.push({ batch, outcome })
    }
  }

  get tried(): Tried[] {
    return this.#runs.map(({ batch, outcome }) => ({ samples: batch.length, outcome }))
  }

  #run(batch: readonly number[], samples: Feed, weights: Tensors): Promise<Outcome> {
    return this.#session.run(stack(samples, batch), 0, batch.length, weights, this.#more)
  }

  /** Runs the first batch again as it is, and with rounding errors in inputs and weights. */
  async measureNoise(): Promise<void> {
    this.#again = await this.#run(batches[0], this.#samples, this.#weights)
    this.#noise = await this.#run(batches[0], noisyFeed(this.#samples), noisy(this.#weights))
  }

  #taken(outcome: Outcome, name: string, samples: number): Taken {
    return { tensor: outcome.values.get(name) as ort.Tensor, samples }
  }

  #strides(name: string): number[] | undefined {
    const [one, two] = this.#runs as [Run, Run]
    return stridesOf(this.#taken(one.outcome, name, 3), this.#taken(two.outcome, name, 2))
  }

  /** The only axis of a value that grows with the samples, or -1. */
  axis(name: string): number {
    const [one, two] = this.#runs as [Run, Run]
    const [u = [], v = []] = [one, two].map(({ outcome }) => outcome.values.get(name)?.dims)
    const grown = u.flatMap((size, axis) => (size === v[axis] ? [] : [axis]))
    return grown.length === 1 && u.length === v.length ? (grown[0] as number) : -1
  }

  /** Does a value tell the samples apart? */
  batched(name: string): boolean {
    return this.#strides(name)?.[0] !== 0
  }

  /** Of the same sample in different batches, at its worst. */
  #gap(name: string): Gap {
    const strides = this.#strides(name)
    const [first, ...others] = this.#runs as [Run, ...Run[]]
    const one = this.#taken(first.outcome, name, 3)
    if (!comparable(one.tensor)) return { difference: 0, largest: 0 }
    if (!strides) return { difference: Infinity, largest: 0 }
    const gaps = strides.map((stride) => {
      const pairs = others.flatMap(({ batch, outcome }) => {
        const two = this.#taken(outcome, name, batch.length)
        return batch.flatMap((sample, place) => (sample < 3 ? [{ sample, two, place }] : []))
      })
      const same = pairs.every(({ sample, two, place }) => isSame(one, sample, two, place, stride))
      if (same) return { difference: 0, largest: 0 }
      return pairs
        .map(({ sample, two, place }) => gapOf(one, sample, two, place, stride))
        .reduce(worse, { difference: 0, largest: 0 })
    })
    return gaps.reduce((a, b) => (a.difference <= b.difference ? a : b))
  }

  /** Between two runs of the first batch. */
  #response(name: string, outcome: Outcome | undefined): Gap {
    const [{ outcome: first }] = this.#runs as [Run]
    if (!outcome) return { difference: 0, largest: 0 }
    const [one, two] = [this.#taken(first, name, 1), this.#taken(outcome, name, 1)]
    return comparable(one.tensor) ? gapOf(one, 0, two, 0, 0) : { difference: 0, largest: 0 }
  }

  changed(name: string): boolean {
    const { difference, largest } = this.#gap(name)
    return difference > tolerance * largest
  }

  /** The same beyond what rounding explains. */
  departs(name: string): boolean {
    const { difference, largest } = this.#gap(name)
    const noise = this.#response(name, this.#noise).difference
    return difference > Math.max(tolerance * largest, margin * noise) || this.random(name)
  }

  /** Does it change with nothing changed? */
  random(name: string): boolean {
    const { difference, largest } = this.#response(name, this.#again)
    return difference > tolerance * largest
  }
}

/** Whole numbers may tell the place in the batch and be right: rows to pick from the batch itself. */
function comparable({ data }: ort.Tensor): boolean {
  return data instanceof Float32Array || data instanceof Float64Array || data instanceof Uint8Array
}
