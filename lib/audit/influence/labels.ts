// Whose head of a query is meant.
import { highest } from '../labels.js'
import { labelPlaces } from './heads.js'
import type { Task } from './types.js'

/** Labels of the query's samples from `first` on: given, or those of their outputs f. */
export function queryLabels(
  { labels, query }: Pick<Task, 'labels' | 'query'>,
  f: Float64Array,
  outputs: number,
  pair: readonly number[] | undefined,
  first = 0,
): readonly number[] {
  const count = f.length / outputs
  if (labels) {
    const { places } = labelPlaces(labels, query.samples, outputs, 'options.labels', pair)
    return places.slice(first, first + count)
  }
  return Array.from({ length: count }, (_, q) => {
    if (outputs === 1) return pair && (f[q] as number) < 0 ? -1 : 1
    return highest(f.subarray(q * outputs, (q + 1) * outputs))
  })
}
