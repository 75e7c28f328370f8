// What everyone does with samples before and after a fit: choose rows, part them, score them.
import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { picked } from '../io/axes.js'
import { classesOf, integerClasses } from '../io/classes.js'
import { checkArray, type NdArray } from '../io/index.js'
import { permutation, stream } from '../linear/random.js'

/** Arrays by name that have a row for each sample. */
export type SampleArrays = Readonly<Record<string, NdArray>>

/**
 * The given rows of an array: the first so many, or those listed, in the order listed.
 *
 * ```ts
 * const first = take(x, 100)
 * const some = take(x, [4, 0, 4])
 * ```
 * @returns an array of its own, (rows, …)
 * @throws TangentError BAD_ARGUMENT for rows that are not there
 * @since 0.2.0
 * @example
 * ```js
 * import { take } from 'adaptive-tangent'
 *
 * const x = { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2] }
 * console.log(take(x, 1).data.join(' '), '|', take(x, [2, 0]).data.join(' '))
 * // 1 2 | 5 6 1 2
 * ```
 */
export function take<T extends NdArray>(array: T, rows: number | readonly number[]): T {
  const length = rowsIn(array, 'array')
  if (typeof rows === 'number') {
    wholeNumber('rows', rows, 0, length)
    return picked(array, 0, range(rows)) as T
  }
  if (!Array.isArray(rows)) throw badArgument('rows', 'a number of rows, or a list of them', rows)
  for (const row of rows) wholeNumber('rows', row, 0, length - 1)
  return picked(array, 0, rows) as T
}

/** Options of {@link split}. */
export interface SplitOptions {
  /** The first part's share of the samples, between 0 and 1 (default: 0.8). */
  fraction?: number | undefined
  /** Which of all random splits (default: 0). */
  seed?: number | undefined
  /** Classes (N) that both parts hold in equal shares, as far as their numbers allow. */
  classes?: NdArray | undefined
}

/**
 * Parts samples in two at random, the same for the same seed on every machine; rows stay in order.
 *
 * ```ts
 * const [train, test] = split({ x, y }, { fraction: 0.75, seed: 1, classes: y })
 * const fitted = await fitAdaptive(network, train.x, train.y)
 * ```
 * @param arrays an array, or several by name, with the same number of rows
 * @throws TangentError BAD_ARGUMENT
 * @since 0.2.0
 * @example
 * ```js
 * import { split } from 'adaptive-tangent'
 *
 * const x = { data: Float32Array.from({ length: 10 }, (_, i) => i), shape: [10] }
 * const [train, test] = split(x, { fraction: 0.7 })
 * console.log(train.shape[0], test.shape[0])
 * // 7 3
 * ```
 */
export function split<T extends NdArray | SampleArrays>(
  arrays: T,
  options: SplitOptions = {},
): [T, T] {
  checkCall(options)
  if (typeof arrays !== 'object' || arrays === null) {
    throw badArgument('arrays', 'an array, or arrays by name', arrays)
  }
  const single = ArrayBuffer.isView((arrays as NdArray).data)
  const named = single ? { '': arrays as NdArray } : (arrays as SampleArrays)
  const length = commonLength(named)
  const chosen = chosenRows(length, options)
  const parts = [true, false].map((first) => {
    const rows = range(length).filter((row) => chosen.has(row) === first)
    if (single) return take(arrays as NdArray, rows)
    return Object.fromEntries(Object.entries(named).map(([name, all]) => [name, take(all, rows)]))
  })
  return parts as [T, T]
}

