// One fit of the adaptive model at a given price and from one start.

import { abortError } from '../core/abort.js'
import { badArgument, TangentError } from '../core/errors.js'
import { manyGaussians } from '../linear/random.js'
import { call, callSync, memoryOf, threadsOf } from '../native/call.js'
import type { ChosenDevice } from '../native/device.js'
import type { FitIteration } from '../native/fit.js'
import { type NativeSolveFit, native } from '../native/index.js'
import type { TangentFeatures } from './features.js'
import { AdaptiveModel, type FitStatus } from './model.js'
import { type AdaptiveOptions, checkOptions, fitDevice } from './options.js'
import { type FitPrice, numbersOf, type SettledPrice } from './price.js'
import { type BlockOptions, type BlockRule, blockRule, isAdaptive, nativeRule } from './rules.js'
import type { SharedWork } from './shared.js'

/** Options of {@link fitOnce}. */
export type FitOptions = Omit<AdaptiveOptions, 'price' | 'ridge' | 'starts' | 'selection'> & {
  price: SettledPrice
  ridge: number
}

/**
 * Fits checked targets once.
 * @param given B of all blocks to start from, in place of a model; what other fits of these features
 *   and targets have in common with this one
 */
export async function fitOnce(
  features: TangentFeatures,
  residual: Float64Array,
  options: FitOptions,
  given: Given = {},
): Promise<AdaptiveModel> {
  const checked = checkOptions(options)
  const { tolerance, stationarity, depth, solver, maxIterations, checkpointEvery } = checked
  const { ridge } = options
  const { price } = numbersOf(options.price)
  const rules = rulesOf(features, price === Number.POSITIVE_INFINITY ? fixed(options) : options)
  const rank = Math.min(native.sketchRank, features.rows)
  const device = await fitDevice(options, features.rows, features.size)
  const frozen = JSON.stringify([device.name, rules.map((rule) => !isAdaptive(rule))])
  const sketch = solver === 'products' ? await manyGaussians(features.rows * rank) : undefined
  const fit = callSync(
    () =>
      new native.SolveFit(features.native, rules.map(nativeRule), residual, {
        ridge,
        tolerance,
        stationarity,
        depth,
        products: solver === 'products',
        sketch,
        builder: given.shared?.builder(frozen),
        device: device.name,
        memory: memoryOf(options),
        threads: threadsOf(options),
      }),
  )
  given.shared?.built(frozen, fit.builder)
  try {
    const limited = { ...options, maxIterations, checkpointEvery }
    return await fitted(fit, features, residual, limited, { rules, device }, given)
  } finally {
    // Else what it holds on a card would stay until V8 looks for it.
    fit.free()
  }
}

interface Given {
  from?: Float64Array | undefined
  shared?: SharedWork | undefined
}

/** The same by the addon's fit, which has begun nothing yet. */
async function fitted(
  fit: NativeSolveFit,
  features: TangentFeatures,
  residual: Float64Array,
  options: FitOptions & { maxIterations: number; checkpointEvery: number },
  { rules, device }: { rules: readonly BlockRule[]; device: ChosenDevice },
  { from, shared }: Given,
): Promise<AdaptiveModel> {
  const { ridge, signal, maxIterations } = options
  const { price, relative } = numbersOf(options.price)
  const paid: FitPrice = { value: Number.POSITIVE_INFINITY, relative: null }
  if (rules.some(isAdaptive)) {
    const unit = await setPrice(fit, rules, options, shared)
    paid.value = relative ? unit * unit : price
    paid.relative = relative ? price : null
  }
  const start = from ?? options.start
  if (options.resume) await call(signal, () => fit.restore(options.resume as Float64Array))
  else if (start) await warmStart(fit, features, start)

  const iterations = await iterate(fit, options)
  const status = statusOf(fit, maxIterations)
  if (iterations.length === 0 && fit.last().iteration === 0) {
    throw new TangentError('NUMERICAL', status.advice)
  }
  const about = { ridge, iterations, status, price: paid, device }
  return adapted(await AdaptiveModel.fromFit(fit, rules, residual, features.outputs, about))
}

/** √price in the targets' units. */
async function setPrice(
  fit: NativeSolveFit,
  rules: readonly BlockRule[],
  options: FitOptions,
  shared: SharedWork | undefined,
): Promise<number> {
  const { price, relative } = numbersOf(options.price)
  const key = JSON.stringify([options.solver, rules.map(scaleOf)])
  const known = relative ? shared?.scale(key) : undefined
  if (known !== undefined) {
    return call(options.signal, (control) => fit.setPrice(price * known * known, false, control))
  }
  const unit = await call(options.signal, (control) => fit.setPrice(price, relative, control))
  if (relative) shared?.found(key, unit / Math.sqrt(price))
  return unit
}

