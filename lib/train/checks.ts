// Options and targets of a training, refused before anything is computed.

import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { shapeSize } from '../core/shape.js'
import { classIndices, fittedClasses, integerClasses } from '../io/classes.js'
import type { NdArray } from '../io/index.js'
import type { Loss, Targets } from './loss.js'
import { checkOptimizer } from './optimizer.js'
import type { LabelledSamples, TrainOptions } from './options.js'

/** @throws TangentError BAD_ARGUMENT for what does not depend on the network or the samples. */
export function checkOptions(data: LabelledSamples, options: TrainOptions): void {
  given('data', '{ x, target }', data)
  checkCall(options)
  given('options.optimizer', 'an object', options.optimizer)
  checkOptimizer(options.optimizer)
  const { samplesPerEpoch } = options
  if (samplesPerEpoch !== undefined) wholeNumber('options.samplesPerEpoch', samplesPerEpoch, 1)
  const { epochs, evaluateEvery, seed, schedule, checkpoints, resume } = options
  wholeNumber('options.epochs', epochs, 1)
  if (evaluateEvery !== undefined) wholeNumber('options.evaluateEvery', evaluateEvery, 1)
  if (seed !== undefined) wholeNumber('options.seed', seed, 0)
  if (schedule !== undefined && schedule !== 'constant' && schedule !== 'cosine') {
    throw badArgument('options.schedule', 'constant or cosine', schedule)
  }
  if (resume !== undefined && typeof resume !== 'string') {
    throw badArgument('options.resume', 'the path of a file', resume)
  }
  if (checkpoints === undefined) return
  given('options.checkpoints', '{ folder, every, at }', checkpoints)
  const { folder, every, at } = checkpoints
  if (typeof folder !== 'string' || folder === '') {
    throw badArgument('options.checkpoints.folder', 'the path of a folder', folder)
  }
  if (every !== undefined) wholeNumber('options.checkpoints.every', every, 1)
  if (at === undefined) return
  if (!Array.isArray(at)) throw badArgument('options.checkpoints.at', 'a list of steps', at)
  for (const step of at) wholeNumber('options.checkpoints.at', step, 0)
}

/**
 * Classes or numbers of the samples, checked against the loss and the outputs. For squared loss
 * integers (N,) are classes, too: −1 and 1, or one-hot.
 * @param like the samples trained on, whose labels those of a test set are
 */
export function targetsOf(
  target: NdArray,
  loss: Loss,
  samples: number,
  outputs: number,
  argument: string,
  like: NdArray = target,
): Targets {
  given(argument, 'an array { data, shape }', target)
  const { data, shape } = target
  if (shapeSize(shape) !== data.length) {
    throw mismatch(argument, `numbers for its shape (${shape.join(', ')})`, `${data.length}`)
  }
  const numbers = Array.from(data as ArrayLike<number | bigint>, Number)
  const classes = integerClasses(target)
  if (loss === 'cross-entropy' || classes) {
    if (shape.length !== 1 || numbers.length !== samples) {
      throw mismatch(argument, `${samples} classes`, `an array (${shape.join(', ')})`)
    }
  }
  if (loss === 'cross-entropy') return classIndices(numbers, outputs, argument)
  if (classes) {
    const all = Array.from({ length: outputs }, (_, o) => o)
    const pair = integerClasses(like)?.labels
    return Float32Array.from(fittedClasses(classes, { outputs: all, pair }, argument))
  }
  const fits =
    numbers.length === samples * outputs &&
    shape[0] === samples &&
    (shape.length === 2 || (shape.length === 1 && outputs === 1))
  if (!fits) {
    throw mismatch(
      argument,
      `numbers (${samples}, ${outputs}), or classes (${samples}) as integers`,
      `floats (${shape.join(', ')})`,
    )
  }
  const bad = numbers.find((value) => !Number.isFinite(value))
  if (bad !== undefined) throw badArgument(argument, 'finite numbers', bad)
  return Float32Array.from(numbers)
}

function given(name: string, expected: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw badArgument(name, expected, value)
}
