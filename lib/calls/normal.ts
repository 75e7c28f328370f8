import type { Core, DerivativeOptions } from '../core.js'
import type { Inputs } from '../inputs.js'
import { compute, prepare } from './derive.js'
import { type Direction, directionArrays } from './direction.js'
import type { ParameterArrays } from './jacobian.js'

export async function normalProduct(
  core: Core,
  inputs: Inputs,
  direction: Direction,
  options: DerivativeOptions,
): Promise<ParameterArrays> {
  core.checkAlive()
  const directions = directionArrays(core, direction)
  const prepared = await prepare(core, inputs, options)
  const parameters = core.architecture.active.map(({ parameter }) => parameter)
  const total = parameters.reduce((sum, { count }) => sum + count, 0)
  const { blocks } = await compute(
    prepared,
    parameters.map(({ count }) => count),
    (results) => ({
      kind: 'normal',
      directions,
      columns: 1,
      results: results.map(({ id }) => id),
    }),
    { what: `A product with ${total} parameters`, fits: () => 'freeze some parameters' },
  )
  return new Map(
    parameters.map(({ name, shape }, p) => [
      name,
      { data: (blocks[p] as (typeof blocks)[number]).data, shape: [...shape] },
    ]),
  )
}
