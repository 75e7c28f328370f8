// What adapting the tangent features would gain, for the report: fixed against adaptive.

import type { TangentError } from '../core/errors.js'
import { printable } from '../core/printable.js'
import { type AdaptiveOptions, fitFeatures } from '../fit/adaptive.js'
import { networkFeatures } from '../fit/blocks.js'
import type { TangentFeatures } from '../fit/features.js'
import { type CandidateErrors, crossValidate } from '../fit/path.js'
import { classNumbers } from '../io/classes.js'
import type { Labels } from '../io/labels.js'
import { uniforms } from '../linear/random.js'
import { KernelSpectrum } from '../linear/spectrum.js'
import { type Core, cores } from '../model/core.js'
import { type Inputs, samplesOf } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import type { MeasurePlan } from './plan.js'
import type { ProbeAdaptive, ProbeHeldOut } from './types.js'

const folds = 3
/** Singular values of a block that the report keeps. */
const kept = 64
/** Loose: the report shows three digits. */
const loose: AdaptiveOptions = { tolerance: 1e-6, stationarity: 1e-2, maxIterations: 60 }

/**
 * Fits the targets, their means taken off, with the network's tangent features as they are and with
 * adaptive ones, |z − 1|² on both sides of every layer, on at most `rows` rows of the Gram matrix.
 * Each is shown at the best of three ridges around the one of least leave-one-out error, by
 * sample, of the fixed model; adapting the features makes them larger, so it gets larger ones.
 * @returns the comparison, or why there is none; null where none was asked for
 */
export async function compareAdaptive(
  network: Network,
  outputs: number,
  plan: MeasurePlan,
  rows: number,
): Promise<ProbeAdaptive | string | null> {
  const { labels, samples, x, options } = plan
  if (!labels || rows === 0) return null
  const wanted = targetColumns(labels, samples, outputs, options.outputs)
  if (typeof wanted === 'string') return wanted
  const count = Math.min(samples, Math.floor(rows / outputs))
  if (count < 2 * folds) {
    return `${count} samples are too few for ${folds} folds (${rows} rows of the Gram matrix at most)`
  }
  const chosen = sample(samples, count)
  const { signal, threads, memory } = options
  try {
    const { features } = await networkFeatures(network, await rowsOf(network, x, chosen), {
      signal,
      threads,
      memory,
      outputs: options.outputs,
    })
    const y = chosen.flatMap((i) => wanted.slice(i * outputs, (i + 1) * outputs))
    return await compare(features, y, options)
  } catch (error) {
    const { code, message } = error as TangentError
    if (code === 'MEMORY_BUDGET' || code === 'NUMERICAL') return message
    throw error
  }
}