/**
 * Classes (N) as numbers (N, C), 1 in the column of each sample's class and 0 elsewhere.
 *
 * ```ts
 * oneHot({ data: Int32Array.of(2, 0), shape: [2] }, 3).data // 0 0 1  1 0 0
 * ```
 * @param labels whole numbers from 0 on
 * @param count C (default: one more than the largest label)
 * @throws TangentError BAD_ARGUMENT for labels that are no numbers of columns
 * @since 0.2.0
 * @example
 * ```js
 * import { oneHot } from 'adaptive-tangent'
 *
 * const { data, shape } = oneHot({ data: Int32Array.of(2, 0), shape: [2] }, 3)
 * console.log(shape.join(' × '), '|', data.join(' '))
 * // 2 × 3 | 0 0 1 1 0 0
 * ```
 */
export function oneHot(labels: NdArray, count?: number): NdArray<Float32Array> {
  const numbers = wholeLabels(labels)
  const columns = count ?? numbers.reduce((most, label) => Math.max(most, label), -1) + 1
  wholeNumber('count', columns, 1)
  const data = new Float32Array(numbers.length * columns)
  numbers.forEach((label, i) => {
    wholeNumber('labels', label, 0, columns - 1)
    data[i * columns + label] = 1
  })
  return { data, shape: [numbers.length, columns] }
}

/** Options of {@link accuracy}. */
export interface AccuracyOptions {
  /**
   * The labels that the columns stand for (default: 0, 1, …), as `fitted.classes` of a fit to classes;
   * of one output the two labels, the smaller one below 0 (default: those that occur).
   */
  classes?: readonly number[] | undefined
}

/**
 * The share of samples whose largest output is that of their class; of one output, whose sign is.
 *
 * ```ts
 * const predicted = await fitted.predict(network, test.x)
 * console.log(accuracy(predicted, test.y, { classes: fitted.classes }))
 * ```
 * @param predictions (N, O), or (N) of one output
 * @param labels classes (N): whole numbers; or (N, O) with the class's column largest, as one-hot
 * @returns between 0 and 1
 * @throws TangentError BAD_ARGUMENT for shapes or labels that do not fit, and for what is not
 *   finite
 * @since 0.2.0
 * @example
 * ```js
 * import { accuracy } from 'adaptive-tangent'
 *
 * const predictions = { data: Float32Array.of(0.1, 0.9, 0.8, 0.2, 0.4, 0.6), shape: [3, 2] }
 * console.log(accuracy(predictions, { data: Int32Array.of(1, 0, 0), shape: [3] }).toFixed(3))
 * // 0.667
 * ```
 */
export function accuracy(
  predictions: NdArray,
  labels: NdArray,
  options: AccuracyOptions = {},
): number {
  checkCall(options)
  const { rows, columns } = matrixOf(predictions, 'predictions')
  const told = matrixOf(labels, 'labels')
  if (told.rows !== rows) throw mismatch('labels', `${rows} samples`, `${told.rows}`)
  const score = (right: (i: number) => boolean) => range(rows).filter(right).length / rows
  const wide = told.columns > 1 || (labels.shape.length === 2 && columns === 1 && !integral(labels))
  if (wide) {
    if (told.columns !== columns) {
      throw mismatch('labels', `(${rows}) or (${rows}, ${columns})`, `(${labels.shape.join(', ')})`)
    }
    return score((i) => decided(predictions, i, columns) === decided(labels, i, columns))
  }
  const classes = wholeLabels({ ...labels, shape: [rows] })
  const known = labelsOfColumns(classes, columns, options)
  return score((i) => known[decided(predictions, i, columns)] === classes[i])
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i)
const integral = (array: NdArray) =>
  integerClasses({ ...array, shape: [array.data.length] }) !== null

function rowsIn(array: NdArray, name: string): number {
  checkArray(array, name)
  const [rows] = array.shape
  if (rows === undefined) throw badArgument(`${name}.shape`, 'rows along the first axis', '()')
  return rows
}

function commonLength(arrays: SampleArrays): number {
  const [first, ...others] = Object.entries(arrays)
  if (!first) throw badArgument('arrays', 'an array, or arrays by name', arrays)
  const length = rowsIn(first[1], first[0] || 'arrays')
  for (const [name, array] of others) {
    const own = rowsIn(array, name)
    if (own !== length) throw mismatch(name, `${length} rows as for ${first[0]}`, `${own}`)
  }
  return length
}

