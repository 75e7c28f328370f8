// What the samples should give: classes by number, by name or one-hot, or numbers.
import { badArgument, mismatch, TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import { classesOf } from '../io/classes.js'
import { checkArray, isFloat, type NdArray } from '../io/index.js'
import { checkTargets } from '../linear/checks.js'

/**
 * Targets of N samples:
 * - texts, or integers (N) or (N, 1): classes, a column each in ascending order;
 * - (N, C) with one 1 in every row and 0 elsewhere: classes one-hot, labels 0 to C − 1;
 * - other numbers (N, O), or (N) of one output.
 */
export type AdaptTargets = NdArray | readonly string[]

/** What targets are taken for. */
export type TargetKind = 'auto' | 'classes' | 'numbers'

/** Classes, a column each. */
export interface ClassTargets {
  kind: 'classes'
  /** By column: the label as it was given. */
  labels: readonly (number | string)[]
  /** Of each sample its column. */
  of: Int32Array
}

/** Numbers, finite. */
export interface NumberTargets {
  kind: 'numbers'
  columns: number
  /** (N, columns) */
  values: Float64Array
}

export type Targets = ClassTargets | NumberTargets

/**
 * Reads targets.
 * @param samples N
 * @param labels those of the columns, where they are known; others are refused
 * @throws TangentError BAD_ARGUMENT, BAD_INPUT for numbers that are not finite
 */
export function readTargets(
  y: AdaptTargets,
  samples: number,
  {
    kind,
    labels,
    name,
  }: { kind: TargetKind; labels?: ClassTargets['labels'] | undefined; name: string },
): Targets {
  if (Array.isArray(y)) {
    if (kind === 'numbers') throw badArgument(name, 'an array of numbers', y)
    return inColumns(textsOf(y, name), samples, labels, name)
  }
  const array = y as NdArray
  checkArray(array, name)
  const [rows, columns = 1, ...rest] = array.shape
  if (rows !== samples || rest.length > 0 || columns < 1) {
    throw mismatch(
      name,
      `targets of ${samples} samples, (${samples}) or (${samples}, columns)`,
      `an array (${array.shape.join(', ')})`,
    )
  }
  const values = Float64Array.from(array.data as ArrayLike<number>, Number)
  const given = kind === 'numbers' ? null : classesIn(values, columns, kind, array, name)
  if (given) return inColumns(given.of, samples, labels ?? given.labels, name)
  if (labels) throw mismatch(name, 'classes, as the other targets are', 'numbers')
  return { kind: 'numbers', columns, values: checkTargets(values, values.length) }
}

interface Found {
  of: readonly number[]
  /** Of one-hot targets, all of them. */
  labels?: number[]
}

/** Labels, where targets are classes. */
function classesIn(
  values: Float64Array,
  columns: number,
  kind: TargetKind,
  array: NdArray,
  name: string,
): Found | null {
  if (columns > 1) {
    const of = oneHotPlaces(values, columns)
    if (of) return { of, labels: Array.from({ length: columns }, (_, k) => k) }
    if (kind !== 'classes') return null
    throw mismatch(name, 'classes (N), or (N, C) with a single 1 in every row', 'other numbers')
  }
  if (isFloat(array) && kind !== 'classes') return null
  const bad = values.find((value) => !Number.isSafeInteger(value))
  if (bad !== undefined) throw badArgument(name, 'classes as whole numbers', bad)
  return { of: [...values] }
}

function oneHotPlaces(values: Float64Array, columns: number): number[] | null {
  const places: number[] = []
  for (let at = 0; at < values.length; at += columns) {
    const row = values.subarray(at, at + columns)
    const ones = row.reduce((sum, value) => sum + value, 0)
    if (ones !== 1 || row.some((value) => value !== 0 && value !== 1)) return null
    places.push(row.indexOf(1))
  }
  return places
}

function textsOf(y: readonly unknown[], name: string): string[] {
  const bad = y.find((value) => typeof value !== 'string')
  if (bad !== undefined) {
    throw badArgument(`the labels in ${name}`, 'texts (numbers come as an array with a shape)', bad)
  }
  return y as string[]
}

/** The column of every sample. */
function inColumns(
  given: readonly (number | string)[],
  samples: number,
  known: ClassTargets['labels'] | undefined,
  name: string,
): ClassTargets {
  if (given.length !== samples) throw mismatch(name, `${samples} labels`, `${given.length}`)
  const labels = known ?? ascending(given)
  const columns = new Map(labels.map((label, column) => [label, column]))
  const of = Int32Array.from(given, (label) => {
    const column = columns.get(label)
    if (column !== undefined) return column
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected labels for ${name} that are among the ${labels.length} classes (${some(labels)}) but received ${shown(label)}`,
    )
  })
  return { kind: 'classes', labels, of }
}

function ascending(given: readonly (number | string)[]): (number | string)[] {
  if (typeof given[0] !== 'string') return classesOf(given as number[]).labels
  return [...new Set(given as string[])].sort((a, b) => (a < b ? -1 : 1))
}

const shown = (label: number | string) => (typeof label === 'string' ? quote(label) : String(label))

function some(labels: ClassTargets['labels']): string {
  const few = labels.length > 6 ? [...labels.slice(0, 3), '…', ...labels.slice(-1)] : labels
  return few.map((label) => (label === '…' ? label : shown(label))).join(', ')
}

/** Columns that a network would need for these. */
export const columnsOf = (targets: Targets) =>
  targets.kind === 'classes' ? targets.labels.length : targets.columns

/** Those of some samples. */
export function targetsAt<T extends Targets>(targets: T, rows: readonly number[]): T {
  if (targets.kind === 'classes') {
    return { ...targets, of: Int32Array.from(rows, (row) => targets.of[row] as number) }
  }
  const { columns, values } = targets as NumberTargets
  const own = new Float64Array(rows.length * columns)
  rows.forEach((row, at) => {
    own.set(values.subarray(row * columns, (row + 1) * columns), at * columns)
  })
  return { ...targets, values: own }
}

/**
 * Numbers (N, outputs) to fit: one-hot classes, or −1 and 1 of two for one output.
 * @param outputs of the network that is fitted
 */
export function numbersFor(targets: Targets, outputs: number): Float64Array {
  if (targets.kind === 'numbers') return targets.values
  const { of } = targets
  if (outputs === 1) return Float64Array.from(of, (column) => 2 * column - 1)
  const numbers = new Float64Array(of.length * outputs)
  of.forEach((column, i) => {
    numbers[i * outputs + column] = 1
  })
  return numbers
}

/** @throws TangentError BAD_ARGUMENT for targets of which nothing can be learned. */
export function checkVaried(targets: Targets, name: string): void {
  if (targets.kind === 'classes') {
    const occurring = new Set(targets.of)
    if (occurring.size > 1) return
    const label = targets.labels[targets.of[0] as number] as number | string
    throw mismatch(name, 'at least two classes', `the label ${shown(label)} for all samples`)
  }
  const { columns, values } = targets
  if (values.some((value, e) => value !== values[e % columns])) return
  throw mismatch(name, 'numbers that differ between samples', 'the same for all of them')
}
