// Sources among a call's inputs: which are read by rows, and which have to be read whole.
import { TangentError } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'
import type { Place } from '../graph/axes.js'
import { isArray } from '../io/held.js'
import { type ArraySource, isSource, type NdArray, rowBytes, wholeOf } from '../io/index.js'
import { inAnyOrder, isIterable } from '../io/spool.js'
import type { Declared, Inputs, Samples, SettledInputs } from './inputs.js'

type One = Samples | number | bigint

const isRows = (value: unknown): value is ArraySource | AsyncIterable<NdArray> =>
  isSource(value) || isIterable(value)

/** Is anything read by rows? */
export function hasSources(inputs: Inputs): boolean {
  if (typeof inputs !== 'object' || inputs === null || isArray(inputs)) return false
  return isRows(inputs) || Object.values(inputs).some(isRows)
}

/** Each of the inputs changed in one way. */
async function eachInput(
  inputs: Inputs,
  change: (rows: ArraySource | AsyncIterable<NdArray>, name: string | undefined) => unknown,
): Promise<SettledInputs> {
  if (isRows(inputs)) return (await change(inputs, undefined)) as NdArray
  // Without a prototype: an input may be called __proto__.
  const own = Object.create(null) as Record<string, NdArray>
  for (const [name, value] of Object.entries(inputs as Record<string, One>)) {
    own[name] = (isRows(value) ? await change(value, name) : value) as NdArray
  }
  return own
}

/** Rows that come in order only, or once, as some that can be asked for in any order. */
export function settled(inputs: Inputs, argument: string): Promise<SettledInputs> {
  return eachInput(inputs, (rows, name) => inAnyOrder(rows, titled(name, argument)))
}

/**
 * With those sources in memory whose rows are no samples at these places.
 * @param all because the network is a function of all samples, or takes branches that they decide
 */
export function withWhole(
  inputs: SettledInputs,
  { infos, places }: Declared,
  { argument, all, budget }: { argument: string; all: boolean; budget: number },
): Promise<SettledInputs> {
  return eachInput(inputs, async (source, name) => {
    const k = name === undefined ? 0 : infos.findIndex((info) => info.name === name)
    const place: Place | undefined = places[k]
    if (!isSource(source) || (!all && (place === 0 || place === 'one'))) return source
    const known = inMemory.get(source)?.deref()
    if (known) return known
    const bytes = source.length * rowBytes(source)
    if (bytes > budget) {
      const why = all
        ? 'the network needs all samples at once'
        : place === 'shared'
          ? 'all samples share them'
          : `samples lie along axis ${place}`
      throw new TangentError(
        'MEMORY_BUDGET',
        `The rows of ${titled(name, argument)} have to be read whole, as ${why}: they take ${formatBytes(bytes)} but the memory budget is ${formatBytes(budget)}`,
      )
    }
    const array = await wholeOf(source, titled(name, argument))
    inMemory.set(source, new WeakRef(array))
    return array
  })
}

const titled = (name: string | undefined, argument: string) =>
  name === undefined ? argument : `input ${JSON.stringify(name)}`

/** What one call reads more than once. */
const inMemory = new WeakMap<ArraySource, WeakRef<NdArray>>()
