// How samples go into folds.
import { shuffled } from '../fit/folds.js'
import type { Targets } from './targets.js'

/** How samples go into folds: the same way for everything that is chosen. */
export interface FoldPlan {
  folds: number
  repeats: number
  order(repeat: number): readonly number[]
}

/** Folds that hold the classes in equal shares, as far as their numbers allow. */
export function planFolds(
  targets: Targets,
  samples: number,
  { folds, repeats, seed }: { folds: number; repeats: number; seed: number },
): FoldPlan {
  return {
    folds: Math.min(folds, samples),
    repeats,
    order(repeat) {
      const order = shuffled(samples, seed + repeat)
      if (targets.kind === 'numbers') return order
      const { of } = targets
      // One after another goes into the next fold, so neighbours are parted.
      return order.sort((a, b) => (of[a] as number) - (of[b] as number))
    },
  }
}
