// What adapting costs.
import { badArgument } from '../core/errors.js'

/**
 * What Ω is multiplied by.
 * - A number c_0 > 0 is in units of the fixed model: the price is c_0·σ_1², σ_1 the largest singular
 *   value over all adaptive blocks (‖B‖_F of `flat`, max |B_ij| of `diagonal`) of the fixed solution
 *   at the ridge 0.01·tr K/rows. The same model comes out whatever the units of targets and features
 *   (METHOD.md, section 7). 1 lets the strongest direction be stretched by about a half; less means
 *   more adapting, and Infinity none: fixed features.
 * - `{ absolute: c }` is the number itself, as the paper has it with c = 1.
 * - `'auto'` chooses price and ridge by repeated folds; see {@link SelectionOptions}.
 */
export type Price = number | 'auto' | { absolute: number }

/** One that is known. */
export type SettledPrice = Exclude<Price, 'auto'>

/** The price of a model. */
export interface FitPrice {
  /** What Ω was multiplied by; Infinity where nothing may adapt. */
  value: number
  /** The same over σ_1², where it was given so. */
  relative: number | null
}

/** Checks a price; Infinity is one. */
export function checkPrice(price: unknown, name = 'options.price'): asserts price is Price {
  const good = (value: unknown) => typeof value === 'number' && value > 0
  if (price === 'auto' || good(price)) return
  const absolute =
    typeof price === 'object' && price !== null && 'absolute' in price ? price.absolute : undefined
  if (good(absolute)) return
  throw badArgument(name, "a number above 0, { absolute: a number above 0 } or 'auto'", price)
}

/** A price other than `'auto'` in numbers. */
export function numbersOf(price: SettledPrice): { price: number; relative: boolean } {
  if (typeof price === 'number') return { price, relative: true }
  return { price: price.absolute, relative: false }
}

/** Prices as JSON has them. */
export const printablePrice = (price: SettledPrice): number | 'infinite' | { absolute: number } =>
  price === Number.POSITIVE_INFINITY ? 'infinite' : price
