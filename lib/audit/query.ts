// What a fitted model says of other samples, block by block.
import { outputsOf } from '../fit/network.js'
import type { DerivativeOptions } from '../model/core.js'
import type { Network } from '../network/network.js'
import type { KernelSource, Picker } from './kernels.js'
import { highest } from './labels.js'
import { nearestOf, traceOf } from './neighbours.js'
import type { KernelPosterior } from './posterior.js'
import { meansOf } from './small.js'
import type { AuditQuery } from './types.js'

/** What was found of the training samples. */
interface Known {
  /** Σ_o k(x, x)_oo of each. */
  self: Float64Array
  /** Posterior variance without the sample itself, (N·O). */
  variance: Float64Array
  budget: number
  common: DerivativeOptions
  onFraction(fraction: number): void
}

export async function queryOf(
  network: Network,
  posterior: KernelPosterior,
  source: KernelSource,
  query: Picker,
  known: Known,
): Promise<AuditQuery> {
  const { samples: count } = query
  const { outputs, samples, n } = posterior
  const { self, variance, common, budget } = known
  const answer: AuditQuery = {
    samples: count,
    predictions: { data: new Float64Array(count * outputs), shape: [count, outputs] },
    variance: { data: new Float64Array(count * outputs), shape: [count, outputs] },
    score: new Float64Array(count),
    typical: new Float64Array(count),
    nearest: [],
    similarity: new Float64Array(count),
    output: [],
    influence: { data: new Float64Array(count * samples), shape: [count, samples] },
    representers: { data: new Float64Array(count * samples), shape: [count, samples] },
  }
  // A block's kernel, twice in double while it is solved, and what each sample does to each row.
  const each = outputs * (20 * n + 16 * samples)
  const together = Math.max(1, Math.floor(budget / 8 / each))
  const means = meansOf(variance, outputs).sort()
  for (let first = 0; first < count; first += together) {
    const size = Math.min(together, count - first)
    const some = await query.take(first, size)
    const cross = await source.cross(some)
    const own = Float64Array.from(await source.self(some), (value) => Math.max(value, 0))
    const { f: base } = await outputsOf(network, some, common)
    const found = await posterior.ask(cross, own, { base, signal: common.signal })
    answer.predictions.data.set(found.mean, first * outputs)
    answer.variance.data.set(found.variance, first * outputs)
    answer.score.set(meansOf(found.variance, outputs), first)
    const trace = await traceOf(cross.data, [size, samples, outputs], common.signal)
    const sizes = meansOf(own, outputs).map((value) => value * outputs)
    const { nearest, similarity } = await nearestOf(trace, sizes, self, false, common.signal)
    answer.nearest.push(...nearest)
    answer.similarity.set(similarity, first)
    for (let k = 0; k < size; k += 1) {
      const top = highest(found.mean.subarray(k * outputs, (k + 1) * outputs))
      const row = (k * outputs + top) * samples
      const at = (first + k) * samples
      answer.output.push(top)
      answer.influence.data.set(found.influence.subarray(row, row + samples), at)
      answer.representers.data.set(found.representers.subarray(row, row + samples), at)
    }
    known.onFraction((first + size) / count)
  }
  answer.typical = answer.score.map((value) => (means.length - below(means, value)) / means.length)
  return answer
}

/** How many of the ascending numbers are below the value. */
function below(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as number) < value) low = middle + 1
    else high = middle
  }
  return low
}
