// Where a network's inputs and outputs hold their samples, told without any samples.

import { shapeSize } from '../core/shape.js'
import { namedAxis, type Place } from '../graph/axes.js'
import { type DType, dtypeOf, type NdArray, zeros } from '../io/index.js'
import { isBatchWord, type ValueInfo } from '../onnx/index.js'
import type { Feed, TryResult } from '../runtime/protocol.js'
import type { CallOptions, Core } from './core.js'
import { feedOf } from './inputs.js'

/** Where one input or output holds its samples. */
export interface BatchAxis {
  readonly name: string
  readonly kind: 'input' | 'output'
  /** null: it has no axis for them, or (an output's) it is not known before the first call. */
  readonly axis: number | null
  /** The same for all samples. */
  readonly shared: boolean
  /** Said by the caller, told by names or sizes, found by running, or a guess until then. */
  readonly by: 'said' | 'names' | 'sizes' | 'trying' | 'guess'
  /** Samples that the file takes at once, where it can be run in blocks of so many only. */
  readonly block: number | null
}

/** Sizes that are tried where the file leaves them free. */
const trialSizes = [8, 64, 256, 512, 1024, 4096]
/** Inputs of more numbers are not tried. */
const mostNumbers = 2 ** 22
/** Outputs that are run to find their axis. */
const mostOutputs = 8

/** Runs the network only where names and sizes leave a doubt. */
export async function batchAxes(core: Core, options: CallOptions): Promise<BatchAxis[]> {
  const { architecture } = core
  const { inputs, outputs, axes, hypotheses } = architecture
  const doubted = architecture.places === undefined
  const nameless = outputs.some(
    (info) => namedAxis(info, inputs, architecture.likely) === undefined,
  )
  const found = doubted || nameless ? await tried(core, options) : undefined
  const { places = architecture.likely, block = null } = found ?? {}
  const named = outputs.map((info) => namedAxis(info, inputs, places))
  const told = (name: string, sure: BatchAxis['by']): BatchAxis['by'] => {
    if (axes.batchAxis?.[name] !== undefined || axes.shared?.includes(name)) return 'said'
    return sure
  }
  const ofInputs = inputs.map((info, k): BatchAxis => {
    const place = places[k] as Place
    const axis = typeof place === 'number' ? place : null
    const sameInAll = hypotheses.every((all) => all[k] === place)
    const word = isBatchWord(info.shape?.[axis ?? -1]) ? 'names' : 'sizes'
    const by = told(info.name, sameInAll ? word : found?.sure ? 'trying' : 'guess')
    const shared = place === 'shared'
    return { name: info.name, kind: 'input', axis, shared, by, block: shared ? null : block }
  })
  const ofOutputs = outputs.map(({ name }, k): BatchAxis => {
    const said = axes.batchAxis?.[name]
    const axis = said ?? named[k] ?? found?.axes[k] ?? null
    const sure = axis !== null && (found?.sure ?? false)
    const by = told(name, named[k] !== undefined ? 'names' : sure ? 'trying' : 'guess')
    return { name, kind: 'output', axis, shared: false, by, block }
  })
  return [...ofInputs, ...ofOutputs]
}

interface Found {
  places: readonly Place[]
  axes: (number | null)[]
  sure: boolean
  block: number | null
}

/** The places under which the network runs on numbers of no meaning, and its outputs' axes. */
async function tried(core: Core, options: CallOptions): Promise<Found | undefined> {
  const { architecture } = core
  const { inputs, outputs, output } = architecture
  const hypotheses = architecture.places ? [architecture.places] : architecture.hypotheses
  let best: { feeds: Feed[]; result: TryResult } | undefined
  for (const size of trialSizes) {
    if (hypotheses.some((places) => numbersOf(inputs, places, size) > mostNumbers)) break
    const feeds = hypotheses.map((places) => madeUp(inputs, places, size))
    const result = await core.tryFeeds(feeds, options)
    if (result.apart) best = { feeds, result }
    else if (result.found >= 0) best ??= { feeds, result }
    const isFixed = inputs.every(({ shape }) =>
      shape?.every((length) => typeof length === 'number'),
    )
    if (result.apart || isFixed) break
  }
  if (!best) return undefined
  const { feeds, result } = best
  const { found, axis, apart, block = null } = result
  const [places, x] = [hypotheses[found] as readonly Place[], feeds[found] as Feed]
  const axes: (number | null)[] = []
  for (const info of outputs.slice(0, mostOutputs)) {
    const { name } = info
    if (name === output) axes.push(axis)
    else if (namedAxis(info, inputs, places) !== undefined) axes.push(null)
    else axes.push((await core.tryFeeds([x], options, name)).axis)
  }
  // One sample at a time runs whatever the axis.
  const single = feeds.filter((feed) => architecture.batch(feed) === 1)
  const sure = apart && (single.length === 1 || architecture.batch(x) !== 1)
  return { places, axes, sure, block }
}

/** Two samples as a caller would give them, all free sizes alike. */
function madeUpShape({ shape, freed }: ValueInfo, place: Place, size: number): number[] {
  const sizes = (shape ?? [2]).map((length, axis) => {
    if (axis === place) return 2
    if (axis === freed?.axis) return freed.size
    return typeof length === 'number' ? length : size
  })
  return place === 'one' ? [2, ...sizes] : sizes
}

function numbersOf(infos: readonly ValueInfo[], places: readonly Place[], size: number): number {
  return infos.reduce(
    (sum, info, k) => sum + shapeSize(madeUpShape(info, places[k] as Place, size)),
    0,
  )
}

function madeUp(infos: readonly ValueInfo[], places: readonly Place[], size: number): Feed {
  const inputs = infos.map((info, k): [string, NdArray] => [
    info.name,
    numbers(info, madeUpShape(info, places[k] as Place, size)),
  ])
  return feedOf(Object.fromEntries(inputs), { infos, places })
}

function numbers({ type }: ValueInfo, shape: number[]): NdArray {
  const kind: DType = type === null || type === 'float16' || type === 'bfloat16' ? 'float32' : type
  const data = zeros(kind, shapeSize(shape))
  // Small numbers are indices that most tables have.
  for (let e = 0; e < data.length; e += 1) {
    // (one number alone may be a rate, to divide by).
    const whole = data.length === 1 ? 1 : e % 2
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[e] = BigInt(whole)
    else data[e] = kind.startsWith('float') ? Math.sin(e + 1) : whole
  }
  const array: NdArray = { data, shape }
  return kind === 'bool' && dtypeOf(array) !== 'bool' ? { ...array, boolean: true } : array
}
