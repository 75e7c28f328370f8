// The samples of a store's job: read by rows as tiles need them, known by digests.
import { badArgument, mismatch, TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import { axisToFirst, firstAxisTo } from '../io/axes.js'
import { gather } from '../io/gather.js'
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
  rowSize,
  rowsOf,
  sourceOf,
  wholeOf,
  zeros,
} from '../io/index.js'
import type { Inputs } from '../model/inputs.js'
import { hasSources, settled } from '../model/sources.js'
import type { Network } from '../network/network.js'
import { joined, type ReadRows, type Rows, type Stretch, sourcesOver } from './stripes.js'

type Given = ArraySource | NdArray | number | bigint

/** The name of heads among the inputs: no network's, as it is no name in C. */
export const headsInput = 'the heads of each sample'

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
interface InputRows {
  source: ArraySource
  /** Where a call has them. */
  axis: number
}

type Shared = Readonly<Record<string, NdArray | number | bigint>>

/** Samples by rows, whatever holds them. */
export class Samples {
  readonly length: number
  readonly #rows: ReadonlyMap<string, InputRows>
  readonly #shared: Shared
  /** `x`, or `x2`. */
  readonly #argument: string

  private constructor(rows: ReadonlyMap<string, InputRows>, shared: Shared, argument: string) {
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

  /**
   * Where the file has its samples along another axis than the first, an array is read whole.
   * @param heads weights of each sample's outputs, (N, O) or (N, O, H), which are read along with it
   */
  static async of(
    network: Network<Floats>,
    given: StoreInputs,
    argument: string,
    heads?: ArraySource | NdArray,
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
    const rows = new Map<string, InputRows>()
    const shared: Record<string, NdArray | number | bigint> = Object.create(null)
    for (const [name, value] of Object.entries(named)) {
      const one = axes.get(name)
      if (typeof value !== 'object') shared[name] = value
      else if (one?.shared) shared[name] = isSource(value) ? await wholeOf(value, name) : value
      else rows.set(name, await rowsAlong(value, one?.axis ?? 0, name))
    }
    if (heads) rows.set(headsInput, await rowsAlong(heads, 0, 'heads'))
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

  /** Some of them, here and there. */
  async picked(chosen: readonly number[]): Promise<Inputs> {
    const rows = new Map<string, NdArray>()
    for (const [name, { source }] of this.#rows) {
      const size = rowSize(source)
      const data = zeros(source.dtype, chosen.length * size)
      const read = async (first: number, count: number) =>
        (await rowsOf(source, first, count, `input ${quote(name)}`)).data
      await gather(chosen, data, size, read)
      const array = { data, shape: [chosen.length, ...source.shape.slice(1)] } as NdArray
      rows.set(name, source.dtype === 'bool' ? { ...array, boolean: true } : array)
    }
    return this.#asInputs(rows)
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
   * The samples of some stripes, checked to be those of the job as they are read: sources where samples are rows,
   * arrays where they lie along another axis.
   * @throws TangentError BAD_INPUT for others; sources throw it.
   */
  async checked(stretch: Stretch, digest: Pick<SamplesDigest, 'stripes'>): Promise<Inputs> {
    const { first, count, size } = stretch
    const read = this.#reader(size, digest)
    const sizeAt = (at: number) => Math.min(size, first + count - at)
    const inputs = [...this.#rows].map(([name, { source }]) => [name, source] as const)
    if (this.#areRows && this.#identified) {
      for (let at = first; at < first + count; at += size) await this.#check(at, size, digest)
      const rows = sourcesOver(stretch, inputs, (at, some) => this.#read(at, some), false)
      return this.#asInputs(new Map(Object.entries(rows)))
    }
    if (this.#areRows) {
      return this.#asInputs(new Map(Object.entries(sourcesOver(stretch, inputs, read, true))))
    }
    const parts: Rows[] = []
    for (let at = first; at < first + count; at += size) parts.push(await read(at, sizeAt(at)))
    const names = [...this.#rows.keys()]
    return this.#asInputs(
      new Map(names.map((name) => [name, joined(parts.map((one) => one.get(name) as NdArray))])),
    )
  }

  /** Bytes that each sample of a stripe takes while a task is computed, and each sample of the task. */
  get held(): { stripe: number; task: number } {
    // An array is given to the call, kept by it and sent.
    if (!this.#areRows) return { stripe: 0, task: 3 * this.bytes }
    return { stripe: this.#identified ? 0 : this.bytes, task: 0 }
  }

  get #areRows(): boolean {
    return [...this.#rows.values()].every(({ axis }) => axis === 0)
  }

  /** Are they known without being read? */
  get #identified(): boolean {
    return [...this.#rows.values()].every(({ source }) => source.identity !== undefined)
  }

  #reader(size: number, digest: Pick<SamplesDigest, 'stripes'>): ReadRows {
    return async (at, some) => {
      const rows = await this.#read(at, some)
      await this.#check(at, size, digest, rows)
      return rows
    }
  }

  /** Is this stripe the job's? */
  async #check(
    at: number,
    size: number,
    { stripes }: Pick<SamplesDigest, 'stripes'>,
    rows?: Rows,
  ): Promise<void> {
    const count = Math.min(size, this.length - at)
    if ((await this.#digest(at, count, rows)) === stripes[at / size]) return
    throw new OtherSamples(
      'BAD_INPUT',
      `Expected the samples that the store was made for but samples ${at} to ${at + count - 1} of ${this.#argument} are others`,
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
  async #digest(first: number, count: number, read?: Rows): Promise<string> {
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

  #asInputs(rows: ReadonlyMap<string, NdArray | ArraySource>): Inputs {
    const inputs: Record<string, NdArray | ArraySource | number | bigint> = Object.create(null)
    Object.assign(inputs, this.#shared)
    for (const [name, array] of rows) {
      const axis = this.#rows.get(name)?.axis ?? 0
      inputs[name] = axis === 0 || isSource(array) ? array : movedTo(axis, array)
    }
    return inputs
  }
}

/** Says where in the whole job. */
export class OtherSamples extends TangentError {}

async function rowsAlong(
  value: ArraySource | NdArray,
  axis: number,
  name: string,
): Promise<InputRows> {
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
