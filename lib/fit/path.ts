// Several fits of the same features: along a path of settings, and compared by cross-validation.

import { abortError } from '../core/abort.js'
import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { type OnProgress, timed } from '../core/progress.js'
import { checkTargets } from '../linear/checks.js'
import { type AdaptiveOptions, fitShared } from './adaptive.js'
import type { TangentFeatures } from './features.js'
import { checkFeatures } from './features.js'
import { heldOut, rowsOf, shuffled } from './folds.js'
import type { AdaptiveModel } from './model.js'
import { SharedWork } from './shared.js'

/**
 * Fits a series of settings (ridges from large to small, powers, …), each started from the model
 * before it, which takes fewer iterations where neighbours are alike. The problem is not convex: a
 * warm start may reach another optimum than the identity does.
 * @param settings options that differ along the path, over the common ones
 * @returns one model per setting, in order
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
 * @example
 * ```js
 * import { fitPath, TangentFeatures } from 'adaptive-tangent'
 *
 * const features = await TangentFeatures.from(2, 1, [
 *   { name: 'w', m: 1, k: 2, x: Float64Array.of(1, 0, 0, 1) },
 * ])
 * const models = await fitPath(
 *   features,
 *   [1, 2],
 *   [{ ridge: 1 }, { ridge: 0.1 }, { ridge: 0.01 }],
 * )
 * console.log(
 *   models
 *     .map(({ misfit }) => misfit)
 *     .every((misfit, k, all) => k === 0 || misfit < all[k - 1]),
 * )
 * // true
 * ```
 * @since 0.1.0
 */
export async function fitPath(
  features: TangentFeatures,
  targets: ArrayLike<number>,
  settings: readonly AdaptiveOptions[],
  common: AdaptiveOptions = {},
): Promise<AdaptiveModel[]> {
  checkCall(common)
  if (!Array.isArray(settings)) throw badArgument('settings', 'a list of options', settings)
  if (settings.length === 0) throw mismatch('settings', 'at least one setting', 'none')
  const models: AdaptiveModel[] = []
  let start = common.start
  checkFeatures(features)
  const shared = new SharedWork()
  for (const setting of settings) {
    const model = await fitShared(features, targets, { ...common, ...setting, start }, shared)
    models.push(model)
    start = model
  }
  return models
}

/** Options of {@link crossValidate}. */
export interface CrossValidationOptions {
  /** Parts that are held out in turn (default 5). */
  folds?: number | undefined
  /** Of the shuffle into folds (default 1). */
  seed?: number | undefined
  /** f(x; θ0) per row, so that classes are distinguished by y and not by r (default: zeros). */
  base?: ArrayLike<number> | undefined
  signal?: AbortSignal | undefined
  /** Called after every fit. */
  onProgress?: OnProgress | undefined
}

/** Held-out errors of one candidate. */
export interface CandidateErrors {
  /** Mean squared error of every fold. */
  folds: number[]
  /** Their mean over all held-out rows. */
  mean: number
  /** Standard error of that mean over the folds. */
  standardError: number
  /**
   * Share of held-out targets whose sign is missed (one output), or samples whose largest output is
   * not the largest target (several).
   */
  misclassified: number
}

/** What cross-validation says of the candidates. */
export interface CrossValidation {
  candidates: Record<string, CandidateErrors>
  /** The candidate of least error. */
  best: string
  /**
   * First candidate, in the order given, whose error lies within one standard error of the best:
   * give the simplest first.
   */
  simplest: string
  /** Each candidate's error less the best one's, fold by fold: mean and standard error. */
  difference: Record<string, { mean: number; standardError: number }>
}

/**
 * k-fold cross-validation of several settings on the same folds, such as
 * `{ fixed: { structure: 'fixed' }, adaptive: {} }`.
 * @param targets r = y − f(x; θ0), row (i, o)
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
 * @example
 * ```js
 * import { crossValidate, TangentFeatures } from 'adaptive-tangent'
 *
 * const n = 20
 * const x = Float64Array.from({ length: n }, (_, i) => i / n)
 * const features = await TangentFeatures.from(n, 1, [{ name: 'slope', m: 1, k: 1, x }])
 * const targets = x.map((value) => 3 * value)
 * const { best } = await crossValidate(features, targets, {
 *   small: { ridge: 1e-6, perBlock: { slope: { structure: 'fixed' } } },
 *   large: { ridge: 10, perBlock: { slope: { structure: 'fixed' } } },
 * })
 * console.log(best)
 * // small
 * ```
 * @since 0.1.0
 */
