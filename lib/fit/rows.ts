// Predictions of samples that are read block by block.

import { badArgument, mismatch } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { threadCount } from '../core/threads.js'
import { type ArraySource, isSource, type NdArray, rowBytes, rowsOf, wholeOf } from '../io/index.js'
import { inAnyOrder, isIterable } from '../io/spool.js'
import { type CallOptions, type Core, cores } from '../model/core.js'
import type { Inputs, Samples } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { NetworkModel } from './network.js'

/**
 * Samples that may be larger than memory: a source, or for each input by name a source, an array or a
 * number that all samples share; blocks of rows one after another are kept in a temporary file.
 */
export type InputSources =
  | ArraySource
  | AsyncIterable<NdArray>
  | Readonly<Record<string, Samples | number | bigint>>

/** A block's inputs and results take about so many bytes, or a sixteenth of the memory budget. */
const blockBytes = 1 << 25
/** Samples that tell what the network makes of one. */
const few = 3
/** Samples of a block: more make nothing faster. */
const most = 4096

/** Samples that are predicted together. */
export interface SampleBlock {
  /** The first of them, and how many they are, of how many; null where the block is all of them. */
  rows: { from: number; count: number; length: number } | null
  inputs: Inputs
}

/**
 * What {@link NetworkModel.predict} computes, block by block, so that neither samples nor predictions
 * have to fit into memory. Rows are read once and in order. Where samples do not lie along the first
 * axis of their arrays, or the network is a function of all of them, they are one block.
 *
 * ```ts
 * const source = await openArray('images.npy')
 * for await (const block of predictRows(fitted, network, source)) console.log(block.shape)
 * ```
 * @returns (n, O) for each block of n samples, in order
 * @throws TangentError as {@link NetworkModel.predict} does
 * @since 0.2.0
 * @example
 * ```js
 * import {
 *   buildMlp,
 *   fitFixed,
 *   Network,
 *   openArray,
 *   predictRows,
 *   writeNpy,
 * } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
 * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
 * const y = { data: Float32Array.of(1, 2, 3), shape: [3, 1] }
 * const fitted = await fitFixed(network, x, y, { ridge: 0.1 })
 * await writeNpy('many.npy', x)
 * const source = await openArray('many.npy')
 * for await (const { shape } of predictRows(fitted, network, source))
 *   console.log(shape.join(' × '))
 * await source.close?.()
 * await network.dispose()
 * // 3 × 1
 * ```
 */
export async function* predictRows(
  fitted: NetworkModel,
  network: Network,
  x: InputSources,
  options: CallOptions = {},
): AsyncGenerator<NdArray<Float64Array>> {
  checkCall(options)
  if (!(fitted instanceof NetworkModel)) throw badArgument('fitted', 'a NetworkModel', fitted)
  const { onProgress } = options
  const begun = performance.now()
  const tell = (done: number) => {
    const seconds = (performance.now() - begun) / 1000
    const remaining = done > 0.01 ? (seconds * (1 - done)) / done : null
    onProgress?.({ fraction: Math.min(1, done), remaining })
  }
  for await (const { rows, inputs } of sampleBlocks(network, x, options)) {
    const { from, count, length } = rows ?? { from: 0, count: 1, length: 1 }
    yield await fitted.predict(network, inputs, {
      ...options,
      onProgress: onProgress && (({ fraction }) => tell((from + count * fraction) / length)),
    })
    tell((from + count) / length)
  }
}

/** Samples block by block, each small compared with the memory budget. */
export async function* sampleBlocks(
  network: Network,
  x: InputSources,
  options: CallOptions = {},
): AsyncGenerator<SampleBlock> {
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  const { sources, others } = await samplesIn(network, x)
  const byRows = await rowsAmong(core, network, sources, options)
  for (const [name, source] of sources) {
    if (!byRows?.has(name)) others.set(name, await wholeOf(source, titled(name)))
  }
  const length = byRows && commonLength(byRows)
  if (!byRows || length === null) {
    yield { rows: null, inputs: inputsOf(new Map(), others) }
    return
  }
  const read = async (first: number, count: number): Promise<Arrays> => {
    const own: Arrays = new Map()
    for (const [name, source] of byRows) {
      own.set(name, await rowsOf(source, first, count, titled(name)))
    }
    return own
  }
  const some = Math.min(few, length)
  let ahead: Arrays | undefined = await read(0, some)
  const size = await blockSize(core, inputsOf(ahead, others), [...byRows.values()], options)
  for (let from = 0; from < length; ) {
    const count = Math.min(size, length - from)
    // Rows are read once: the first few are there.
    const arrays = ahead ? joined(ahead, await read(some, count - some)) : await read(from, count)
    ahead = undefined
    yield { rows: { from, count, length }, inputs: inputsOf(arrays, others) }
    from += count
  }
}