/** What of a rule the unit of prices depends on. */
const scaleOf = ({ structure, left, right, modes }: BlockRule) => [
  structure,
  left === 'none',
  right === 'none',
  modes,
]

/** Features that cost an infinite price stay as they are. */
function fixed({ perBlock }: BlockOptions & Pick<AdaptiveOptions, 'perBlock'>) {
  const blocks = Object.keys(perBlock ?? {})
  return {
    structure: 'fixed' as const,
    perBlock: Object.fromEntries(blocks.map((name) => [name, { structure: 'fixed' as const }])),
  }
}

async function iterate(
  fit: NativeSolveFit,
  options: FitOptions & { maxIterations: number; checkpointEvery: number },
): Promise<FitIteration[]> {
  const { signal, onCheckpoint, onIteration, maxIterations, checkpointEvery } = options
  const iterations: FitIteration[] = []
  try {
    while (fit.status === 'running' && fit.last().iteration < maxIterations) {
      const began = performance.now()
      const { status, ...numbers } = await call(signal, (control) => fit.iterate(control))
      if (status === 'singular') break
      const iteration = { ...numbers, seconds: (performance.now() - began) / 1000 }
      iterations.push(iteration)
      onIteration?.(iteration)
      const due = numbers.iteration % checkpointEvery === 0 || numbers.iteration === maxIterations
      if (due) await onCheckpoint?.(fit.save())
    }
    // A checkpoint of a fit that had come to its end.
    const { status: _, ...last } = fit.last()
    if (iterations.length === 0 && last.iteration > 0) iterations.push({ ...last, seconds: 0 })
    if (signal?.aborted) throw abortError(signal)
  } catch (error) {
    if (signal?.aborted) await onCheckpoint?.(fit.save())
    throw error
  }
  return iterations
}

async function warmStart(
  fit: NativeSolveFit,
  features: TangentFeatures,
  start: AdaptiveModel | Float64Array,
): Promise<void> {
  if (start instanceof Float64Array) return call(undefined, () => fit.warmStart(start))
  if (!features.matches(start.blocks)) {
    throw badArgument('options.start', 'a model of the same blocks', start.blocks.length)
  }
  await call(undefined, () => fit.warmStart(start.coefficients()))
}

function statusOf(fit: NativeSolveFit, maxIterations: number): FitStatus {
  switch (fit.status) {
    case 'converged':
      return { name: 'converged', advice: 'Nothing: the optimum was reached.' }
    case 'stalled':
      return {
        name: 'stalled',
        advice:
          'Rounding hides further progress: loosen options.stationarity, or raise the ridge so ' +
          'that the kernel is better conditioned.',
      }
    case 'singular':
      return {
        name: 'singular',
        advice:
          'The kernel plus ridge is not positive definite in double precision: raise the ridge, ' +
          'or leave out duplicated samples.',
      }
    default:
      return {
        name: 'iteration limit',
        advice:
          `More iterations are needed than ${maxIterations}: raise options.maxIterations, start ` +
          'from this model (options.start), or loosen options.tolerance.',
      }
  }
}

/** What a fit whose status is converged says of how far it went. */
function adapted(model: AdaptiveModel): AdaptiveModel {
  const { status, largestStretch, price } = model
  if (status.name !== 'converged' || price.value === Number.POSITIVE_INFINITY) return model
  const advice =
    largestStretch < nothing
      ? 'The optimum was reached, but nothing was stretched: these are fixed features. A lower ' +
        'options.price lets them adapt.'
      : `Nothing: the optimum was reached, with a largest stretch of ${largestStretch.toPrecision(3)}.`
  return model.with({ status: { ...status, advice } })
}

/** Stretches below this are none. */
const nothing = 1.001

/** The rule of every block, from the common options and the block's own. */
export function rulesOf(
  features: TangentFeatures,
  options: BlockOptions & { perBlock?: AdaptiveOptions['perBlock'] },
): BlockRule[] {
  const own = new Map(Object.entries(options.perBlock ?? {}))
  const rules = features.blocks.map((block) => {
    const given = own.get(block.name)
    own.delete(block.name)
    const { structure, left, right, power } = options
    return blockRule(block, { structure, left, right, power, ...given })
  })
  for (const name of own.keys()) {
    const known = features.blocks.map((block) => block.name).join(', ')
    throw badArgument('options.perBlock', `names of blocks (${known})`, name)
  }
  return rules
}
