// The samples of a store's job: read by rows as tiles need them, known by digests.
import { badArgument, mismatch, TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import { axisToFirst, firstAxisTo } from '../io/axes.js'
import { isArray } from '../io/held.js'
import { identify } from '../io/identify.js'
import {
  type ArraySource,
  checkArray,
  type DType,
  type Floats,
  isSource,
  type NdArray,
  rowBytes,
  rowsOf,
  sourceOf,
  wholeOf,
} from '../io/index.js'
import type { Inputs } from '../model/inputs.js'
import { hasSources, settled } from '../model/sources.js'
import type { Network } from '../network/network.js'

type Given = ArraySource | NdArray | number | bigint

/** Samples of a store: arrays in memory, or sources that are read by rows as they are needed. */
export type StoreInputs = ArraySource | Inputs | Readonly<Record<string, Given>>

/** What the samples are, as a manifest says it. */
export interface SamplesDigest {
  samples: number
  inputs: { name: string; dtype: DType; shape: number[] }[]
  /** Of each stripe: the samples of one row of tiles. */
  stripes: string[]
  /** Of inputs that all samples share. */
  shared: string
}

/** One input's samples, which lie along the first axis here. */
interface Rows {
  source: ArraySource
  /** Where a call has them. */
  axis: number
}

type Shared = Readonly<Record<string, NdArray | number | bigint>>

/** Samples by rows, whatever holds them. */
export class Samples {
  readonly length: number
  readonly #rows: ReadonlyMap<string, Rows>
  readonly #shared: Shared
  /** `x`, or `x2`. */
  readonly #argument: string

  private constructor(rows: ReadonlyMap<string, Rows>, shared: Shared, argument: string) {
    const [first, ...others] = [...rows]
    if (!first) throw mismatch(argument, 'an array or a source that has samples', 'none')
    const { length } = first[1].source
    for (const [name, { source }] of others) {
      if (source.length === length) continue
      throw mismatch(`input ${quote(name)} of ${argument}`, `${length} samples`, `${source.length}`)
    }
    if (length < 1) throw mismatch(argument, 'at least one sample', 'none')
    this.length = length
    this.#rows = rows
    this.#shared = shared
    this.#argument = argument
  }

  /** Where the file has its samples along another axis than the first, an array is read whole. */
  static async of(
    network: Network<Floats>,
    given: StoreInputs,
    argument: string,
  ): Promise<Samples> {
    if (typeof given !== 'object' || given === null) {
      throw badArgument(argument, 'an array or a source, or one for each input', given)
    }
    const names = network.inputs.map(({ name }) => name)
    const inputs = given as Inputs
    // Rows that come once or in order only are kept: stripes are read again.
    const own = hasSources(inputs) ? await settled(inputs, argument) : inputs
    const alone = isArray(own) || isSource(own)
    if (alone && names.length !== 1) {
      throw mismatch(argument, `one for each input (${names.map(quote).join(', ')})`, 'one')
    }
    const named = (alone ? { [names[0] as string]: own } : own) as Record<string, Given>
    const axes = new Map((await network.batchAxes()).map((axis) => [axis.name, axis]))
    const rows = new Map<string, Rows>()
    const shared: Record<string, NdArray | number | bigint> = Object.create(null)
    for (const [name, value] of Object.entries(named)) {
      const one = axes.get(name)
      if (typeof value !== 'object') shared[name] = value
      else if (one?.shared) shared[name] = isSource(value) ? await wholeOf(value, name) : value
      else rows.set(name, await rowsAlong(value, one?.axis ?? 0, name))
    }
    return new Samples(rows, shared, argument)
  }

  /** Bytes of one sample. */
  get bytes(): number {
    return [...this.#rows.values()].reduce((sum, { source }) => sum + rowBytes(source), 0)
  }

  /** Samples [first, first + count) as a call takes them. */
  async inputs(first: number, count: number): Promise<Inputs> {
    return this.#asInputs(await this.#read(first, count))
  }

  /** Reads all, stripe by stripe. */
  async digest(size: number, signal?: AbortSignal): Promise<SamplesDigest> {
    const stripes: string[] = []
    for (let first = 0; first < this.length; first += size) {
      signal?.throwIfAborted()
      stripes.push(await this.#digest(first, Math.min(size, this.length - first)))
    }
    const inputs = [...this.#rows].map(([name, { source }]) => {
      return { name, dtype: source.dtype, shape: source.shape.slice(1) }
    })
    return { samples: this.length, inputs, stripes, shared: await identify({ ...this.#shared }) }
  }

  /**
   * The samples of some stripes, checked to be those of the job.
   * @throws TangentError BAD_INPUT for others.
   */
  async checked(
    { first, count }: { first: number; count: number },
    size: number,
    { stripes }: Pick<SamplesDigest, 'stripes'>,
  ): Promise<Inputs> {
    const parts: Map<string, NdArray>[] = []
    for (let at = first; at < first + count; at += size) {
      const some = Math.min(size, first + count - at)
      const part = await this.#read(at, some)
      if ((await this.#digest(at, some, part)) !== stripes[at / size]) throw this.#others(at, part)
      parts.push(part)
    }
    const names = [...this.#rows.keys()]
    return this.#asInputs(
      new Map(names.map((name) => [name, joined(parts.map((one) => one.get(name) as NdArray))])),
    )
  }

  async close(): Promise<void> {
    for (const { source } of this.#rows.values()) await source.close?.()
  }

  async #read(first: number, count: number): Promise<Map<string, NdArray>> {
    const parts = new Map<string, NdArray>()
    for (const [name, { source }] of this.#rows) {
      parts.set(name, await rowsOf(source, first, count, `input ${quote(name)}`))
    }
    return parts
  }

  /** Of a stripe: of its numbers, or of what a source says that it is. */
  async #digest(first: number, count: number, read?: Map<string, NdArray>): Promise<string> {
    const digests = new Map<string, string>()
    for (const [name, { source }] of this.#rows) {
      const { identity } = source
      const part =
        identity === undefined
          ? (read?.get(name) ?? (await rowsOf(source, first, count, `input ${quote(name)}`))).data
          : { identity, first, count }
      digests.set(name, await identify(part))
    }
    return identify(digests)
  }

  #asInputs(rows: ReadonlyMap<string, NdArray>): Inputs {
    const inputs: Record<string, NdArray | number | bigint> = Object.create(null)
    Object.assign(inputs, this.#shared)
    for (const [name, array] of rows) {
      const axis = this.#rows.get(name)?.axis ?? 0
      inputs[name] = axis === 0 ? array : movedTo(axis, array)
    }
    return inputs
  }

  #others(first: number, part: ReadonlyMap<string, NdArray>): TangentError {
    const [array] = [...part.values()]
    const last = first + (array?.shape[0] ?? 1) - 1
    return new TangentError(
      'BAD_INPUT',
      `Expected the samples that the store was made for but samples ${first} to ${last} of ${this.#argument} are others`,
    )
  }
}

async function rowsAlong(value: ArraySource | NdArray, axis: number, name: string): Promise<Rows> {
  if (!isSource(value)) checkArray(value, `input ${quote(name)}`)
  if (!(value.shape.length > axis)) {
    throw mismatch(`input ${quote(name)}`, 'samples', `the shape (${value.shape.join(', ')})`)
  }
  if (axis === 0) return { axis, source: isSource(value) ? value : sourceOf(value) }
  const array = isSource(value) ? await wholeOf(value, name) : value
  const { data, shape } = array
  const moved = [shape[axis] as number, ...shape.toSpliced(axis, 1)]
  return {
    axis,
    source: sourceOf({ ...array, data: axisToFirst(data, shape, axis), shape: moved }),
  }
}

function movedTo(axis: number, array: NdArray): NdArray {
  const [samples = 0, ...rest] = array.shape
  const data = firstAxisTo(array.data, array.shape, axis)
  return { ...array, data, shape: rest.toSpliced(axis, 0, samples) }
}

/** Arrays one behind the other, along the first axis. */
function joined(parts: readonly NdArray[]): NdArray {
  const [first, ...others] = parts as [NdArray, ...NdArray[]]
  if (others.length === 0) return first
  const Kind = first.data.constructor as new (length: number) => Float32Array
  const data = new Kind(parts.reduce((sum, part) => sum + part.data.length, 0))
  let at = 0
  for (const part of parts) {
    data.set(part.data as Float32Array, at)
    at += part.data.length
  }
  const samples = parts.reduce((sum, { shape }) => sum + (shape[0] as number), 0)
  return { ...first, data, shape: [samples, ...first.shape.slice(1)] }
}
