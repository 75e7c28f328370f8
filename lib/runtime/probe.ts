// What is found out once for inputs of a shape: shapes of the values for any number of samples, and whether
// samples keep apart, by what the operators are (apart/) or by numbers (independence.ts).
import type { NativeAnalysis, NativePasses } from '../native/index.js'
import { Alone } from './apart/check.js'
import type { Part } from './apart/parts.js'
import { Proof } from './apart/proof.js'
import { repeated, stack } from './feeds.js'
import { type Meeting, meetingOf } from './independence.js'
import type { Places } from './placed.js'
import type { Feed, PlanMessage, WorkerInit } from './protocol.js'
import type { Outcome, Session } from './session.js'
import type { Sessions } from './sessions.js'
import { inputTensor, type Weights } from './tensors.js'

/** Shapes of the values that the addon asked for, of a run of so many samples. */
export interface MeasuredShapes {
  samples: number
  shapes: { id: number; shape: number[] }[]
}

/** Shapes of two numbers of samples (of one, where no more can be run), and what lets samples meet. */
export interface Probed {
  runs: MeasuredShapes[]
  meeting?: Meeting | undefined
  /** To be compared with what comes of the same sample among others. */
  alone?: Alone | undefined
}

/** What is probed. */
export interface Probing {
  init: WorkerInit
  sessions: Sessions
  message: PlanMessage
  analysis: NativeAnalysis
  x: Feed
  weights: Weights
  threads: number
  /** Memory for what a run gives. */
  places: Places
}

/** Of one sample, for networks that take no more at once. */
export async function shapesOfOne(probing: Probing): Promise<Probed> {
  const { sessions, x, weights, threads } = probing
  const names = wantedShapes(probing).map((id) => nameOf(probing, id))
  const wanted = { values: [], shapes: names }
  const session = await sessions.get('shapes', threads, wanted)
  const outcome = await session.run(repeated(x, 1), 0, 1, weights.tensors)
  return { runs: [measured(probing, 1, outcome)] }
}

/** Of two samples and of three, and what lets samples meet. */
export async function probe(probing: Probing): Promise<Probed> {
  return (await prove(probing)) ?? byNumbers(probing)
}

/** By what the operators are; undefined where that leaves it open. */
async function prove(probing: Probing): Promise<Probed | undefined> {
  const { sessions, init, message, analysis, x, weights } = probing
  const taps = comparedIn(probing)
  const { values: inferred } = await sessions.inferred()
  const ids = [message.output, ...taps.map(({ id }) => id), ...analysis.shapes]
  const { small } = message
  const proof = Proof.of({ init, inferred, small, x, fed: weights.messages, ids })
  if (!proof) return undefined
  // The second: what only looks back in the batch shows there, too.
  const one = stack(x, [Math.min(1, x.samples - 1)])
  const session = await sessionOfOne(probing, proof, taps)
  // Some networks cannot take one sample alone.
  const outcome = await runOfOne(probing, proof, session, one).catch(() => undefined)
  if (!outcome) return undefined
  try {
    const parts = proof.parts(one, outcome)
    if (!parts) return undefined
    const shapes = measured(probing, 1, outcome, (id) => proof.told(id))
    const named = taps.map(({ id, name }) => [name, parts.get(id) as Part] as const)
    const alone = new Alone(one, weights, outcome, new Map(named))
    return { runs: [2, 3].map((samples) => ofSamples(shapes, parts, samples)), alone }
  } finally {
    if (outcome.buffer) probing.places.give(outcome.buffer)
  }
}

/** Into memory of the addon where all shapes are told. */
function runOfOne(probing: Probing, proof: Proof, session: Session, one: Feed): Promise<Outcome> {
  const { message, weights, places } = probing
  const ids = [...comparedIn(probing).map(({ id }) => id), message.output]
  const shapes = new Map(ids.map((id) => [nameOf(probing, id), proof.told(id)]))
  const asked = [nameOf(probing, message.output), ...proof.numbers]
  const areTold = proof.numbers.length === 0 && ![...shapes.values()].includes(undefined)
  if (!areTold) return session.run(one, 0, 1, weights.tensors, asked)
  const shapeOf = (name: string) => shapes.get(name) as readonly number[]
  return session.runInto(one, 0, 1, weights.tensors, shapeOf, places, asked)
}