async function compare(
  features: TangentFeatures,
  y: readonly number[],
  options: MeasurePlan['options'],
): Promise<ProbeAdaptive | string> {
  const { samples, outputs } = features
  const { signal, threads, memory } = options
  const means = Array.from({ length: outputs }, (_, o) => {
    let sum = 0
    for (let i = 0; i < samples; i++) sum += y[i * outputs + o] as number
    return sum / samples
  })
  const base = y.map((_, r) => means[r % outputs] as number)
  const r = y.map((value, row) => value - (base[row] as number))
  if (r.every((value) => value === 0)) return 'the target is the same for all of the samples used'
  const spectrum = await KernelSpectrum.of(await features.kernel(features, { signal, threads }), {
    outputs,
    signal,
  })
  if (!((spectrum.values[0] as number) > 0)) return 'the kernel of these samples is zero'
  const { ridge } = await spectrum.chooseRidge(r)
  const common = { signal, threads, memory }
  const adaptive: AdaptiveOptions = { ...common, ...loose, left: 2, right: 2 }
  const fixed: AdaptiveOptions = { ...common, structure: 'fixed' }
  const named = (name: string, options: AdaptiveOptions, factors: number[]) =>
    factors.map((factor) => [`${name} ${factor}`, { ...options, ridge: factor * ridge }] as const)
  const settings = {
    fixed: named('fixed', fixed, [0.1, 1, 10]),
    adaptive: named('adaptive', adaptive, [1, 10, 100]),
  }
  // All in one call: they share the folds' features and kernels.
  const all = Object.fromEntries([...settings.fixed, ...settings.adaptive])
  const { candidates } = await crossValidate(features, r, all, { folds, base, signal })
  const best = (of: typeof settings.fixed): Best =>
    of
      .map(([name, { ridge }]) => ({ ridge, errors: candidates[name] as CandidateErrors }))
      .reduce((a, b) => (b.errors.mean < a.errors.mean ? b : a))
  const tried = ([name, { ridge }]: (typeof settings.fixed)[number]) => ({
    ridge: rounded(ridge),
    error: rounded((candidates[name] as CandidateErrors).mean),
  })
  const plain = best(settings.fixed)
  const adapted = best(settings.adaptive)
  const model = await fitFeatures(features, r, { ...adaptive, ridge: adapted.ridge })
  const parts = await model.decompose(features, r, { signal, threads })
  const gaps = plain.errors.folds.map((error, f) => error - (adapted.errors.folds[f] as number))
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / folds
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / (folds - 1)
  return {
    samples,
    folds,
    fixed: heldOut(plain, settings.fixed.map(tried)),
    adaptive: heldOut(adapted, settings.adaptive.map(tried)),
    gain: { mean: rounded(mean), standardError: rounded(Math.sqrt(variance / folds)) },
    iterations: model.iterations.length,
    status: model.status.name,
    price: rounded(model.price.value),
    largestStretch: rounded(model.largestStretch),
    alignment: {
      before: rounded(parts.alignmentBefore),
      after: rounded(parts.alignmentAfter),
    },
    blocks: model.blocks.map(({ name, m, k, singularValues, effectiveRank }) => ({
      name: printable(name),
      shape: [m, k],
      singularValues: Array.from(singularValues.subarray(0, kept), rounded),
      effectiveRank: rounded(effectiveRank),
      stableRank: rounded(stableRank(singularValues)),
    })),
  }
}

/** Σσ² / σ₁²; 0 for a zero matrix. */
function stableRank(values: Float64Array): number {
  const [top = 0] = values
  return top > 0 ? values.reduce((sum, value) => sum + (value / top) ** 2, 0) : 0
}

const rounded = (value: number) => Number(value.toPrecision(6))

interface Best {
  ridge: number
  errors: CandidateErrors
}

function heldOut({ ridge, errors }: Best, tried: ProbeHeldOut['tried']): ProbeHeldOut {
  const { mean, standardError, misclassified } = errors
  return {
    ridge: rounded(ridge),
    tried,
    error: rounded(mean),
    standardError: rounded(standardError),
    misclassified: rounded(misclassified),
  }
}

/** Y as (N·O) numbers: one-hot or ±1 for classes; a text where it does not fit the outputs: why. */
function targetColumns(
  { classes, values, array }: Labels,
  samples: number,
  outputs: number,
  indices: readonly number[] | undefined,
): number[] | string {
  if (classes === null) {
    const data = Array.from(array.data as ArrayLike<number>, Number)
    const those = outputs === 1 ? 'the one output' : `each of the ${outputs} outputs`
    const missing = `the target has no number for ${those}, nor classes that are outputs`
    return data.length === samples * outputs ? data : missing
  }
  const all = indices ?? Array.from({ length: outputs }, (_, o) => o)
  const numbers = classNumbers({ labels: values, of: classes }, { outputs: all })
  return typeof numbers === 'string' ? `classes are fitted as ${numbers}` : [...numbers]
}

/** `count` of the samples, the same every time. */
function sample(samples: number, count: number): number[] {
  const order = Array.from({ length: samples }, (_, i) => i)
  if (count >= samples) return order
  const uniform = uniforms(1)
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(uniform() * (samples - i))
    ;[order[i], order[j]] = [order[j] as number, order[i] as number]
  }
  return order.slice(0, count).sort((a, b) => a - b)
}

async function rowsOf(network: Network, x: Inputs, chosen: readonly number[]): Promise<Inputs> {
  const { rows, ...declared } = await (cores.get(network) as Core).reading(x, 'x')
  return samplesOf(rows, declared, chosen)
}
