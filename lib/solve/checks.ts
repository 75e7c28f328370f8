import { badArgument, mismatch, TangentError } from '../errors.js'

/** Targets as doubles; throws for a wrong length or numbers that are not finite. */
export function checkTargets(targets: ArrayLike<number>, rows: number): Float64Array {
  if (targets.length !== rows) {
    throw mismatch('targets', `${rows} numbers, one per row`, `${targets.length} numbers`)
  }
  const residual = Float64Array.from(targets)
  const bad = residual.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0) {
    throw new TangentError(
      'BAD_INPUT',
      `Expected finite targets but the target of row ${bad} is ${residual[bad]}`,
    )
  }
  return residual
}

export function notNegative(name: string, value: number): void {
  if (!(value >= 0 && Number.isFinite(value))) throw badArgument(name, 'a number ≥ 0', value)
}
