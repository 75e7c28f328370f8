// One network's state and how its calls reach the worker. Not part of the public interface.
import { availableParallelism } from 'node:os'
import { decidingInputs, feedKey, withWeights } from '../control/forms.js'
import { settleOnSamples } from '../control/settle.js'
import { badArgument, TangentError } from '../core/errors.js'
import { defaultBudget, parseBytes } from '../core/memory.js'
import type { Watch } from '../core/progress.js'
import { threadCount } from '../core/threads.js'
import type { Place } from '../graph/axes.js'
import type { Floats } from '../io/index.js'
import {
  type ChosenDevice,
  chooseDevice,
  choosePrecision,
  type DeviceName,
  type ProductPrecision,
} from '../native/device.js'
import { native } from '../native/index.js'
import { sharedIdOf, sharedRoom } from '../native/shared-memory.js'
import { kindOfFeed } from '../runtime/feeds.js'
import type { Asked, OnTile } from '../runtime/host.js'
import { loaded } from '../runtime/loaded.js'
import type {
  DescribeResult,
  Feed,
  PlanMessage,
  TryResult,
  WeightMessage,
} from '../runtime/protocol.js'
import { sentWeight } from '../runtime/shared.js'
import type { Architecture } from './architecture.js'
import { type Declared, feedOf, type Inputs, placesFit, type SettledInputs } from './inputs.js'
import { hasSources, settled, withWhole } from './sources.js'
import { ownWeights, type WeightValues } from './weights.js'

/** Common to all calls. */
export interface CallOptions extends Watch {
  /** Threads to use; default: those of the network. */
  threads?: number | undefined
  /** Memory budget: bytes, or a text such as `'2GiB'`; default: that of the network. */
  memory?: number | string | undefined
}

/** Common to all calls that differentiate. */
export interface DerivativeOptions extends CallOptions {
  /** Where to compute; default: the network's device. Calls that have no code for a device that is named refuse it. */
  device?: DeviceName | undefined
  /** How a card multiplies; default: the network's precision. */
  precision?: ProductPrecision | undefined
  /**
   * What is done with results that are not finite: `'throw'` (the default) refuses them, naming
   * sample, output, parameter and the first node where it went wrong; `'return'` returns them.
   */
  nonFinite?: 'throw' | 'return' | undefined
  /** Flat indices of the outputs wanted, in the order wanted; default: all. */
  outputs?: readonly number[] | undefined
  /** Samples per block, where tests want to choose; results do not depend on it. */
  block?: number | undefined
  /** The same for outputs carried back at once. */
  outputBlock?: number | undefined
}

/** The same numbers in memory that the worker sees, too: only those that are elsewhere are copied. */
function sharedWeights(weights: WeightValues, double: boolean): WeightValues {
  const Kind = double ? Float64Array : Float32Array
  const own = [...weights].filter(
    ([, data]) => sharedIdOf(data.buffer) === undefined || !(data instanceof Kind),
  )
  if (own.length === 0) return weights
  const { buffer, starts } = sharedRoom(
    own.map(([, { length }]) => length * Kind.BYTES_PER_ELEMENT),
  )
  const shared = new Map(weights)
  own.forEach(([name, data], k) => {
    const room = new Kind(buffer, starts[k], data.length)
    room.set(data)
    shared.set(name, room)
  })
  return shared
}

let nextId = 1

/** The state behind each network, for the functions of this package that take several. */
export const cores = new WeakMap<object, Core>()

export class Core {
  readonly id = nextId++
  readonly architecture: Architecture
  readonly weights: WeightValues
  readonly threads: number
  readonly memory: number
  /** As it was asked for. */
  readonly device: DeviceName | undefined
  readonly precision: ProductPrecision | undefined
  /** What `auto` chose for the last call. */
  chosen: ChosenDevice | undefined
  #disposed = false
  #plan: Promise<PlanMessage> | undefined
  /** What probes have found, by the shape of a sample. */
  readonly #described = new Map<string, DescribeResult>()
  /** Of a network that leaves branches to its samples: by what decides, and by the way taken. */
  readonly #forms = new Map<string, Promise<Core>>()
  readonly #ways = new Map<string, Core>()
  #deciding: Set<string> | undefined
  /** Names of the parameters that the network has in other forms. */
  readonly elsewhere: ReadonlySet<string>

