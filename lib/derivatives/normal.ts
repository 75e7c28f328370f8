import type { Floats } from '../io/index.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { prepare } from './derive.js'
import { type Direction, directionArrays } from './direction.js'
import { gradient, planGradient } from './gradient.js'
import type { ParameterArrays } from './jacobian.js'
import { jvp } from './jvp.js'
import { vjp } from './vjp.js'

export async function normalProduct(
  given: Core,
  inputs: Inputs,
  direction: Direction,
  options: DerivativeOptions,
): Promise<ParameterArrays<Floats>> {
  given.checkAlive()
  const core = await given.at(inputs, options)
  const directions = directionArrays(core, direction)
  const prepared = await prepare(core, inputs, options)
  if (prepared.block) {
    // Those that fill a block up must not count.
    const slopes = await jvp(core, inputs, direction, options)
    return vjp(core, inputs, slopes, options)
  }
  return gradient(planGradient(prepared, { kind: 'normal', directions, columns: 1 }))
}