export async function crossValidate(
  features: TangentFeatures,
  targets: ArrayLike<number>,
  candidates: Readonly<Record<string, AdaptiveOptions>>,
  options: CrossValidationOptions = {},
): Promise<CrossValidation> {
  checkCall(options)
  checkFeatures(features)
  if (typeof candidates !== 'object' || candidates === null) {
    throw badArgument('candidates', 'options by name', candidates)
  }
  const r = checkTargets(targets, features.rows)
  const { folds = 5, seed = 1, signal } = options
  const { samples, outputs } = features
  const base = options.base ? checkTargets(options.base, features.rows) : new Float64Array(r.length)
  wholeNumber('options.folds', folds, 2)
  wholeNumber('options.seed', seed, 0)
  if (folds > samples) throw badArgument('options.folds', `at most the ${samples} samples`, folds)
  const names = Object.keys(candidates)
  if (names.length === 0) throw mismatch('candidates', 'at least one candidate', 'none')
  const order = shuffled(samples, seed)
  const errors = new Map(names.map((name) => [name, [] as number[]]))
  const missed = new Map(names.map((name) => [name, 0]))
  const progress = timed(options.onProgress)
  let done = 0
  for (let fold = 0; fold < folds; fold++) {
    const [kept, held] = heldOut(order, fold, folds)
    const [train, test] = [await features.select(kept), await features.select(held)]
    const shared = new SharedWork()
    const truth = rowsOf(r, held, outputs)
    const offset = rowsOf(base, held, outputs)
    const whole = (values: Float64Array) => values.map((value, i) => value + (offset[i] as number))
    for (const [name, setting] of Object.entries(candidates)) {
      if (signal?.aborted) throw abortError(signal)
      const own = { signal, ...setting }
      const model = await fitShared(train, rowsOf(r, kept, outputs), own, shared)
      const prediction = await model.predict(test)
      const squares = truth.reduce((sum, y, i) => sum + (y - (prediction[i] as number)) ** 2, 0)
      errors.get(name)?.push(squares / truth.length)
      missed.set(
        name,
        (missed.get(name) as number) + misses(whole(truth), whole(prediction), outputs),
      )
      done++
      progress(done / (folds * names.length))
    }
  }
  return summary(names, errors, missed, samples, order, folds)
}

function summary(
  names: string[],
  errors: Map<string, number[]>,
  missed: Map<string, number>,
  samples: number,
  order: readonly number[],
  folds: number,
): CrossValidation {
  const sizes = Array.from(
    { length: folds },
    (_, fold) => order.filter((_, i) => i % folds === fold).length,
  )
  const mean = (values: number[]) =>
    values.reduce((sum, value, fold) => sum + value * (sizes[fold] as number), 0) / samples
  const standardError = (values: number[]) => {
    const centre = values.reduce((sum, value) => sum + value, 0) / folds
    const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (folds - 1)
    return Math.sqrt(variance / folds)
  }
  const results: Record<string, CandidateErrors> = {}
  for (const name of names) {
    const values = errors.get(name) as number[]
    results[name] = {
      folds: values,
      mean: mean(values),
      standardError: standardError(values),
      misclassified: (missed.get(name) as number) / samples,
    }
  }
  const at = (name: string) => results[name] as CandidateErrors
  const best = names.reduce((a, b) => (at(b).mean < at(a).mean ? b : a))
  const limit = at(best).mean + at(best).standardError
  const difference: CrossValidation['difference'] = {}
  for (const name of names) {
    const gaps = at(name).folds.map((value, fold) => value - (at(best).folds[fold] as number))
    difference[name] = { mean: mean(gaps), standardError: standardError(gaps) }
  }
  const simplest = names.find((name) => at(name).mean <= limit) as string
  return { candidates: results, best, simplest, difference }
}

function misses(truth: Float64Array, prediction: Float64Array, outputs: number): number {
  let count = 0
  for (let i = 0; i < truth.length; i += outputs) {
    const wanted = truth.subarray(i, i + outputs)
    const found = prediction.subarray(i, i + outputs)
    if (outputs === 1) {
      if ((wanted[0] as number) >= 0 !== (found[0] as number) >= 0) count++
    } else if (wanted.indexOf(Math.max(...wanted)) !== found.indexOf(Math.max(...found))) {
      count++
    }
  }
  return count
}
