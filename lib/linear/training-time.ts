// How far the linearised network is trained at a time.

import { badArgument, wholeNumber } from '../core/errors.js'

/** How training is scaled in time; see {@link KernelSpectrum.trained}. */
export interface TrainingTime {
  /**
   * t of the gradient flow dθ/dt = −∇L, or with `steps` ignored. Infinity gives the end of training.
   */
  time?: number | undefined
  /** Steps of gradient descent instead, with `learningRate`. */
  steps?: number | undefined
  learningRate?: number | undefined
  /**
   * L = ½‖f − y‖² (`sum`, default), or that divided by the number of rows (`mean`).
   */
  loss?: 'sum' | 'mean' | undefined
}

/** Per eigenvalue, of which `rank` are not zero: 1 − e^{−λt}, or that over λ. */
export function learnedShares(
  { values, rank, n }: { values: Float64Array; rank: number; n: number },
  when: TrainingTime,
  fit: boolean,
): Float64Array {
  if (typeof when !== 'object' || when === null) {
    throw badArgument('when', 'either a time or steps with a learningRate', when)
  }
  const { time, steps, learningRate, loss = 'sum' } = when
  const scale = loss === 'mean' ? 1 / n : 1
  if ((time === undefined) === (steps === undefined)) {
    throw badArgument('when', 'either a time or steps with a learningRate', { time, steps })
  }
  if (time !== undefined && !(typeof time === 'number' && time >= 0))
    throw badArgument('when.time', 'a time ≥ 0', time)
  if (steps !== undefined) {
    wholeNumber('when.steps', steps, 0)
    if (!(typeof learningRate === 'number' && learningRate > 0)) {
      throw badArgument('when.learningRate', 'a rate > 0', learningRate)
    }
  }
  return values.map((raw, j) => {
    const value = j < rank ? raw : 0
    if (value === 0) {
      // The limit of (1 − e^{−λt})/λ: directions that the kernel does not see keep growing in α
      // but never show in the outputs.
      if (fit) return 0
      const elapsed = time ?? (steps as number) * (learningRate as number)
      return Number.isFinite(elapsed) ? elapsed * scale : 0
    }
    const learned =
      time !== undefined
        ? -Math.expm1(-value * scale * time)
        : 1 - (1 - value * scale * (learningRate as number)) ** (steps as number)
    return fit ? learned : learned / value
  })
}