/** How many samples will come in blocks; null where they come all at once. */
export async function sampleCount(
  network: Network,
  x: InputSources,
  options: CallOptions = {},
): Promise<number | null> {
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  const byRows = await rowsAmong(core, network, (await samplesIn(network, x)).sources, options)
  return byRows && commonLength(byRows)
}

const titled = (name: string) => `input ${JSON.stringify(name)}`

type Arrays = Map<string, NdArray>
type Others = ReadonlyMap<string, NdArray | number | bigint>

function inputsOf(arrays: Arrays, others: Others): Inputs {
  // Without a prototype: an input may be called __proto__.
  return Object.assign(Object.create(null), Object.fromEntries([...others, ...arrays]))
}

/** What is read, and what is there. */
async function samplesIn(network: Network, x: InputSources) {
  const of = 'a source of rows, or one for each input by name'
  if (typeof x !== 'object' || x === null) throw badArgument('x', of, x)
  const alone = isSource(x) || isIterable(x)
  const named = alone ? { [network.inputs[0]?.name ?? '']: x } : x
  const sources = new Map<string, ArraySource>()
  const others = new Map<string, NdArray | number | bigint>()
  for (const [name, value] of Object.entries(named)) {
    if (isIterable(value)) sources.set(name, await inAnyOrder(value, titled(name)))
    else if (isSource(value)) sources.set(name, value)
    else others.set(name, value)
  }
  if (sources.size === 0) throw badArgument('x', of, x)
  return { sources, others }
}

/** Sources whose rows are samples; null where a sample is no row, or may depend on the others. */
async function rowsAmong(
  core: Core,
  network: Network,
  sources: ReadonlyMap<string, ArraySource>,
  options: CallOptions,
): Promise<Map<string, ArraySource> | null> {
  const { architecture } = core
  if (architecture.whole || architecture.pending) return null
  const axes = await network.batchAxes({ signal: options.signal })
  const inputs = axes.filter(({ kind }) => kind === 'input')
  const known = inputs.every(({ axis, shared, by }) => by !== 'guess' && (shared || !axis))
  if (!known) return null
  const shared = new Set(inputs.filter((input) => input.shared).map(({ name }) => name))
  const rows = new Map([...sources].filter(([name]) => !shared.has(name)))
  return rows.size > 0 ? rows : null
}

function commonLength(sources: ReadonlyMap<string, ArraySource>): number | null {
  let first: [string, number] | undefined
  for (const [name, { length }] of sources) {
    first ??= [name, length]
    if (length === first[1]) continue
    const expected = `${first[1]} samples as for ${JSON.stringify(first[0])}`
    throw mismatch(`${titled(name)} of x`, expected, `${length}`)
  }
  return first?.[1] ?? null
}

/** Samples in a block: a multiple of those that the file takes at once. */
async function blockSize(
  core: Core,
  some: Inputs,
  sources: readonly ArraySource[],
  options: CallOptions,
): Promise<number> {
  const budget = core.budget(options)
  const x = await core.feed(some, 'x', options)
  const threads = threadCount(options.threads) ?? core.threads
  const { outputs, block } = await core.describe(x, threads, budget, options)
  const together = block?.size ?? 1
  const own = sources.reduce((sum, source) => sum + rowBytes(source), 0)
  // Values, tangents and their sum, in float64.
  const each = own + (24 * outputs) / together
  const room = Math.min(blockBytes, budget / 16)
  const count = Math.max(few, Math.min(most, Math.floor(room / each)))
  return Math.ceil(count / together) * together
}

/** The same inputs, with more rows behind. */
function joined(before: Arrays, after: Arrays): Arrays {
  return new Map(
    [...before].map(([name, a]): [string, NdArray] => {
      const b = after.get(name) as NdArray
      const Kind = a.data.constructor as new (length: number) => NdArray['data']
      const data = new Kind(a.data.length + b.data.length)
      data.set(a.data as never)
      data.set(b.data as never, a.data.length)
      const [count = 0, ...rest] = a.shape
      return [name, { ...a, data, shape: [count + (b.shape[0] ?? 0), ...rest] }]
    }),
  )
}
