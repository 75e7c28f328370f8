// Arguments of posteriors, checked.
import { badArgument, mismatch } from '../core/errors.js'
import { checkTargets, numbersOf } from '../linear/checks.js'

/** Targets of n rows, as many columns as there are. */
export function targetsOf(y: ArrayLike<number>, n: number): Float64Array {
  const { length } = numbersOf('y', y)
  if (length === 0 || length % n !== 0) {
    throw mismatch('y', `a multiple of ${n} numbers`, `${length} numbers`)
  }
  return checkTargets(y, length)
}

/** f(x; θ0), as many numbers as wanted. */
export function checkedBase(base: ArrayLike<number>, length: number): Float64Array {
  const numbers = numbersOf('options.base', base)
  if (numbers.length !== length) {
    throw mismatch('options.base', `${length} numbers, as y`, `${numbers.length}`)
  }
  const bad = numbers.find((value) => !Number.isFinite(value))
  if (bad !== undefined) throw badArgument('options.base', 'finite numbers', bad)
  return numbers
}

/** k(x*, x*), one number for each row. */
export function checkedOwn(own: ArrayLike<number>, rows: number): Float64Array {
  const numbers = numbersOf('own', own)
  if (numbers.length !== rows) {
    throw mismatch('own', `${rows} numbers, one for each row of cross`, `${numbers.length}`)
  }
  const bad = numbers.find((value) => !(value >= 0 && Number.isFinite(value)))
  if (bad !== undefined) throw badArgument('own', 'numbers ≥ 0', bad)
  return numbers
}

export function positive(name: string, value: number): void {
  if (!(typeof value === 'number' && value > 0 && Number.isFinite(value)))
    throw badArgument(name, 'a number above 0', value)
}
