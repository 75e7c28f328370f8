// Arguments of calls that take one or two sets of samples.

import { badArgument } from '../core/errors.js'
import type { NdArray } from '../io/index.js'
import type { Inputs } from '../model/inputs.js'
import type { NtkOptions } from './ntk.js'

/** Tells `ntk(x, options)` from `ntk(x, x2, options)`. */
export function secondArgument(
  rest: [NtkOptions?] | [Inputs | undefined, NtkOptions?],
): [Inputs | undefined, NtkOptions] {
  const [first, second] = rest as [Inputs | NtkOptions | undefined, NtkOptions?]
  if (typeof first !== 'object' || first === null) {
    if (first !== undefined) throw badArgument('x2', 'an array or one for each input', first)
  }
  if (first === undefined || second !== undefined)
    return [first as Inputs | undefined, second ?? {}]
  const values = Object.values(first)
  const isArray = ArrayBuffer.isView((first as NdArray).data)
  // Next to arrays there may be numbers that all samples share; options hold neither.
  const arrays = values.some((value) => ArrayBuffer.isView(value?.data))
  return isArray || arrays ? [first as Inputs, {}] : [undefined, first as NtkOptions]
}
