// What the caller gives as X → what onnxruntime takes, checked.

import { badArgument, TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import type { Place } from '../graph/axes.js'
import { axisToFirst, picked } from '../io/axes.js'
import { gather } from '../io/gather.js'
import { isArray } from '../io/held.js'
import {
  type ArraySource,
  checkArray,
  type DType,
  dtypeOf,
  isSource,
  type NdArray,
  rowSize,
  rowsOf,
  type TypedArray,
  zeros,
} from '../io/index.js'
import { type Dimension, isRealName, type ValueInfo } from '../onnx/index.js'
import type { Feed, FeedArray, FeedType } from '../runtime/protocol.js'

/**
 * An array, or one that is read by rows as they are needed and may be larger than memory: what {@link
 * openArray} opens or anything else with `{ length, shape, dtype, rows }`, or blocks of rows one after
 * another, which are kept in a temporary file.
 */
export type Samples = NdArray | ArraySource | AsyncIterable<NdArray>

/**
 * Samples: one array, or one per input of the network by name. N lies along the axis where the file
 * has its batch, which mostly is the first; a file without one takes arrays with N in front. Of an
 * input that all samples share a number, or an array without N. In place of an array a source of rows
 * ({@link Samples}); where samples are no rows, or branches depend on them, it is read whole.
 */
export type Inputs = Samples | Readonly<Record<string, Samples | number | bigint>>

/** The inputs that a file declares, and where each holds its samples. */
export interface Declared {
  infos: readonly ValueInfo[]
  places: readonly Place[]
}

/** Inputs whose rows can be asked for in any order. */
export type SettledInputs =
  | NdArray
  | ArraySource
  | Readonly<Record<string, NdArray | ArraySource | number | bigint>>

/** Inputs as arrays, by name. */
type Named = ReadonlyMap<string, NdArray | ArraySource>

/**
 * Checks the caller's arrays against what the network declares.
 * @throws TangentError BAD_INPUT in one sentence.
 */
export function feedOf(inputs: SettledInputs, { infos, places }: Declared, argument = 'x'): Feed {
  const named = namedArrays(inputs, infos, argument)
  const sizes = new Map<string, number>()
  let samples = -1
  const arrays: FeedArray[] = []
  const shared: FeedArray[] = []
  infos.forEach((info, k) => {
    const place = places[k] as Place
    const array = named.get(info.name) as NdArray | ArraySource
    const label = infos.length > 1 ? `input ${quote(info.name)}` : argument
    if (isSource(array)) checkSource(array, label)
    else checkArray(array, label)
    checkShape(array, info, place, label, sizes)
    if (array.shape.includes(0)) {
      throw bad(
        `Expected at least one sample for ${label} but received the shape ${show(array.shape)}`,
      )
    }
    const feed = isSource(array) ? readAs(array, info, label) : checked(array, info, label)
    if (place === 'shared') {
      shared.push(feed)
      return
    }
    const count = array.shape[place === 'one' ? 0 : place] as number
    if (samples >= 0 && count !== samples) {
      throw bad(
        `Expected ${samples} samples for ${label} as for the other inputs but received ${count}`,
      )
    }
    samples = count
    arrays.push(samplesFirst(feed, place))
  })
  return shared.length > 0 ? { samples, arrays, shared } : { samples, arrays }
}

/** A whole array in the network's type. */
function checked(array: NdArray, info: ValueInfo, label: string): FeedArray {
  const { data, shape } = array
  const type = typeFor(dtypeOf(array), info, label)
  const feed = { name: info.name, type, shape: [...shape], data: convert(data, type, label, shape) }
  checkFinite(feed.data, shape, label)
  return feed
}

/** One whose rows are converted and checked as they are read. */
function readAs(source: ArraySource, { name, ...info }: ValueInfo, label: string): FeedArray {
  const type = typeFor(source.dtype, { name, ...info }, label)
  const read = async (first: number, count: number) => {
    const { data, shape } = await rowsOf(source, first, count, label)
    const own = convert(data, type, label, shape, first)
    checkFinite(own, shape, label, first)
    return own
  }
  return { name, type, shape: [...source.shape], data: zeros(type, 0), read }
}

function checkSource({ length, shape }: ArraySource, label: string): void {
  const sizes =
    Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0)
  if (!sizes) throw badArgument(`${label}.shape`, 'a list of whole numbers ≥ 0', shape)
  const [rows = 1] = shape
  if (length !== rows) throw badArgument(`${label}.length`, `${rows}, as its shape says,`, length)
}

