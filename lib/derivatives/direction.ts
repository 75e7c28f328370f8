// Changes of the parameters, as callers give them.

import { badArgument, mismatch } from '../core/errors.js'
import { type Floats, type NdArray, toFloats } from '../io/index.js'
import type { Core } from '../model/core.js'
import { checkNumbers } from './vjp.js'

/**
 * A change of the parameters: by name (or label) an array of the parameter's shape. Those that are
 * not named do not change.
 */
export type Direction = ReadonlyMap<string, NdArray>

/** The numbers of a direction in the order of the parameters; null where nothing changes. */
export function directionArrays(
  core: Core,
  direction: Direction,
  argument = 'direction',
): (Floats | null)[] {
  if (!(direction instanceof Map)) {
    throw badArgument(argument, 'a Map from names of parameters to arrays', direction)
  }
  const { active, parameters } = core.architecture
  const left = new Map<string, NdArray>(direction)
  const arrays = active.map(({ parameter: { name, label, shape } }) => {
    const key = left.has(name) ? name : label
    const array = left.get(key)
    if (!array) return null
    left.delete(key)
    const what = `${argument}[${JSON.stringify(key)}]`
    const { data, shape: given } = toFloats(array, core.architecture.double, what)
    if (given.length !== shape.length || given.some((size, axis) => size !== shape[axis])) {
      throw mismatch(what, `an array (${shape.join(', ')})`, `(${given.join(', ')})`)
    }
    checkNumbers(data, what)
    return data
  })
  for (const key of left.keys()) {
    // Of a branch that is not taken: nothing depends on it.
    if (core.elsewhere.has(key)) continue
    const known = parameters.some(({ name, label }) => name === key || label === key)
    throw badArgument(
      argument,
      known ? 'parameters that are not frozen' : 'names of parameters of the network',
      key,
    )
  }
  return arrays
}
