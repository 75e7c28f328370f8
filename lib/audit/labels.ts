// Which targets do the other samples contradict?
import type { NdArray } from '../io/index.js'
import type { AuditLabels } from './types.js'

type Numbers = NdArray<Float64Array>

/** What is known of the targets. */
interface Given {
  classes: number[] | undefined
  /** Of each sample; only of classes. */
  given: number[] | undefined
  /** Flat outputs of the columns. */
  columns: readonly number[]
  targets: Float64Array
  /** Standard deviation of each sample's targets by the model that was fitted without it. */
  deviation: Float64Array
}

/** Suspicion of every target, from the predictions without its sample. */
export function labelsOf(
  { classes, given, columns, targets, deviation }: Given,
  predictions: Numbers,
  residuals: Numbers,
): AuditLabels {
  const [samples = 0, outputs = 1] = predictions.shape
  const row = (i: number) => predictions.data.subarray(i * outputs, (i + 1) * outputs)
  const labels = classes && given ? { classes, given } : null
  const suspicion = Float64Array.from({ length: samples }, (_, i) => {
    const unit = Math.max(deviation[i] as number, Number.MIN_VALUE)
    if (!labels)
      return rootMeanSquare(residuals.data.subarray(i * outputs, (i + 1) * outputs)) / unit
    if (outputs === 1) return (-(row(i)[0] as number) * (targets[i] as number)) / unit
    return margin(row(i), columns.indexOf(labels.given[i] as number)) / unit
  })
  const predicted = labels && Array.from({ length: samples }, (_, i) => decided(row(i)))
  const labelOf = (place: number) =>
    (outputs === 1 ? labels?.classes[place] : columns[place]) as number
  return {
    classes: labels?.classes ?? null,
    given: labels?.given ?? null,
    predicted: predicted?.map(labelOf) ?? null,
    targets: { data: targets, shape: [samples, outputs] },
    predictions,
    residuals,
    suspicion,
    order: descending(suspicion),
  }
}

/** Places of the numbers, that of the largest first. */
export function descending(values: ArrayLike<number>): number[] {
  return Array.from({ length: values.length }, (_, i) => i).sort(
    (a, b) => (values[b] as number) - (values[a] as number) || a - b,
  )
}

/** The column of the largest number; of one column 0 below zero, else 1. */
export function decided(row: Float64Array): number {
  if (row.length === 1) return (row[0] as number) < 0 ? 0 : 1
  return highest(row)
}

/** The place of the largest number, the first of several. */
export function highest(row: Float64Array): number {
  let best = 0
  for (let o = 1; o < row.length; o += 1) if ((row[o] as number) > (row[best] as number)) best = o
  return best
}

/** The largest other number less that of the column. */
function margin(row: Float64Array, own: number): number {
  const others = row.filter((_, o) => o !== own)
  return (
    others.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY) -
    (row[own] as number)
  )
}

const rootMeanSquare = (values: Float64Array) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
