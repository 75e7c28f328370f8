// A kernel seen by classes: the mean over the pairs of two classes, and which are most alike.
import { setImmediate as breathe } from 'node:timers/promises'
import type { Labels } from '../io/labels.js'
import { combined, type LeftOut, restEvery } from './left-out.js'
import { type ProbeRaster, rasterise } from './raster.js'

/** More classes are not compared with each other. */
export const classLimit = 1024

/** Two classes and their mean kernel, in units of the mean diagonal. */
export interface ProbePair {
  /** Indices of `groups`. */
  classes: [number, number]
  value: number
}

/** The trace kernel by classes, in units of its mean diagonal; pairs of a sample with itself left out. */
export interface ProbeClasses {
  /** Mean over the pairs of each two classes; 0 where there is none: a class of one sample with itself. */
  raster: ProbeRaster
  /** Different classes whose samples move each other most, descending. */
  alike: ProbePair[]
  /** Classes whose own samples move each other least, ascending. */
  loose: ProbePair[]
}

const kept = 6

/** Sums of a kernel's rows over the samples of each class, the diagonal left out: (N, classes). */
export async function classSums(
  matrix: ArrayLike<number>,
  classes: readonly number[],
  count: number,
): Promise<Float64Array> {
  const n = classes.length
  const sums = new Float64Array(n * count)
  const stride = restEvery(n)
  for (let i = 0; i < n; i++) {
    if (i % stride === stride - 1) await breathe()
    for (let j = 0; j < n; j++) {
      if (i === j) continue
      const at = i * count + (classes[j] as number)
      sums[at] = (sums[at] as number) + (matrix[i * n + j] as number)
    }
  }
  return sums
}

/** @param unit the kernel's mean diagonal. */
export function classMeans(
  sums: Float64Array,
  { classes, groups }: { classes: readonly number[]; groups: Labels['groups'] },
  unit: number,
  limit: number,
): ProbeClasses {
  const count = groups.length
  const means = new Float64Array(count * count)
  classes.forEach((own, i) => {
    for (let c = 0; c < count; c++) {
      const at = own * count + c
      means[at] = (means[at] as number) + (sums[i * count + c] as number)
    }
  })
  const size = (c: number) => groups[c]?.count ?? 0
  const pairs: ProbePair[] = []
  const own: ProbePair[] = []
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < count; b++) {
      const of = size(a) * (a === b ? size(a) - 1 : size(b))
      const at = a * count + b
      means[at] = of > 0 ? (means[at] as number) / of / unit : 0
      const pair: ProbePair = { classes: [a, b], value: rounded(means[at] as number) }
      if (a < b) keep(pairs, pair, -1)
      if (a === b && of > 0) keep(own, pair, 1)
    }
  }
  const order = Array.from({ length: count }, (_, c) => c)
  return {
    raster: rasterise(means, order, limit),
    alike: pairs,
    loose: own,
  }
}

/** Keeps the few of least sign · value, in order. */
function keep(list: ProbePair[], pair: ProbePair, sign: 1 | -1): void {
  const at = list.findIndex(({ value }) => sign * pair.value < sign * value)
  list.splice(at < 0 ? list.length : at, 0, pair)
  list.length = Math.min(list.length, kept)
}

const rounded = (value: number) => Number(value.toPrecision(4))

/** Means over pairs of one class, and of different ones, in units of the mean diagonal. */
export function withinAndBetween(
  matrix: ArrayLike<number>,
  sums: Float64Array,
  classes: readonly number[],
  sizes: readonly number[],
): { within: LeftOut; between: LeftOut } | null {
  const n = classes.length
  const count = sizes.length
  const same = new Float64Array(n)
  const other = new Float64Array(n)
  const diagonal = new Float64Array(n)
  classes.forEach((own, i) => {
    for (let c = 0; c < count; c++) {
      const value = sums[i * count + c] as number
      if (c === own) same[i] = value
      else other[i] = (other[i] as number) + value
    }
    diagonal[i] = matrix[i * n + i] as number
  })
  const sameCount = Float64Array.from(classes, (own) => (sizes[own] as number) - 1)
  const otherCount = Float64Array.from(classes, (own) => n - (sizes[own] as number))
  const [pairs, others] = [pairSums(sameCount), pairSums(otherCount)]
  if (pairs.value === 0 || others.value === 0) return null
  const total = diagonal.reduce((sum, value) => sum + value, 0)
  const unit: LeftOut = {
    value: total / n,
    without: diagonal.map((value) => (total - value) / (n - 1)),
  }
  const mean = (sum: number, of: number, one: number) => sum / of / one
  return {
    within: combined([pairSums(same), pairs, unit], mean),
    between: combined([pairSums(other), others, unit], mean),
  }
}

/** Σ over ordered pairs from the sums of rows; a sample left out takes its row and its column. */
function pairSums(rows: Float64Array): LeftOut {
  const value = rows.reduce((sum, one) => sum + one, 0)
  return { value, without: rows.map((one) => value - 2 * one) }
}
