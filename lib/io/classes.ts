// What a target means, the same for every call: integers (N,) are classes, all else is numbers.

import { badArgument, TangentError } from '../core/errors.js'
import { isFloat, type NdArray } from './index.js'

/** Labels of samples. */
export interface Classes {
  /** The labels that occur, ascending. */
  labels: number[]
  /** Of each sample, an index into `labels`. */
  of: number[]
}

/** The classes that integers or booleans (N,) are; null for other arrays. */
export function integerClasses(target: NdArray): Classes | null {
  if (target.shape.length !== 1 || isFloat(target)) return null
  return classesOf(Array.from(target.data as ArrayLike<number | bigint>, Number))
}

export function classesOf(values: readonly number[]): Classes {
  const labels = [...new Set(values)].sort((a, b) => a - b)
  const places = new Map(labels.map((label, place) => [label, place]))
  return { labels, of: values.map((value) => places.get(value) as number) }
}

/** What classes are fitted to. */
export interface ClassOutputs {
  /** Flat indices of the outputs, whose numbers the labels are. */
  outputs: readonly number[]
  /** The two labels that one output distinguishes, where they are known (default: those that occur). */
  pair?: readonly number[] | undefined
}

/**
 * Y (N·O) of classes: −1 and 1 of two labels for one output, else 1 in the column of the output
 * that the label is the number of, and 0 in the others.
 * @returns a text where they do not fit: why, and what to do
 */
export function classNumbers(classes: Classes, where: ClassOutputs): Float64Array | string {
  const { labels, of } = classes
  const { outputs, pair = labels } = where
  const instead = 'or store the target as floats, which are fitted as numbers'
  if (outputs.length === 1) {
    const strange = labels.find((label) => !pair.includes(label))
    if (pair.length !== 2 || strange !== undefined) {
      const found = strange === undefined ? some(pair) : `${strange} in addition to ${some(pair)}`
      return `two labels for one output, but there are ${strange === undefined ? pair.length : 'others'} (${found}); fit an output for each class, ${instead}`
    }
    return Float64Array.from(of, (place) => (labels[place] === pair[0] ? -1 : 1))
  }
  const column = new Map(outputs.map((output, place) => [output, place]))
  const bad = labels.find((label) => !column.has(label))
  if (bad !== undefined) {
    return `labels that are numbers of the ${outputs.length} outputs (${some(outputs)}), but ${bad} is among the ${labels.length} (${some(labels)}); take a network with an output for each class, number the classes from 0, ${instead}`
  }
  const numbers = new Float64Array(of.length * outputs.length)
  of.forEach((place, i) => {
    numbers[i * outputs.length + (column.get(labels[place] as number) as number)] = 1
  })
  return numbers
}

/**
 * The same.
 * @throws TangentError BAD_ARGUMENT where they do not fit
 */
export function fittedClasses(classes: Classes, where: ClassOutputs, name: string): Float64Array {
  const numbers = classNumbers(classes, where)
  if (typeof numbers !== 'string') return numbers
  throw new TangentError('BAD_ARGUMENT', `Expected classes for ${name} as ${numbers}`)
}

/** Of many, the first few and the last. */
function some(values: readonly number[]): string {
  const shown = values.length > 6 ? [...values.slice(0, 3), '…', values.at(-1)] : values
  return shown.join(', ')
}

/**
 * Classes (N,) for a loss of classes: whole numbers of any type, each the number of an output.
 * @throws TangentError BAD_ARGUMENT
 */
export function classIndices(values: readonly number[], outputs: number, name: string): Int32Array {
  const bad = values.find((label) => !Number.isInteger(label) || label < 0 || label >= outputs)
  if (bad === undefined) return Int32Array.from(values)
  const { code, message } = badArgument(name, `classes from 0 to ${outputs - 1}`, bad)
  const advice =
    outputs === 1
      ? "two classes of one output are for loss 'squared'"
      : 'take a network with an output for each class, and number the classes from 0'
  throw new TangentError(code, `${message}; ${advice}`)
}