/** The array as feeds hold it. */
function samplesFirst(array: FeedArray, place: number | 'one'): FeedArray {
  if (place === 0) return array
  if (place === 'one') return { ...array, axis: null }
  const { data, shape } = array
  const moved = [shape[place] as number, ...shape.toSpliced(place, 1)]
  return { ...array, data: axisToFirst(data as never, shape, place), shape: moved, axis: place }
}

/** Do the shapes of the caller's arrays allow these places? */
export function placesFit(
  inputs: SettledInputs,
  { infos, places }: Declared,
  argument: string,
): boolean {
  const named = namedArrays(inputs, infos, argument)
  const counts = infos.flatMap((info, k) => {
    const place = places[k] as Place
    const given = named.get(info.name)?.shape
    if (!Array.isArray(given)) return [-1]
    const expected = expectedShape(info, place)
    if (!expected) return given.length > 0 ? [given[0] as number] : [-1]
    const axis = place === 'one' ? 0 : place
    const fits =
      given.length === expected.length &&
      expected.every((size, d) => d === axis || typeof size !== 'number' || size === given[d])
    if (!fits) return [-1]
    return axis === 'shared' ? [] : [given[axis] as number]
  })
  return counts.length > 0 && counts.every((count) => count > 0 && count === counts[0])
}

/** The given samples of inputs, as the caller gives them. */
export async function samplesOf(
  inputs: SettledInputs,
  { infos, places }: Declared,
  chosen: readonly number[],
): Promise<SettledInputs> {
  type One = NdArray | ArraySource | number | bigint
  const take = async (array: One, place: Place | undefined) => {
    if (typeof array !== 'object' || place === 'shared') return array
    if (isSource(array)) return rowsAmong(array, chosen)
    return picked(array, typeof place === 'number' ? place : 0, chosen)
  }
  if (isArray(inputs) || isSource(inputs)) {
    return (await take(inputs, places[0])) as NdArray
  }
  const placeOf = (name: string) => places[infos.findIndex((info) => info.name === name)]
  const taken: [string, One][] = []
  for (const [name, array] of Object.entries(inputs)) {
    taken.push([name, await take(array, placeOf(name))])
  }
  return Object.fromEntries(taken)
}

/** Some rows of a source. */
async function rowsAmong(source: ArraySource, chosen: readonly number[]): Promise<NdArray> {
  const size = rowSize(source)
  const data = zeros(source.dtype, chosen.length * size) as TypedArray
  await gather(chosen, data, size, async (first, count) => {
    return (await rowsOf(source, first, count, 'the samples')).data
  })
  const array: NdArray = { data, shape: [chosen.length, ...source.shape.slice(1)] }
  return source.dtype === 'bool' ? { ...array, boolean: true } : array
}

const bad = (message: string) => new TangentError('BAD_INPUT', message)
const show = (shape: readonly unknown[]) => `(${shape.map((size) => size ?? '?').join(', ')})`

/** What the caller's array is to have, `N` for the samples; null where the rank is not known. */
function expectedShape({ shape, freed }: ValueInfo, place: Place): Dimension[] | null {
  if (!shape) return null
  if (typeof place === 'number') return shape.with(place, 'N')
  // What was no batch is as the file has it.
  const own = freed ? shape.with(freed.axis, freed.size) : shape
  return place === 'shared' ? [...own] : ['N', ...own]
}

/** The caller's arrays by name; numbers become arrays. */
function namedArrays(inputs: SettledInputs, infos: readonly ValueInfo[], argument: string): Named {
  if (typeof inputs !== 'object' || inputs === null) {
    throw badArgument(argument, 'an array { data, shape } or one for each input', inputs)
  }
  const names = infos.map(({ name }) => name)
  if (isArray(inputs) || isSource(inputs)) {
    const [only] = names
    if (only === undefined || names.length > 1) {
      throw bad(
        `Expected arrays by name for ${argument} (${names.map(quote).join(', ')}) but received one array`,
      )
    }
    return new Map([[only, inputs]])
  }
  for (const name of Object.keys(inputs)) {
    if (!names.includes(name)) {
      throw bad(
        `Expected ${names.map(quote).join(', ')} for the inputs in ${argument} but received ${quote(name)}`,
      )
    }
  }
  return new Map(
    infos.map((info) => {
      const { name } = info
      const given = Object.hasOwn(inputs, name) ? inputs[name] : undefined
      if (given === undefined || given === null)
        throw bad(`Expected an array for input ${quote(name)} in ${argument} but received none`)
      return [name, typeof given === 'object' ? given : numberArray(given, info)]
    }),
  )
}