/** The one that later runs take, where it tells enough. */
async function sessionOfOne(
  probing: Probing,
  proof: Proof,
  taps: readonly Tap[],
): Promise<Session> {
  const { sessions, threads } = probing
  const { numbers } = proof
  const known = new Set([...taps.map(({ name }) => name), nameOf(probing, probing.message.output)])
  const unknown = wantedShapes(probing).filter((id) => !proof.told(id))
  const asked = new Set([...unknown.map((id) => nameOf(probing, id)), ...proof.shapes])
  const wanted = [...asked].filter((name) => !known.has(name))
  if (wanted.length > 0) {
    const values = taps.map(({ name }) => name)
    return sessions.get('one', threads, { values, shapes: wanted, more: numbers })
  }
  const session = await tapped(sessions, taps, threads, numbers)
  return numbers.every((name) => session.has(name))
    ? session
    : sessions.get(`one of ${keyOf(taps)}`, threads, tapping(taps, numbers))
}

const keyOf = (taps: readonly Tap[]) => `taps ${taps.map(({ id }) => id).join(' ')}`

const tapping = (taps: readonly Tap[], more: readonly string[] = []) => {
  return { values: taps.map(({ name }) => name), shapes: [], more, placed: true }
}

/** The session that gives values, into which weights are fed. @param more what some runs ask for, too */
export function tapped(
  sessions: Sessions,
  taps: readonly Tap[],
  threads: number,
  more?: readonly string[],
): Promise<Session> {
  return sessions.get(keyOf(taps), threads, tapping(taps, more))
}

/** The same with weights that may be inside. */
export function tappedWith(
  weights: Weights,
  sessions: Sessions,
  taps: readonly Tap[],
  threads: number,
): Promise<Session> {
  return sessions.of(weights, keyOf(taps), threads, tapping(taps))
}

/** The same of so many samples as of one. */
function ofSamples(
  { shapes }: MeasuredShapes,
  parts: ReadonlyMap<number, Part>,
  samples: number,
): MeasuredShapes {
  const of = ({ id, shape }: MeasuredShapes['shapes'][number]) => {
    const part = parts.get(id)
    return { id, shape: part?.kind === 'samples' ? shape.with(part.axis, samples) : shape }
  }
  return { samples, shapes: shapes.map(of) }
}

/** A session whose trial took more bytes keeps as many: it is closed, and opened again for another shape. */
const keptTrial = 32 * 2 ** 20

async function byNumbers(probing: Probing): Promise<Probed> {
  const { sessions, x, weights, threads } = probing
  const output = nameOf(probing, probing.message.output)
  const values = comparedIn(probing).map(({ name }) => name)
  const shapes = wantedShapes(probing)
    .map((id) => nameOf(probing, id))
    .filter((name) => !values.includes(name) && name !== output)
  const session = await sessions.get('trial', threads, { values, shapes })
  const { meeting, runs: tried } = await meetingBy(probing, session)
  const found = tried.map(({ samples, outcome }) => measured(probing, samples, outcome))
  const [three, two, ...others] = found as [MeasuredShapes, MeasuredShapes, ...MeasuredShapes[]]
  const follow = others.length > 0 && others.every((other) => follows(other, two, three))
  const shapesOf = async (samples: number) => {
    const outcome = await session.run(repeated(x, samples), 0, samples, weights.tensors, [output])
    return measured(probing, samples, outcome)
  }
  // Else they follow the numbers, and the trial's are not the caller's.
  const runs = follow ? [two, three] : [await shapesOf(2), await shapesOf(3)]
  const [first] = tried
  if (first && bytesOf(first.outcome) > keptTrial) await sessions.close('trial', threads)
  return { runs, meeting }
}

