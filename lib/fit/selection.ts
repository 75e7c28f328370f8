// Price and ridge by repeated folds, M fitted in each: leave-one-out with M kept is none, because M has
// seen what is left out.

import { abortError } from '../core/abort.js'
import { badArgument, TangentError } from '../core/errors.js'
import { timed } from '../core/progress.js'
import type { ChosenRidge } from '../linear/ridge.js'
import { KernelSpectrum } from '../linear/spectrum.js'
import type { PriceSelection } from './choices.js'
import type { TangentFeatures } from './features.js'
import { fitOnce, rulesOf } from './fit.js'
import { heldOut, rowsOf, shuffled } from './folds.js'
import { errorsOf, type HeldOut, type SelectionError } from './held-out.js'
import type { AdaptiveModel } from './model.js'
import type { AdaptiveOptions } from './options.js'
import type { SettledPrice } from './price.js'
import { isAdaptive } from './rules.js'
import { SharedWork } from './shared.js'

const fixed = Number.POSITIVE_INFINITY
export const defaultPrices = [10, 3, 1, 0.3, 0.1]
const ridgeFactors = [0.1, 1, 10, 100]
/** Loose: held-out errors can be distinguished long before that. */
const loose = { tolerance: 1e-6, stationarity: 1e-3, maxIterations: 200 }

/**
 * Standard errors that adapting has to gain. Folds of few samples make that of a cross-entropy large: to
 * ask for a whole one gives away nearly all that adapting gains on digits (docs/adapting.md).
 */
const margins: Record<SelectionError, number> = { 'squared error': 1, 'cross-entropy': 0.5 }

/** What is fitted and what is held out in one fold; r = y − f(x; θ0) of both. */
export interface FoldResiduals {
  train: TangentFeatures
  known: Float64Array
  test: TangentFeatures
  truth: Float64Array
}

export interface Fold extends FoldResiduals {
  /** f(x; θ0) of both, so that y = r + f. */
  offsets: { train: Float64Array; test: Float64Array }
}

/** What is held out, with f(x; θ0) where classes are judged. */
type JudgedFold = FoldResiduals & { offsets?: Pick<Fold['offsets'], 'test'> | undefined }

/** Samples that can be parted into folds. */
export interface FoldSource<Parts = Fold> {
  samples: number
  /** The samples in the order in which they go into folds, one after another in turn. */
  order(repeat: number): readonly number[]
  part(kept: readonly number[], held: readonly number[]): Promise<Parts>
}

/** Settings of which the best is looked for. */
export interface Candidates {
  ridges: readonly number[]
  /** Falling. */
  prices: readonly SettledPrice[]
}

/**
 * Chooses price and ridge together, or that of them which is open.
 * @param classes y of all rows where they are classes, which are judged by cross-entropy
 */
export async function selectPrice(
  features: TangentFeatures,
  residual: Float64Array,
  options: AdaptiveOptions,
  classes?: Float64Array,
): Promise<PriceSelection> {
  const { seed = 1 } = options.selection ?? {}
  const { samples, outputs } = features
  const prices = pricesOf(features, options)
  if (prices.length === 1 && prices[0] === fixed && !options.selection?.ridges) {
    const { ridge, loo } = await leftOut(features, residual, options)
    const grid = [{ price: fixed, ridge, error: loo, standardError: Number.NaN }]
    return { price: fixed, ridge, by: 'squared error', grid, gain: null }
  }
  const offset = classes?.map((y, r) => y - (residual[r] as number))
  const source: FoldSource<JudgedFold> = {
    samples,
    order: (repeat) => shuffled(samples, seed + repeat),
    part: async (kept, held) => ({
      train: await features.select(kept),
      known: rowsOf(residual, kept, outputs),
      test: await features.select(held),
      truth: rowsOf(residual, held, outputs),
      offsets: offset && { test: rowsOf(offset, held, outputs) },
    }),
  }
  checkSamples(samples)
  const ridges = await ridgesOf(features, residual, options)
  return searchFolds(
    source,
    { ridges, prices },
    options,
    classes ? 'cross-entropy' : 'squared error',
  )
}

/** @throws TangentError BAD_ARGUMENT for too few to leave some out. */
export function checkSamples(samples: number): void {
  if (samples < 4) throw badArgument("the samples of an 'auto' fit", 'at least four', samples)
}

/**
 * How often samples are divided, into how many parts, and who is told.
 * @throws TangentError BAD_ARGUMENT for too few samples
 */
export function roundsOf(samples: number, { selection = {} }: AdaptiveOptions) {
  checkSamples(samples)
  const { repeats = 2, folds = 5, onProgress } = selection
  return { repeats, folds: Math.min(folds, samples), progress: timed(onProgress) }
}

