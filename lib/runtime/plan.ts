// One differentiable part (parameters → output) in the worker: engines, probes, frames.

import { TangentError } from '../core/errors.js'
import { shapeSize } from '../core/shape.js'
import { axisToFirst } from '../io/axes.js'
import {
  type NativeAnalysis,
  type NativeData,
  type NativeEngine,
  type NativeFrame,
  type NativePasses,
  type NativeValue,
  native,
} from '../native/index.js'
import type * as ort from '../native/onnxruntime.js'
import type { NativeGrowth } from '../native/train.js'
import type { Alone } from './apart/check.js'
import { kindOfFeed, shapeInFile } from './feeds.js'
import { type ForwardBytes, forwardBytes } from './forward.js'
import { meetingError } from './independence.js'
import type { Inferred } from './inferred.js'
import { fewOf, isRead, runnable } from './loaded.js'
import { Places } from './placed.js'
import { computed, doubted, type Probing, probe, shapesOfOne, tappedWith, tapsOf } from './probe.js'
import type { Feed, PlanMessage, WorkerInit } from './protocol.js'
import type { Outcome, Session } from './session.js'
import { nativeData, type Sessions } from './sessions.js'
import { inputTensor, type Weights } from './tensors.js'

/** A plan for inputs of one shape: the addon knows where the batch lies in every value. */
export interface BatchLayout {
  engine: NativeEngine
  /** The engine's, which makes a new one for everybody who asks. */
  analysis: NativeAnalysis
  /** Flat outputs per sample. */
  outputs: number
  /** The axis of the output that holds the samples. */
  axis: number
  /** Samples that the file fixes the batch at, 0 where it is free. */
  batch: number
  /** Shape of each value that the addon asked for, for a number of samples. */
  shape(id: number, samples: number): number[]
  /** What a run for these passes holds of memory. */
  forward(passes: NativePasses): ForwardBytes
  /** What is still to be compared: what one sample gave by itself. */
  alone: Alone | undefined
}

/** Values have their samples on no axis of their own: run one by one they may be distinguished. */
export class MergedBatch extends TangentError {}

/** What a forward run left behind. */
export interface Run {
  frame: NativeFrame
  /** Of the values that onnxruntime computed for it. */
  bytes: number
  /** Nobody reads the frame any more. */
  release(): void
}

/** Samples [first, first + count). */
interface Stretch {
  first: number
  count: number
}

export class Plan {
  readonly #init: WorkerInit
  readonly #sessions: Sessions
  readonly #message: PlanMessage
  readonly #layouts = new Map<string, BatchLayout>()
  readonly #places = new Places()

  constructor(init: WorkerInit, sessions: Sessions, message: PlanMessage) {
    this.#init = init
    this.#sessions = sessions
    this.#message = message
  }

  /** Name of the value that is differentiated. */
  get output(): string {
    return this.#nameOf(this.#message.output)
  }

