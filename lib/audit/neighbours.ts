// Samples that are nearly one, and samples that stand alone.
import { each } from '../core/turns.js'
import type { Floats } from '../io/index.js'
import { median } from '../linear/statistics.js'
import type { AuditPair } from './types.js'

/** Pairs that are told at most. */
const most = 1000

/** Σ_o K[i,o,j,o] of a full kernel (n1, O, n2, O), (n1, n2). */
export async function traceOf(
  full: Floats,
  [n1, n2, outputs]: readonly [number, number, number],
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const trace = new Float64Array(n1 * n2)
  const row = (i: number) => {
    for (let j = 0; j < n2; j += 1) {
      let sum = 0
      for (let o = 0; o < outputs; o += 1)
        sum += full[((i * outputs + o) * n2 + j) * outputs + o] as number
      trace[i * n2 + j] = sum
    }
  }
  await each(n1, n2 * outputs, row, signal)
  return trace
}

/** The nearest column of each row by the cosine; `own` leaves out the row's own number. */
export async function nearestOf(
  trace: Float64Array,
  rows: ArrayLike<number>,
  columns: ArrayLike<number>,
  own: boolean,
  signal: AbortSignal | undefined,
): Promise<{ nearest: number[]; similarity: Float64Array }> {
  const [n1, n2] = [rows.length, columns.length]
  const nearest = new Array<number>(n1).fill(-1)
  const similarity = new Float64Array(n1).fill(Number.NEGATIVE_INFINITY)
  const row = (i: number) => {
    for (let j = 0; j < n2; j += 1) {
      if (own && i === j) continue
      const value = cosine(trace[i * n2 + j] as number, rows[i] as number, columns[j] as number)
      if (value <= (similarity[i] as number)) continue
      similarity[i] = value
      nearest[i] = j
    }
  }
  await each(n1, n2, row, signal)
  return { nearest, similarity }
}

/** Pairs of samples below `limit` times the median distance to the nearest neighbour. */
export async function duplicatesOf(
  trace: Float64Array,
  self: Float64Array,
  similarity: Float64Array,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<AuditPair[]> {
  const n = self.length
  const typical = median(Array.from(similarity, distance))
  const pairs: AuditPair[] = []
  const row = (i: number) => {
    // Only a sample whose nearest one is that near has such pairs.
    if (!(distance(similarity[i] as number) <= limit * typical)) return
    for (let j = 0; j < i; j += 1) {
      const value = cosine(trace[i * n + j] as number, self[i] as number, self[j] as number)
      const apart = distance(value)
      if (apart > limit * typical) continue
      const relative = typical > 0 ? apart / typical : 0
      pairs.push({ first: j, second: i, similarity: value, distance: relative })
    }
  }
  await each(n, n, row, signal)
  pairs.sort((a, b) => a.distance - b.distance || a.first - b.first || a.second - b.second)
  return pairs.slice(0, most)
}

/** Samples whose variance is far above that of most: three robust standard deviations in its logarithm. */
export function outliers(variance: Float64Array): number[] {
  const logs = Array.from(variance, (value) => Math.log(Math.max(value, Number.MIN_VALUE)))
  const centre = median(logs)
  const spread = 1.4826 * median(logs.map((value) => Math.abs(value - centre)))
  return logs
    .map((_, i) => i)
    .filter((i) => (logs[i] as number) > centre + 3 * Math.max(spread, 1e-6))
    .sort((a, b) => (logs[b] as number) - (logs[a] as number) || a - b)
}

/** Between features of size 1. */
const distance = (similarity: number) => Math.sqrt(Math.max(0, 2 - 2 * similarity))

function cosine(inner: number, a: number, b: number): number {
  const size = Math.sqrt(a * b)
  return size > 0 ? inner / size : 0
}