/** The candidate of least held-out error over repeated folds; adaptive ones have to earn their place. */
export async function searchFolds(
  source: FoldSource<JudgedFold>,
  { ridges, prices }: Candidates,
  options: AdaptiveOptions,
  by: SelectionError,
): Promise<PriceSelection> {
  const { repeats, folds, progress } = roundsOf(source.samples, options)
  let done = 0
  const errors = ridges.map(() => prices.map(() => [] as number[]))
  for (let repeat = 0; repeat < repeats; repeat++) {
    const order = source.order(repeat)
    const found = ridges.map(() => prices.map(() => [] as (HeldOut | null)[]))
    let outputs = 1
    for (let fold = 0; fold < folds; fold++) {
      const parts = await source.part(...heldOut(order, fold, folds))
      outputs = parts.train.outputs
      const work = new SharedWork()
      for (const [i, ridge] of ridges.entries()) {
        const along = await alongPrices(parts, { ...options, ridge }, prices, work)
        for (const [j, each] of along.entries()) found[i]?.[j]?.push(each)
        done += 1
        progress(done / (repeats * folds * ridges.length))
      }
    }
    found.forEach((row, i) => {
      row.forEach((all, j) => {
        const good = all.filter((each) => each !== null)
        const failed = good.length < all.length
        const own = failed ? all.map(() => Number.POSITIVE_INFINITY) : errorsOf(good, outputs, by)
        errors[i]?.[j]?.push(...own)
      })
    })
  }
  return { ...best(ridges, prices, errors, folds, margins[by]), by }
}

/** Held-out predictions at falling prices, each fit from the one before; null where there is none. */
async function alongPrices(
  { train, known, test, truth, offsets }: JudgedFold,
  options: AdaptiveOptions & { ridge: number },
  prices: readonly SettledPrice[],
  shared: SharedWork,
): Promise<(HeldOut | null)[]> {
  const found: (HeldOut | null)[] = []
  let start: AdaptiveModel | undefined
  const { signal, threads, memory, solver, depth, ridge, perBlock } = options
  const { structure, left, right, power } = options
  const common = { signal, threads, memory, solver, depth, ridge, perBlock }
  for (const price of prices) {
    if (signal?.aborted) throw abortError(signal)
    const rule = { structure, left, right, power }
    try {
      const setting = { ...common, ...rule, ...loose, price, start }
      start = await fitOnce(train, known, setting, { shared })
    } catch (error) {
      // A ridge that is too small for this kernel in double precision.
      if (!(error instanceof TangentError && error.code === 'NUMERICAL')) throw error
      found.push(null)
      continue
    }
    const change = await start.predict(test, { signal, threads })
    const whole = (values: Float64Array) =>
      offsets ? values.map((value, r) => value + (offsets.test[r] as number)) : values
    found.push({ prediction: whole(change), truth: whole(truth) })
  }
  return found
}

/** The prices that are tried, falling. */
function pricesOf(features: TangentFeatures, options: AdaptiveOptions): SettledPrice[] {
  const { price = 1, selection } = options
  if (!rulesOf(features, options).some(isAdaptive)) return [fixed]
  if (price !== 'auto') return [price]
  const all = new Set([fixed, ...(selection?.prices ?? defaultPrices)])
  return [...all].sort((a, b) => b - a)
}

async function ridgesOf(
  features: TangentFeatures,
  residual: Float64Array,
  options: AdaptiveOptions,
): Promise<readonly number[]> {
  const { ridge = 'auto', selection } = options
  if (selection?.ridges && selection.ridges.length > 0) return selection.ridges
  if (ridge !== 'auto') return [ridge]
  const { ridge: near } = await leftOut(features, residual, options)
  return ridgeFactors.map((factor) => factor * near)
}

/** The ridge of fixed features by leave-one-out. */
async function leftOut(
  features: TangentFeatures,
  residual: Float64Array,
  { signal, threads, memory, device, solver }: AdaptiveOptions,
): Promise<ChosenRidge> {
  if (solver === 'products') {
    throw new TangentError(
      'BAD_ARGUMENT',
      "Expected options.ridge or options.selection.ridges for solver 'products': without a kernel " +
        'there is no leave-one-out error to start from',
    )
  }
  const kernel = await features.kernel(features, { signal, threads })
  const { outputs } = features
  const spectrum = await KernelSpectrum.of(kernel, { outputs, signal, threads, memory, device })
  try {
    return await spectrum.chooseRidge(residual, { signal })
  } finally {
    spectrum.free()
  }
}

/** Mean of differences over folds and repeats, and its standard error. */
function average(values: readonly number[], folds: number) {
  const count = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1)
  // Training sets overlap: 1/count alone would be too small by the share that is held out.
  return { mean, standardError: Math.sqrt(variance * (1 / count + 1 / (folds - 1))) }
}

export function best(
  ridges: readonly number[],
  prices: readonly SettledPrice[],
  errors: number[][][],
  folds: number,
  margin = 1,
): Omit<PriceSelection, 'by'> {
  const all = ridges.flatMap((ridge, i) =>
    prices.map((price, j) => {
      const values = errors[i]?.[j] as number[]
      const { mean, standardError } = average(values, folds)
      return { price, ridge, error: mean, standardError, values }
    }),
  )
  const least = (candidates: typeof all) =>
    candidates.reduce<(typeof all)[number] | undefined>(
      (a, b) => (a === undefined || b.error < a.error ? b : a),
      undefined,
    )
  const plain = least(all.filter(({ price }) => price === fixed))
  const adaptive = least(all.filter(({ price }) => price !== fixed))
  const gain =
    plain && adaptive
      ? average(
          plain.values.map((value, f) => value - (adaptive.values[f] as number)),
          folds,
        )
      : null
  const kept = gain && !(gain.mean > margin * gain.standardError) ? plain : (adaptive ?? plain)
  if (kept === undefined || !Number.isFinite(kept.error)) {
    throw new TangentError(
      'NUMERICAL',
      'The kernel plus ridge is not positive definite at the candidates: raise the ridges',
    )
  }
  const grid = all.map(({ values: _, ...candidate }) => candidate)
  return { price: kept.price, ridge: kept.ridge, grid, gain }
}
