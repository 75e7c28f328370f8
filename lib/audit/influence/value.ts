// A head that is any value of the graph.
import { badArgument, mismatch, TangentError } from '../../core/errors.js'
import { didYouMean } from '../../core/nearest.js'
import { shapeSize } from '../../core/shape.js'
import { checkArray, type NdArray } from '../../io/index.js'
import type { CallOptions, Core } from '../../model/core.js'
import type { Network } from '../../network/network.js'
import type { Picker } from '../kernels.js'
import { type HeadOfValue, labelPlaces } from './heads.js'

/** A value of the graph as the queries ask for it. */
export interface AskedValue {
  head: HeadOfValue
  name: string
  /** Numbers of each sample. */
  width: number
  /** (N2, width): the head is their sum with the value's numbers. */
  weights: Float64Array
  /** The value itself, (N2, width). */
  numbers: Float64Array
  /** The head of every query, (N2). */
  values: Float64Array
}

/** What a caller names, checked before any work. */
export function checkValue({ architecture }: Core, head: HeadOfValue): void {
  const { value } = head
  const names = architecture.valueNames
  if (typeof value === 'string' && names.includes(value)) return
  const { message, code } = badArgument(
    'options.head.value',
    'the name of a value of the graph',
    value,
  )
  throw new TangentError(code, `${message}${didYouMean(value, names)}`)
}

/** The head of every query. */
export async function askedValue(
  network: Network,
  query: Picker,
  head: HeadOfValue,
  labels: NdArray | undefined,
  common: CallOptions,
): Promise<AskedValue> {
  const name = head.value
  const known = (await network.values()).find((value) => value.name === name)
  if (!known?.differentiable) {
    throw badArgument(
      'options.head.value',
      'a float32 value with a derivative by the parameters',
      name,
    )
  }
  const { data, shape } = await network.run(query.all, { ...common, output: name })
  const width = shapeSize(shape.slice(1))
  if (shape[0] !== query.samples) {
    const expected = `a value with a row for each of ${query.samples} samples`
    throw mismatch('options.head.value', expected, `${name} (${shape.join(', ')})`)
  }
  const weights = weightsOf(head, labels, query.samples, width)
  const numbers = Float64Array.from(data as ArrayLike<number>, Number)
  const values = Float64Array.from({ length: query.samples }, (_, q) => {
    let sum = 0
    for (let e = q * width; e < (q + 1) * width; e += 1)
      sum += (weights[e] as number) * (numbers[e] as number)
    return sum
  })
  const bad = values.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0) {
    throw new TangentError('NUMERICAL', `The value ${name} of query ${bad} is ${values[bad]}`)
  }
  return { head, name, width, weights, numbers, values }
}

/** (N2, width) */
function weightsOf(
  { weights, value }: HeadOfValue,
  labels: NdArray | undefined,
  samples: number,
  width: number,
): Float64Array {
  if (weights !== undefined && labels !== undefined) {
    throw badArgument('options.labels', 'none with options.head.weights', labels)
  }
  if (weights === undefined) {
    const all = new Float64Array(samples * width)
    if (width === 1 && labels === undefined) return all.fill(1)
    if (labels === undefined) {
      const expected = `options.labels (which of the ${width} numbers of ${value}) or weights (${width})`
      throw mismatch('options.head', expected, 'neither')
    }
    // Of one number 0 is the only place.
    const { places } = labelPlaces(labels, samples, Math.max(2, width), 'options.labels')
    places.forEach((place, q) => {
      if (place >= width) throw badArgument('options.labels', '0 for a value of one number', place)
      all[q * width + place] = 1
    })
    return all
  }
  const name = 'options.head.weights'
  const list = Array.isArray(weights)
  if (!list) checkArray(weights as NdArray, name)
  const { data, shape } = list
    ? { data: weights as readonly number[], shape: [weights.length] }
    : (weights as NdArray)
  const [rows, columns, ...rest] = shape
  const shared = shape.length === 1 && rows === width
  if (!shared && !(rows === samples && columns === width && rest.length === 0)) {
    const expected = `${width} numbers, or an array (${samples}, ${width})`
    throw mismatch(name, expected, `an array (${shape.join(', ')})`)
  }
  const all = Float64Array.from({ length: samples * width }, (_, e) =>
    Number(data[shared ? e % width : e]),
  )
  const bad = all.find((one) => !Number.isFinite(one))
  if (bad !== undefined) throw badArgument(name, 'finite numbers', bad)
  return all
}