/** Rows of the first part. */
function chosenRows(length: number, { fraction = 0.8, seed = 0, classes }: SplitOptions) {
  if (!(typeof fraction === 'number' && fraction >= 0 && fraction <= 1)) {
    throw badArgument('options.fraction', 'a number from 0 to 1', fraction)
  }
  wholeNumber('options.seed', seed, 0, 2 ** 32 - 1)
  const groups: number[][] = []
  if (classes === undefined) groups.push(range(length))
  else {
    const { labels, of } = classesOf(wholeLabels(classes, 'options.classes'))
    if (of.length !== length) {
      throw mismatch('options.classes', `${length} labels`, `${of.length}`)
    }
    groups.push(...labels.map(() => []))
    of.forEach((place, row) => {
      groups[place]?.push(row)
    })
  }
  // What one class is short of, the next ones get: the whole has its share.
  const chosen = new Set<number>()
  let [before, wanted] = [0, 0]
  groups.forEach((group, k) => {
    before += group.length
    const count = Math.round(fraction * before) - wanted
    wanted += count
    const order = permutation(group.length, stream(seed, k))
    for (const place of order.subarray(0, count)) chosen.add(group[place] as number)
  })
  return chosen
}

/** Labels (N) as whole numbers of any type. */
function wholeLabels(labels: NdArray, name = 'labels'): number[] {
  checkArray(labels, name)
  if (labels.shape.length !== 1) {
    throw mismatch(name, 'classes (N)', `an array (${labels.shape.join(', ')})`)
  }
  const numbers = Array.from(labels.data as ArrayLike<number | bigint>, Number)
  const bad = numbers.find((value) => !Number.isSafeInteger(value))
  if (bad !== undefined) throw badArgument(name, 'whole numbers', bad)
  return numbers
}

function matrixOf(array: NdArray, name: string): { rows: number; columns: number } {
  checkArray(array, name)
  const [rows = 0, columns = 1, ...rest] = array.shape
  const sound = array.shape.length > 0 && rest.length === 0 && rows > 0 && columns > 0
  if (!sound) throw mismatch(name, '(N, O) or (N)', `an array (${array.shape.join(', ')})`)
  const bad = (array.data as ArrayLike<number>).length
  for (let e = 0; e < bad; e += 1) {
    const value = Number(array.data[e])
    if (!Number.isFinite(value)) throw badArgument(name, 'finite numbers', value)
  }
  return { rows, columns }
}

/** The column of the largest number of a row, the first of several; of one column 1 where it is not below 0. */
function decided({ data }: NdArray, row: number, columns: number): number {
  if (columns === 1) return Number(data[row]) < 0 ? 0 : 1
  let best = 0
  for (let k = 1; k < columns; k += 1) {
    const [value, most] = [data[row * columns + k], data[row * columns + best]]
    if ((value as number) > (most as number)) best = k
  }
  return best
}

function labelsOfColumns(
  classes: readonly number[],
  columns: number,
  options: AccuracyOptions,
): readonly number[] {
  const count = Math.max(2, columns)
  const { classes: given } = options
  if (given !== undefined) {
    if (Array.isArray(given) && given.length === count && given.every(Number.isSafeInteger)) {
      return columns === 1 ? [...given].sort((a, b) => a - b) : given
    }
    throw badArgument('options.classes', `${count} labels`, given)
  }
  if (columns > 1) {
    const bad = classes.find((label) => label < 0 || label >= columns)
    if (bad === undefined) return range(columns)
    throw badArgument('labels', `classes from 0 to ${columns - 1}, or options.classes`, bad)
  }
  const { labels } = classesOf(classes)
  if (labels.length === 2) return labels
  throw badArgument('options.classes', 'the two labels of one output', undefined)
}
