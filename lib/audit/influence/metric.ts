// Inner products of gradients of heads in another metric than the identity.
import { badArgument, mismatch } from '../../core/errors.js'
import { breathing, each } from '../../core/turns.js'
import { factors, type ParameterFeatures } from '../../derivatives/features.js'
import { TangentFeatures } from '../../fit/features.js'
import { isArray } from '../../io/held.js'
import type { Floats, NdArray } from '../../io/index.js'
import type { CallOptions, Core } from '../../model/core.js'
import type { Inputs } from '../../model/inputs.js'
import { type Block, factorsOf, type Precision } from '../laplace/blocks.js'
import { eachFeature, type Factors, turned } from '../laplace/features.js'

/** Second moments of gradients by parameter, as Adam keeps them, and what is added to their roots. */
export interface AdamMetric {
  moments: ReadonlyMap<string, NdArray>
  /** Default 1e-8. */
  epsilon?: number | undefined
}

/** @throws TangentError BAD_ARGUMENT for what are no second moments of these parameters. */
export function checkAdam(
  metric: AdamMetric,
  parameters: readonly { name: string; shape: readonly number[] }[],
): void {
  const { moments, epsilon = 1e-8 } = metric
  const name = 'options.metric.moments'
  if (!(moments instanceof Map)) throw badArgument(name, 'a Map of arrays by parameter', moments)
  if (!(typeof epsilon === 'number' && epsilon > 0 && Number.isFinite(epsilon)))
    throw badArgument('options.metric.epsilon', 'a number above 0', epsilon)
  for (const parameter of parameters) {
    const found = moments.get(parameter.name)
    const shape = parameter.shape.join(', ')
    if (!isArray(found) || found.shape?.join(', ') !== shape) {
      throw mismatch(`${name} of ${parameter.name}`, `an array (${shape})`, 'another or none')
    }
    for (const value of found.data) {
      if (!(Number(value) >= 0))
        throw badArgument(`${name} of ${parameter.name}`, 'numbers ≥ 0', value)
    }
  }
}

/** √v + ε of a parameter in the order of its factors. */
function adamBlock(
  name: string,
  { moments, epsilon = 1e-8 }: AdamMetric,
  features: ParameterFeatures<Floats>,
): Block {
  const { m, k, h } = factorsOf(name, features)
  const stored = (moments.get(name) as NdArray).data
  const turnedAround = h !== null && features.kind !== 'dense' && features.transposed
  const values = Float64Array.from({ length: m * k }, (_, e) => {
    const at = turnedAround ? (e % k) * m + Math.floor(e / k) : e
    return Math.sqrt(Number(stored[at])) + epsilon
  })
  return { name, m, k, values, v: null, u: null }
}

/** Gradients of one output that are compared: rows' and columns' samples of the head's network. */
export interface Compared {
  core: Core
  rows: Inputs
  columns: Inputs
  counts: readonly [number, number]
}

/** ∇_q (scale·H + prior)⁻¹ ∇_j for all rows and columns, (n2, n1). */
export async function metricProducts(
  { core, rows, columns, counts }: Compared,
  metric: readonly Block[] | AdamMetric,
  precision: Precision,
  options: CallOptions,
): Promise<Float64Array> {
  const [n2, n1] = counts
  const [a, b] = [await factors(core, rows, options), await factors(core, columns, options)]
  const sum = new Float64Array(n2 * n1)
  for (const [name, entry] of a) {
    const other = b.get(name) as ParameterFeatures<Floats>
    const block =
      'moments' in metric
        ? adamBlock(name, metric, entry)
        : (metric.find((one) => one.name === name) as Block)
    const [left, right] = [
      await turnedFactors(name, entry, block, options),
      await turnedFactors(name, other, block, options),
    ]
    const most = Math.max(1, Math.floor(core.budget(options) / 32 / (n1 + n2) / block.k))
    for (let first = 0; first < block.m; first += most) {
      const part = { first, count: Math.min(most, block.m - first) }
      const p = await scaled(left, block, part, precision, options)
      const q = await scaled(right, block, part, precision, options)
      const kernel = await p.kernel(q, options)
      const add = (i: number) => {
        for (let e = i * n1; e < (i + 1) * n1; e += 1)
          sum[e] = (sum[e] as number) + (kernel[e] as number)
      }
      await each(n2, n1, add, options.signal)
    }
  }
  return sum
}

/** Factors of V X Uᵀ. */
async function turnedFactors(
  name: string,
  entry: ParameterFeatures<Floats>,
  { v, u, m, k }: Block,
  options: CallOptions,
): Promise<Factors> {
  const given = factorsOf(name, entry)
  const delta = await turned(given.delta, v, m, options)
  return { ...given, delta, h: given.h && (await turned(given.h, u, k, options)) }
}

/** Some rows of X / √(scale·values + prior) of all samples. */
async function scaled(
  own: Factors,
  { name, values, k }: Block,
  { first, count }: { first: number; count: number },
  { scale, prior }: Precision,
  options: CallOptions,
): Promise<TangentFeatures> {
  const { samples } = own
  const weights = values
    .subarray(first * k, (first + count) * k)
    .map((value) => 1 / Math.sqrt(scale * value + prior))
  const size = count * k
  const x = new Float32Array(samples * size)
  const breathe = breathing(options.signal)
  for (let i = 0; i < samples; i += 1) {
    await eachFeature(own, i, options, breathe, (feature) => {
      for (let e = 0; e < size; e += 1)
        x[i * size + e] = (feature[first * k + e] as number) * (weights[e] as number)
    })
  }
  return TangentFeatures.from(samples, 1, [{ name, m: count, k, x }])
}
