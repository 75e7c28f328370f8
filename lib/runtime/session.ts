// One onnxruntime session: runs of samples for the values that are wanted.
import { milliseconds } from '../core/clock.js'
import type * as ort from '../native/onnxruntime.js'
import { runFailure } from './failures.js'
import { endName, isEnd, marked, type Place, type Places, placeOf } from './placed.js'
import type { Feed } from './protocol.js'
import { inputTensor } from './tensors.js'

/** Values that a session returns in addition to the graph's own outputs. */
export interface Wanted {
  /** Values whose numbers are wanted. */
  values: readonly string[]
  /** Values whose shapes are wanted: computed by Shape nodes, so that no numbers are copied. */
  shapes: readonly string[]
  /** Values that only some runs ask for. */
  more?: readonly string[]
  /** May runs bring memory for the values? See placed.ts. */
  placed?: boolean
}

export const shapePrefix = 'adaptive_tangent_shape:'
const quiet = { logSeverityLevel: 4 } as const

/** Of all successful runs in this thread. */
export const timeInOnnxruntime = { milliseconds: 0 }

export interface Outcome {
  values: Map<string, ort.Tensor>
  shapes: Map<string, number[]>
  /** Of `places`, where it holds the values. */
  buffer?: ArrayBuffer
}

/** What a session knows of the values that it gives. */
interface Given extends Wanted {
  /** By the name of a value that of the output that holds it. */
  fetched: ReadonlyMap<string, string>
  /** Of the outputs, where runs may bring memory for them. */
  types: ReadonlyMap<string, string> | undefined
}

export class Session {
  readonly #session: ort.InferenceSession
  readonly #given: Given
  readonly #free: boolean
  /** False once onnxruntime did not write where it was told to. */
  #places = true

  constructor(session: ort.InferenceSession, given: Given, free: boolean) {
    this.#session = session
    this.#given = given
    this.#free = free
  }

  release(): Promise<void> {
    return this.#session.release()
  }

  /** Can runs ask for a value? */
  has(name: string): boolean {
    return this.#given.fetched.has(name)
  }

  /** @param more values that runs may ask for, or outputs of the graph itself, that are wanted in this one, too. */
  async run(
    feed: Feed,
    first: number,
    count: number,
    weights: ReadonlyMap<string, ort.Tensor>,
    more: readonly string[] = [],
  ): Promise<Outcome> {
    const { fetched: known, values, shapes } = this.#given
    const fetched = new Map([...values, ...more].map((name) => [name, known.get(name) ?? name]))
    const fetches = [...fetched.values(), ...shapes.map((name) => shapePrefix + name)]
    let results: ort.Results
    const start = milliseconds()
    try {
      const feeds = this.#feeds(feed, first, count, weights)
      results = await this.#session.run(feeds, fetches, quiet)
      timeInOnnxruntime.milliseconds += milliseconds() - start
    } catch (cause) {
      throw runFailure(cause, feed, this.#free)
    }
    const outcome: Outcome = { values: new Map(), shapes: new Map() }
    for (const [name, output] of fetched) {
      outcome.values.set(name, results[output] as ort.Tensor)
    }
    for (const name of shapes) {
      const { data } = results[shapePrefix + name] as ort.Tensor
      outcome.shapes.set(name, Array.from(data as BigInt64Array, Number))
    }
    return outcome
  }

  /**
   * The same for values of known shapes, in memory of the addon where there are many numbers: whoever has
   * read them gives it to `places`.
   * @param shapeOf of a value.
   * @param more as for `run`
   */
  async runInto(
    feed: Feed,
    first: number,
    count: number,
    weights: ReadonlyMap<string, ort.Tensor>,
    shapeOf: (name: string) => readonly number[],
    places: Places,
    more: readonly string[] = [],
  ): Promise<Outcome> {
    const place = this.#place(more, shapeOf, places)
    if (!place) return this.run(feed, first, count, weights, more)
    const { fetched } = this.#given
    const fetches: Record<string, ort.Tensor | null> = { [endName]: null }
    for (const [name, tensor] of place.tensors) fetches[fetched.get(name) ?? name] = tensor
    const isLeft = marked(place)
    let ended = true
    const start = milliseconds()
    try {
      await this.#session.run(this.#feeds(feed, first, count, weights), fetches, quiet)
    } catch (cause) {
      ended = isEnd(cause)
    }
    if (!ended || isLeft()) {
      places.give(place.buffer)
      // Of another shape than was told, or a fault that the other way tells.
      const outcome = await this.run(feed, first, count, weights, more)
      this.#places = false
      return outcome
    }
    timeInOnnxruntime.milliseconds += milliseconds() - start
    return { values: place.tensors, shapes: new Map(), buffer: place.buffer }
  }

  #place(
    more: readonly string[],
    shapeOf: (name: string) => readonly number[],
    places: Places,
  ): Place | undefined {
    const { values, fetched, types } = this.#given
    if (!types || !this.#places) return undefined
    const names = [...new Set([...values, ...more])]
    return placeOf(names, (name) => types.get(fetched.get(name) ?? name), shapeOf, places)
  }

  #feeds(
    feed: Feed,
    first: number,
    count: number,
    weights: ReadonlyMap<string, ort.Tensor>,
  ): Record<string, ort.Tensor> {
    const feeds: Record<string, ort.Tensor> = Object.create(null)
    for (const name of this.#session.inputNames) {
      const tensor = weights.get(name) ?? inputTensor(feed, name, first, count)
      if (tensor) feeds[name] = tensor
    }
    return feeds
  }
}
