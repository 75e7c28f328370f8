import type { Floats, NdArray } from '../io/index.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { cut } from './blocks.js'
import { compute, prepare } from './derive.js'
import { type Direction, directionArrays } from './direction.js'

export async function jvp(
  given: Core,
  inputs: Inputs,
  direction: Direction,
  options: DerivativeOptions,
  argument = 'direction',
): Promise<NdArray<Floats>> {
  given.checkAlive()
  const core = await given.at(inputs, options)
  const directions = directionArrays(core, direction, argument)
  const prepared = await prepare(core, inputs, options)
  const shape = [prepared.samples, prepared.width]
  const { blocks } = await compute(
    prepared,
    [prepared.x.samples * prepared.outputs.length],
    { kind: 'jvp', directions, columns: 1 },
    { what: `A result of ${shape.join(' × ')}`, fits: () => 'fewer samples at a time would fit' },
  )
  return { data: cut(prepared, (blocks[0] as (typeof blocks)[number]).data), shape }
}
