import { badArgument, mismatch, TangentError } from '../core/errors.js'
import { heldNumbers } from '../io/held.js'

/** Refuses what is no array or typed array of plain numbers. */
export function checkList(name: string, values: ArrayLike<number>): void {
  if (ArrayBuffer.isView(values)) {
    const { BYTES_PER_ELEMENT: width, 0: first } = values as unknown as Float64Array
    if (width !== undefined && typeof first !== 'bigint') return
    throw badArgument(name, 'an array of numbers', values)
  }
  const list = Array.isArray(values)
  const wrong = list ? values.findIndex((value) => typeof value !== 'number') : -1
  if (!list) throw badArgument(name, 'an array of numbers', values)
  if (wrong >= 0) throw badArgument(`${name}[${wrong}]`, 'a number', values[wrong])
}

/** Plain numbers in an array or typed array, as doubles. */
export function numbersOf(name: string, values: ArrayLike<number>): Float64Array {
  checkList(name, values)
  return Float64Array.from(heldNumbers(values, name))
}

/** Targets as doubles; throws for a wrong length or numbers that are not finite. */
export function checkTargets(targets: ArrayLike<number>, rows: number): Float64Array {
  const residual = numbersOf('targets', targets)
  if (residual.length !== rows) {
    throw mismatch('targets', `${rows} numbers, one per row`, `${residual.length} numbers`)
  }
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
  if (!(Number.isFinite(value) && value >= 0)) throw badArgument(name, 'a number ≥ 0', value)
}