/** What lets samples meet, by numbers of a session that gives those that must not change. */
async function meetingBy(probing: Probing, session: Session): ReturnType<typeof meetingOf> {
  const { init, sessions, message, analysis, x, weights, threads } = probing
  const output = nameOf(probing, message.output)
  const subject = {
    ...{ sessions, init, threads, session, weights: weights.tensors },
    names: [...new Set([...comparedIn(probing).map(({ name }) => name), output])],
    active: new Set(analysis.nodes.map((index) => init.graph.nodes[index]?.name ?? '')),
  }
  return meetingOf(subject, x)
}

/** The same where the graph told that they keep apart but numbers do not agree: it may be rounding. */
export async function doubted(probing: Probing): Promise<Meeting | undefined> {
  const { sessions, threads } = probing
  const values = comparedIn(probing).map(({ name }) => name)
  const session = await sessions.get('doubted', threads, { values, shapes: [] })
  try {
    return (await meetingBy(probing, session)).meeting
  } finally {
    await sessions.close('doubted', threads)
  }
}

/** A value by its id. */
export interface Tap {
  id: number
  name: string
}

/** Of these values those that onnxruntime computes. */
export function computed(
  { init, message, x, weights }: Pick<Probing, 'init' | 'message' | 'x' | 'weights'>,
  ids: Iterable<number>,
): Tap[] {
  const stored = new Set(message.statics.map(({ id }) => id))
  const taps: Tap[] = []
  for (const id of new Set(ids)) {
    const { name = '' } = init.graph.values[id] ?? {}
    const given = weights.messages.has(id) || stored.has(id) || inputTensor(x, name, 0, 1)
    if (!given) taps.push({ id, name })
  }
  return taps
}

/** What must not change with the batch; of the output, which all runs give, where it is not the graph's own. */
function comparedIn(probing: Probing): Tap[] {
  const { init, message, analysis } = probing
  const listed = init.outputs.includes(nameOf(probing, message.output))
  return computed(probing, [...tapsOf(analysis, 'both'), ...(listed ? [] : [message.output])])
}

/** Values whose shapes nobody knows before they are computed. */
function wantedShapes({ init, analysis, x }: Probing): number[] {
  return analysis.shapes.filter((id) => {
    const value = init.graph.values[id]
    return value && !value.shape && !inputTensor(x, value.name, 0, 1)
  })
}

const nameOf = ({ init }: Probing, id: number) => init.graph.values[id]?.name ?? ''

function measured(
  { init, analysis, x }: Probing,
  samples: number,
  { values, shapes }: Outcome,
  told: Proof['told'] = () => undefined,
): MeasuredShapes {
  const fed = repeated(x, samples)
  const shapeOf = (id: number): readonly number[] | undefined => {
    const value = init.graph.values[id]
    if (!value || value.shape) return value?.shape
    const input = inputTensor(fed, value.name, 0, samples)
    return (input ?? values.get(value.name))?.dims ?? shapes.get(value.name) ?? told(id)
  }
  return {
    samples,
    shapes: analysis.shapes.map((id) => ({ id, shape: [...(shapeOf(id) ?? [])] })),
  }
}

function bytesOf({ values }: Outcome): number {
  return [...values.values()].reduce(
    (sum, { data }) => sum + (ArrayBuffer.isView(data) ? data.byteLength : 0),
    0,
  )
}

/** Do the shapes of one run follow from those of two others by the number of samples? */
function follows(run: MeasuredShapes, two: MeasuredShapes, three: MeasuredShapes): boolean {
  return run.shapes.every(({ shape }, k) => {
    const [small, large] = [two.shapes[k]?.shape ?? [], three.shapes[k]?.shape ?? []]
    const expected = (axis: number) => {
      const size = small[axis] as number
      return size + (run.samples - two.samples) * ((large[axis] as number) - size)
    }
    return shape.length === small.length && shape.every((size, axis) => size === expected(axis))
  })
}

export function tapsOf(
  { taps, forwardTaps }: NativeAnalysis,
  passes: NativePasses,
): readonly number[] {
  if (passes === 'reverse') return taps
  return passes === 'forward' ? forwardTaps : [...new Set([...taps, ...forwardTaps])]
}
