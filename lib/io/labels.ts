import { TangentError } from '../core/errors.js'
import { printable } from '../core/printable.js'
import { classesOf, integerClasses } from './classes.js'
import { checkArray, type NdArray } from './index.js'

/** What the samples should give. */
export type ProbeTarget =
  | { kind: 'classes'; file: string | null; classes: { name: string; count: number }[] }
  | { kind: 'values'; file: string | null; columns: number }

/** Neighbouring samples of one class in the report's order. */
export interface ProbeGroup {
  name: string
  start: number
  count: number
}

/** What the samples should give, and the order that shows it. */
export interface Labels {
  target: ProbeTarget
  /** The value of each class as it stood in the target; empty for real values. */
  values: number[]
  /** Class of each sample, an index into `values`; null for real values. */
  classes: number[] | null
  /** Y for the target kernel: class indices (N,), or numbers (N, columns). */
  array: NdArray
  /** Samples sorted by class, or by the first column of real values. */
  order: number[]
  groups: ProbeGroup[]
}

const bad = (message: string) => new TangentError('BAD_INPUT', message)

/**
 * Reads a target: integers (N,) are classes, as are floats (N,) that are whole numbers of which at
 * least one repeats, and the rows of a one-hot matrix; everything else is real values.
 *
 * @param names - of the classes: by label where the labels are 0, 1, 2, …, else in their order
 * @throws TangentError BAD_INPUT when it does not fit the samples, or is the same for all of them
 */
export function readLabels(
  target: NdArray,
  samples: number,
  { names, file = null }: { names?: readonly string[] | undefined; file?: string | null } = {},
): Labels {
  checkArray(target, 'target')
  const { shape } = target
  const columns = shape[1] ?? 1
  if (shape.length < 1 || shape.length > 2 || shape[0] !== samples || columns < 1) {
    throw bad(
      `Expected the shape (${samples}) or (${samples}, columns) for the target, as there are ${samples} samples, but received (${shape.join(', ')})`,
    )
  }
  const data = Float64Array.from(target.data as ArrayLike<number | bigint>, Number)
  const at = data.findIndex((value) => !Number.isFinite(value))
  if (at >= 0) throw bad(`Expected finite numbers for the target but entry ${at} is ${data[at]}`)
  const integers = integerClasses(target) !== null
  const given = columns === 1 ? wholeLabels(data, integers) : oneHotLabels(data, columns)
  if (data.every((value, i) => value === data[i % columns])) {
    throw bad('Expected a target that differs between samples but all of its rows are the same')
  }
  return given ? byClass(given, names, file) : byValue(data, samples, columns, file)
}

function wholeLabels(data: Float64Array, integers: boolean): number[] | null {
  const labels = [...data]
  if (integers) return labels
  const repeats = new Set(labels).size < labels.length
  return repeats && labels.every(Number.isInteger) ? labels : null
}

function oneHotLabels(data: Float64Array, columns: number): number[] | null {
  const labels: number[] = []
  for (let start = 0; start < data.length; start += columns) {
    const row = [...data.subarray(start, start + columns)]
    if (row.some((value) => value !== 0 && value !== 1)) return null
    if (row.reduce((sum, value) => sum + value, 0) !== 1) return null
    labels.push(row.indexOf(1))
  }
  return labels
}

/**
 * The names of classes: by label, or one for each label that occurs.
 * @param values the labels that occur, ascending
 * @throws TangentError BAD_INPUT for too few names.
 */
export function nameClasses(
  values: readonly number[],
  names: readonly string[] | undefined,
): string[] {
  if (!names) return values.map(String)
  const last = values.at(-1) as number
  if ((values[0] as number) >= 0 && last < names.length) {
    return values.map((value) => names[value] as string)
  }
  if (names.length === values.length) return [...names]
  throw bad(
    `Expected a name for each label (${values[0]} to ${last}) for the class names but received ${names.length} names`,
  )
}

function byClass(
  given: number[],
  names: readonly string[] | undefined,
  file: string | null,
): Labels {
  const { labels: values, of: classes } = classesOf(given)
  const order = classes
    .map((_, i) => i)
    .sort((a, b) => (classes[a] as number) - (classes[b] as number) || a - b)
  let start = 0
  const groups = nameClasses(values, names).map((name, index) => {
    const count = classes.reduce((sum, one) => sum + (one === index ? 1 : 0), 0)
    start += count
    return { name: printable(name), start: start - count, count }
  })
  return {
    target: { kind: 'classes', file, classes: groups.map(({ name, count }) => ({ name, count })) },
    values,
    classes,
    array: { data: Int32Array.from(classes), shape: [given.length] },
    order,
    groups,
  }
}

function byValue(
  data: Float64Array,
  samples: number,
  columns: number,
  file: string | null,
): Labels {
  const first = (i: number) => data[i * columns] as number
  return {
    target: { kind: 'values', file, columns },
    values: [],
    classes: null,
    array: { data, shape: [samples, columns] },
    order: Array.from({ length: samples }, (_, i) => i).sort(
      (a, b) => first(a) - first(b) || a - b,
    ),
    groups: [],
  }
}