  constructor(
    architecture: Architecture,
    weights: WeightValues,
    options: {
      threads?: number | undefined
      memory?: number | string | undefined
      device?: DeviceName | undefined
      precision?: ProductPrecision | undefined
    },
    elsewhere: ReadonlySet<string> = new Set(),
  ) {
    this.architecture = architecture
    this.elsewhere = elsewhere
    this.weights = sharedWeights(weights, architecture.double)
    this.threads = threadCount(options.threads) ?? availableParallelism()
    this.memory = options.memory === undefined ? defaultBudget() : parseBytes(options.memory)
    const { device: asked, precision } = options
    const device = chooseDevice(asked).name
    choosePrecision(precision, { device, asked, float64: architecture.double })
    this.device = asked
    this.precision = precision
    architecture.retain()
  }

  get disposed(): boolean {
    return this.#disposed
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    this.architecture.host.forget(this.id)
    for (const form of this.#ways.values()) await form.dispose()
    await this.architecture.release()
  }

  /**
   * The network in the form that these samples want: with its branches taken and its loops written
   * out. Networks that leave nothing to their samples have one form.
   */
  at(inputs: Inputs, options: CallOptions, argument = 'x'): Promise<Core> | Core {
    return this.architecture.pending ? this.#form(inputs, options, argument) : this
  }

  async #form(inputs: Inputs, options: CallOptions, argument: string): Promise<Core> {
    const { architecture } = this
    this.checkAlive()
    architecture.checkSupported()
    const x = await this.feed(inputs, argument, options)
    this.#deciding ??= decidingInputs(architecture.model)
    const key = feedKey(x, this.#deciding)
    let form = this.#forms.get(key)
    if (!form) {
      form = this.#decide(x, options)
      this.#forms.set(key, form)
      form.catch(() => this.#forms.delete(key))
    }
    return form
  }

  async #decide(x: Feed, options: CallOptions): Promise<Core> {
    const { architecture } = this
    const threads = threadCount(options.threads) ?? this.threads
    const how = { threads, memory: this.budget(options), signal: options.signal }
    const present = withWeights(architecture.model, this.weights)
    const batch = architecture.batch(x)
    const { model, way } = await settleOnSamples(present, x, batch, architecture.options, how)
    this.checkAlive()
    const known = this.#ways.get(way)
    if (known) return known
    const form = architecture.form(way, model)
    // Its inputs are these.
    form.places ??= architecture.places
    const own = form.fed.filter(({ name }) => !this.weights.has(name))
    const weights = new Map([...this.weights, ...(await ownWeights(model, own))])
    const elsewhere = new Set(architecture.parameters.flatMap(({ name, label }) => [name, label]))
    const core = this.#ways.get(way) ?? new Core(form, weights, this, elsewhere)
    this.#ways.set(way, core)
    return core
  }

  checkAlive(): void {
    if (this.#disposed) throw new TangentError('DISPOSED', 'The network was disposed')
  }

  /** @throws TangentError UNSUPPORTED for a network in float64. */
  checkSingle(what: string): void {
    if (!this.architecture.double) return
    throw new TangentError(
      'UNSUPPORTED',
      `Expected a network in float32 for ${what} but this one was loaded with float64: true`,
    )
  }

  /** The caller's samples, checked; where the file holds them may have to be found out first. */
  feed(inputs: Inputs, argument: string, options: CallOptions = {}): Feed | Promise<Feed> {
    const { architecture } = this
    architecture.checkRunnable()
    const { inputs: infos, places: known } = architecture
    if (hasSources(inputs)) return this.#feedOfRows(inputs, argument, options)
    const own = inputs as SettledInputs
    const fed = (places: readonly Place[]) => feedOf(own, { infos, places }, argument)
    return known ? fed(known) : this.#settle(own, argument, options).then(fed)
  }

  /** The same where some are read by rows: those whose rows are samples stay unread. */
  async #feedOfRows(inputs: Inputs, argument: string, options: CallOptions): Promise<Feed> {
    const { rows, ...declared } = await this.reading(inputs, argument, options)
    return feedOf(rows, declared, argument)
  }

  /** What the network declares of its inputs, where it holds the samples of these, and these. */
  async reading(
    inputs: Inputs,
    argument: string,
    options: CallOptions = {},
  ): Promise<Declared & { rows: SettledInputs }> {
    const { architecture } = this
    const own = hasSources(inputs) ? await settled(inputs, argument) : (inputs as SettledInputs)
    const places = architecture.places ?? (await this.#settle(own, argument, options))
    const declared = { infos: architecture.inputs, places }
    return { ...declared, rows: await this.#withWhole(own, declared, argument, options) }
  }

  /** With what cannot be read by rows in memory. */
  async #withWhole(
    rows: SettledInputs,
    declared: Declared,
    argument: string,
    options: CallOptions,
  ): Promise<SettledInputs> {
    if (!hasSources(rows)) return rows
    const { whole, pending } = this.architecture
    const all = whole || pending
    return withWhole(rows, declared, { argument, all, budget: this.budget(options) })
  }

  /** The first of the places that the arrays allow under which the network runs. */
  async #settle(
    inputs: SettledInputs,
    argument: string,
    options: CallOptions,
  ): Promise<readonly Place[]> {
    const { architecture } = this
    const { hypotheses, inputs: infos } = architecture
    const first = hypotheses[0] as readonly Place[]
    const fitting = hypotheses.filter((places) => placesFit(inputs, { infos, places }, argument))
    const [likeliest = first] = fitting
    if (fitting.length === 0 || (fitting.length === 1 && likeliest === first)) return likeliest
    const feeds: Feed[] = []
    for (const places of fitting) {
      const declared = { infos, places }
      const own = await this.#withWhole(inputs, declared, argument, options)
      feeds.push(feedOf(own, declared, argument))
    }
    // One sample at a time runs whatever the axis: shapes alone can tell.
    if (feeds.every((x) => architecture.batch(x) === 1)) return likeliest
    const { found } = await this.tryFeeds(feeds, options)
    if (found < 0) return likeliest
    architecture.places ??= fitting[found]
    return architecture.places as readonly Place[]
  }

  /** The first of several readings of the same inputs under which the network runs. */
  async tryFeeds(
    feeds: readonly Feed[],
    { signal, ...options }: CallOptions,
    output = this.architecture.output,
  ): Promise<TryResult> {
    const { architecture } = this
    const few = await Promise.all(feeds.map(probe))
    const readings = few.map((x, k) => ({ x, batch: architecture.batch(feeds[k] as Feed) }))
    const threads = threadCount(options.threads) ?? this.threads
    const memory = this.budget(options)
    const request: Asked = { type: 'try', readings, output, threads, memory }
    return this.ask<TryResult>(request, { signal }).result
  }

  /** The plan to differentiate, read once. */
  plan(): Promise<PlanMessage> {
    this.#plan ??= this.architecture.plan()
    return this.#plan
  }

  /** Memory budget of a call in bytes. */
  budget({ memory }: CallOptions): number {
    return memory === undefined ? this.memory : parseBytes(memory)
  }

  ask<T>(
    request: Asked,
    watch: Watch,
    plan?: PlanMessage,
    discard?: (result: T) => void,
    onTile?: OnTile,
  ) {
    this.checkAlive()
    const { host } = this.architecture
    return host.ask<T>(this.id, () => this.weightMessages(), plan, request, watch, discard, onTile)
  }

  /** All numbers of the network as the worker takes them. */
  weightMessages(): WeightMessage[] {
    return this.architecture.fed.map(({ name, id, shape }) =>
      sentWeight({ name, id, shape, data: this.weights.get(name) as Floats }),
    )
  }

  /** Why onnxruntime cannot open the network, or null; nothing is run, no weights are sent. */
  async obstacle(): Promise<string | null> {
    const { host, output } = this.architecture
    const request = { type: 'open', output, threads: 1, memory: this.memory } as const
    try {
      await host.ask(0, () => [], undefined, request, {}).result
      return null
    } catch (error) {
      if (error instanceof TangentError) return error.message
      throw error
    }
  }

  /** What a request says of samples that are one batch. */
  whole({ samples }: Feed): { whole?: number } {
    return this.architecture.whole ? { whole: samples } : {}
  }

  /** What the network makes of samples of this shape; probes it the first time. */
  async describe(
    x: Feed,
    threads: number,
    memory: number,
    watch: Watch,
    costs = false,
  ): Promise<DescribeResult> {
    const { whole = '' } = this.whole(x)
    const key = `${whole} ${costs ? threads : ''} ${kindOfFeed(x)}`
    const known = this.#described.get(key)
    if (known) return known
    const plan = await this.plan()
    const batch = this.architecture.batch(x)
    const request: Asked = {
      type: 'describe',
      x: await probe(x),
      threads,
      batch,
      memory,
      costs,
      ...this.whole(x),
    }
    const { signal } = watch
    const description = await this.ask<DescribeResult>(request, { signal }, plan).result
    this.#checkSaid(description)
    this.#described.set(key, description)
    return description
  }

  /** What the caller says of the output has to be so. */
  #checkSaid({ axis }: DescribeResult): void {
    const { output, axes } = this.architecture
    const said = axes.batchAxis?.[output]
    if (said === undefined || said === (axis ?? said)) return
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected the samples of output ${JSON.stringify(output)} along axis ${said}, as options.batchAxis says, but they are along axis ${axis}`,
    )
  }
}

/** Three samples, or all of fewer. */
function probe(x: Feed): Promise<Feed> {
  return loaded(x, 0, Math.min(3, x.samples))
}

/** Flat output indices, checked. */
export function outputIndices(outputs: readonly number[] | undefined, count: number): number[] {
  if (outputs === undefined) return Array.from({ length: count }, (_, o) => o)
  if (!Array.isArray(outputs) || outputs.length === 0) {
    throw badArgument('options.outputs', 'a list of output indices', outputs)
  }
  const seen = new Set<number>()
  for (const o of outputs) {
    if (!Number.isInteger(o) || o < 0 || o >= count) {
      throw badArgument('options.outputs', `indices from 0 to ${count - 1}`, o)
    }
    if (seen.has(o)) throw badArgument('options.outputs', 'each index once', o)
    seen.add(o)
  }
  return [...outputs]
}

/** Result memory that the worker fills and this thread reads. */
export interface SharedArray {
  id: number
  data: Floats
}

/**
 * Allocates the results, starts the work and lets the arrays' ids go once the worker is done with
 * them, which may be after an abort.
 */
export async function withResults<T>(
  lengths: readonly number[],
  work: (arrays: SharedArray[]) => { result: Promise<T>; settled: Promise<void> },
  double = false,
): Promise<{ arrays: SharedArray[]; result: T }> {
  const arrays: SharedArray[] = []
  const discard = () => {
    for (const { id } of arrays) native.discardShared(id)
  }
  let started: { result: Promise<T>; settled: Promise<void> }
  try {
    for (const length of lengths) {
      const Kind = double ? Float64Array : Float32Array
      const { buffer, id } = native.allocateShared(Kind.BYTES_PER_ELEMENT * length)
      arrays.push({ id, data: new Kind(buffer, 0, length) })
    }
    started = work(arrays)
  } catch (error) {
    discard()
    throw error
  }
  const { result, settled } = started
  try {
    const value = await result
    for (const { id } of arrays) native.releaseShared(id)
    return { arrays, result: value }
  } catch (error) {
    // The worker may still be writing when an abort has rejected the call.
    void settled.then(discard)
    throw error
  }
}
