// Samples into folds.
import { mulberry } from './gradients.js'

/** 0 … count − 1 in a random order. */
export function shuffled(count: number, seed: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
  const uniform = mulberry(seed)
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1))
    ;[order[i], order[j]] = [order[j] as number, order[i] as number]
  }
  return order
}

/** The samples that are kept in a fold, and those held out. */
export function heldOut(
  order: readonly number[],
  fold: number,
  folds: number,
): [number[], number[]] {
  return [order.filter((_, i) => i % folds !== fold), order.filter((_, i) => i % folds === fold)]
}

/** The rows (i, o) of some samples. */
export function rowsOf(
  values: Float64Array,
  samples: readonly number[],
  outputs: number,
): Float64Array {
  return Float64Array.from(
    samples.flatMap((i) => Array.from(values.subarray(i * outputs, (i + 1) * outputs))),
  )
}