  /** Probes the network once per shape of a sample. */
  async layout(
    given: Feed,
    weights: Weights,
    threads: number,
    batch: number,
  ): Promise<BatchLayout> {
    const key = `${batch} ${kindOfFeed(given)}`
    const made = this.#layouts.get(key)
    if (made) return made
    const x = await fewOf(given)
    const { candidates, output } = this.#message
    const create = this.#init.double ? native.createDoubleEngine : native.createEngine
    const engine = create(this.#init.graph, candidates, output)
    const { analysis } = engine
    const counts = batch === 1 ? [1] : [2, 3]
    const probing = this.#probing(analysis, x, weights, threads)
    const { runs, meeting, alone } = await (batch === 1 ? shapesOfOne(probing) : probe(probing))
    const [first, second] = runs as [(typeof runs)[0], (typeof runs)[0] | undefined]
    const mixing = second ? engine.layout(first, second) : engine.layout(first)
    if (meeting !== undefined) throw meetingError(meeting)
    if (mixing) {
      // By numbers the samples do not meet: one at a time they need not be distinguished.
      const { message } = meetingError(`node ${mixing.node} does not: ${mixing.why}`)
      throw new MergedBatch('UNSUPPORTED', message)
    }
    const table = new Map(
      first.shapes.map(({ id, shape }, index) => [
        id,
        { shape, next: second?.shapes[index]?.shape },
      ]),
    )
    const shape = (id: number, samples: number): number[] => {
      const entry = table.get(id)
      if (!entry) throw new TangentError('FAILED', `The shape of value ${id} is not known`)
      // Every dimension is a constant plus a multiple of the number of samples.
      return entry.shape.map(
        (size, axis) => size + (samples - first.samples) * ((entry.next?.[axis] ?? size) - size),
      )
    }
    const shapes = runs.map(({ samples }) => shape(output, samples))
    const of = outputsPerSample(this.#nameOf(output), shapes, counts)
    const inferred = await this.#sessions.inferred()
    const memory = {
      ...{ graph: this.#init.graph, inferred, real: this.#init.double ? 8 : 4 },
      known: (id: number, samples: number) => (table.has(id) ? shape(id, samples) : undefined),
      sizes: (samples: number) => namedSizes(x, inferred, samples),
    }
    const forward = (passes: NativePasses) => {
      const taps = computed(probing, tapsOf(analysis, passes)).map(({ id }) => id)
      return forwardBytes(memory, taps, batch)
    }
    const known = { engine, analysis, ...of, batch, shape, forward: once(forward) }
    const layout: BatchLayout = { ...known, alone }
    this.#layouts.set(key, layout)
    return layout
  }

  #probing(analysis: NativeAnalysis, x: Feed, weights: Weights, threads: number): Probing {
    const [init, sessions, message] = [this.#init, this.#sessions, this.#message]
    return { init, sessions, message, analysis, x, weights, threads, places: this.#places }
  }

  /** The first run of several samples shows whether the second of them gives the same by itself. */
  async #compare(
    layout: BatchLayout,
    x: Feed,
    { first, count }: Stretch,
    weights: Weights,
    session: Session,
    values: Outcome['values'],
    threads: number,
  ): Promise<void> {
    const { alone, analysis } = layout
    if (count < 2 || !alone?.sees(values)) return
    layout.alone = undefined
    const own = alone.is(x, first + 1, weights)
      ? alone
      : alone.of(x, weights, await session.run(x, first + 1, 1, weights.tensors))
    if (!own.differs(values, count, 1)) return
    const meeting = await doubted(this.#probing(analysis, x, weights, threads))
    if (meeting !== undefined) throw meetingError(meeting)
  }

  /** Runs samples [first, first + count) and hands the numbers that the rules read to the addon. */
  async frame(
    layout: BatchLayout,
    x: Feed,
    want: Stretch & { passes: NativePasses },
    weights: Weights,
    threads: number,
  ): Promise<Run> {
    const { frame, bytes, buffer } = await this.#run(layout, x, want, weights, threads)
    const own = frame as NativeFrame
    const release = () => {
      own.release()
      if (buffer) this.#places.give(buffer)
    }
    return { frame: own, bytes, release }
  }

  /** The same with the network's output (count · O), and without a frame where no pass follows. */
  async outputs(
    layout: BatchLayout,
    x: Feed,
    want: Stretch & { passes: NativePasses | 'none' },
    weights: Weights,
    threads: number,
  ): Promise<{ frame: NativeFrame | undefined; output: Float32Array }> {
    const { output } = this.#message
    const { frame, values } = await this.#run(layout, x, want, weights, threads, [output])
    const { data, shape } = values.get(output) as NativeValue
    const { axis } = layout
    const numbers = data as Float32Array
    return { frame, output: axis > 0 ? axisToFirst(numbers, shape, axis) : numbers }
  }

  /** Gives back what the last run left for the next. */
  rest(): void {
    this.#places.clear()
  }

  /** Numbers of all values of one sample. */
  numbersOfOne({ analysis, shape }: BatchLayout): number {
    return analysis.shapes.reduce((sum, id) => sum + shapeSize(shape(id, 1)), 0)
  }

  /** How the values of frames for these passes grow with the samples; inputs with their numbers. */
  growth({ analysis, shape }: BatchLayout, x: Feed, passes: NativePasses): NativeGrowth[] {
    const read = new Set(tapsOf(analysis, passes))
    return analysis.shapes.map((id) => {
      const base = shape(id, 0)
      const slope = shape(id, 1).map((size, axis) => size - (base[axis] as number))
      const here = read.has(id) && !isRead(x)
      const input = here ? inputTensor(x, this.#nameOf(id), 0, x.samples) : undefined
      const data = input && nativeData(input)
      return { id, base, slope, ...(data ? { data } : {}) }
    })
  }

  async #run(
    layout: BatchLayout,
    given: Feed,
    want: Stretch & { passes: NativePasses | 'none' },
    weights: Weights,
    threads: number,
    others: readonly number[] = [],
  ): Promise<{
    frame: NativeFrame | undefined
    values: Map<number, NativeValue>
    bytes: number
    buffer: ArrayBuffer | undefined
  }> {
    const { engine, analysis } = layout
    const { count, passes } = want
    const { feed: x, from: first } = await runnable(given, want.first, count)
    const read = new Set([...(passes === 'none' ? [] : tapsOf(analysis, passes)), ...others])
    const values = new Map<number, NativeValue>()
    for (const id of analysis.shapes) values.set(id, { id, shape: layout.shape(id, count) })
    for (const id of read) {
      const fixed = weights.messages.get(id) ?? this.#static(id)
      const name = this.#nameOf(id)
      const input = inputTensor(x, name, first, count)
      if (fixed) values.set(id, { id, shape: fixed.shape, data: fixed.data })
      else if (input) values.set(id, this.#value(id, name, input))
    }
    const taps = computed({ init: this.#init, message: this.#message, x, weights }, read)
    // Most networks' rules read the same forward and in reverse: one session then.
    const session = await tappedWith(weights, this.#sessions, taps, threads)
    let bytes = 0
    let buffer: ArrayBuffer | undefined
    if (taps.length > 0) {
      const ids = new Map(taps.map(({ id, name }) => [name, id]))
      const shapeOf = (name: string) => layout.shape(ids.get(name) as number, count)
      const outcome =
        others.length === 0
          ? await session.runInto(x, first, count, weights.tensors, shapeOf, this.#places)
          : await session.run(x, first, count, weights.tensors)
      buffer = outcome.buffer
      await this.#compare(layout, x, { first, count }, weights, session, outcome.values, threads)
      for (const { id, name } of taps) {
        const value = this.#value(id, name, outcome.values.get(name) as ort.Tensor)
        bytes += value.data.byteLength
        const passing = others.length === 0 && !buffer
        values.set(id, { ...value, passing })
      }
    }
    const frame = passes === 'none' ? undefined : engine.frame(count, [...values.values()], passes)
    return { frame, values, bytes, buffer }
  }

  #nameOf(id: number): string {
    return this.#init.graph.values[id]?.name ?? ''
  }

  #static(id: number): PlanMessage['statics'][number] | undefined {
    return this.#message.statics.find((value) => value.id === id)
  }

  #value(id: number, name: string, tensor: ort.Tensor): NativeValue & { data: NativeData } {
    const data = nativeData(tensor)
    if (!data) {
      throw new TangentError(
        'UNSUPPORTED',
        `Expected float32 numbers in value ${JSON.stringify(name)} but the network computes ${tensor.type}`,
      )
    }
    return { id, shape: [...tensor.dims], data }
  }
}

/** Each asked for once. */
function once<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>()
  return (key) => {
    const known = made.get(key) ?? make(key)
    made.set(key, known)
    return known
  }
}

/** Sizes of the dimensions that the file gives names. */
function namedSizes(x: Feed, { values }: Inferred, samples: number): Map<string, number> {
  const named = new Map<string, number>()
  for (const array of x.arrays) {
    const sizes = shapeInFile(array, samples)
    values.get(array.name)?.shape.forEach((size, axis) => {
      if (typeof size === 'string' && size !== '') named.set(size, sizes[axis] ?? 1)
    })
  }
  return named
}

/**
 * Where the samples lie in the output, and O: its other axes, flattened.
 * @param shapes of as many samples as `counts` says; one run of one sample is all that sample's.
 */
function outputsPerSample(
  name: string,
  [one = [], two]: readonly (readonly number[])[],
  [samples = 1]: readonly number[],
): { outputs: number; axis: number } {
  const size = shapeSize(one)
  if (!two) return { outputs: size, axis: 0 }
  const axis = one.findIndex((length, k) => length !== two[k])
  if (one[axis] === samples) return { outputs: size / samples, axis }
  throw new MergedBatch(
    'UNSUPPORTED',
    `Expected the samples along one axis of output ${JSON.stringify(name)} but ${samples} of them give the shape (${one.join(', ')})`,
  )
}
