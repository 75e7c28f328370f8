// Samples into folds.
import { permutation, uniforms } from '../linear/random.js'

/** 0 … count − 1 in a random order. */
export function shuffled(count: number, seed: number): number[] {
  return [...permutation(count, uniforms(seed))]
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