/** A number as an array of the input's type, and of its shape where that holds one number. */
function numberArray(value: number | bigint, { name, type, shape }: ValueInfo): NdArray {
  const rank = shape?.length ?? 0
  const kind: DType = type === null || type === 'float16' || type === 'bfloat16' ? 'float32' : type
  const data = zeros(kind, 1)
  const big = data instanceof BigInt64Array || data instanceof BigUint64Array
  try {
    data[0] = (big ? BigInt(value) : Number(value)) as never
  } catch {
    data[0] = (big ? -1n : Number.NaN) as never
  }
  const float = data instanceof Float32Array || data instanceof Float64Array
  if (!float && Number(data[0]) !== Number(value)) {
    throw bad(`Expected ${type} numbers for input ${quote(name)} but received ${value}`)
  }
  const array: NdArray = { data, shape: Array.from({ length: rank }, () => 1) }
  return kind === 'bool' ? { ...array, boolean: true } : array
}

function checkShape(
  array: NdArray | ArraySource,
  info: ValueInfo,
  place: Place,
  label: string,
  sizes: Map<string, number>,
): void {
  const expected = expectedShape(info, place)
  if (!expected) {
    if (array.shape.length > 0) return
    throw bad(
      `Expected an array whose first dimension is the samples for ${label} but received a number`,
    )
  }
  const wrong = () =>
    bad(`Expected the shape ${show(expected)} for ${label} but received ${show(array.shape)}`)
  if (array.shape.length !== expected.length) throw wrong()
  expected.forEach((size, axis) => {
    const given = array.shape[axis] as number
    if (axis === (place === 'one' ? 0 : place)) return
    if (typeof size === 'number' && size !== given) throw wrong()
    if (isRealName(size)) {
      const before = sizes.get(size)
      if (before !== undefined && before !== given) {
        throw bad(
          `Expected one size for the dimension ${quote(size)} of the inputs but received ${before} and ${given}`,
        )
      }
      sizes.set(size, given)
    }
  })
}

const integers: readonly DType[] = [
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
]

/** Floats of another width and integers of another width are converted, nothing else is. */
function typeFor(from: DType, { type: to, typeName }: ValueInfo, label: string): FeedType {
  if (to === null || to === 'float16' || to === 'bfloat16') {
    throw new TangentError(
      'UNSUPPORTED',
      `Expected a network whose inputs are float32, float64, integers or booleans but ${label} is ${typeName}`,
    )
  }
  const floats: readonly DType[] = ['float32', 'float64']
  const alike = [floats, integers].some((kind) => kind.includes(from) && kind.includes(to))
  if (from === to || alike) return to
  const scaled = integers.includes(from) && floats.includes(to)
  const advice = scaled ? '; normalized, or --scale, --mean and --std, make floats of them' : ''
  throw bad(`Expected ${to} numbers for ${label} but received an array of type ${from}${advice}`)
}

/** @param first row of the whole that the numbers begin at, for messages */
function convert(
  from: NdArray['data'],
  to: FeedType,
  label: string,
  shape: readonly number[],
  first = 0,
): FeedArray['data'] {
  const data = zeros(to, 0)
  if (from.constructor === data.constructor) return from
  if (data instanceof Float32Array) return Float32Array.from(from as Float64Array)
  if (data instanceof Float64Array) return Float64Array.from(from as Float32Array)
  const own = zeros(to, from.length)
  const big = own instanceof BigInt64Array || own instanceof BigUint64Array
  for (let e = 0; e < own.length; e += 1) {
    const value = from[e] as number | bigint
    own[e] = (big ? BigInt(value) : Number(value)) as never
    if (BigInt(own[e] as number | bigint) !== BigInt(value)) {
      const at = place(e, shape, first)
      throw bad(`Expected ${to} numbers for ${label} but received ${value} at ${at}`)
    }
  }
  return own
}

function checkFinite(
  data: FeedArray['data'],
  shape: readonly number[],
  label: string,
  first = 0,
): void {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return
  for (let e = 0; e < data.length; e += 1) {
    if (!Number.isFinite(data[e])) {
      const at = place(e, shape, first)
      throw bad(`Expected finite numbers for ${label} but received ${data[e]} at ${at}`)
    }
  }
}

/** `[3, 0, 5]`: index of flat entry e, of an array whose first row is number `first`. */
export function place(e: number, shape: readonly number[], first = 0): string {
  const index: number[] = []
  let rest = e
  for (const size of [...shape].reverse()) {
    index.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  if (index.length > 0) index[0] = (index[0] as number) + first
  return `[${index.join(', ')}]`
}
