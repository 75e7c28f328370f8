// Scalars of a network's outputs, and their derivatives.
import { badArgument, mismatch } from '../../core/errors.js'
import { classesOf } from '../../io/classes.js'
import { checkArray, type NdArray } from '../../io/index.js'
import { softmax } from '../laplace/likelihood.js'

/**
 * A number of each sample: the output of its label (`logit`), log p/(1 − p) of that label's probability
 * (`margin`), or −log p (`cross-entropy`). Of one output the two labels are its signs, p = 1/(1 + e^{∓f}).
 */
export type Head = 'logit' | 'margin' | 'cross-entropy'

export const heads = ['logit', 'margin', 'cross-entropy'] as const

/**
 * Any float value of the graph with a row for each sample, such as a hidden layer's or one that was appended to the
 * file. `weights` make one number of each row: W for all queries, or (N2, W); without them `labels` tell which of its
 * numbers is meant, where there are several.
 */
export interface HeadOfValue {
  /** The value's name in the graph. */
  value: string
  /** One number of each row: (W) for all queries, (N2, W) by query. */
  weights?: readonly number[] | NdArray | undefined
}

/** Heads of samples at outputs f: their values, and their derivatives by the outputs. */
export interface HeadValues {
  values: Float64Array
  /** ∂head/∂f, (N, O). */
  cotangents: Float64Array
  /** p of each label. */
  probabilities: Float64Array
}

/** The value of a head at outputs (O), and its derivative. */
export function headAt(
  head: Head,
  f: Float64Array,
  label: number,
): { value: number; cotangent: Float64Array; p: number } {
  if (f.length === 1) {
    const sign = label > 0 ? 1 : -1
    const margin = sign * (f[0] as number)
    const p = 1 / (1 + Math.exp(-margin))
    if (head !== 'cross-entropy') {
      return { value: margin, cotangent: Float64Array.of(sign), p }
    }
    const value = margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin
    return { value, cotangent: Float64Array.of(-sign * (1 - p)), p }
  }
  const all = softmax(f)
  const p = all[label] as number
  const own = f[label] as number
  if (head === 'logit') {
    return { value: own, cotangent: f.map((_, o) => Number(o === label)), p }
  }
  const others = f.map((value, o) => (o === label ? Number.NEGATIVE_INFINITY : value))
  const most = others.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const sum = others.reduce((total, value) => total + Math.exp(value - most), 0)
  const margin = own - most - Math.log(sum)
  if (head === 'margin') {
    const shares = softmax(others)
    return { value: margin, cotangent: shares.map((share, o) => (o === label ? 1 : -share)), p }
  }
  const value = margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin
  return { value, cotangent: all.map((share, o) => share - Number(o === label)), p }
}

/** Heads of all samples. @param labels places of outputs; of one output the sign. */
export function headsOf(head: Head, f: Float64Array, labels: readonly number[]): HeadValues {
  const outputs = f.length / labels.length
  const cotangents = new Float64Array(f.length)
  const found = labels.map((label, i) => {
    const one = headAt(head, f.subarray(i * outputs, (i + 1) * outputs), label)
    cotangents.set(one.cotangent, i * outputs)
    return one
  })
  return {
    values: Float64Array.from(found, ({ value }) => value),
    cotangents,
    probabilities: Float64Array.from(found, ({ p }) => p),
  }
}

/**
 * Labels as places of outputs; of one output −1 and 1.
 * @param pair of one output the two labels, where they are known
 */
export function labelPlaces(
  labels: NdArray,
  samples: number,
  outputs: number,
  name: string,
  pair?: readonly number[],
): { places: number[]; pair: readonly number[] } {
  checkArray(labels, name)
  if (labels.shape.length !== 1 || labels.shape[0] !== samples) {
    throw mismatch(name, `classes (${samples})`, `an array (${labels.shape.join(', ')})`)
  }
  const values = Array.from(labels.data as ArrayLike<number | bigint>, Number)
  if (outputs === 1) {
    const known = pair ?? classesOf(values).labels
    const bad = values.find((value) => !known.includes(value))
    if (known.length !== 2 || bad !== undefined) {
      throw badArgument(name, 'two labels of one output', bad ?? known.join(', '))
    }
    return { places: values.map((value) => (value === known[0] ? -1 : 1)), pair: known }
  }
  const bad = values.find((value) => !Number.isInteger(value) || value < 0 || value >= outputs)
  if (bad !== undefined) throw badArgument(name, `classes from 0 to ${outputs - 1}`, bad)
  return { places: values, pair: [] }
}
