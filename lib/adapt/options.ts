// What an adaptation may be asked for.
import { badArgument, oneOf } from '../core/errors.js'
import type { NetworkFitOptions } from '../fit/network.js'
import { checkOptions } from '../fit/options.js'
import type { Inputs } from '../model/inputs.js'
import type { AdaptLoss } from './choose.js'
import type { AdaptTargets, TargetKind } from './targets.js'

/** Samples with targets that are left out of the fit, to score it. */
export interface HeldOutSamples {
  x: Inputs
  y: AdaptTargets
}

/** Options of {@link adapt}. */
export interface AdaptOptions
  extends Omit<
    NetworkFitOptions,
    | 'outputs'
    | 'perBlock'
    | 'solver'
    | 'start'
    | 'starts'
    | 'resume'
    | 'onIteration'
    | 'onCheckpoint'
    | 'checkpointEvery'
  > {
  /**
   * What the targets are taken for (default `auto`: texts, integers and one-hot rows are classes, all
   * else is numbers). Whole numbers in an array of floats are classes only where this says so.
   */
  target?: TargetKind | undefined
  /**
   * The last layer: `new` fits one by ridge on the value before it, `keep` takes the network's own;
   * `auto` (default) takes a new one where the classes, or columns, differ in number from its outputs.
   */
  head?: 'auto' | 'new' | 'keep' | undefined
  /**
   * `squared` (default): ½‖f − y‖² of one-hot classes or numbers. `softmax`: cross-entropy of classes,
   * with fixed features.
   */
  loss?: AdaptLoss | undefined
  /** A share of the samples between 0 and 1, or samples of their own, to score the model with. */
  holdout?: number | HeldOutSamples | undefined
}

/** @throws TangentError BAD_ARGUMENT */
export function checkAdaptOptions(options: AdaptOptions) {
  checkOptions(options)
  const target = oneOf<TargetKind>(options.target, ['auto', 'classes', 'numbers'], 'options.target')
  const head = oneOf(options.head, ['auto', 'new', 'keep'] as const, 'options.head')
  const loss = oneOf<AdaptLoss>(options.loss, ['squared', 'softmax'], 'options.loss')
  const { holdout, selection = {}, price = 'auto' } = options
  const fixed = price === 'auto' || price === Number.POSITIVE_INFINITY
  if (loss === 'softmax' && !fixed && options.structure !== 'fixed') {
    throw badArgument(
      'options.price',
      "'auto' or Infinity with loss 'softmax', which adapts no features",
      price,
    )
  }
  if (typeof holdout === 'number' ? !(holdout > 0 && holdout < 1) : !isSamples(holdout)) {
    throw badArgument(
      'options.holdout',
      'a share between 0 and 1, or samples { x, y } of their own',
      holdout,
    )
  }
  const { folds = 5, repeats = 2, seed = 1 } = selection
  return { target, head, loss, holdout, folds, repeats, seed }
}

function isSamples(holdout: unknown): boolean {
  if (holdout === undefined) return true
  return typeof holdout === 'object' && holdout !== null && 'x' in holdout && 'y' in holdout
}
