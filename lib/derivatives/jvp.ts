import type { Floats, NdArray } from '../io/index.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { cut } from './blocks.js'
import { execute, type Planned, prepare } from './derive.js'
import { type Direction, directionArrays } from './direction.js'

export async function jvp(
  given: Core,
  inputs: Inputs,
  direction: Direction,
  options: DerivativeOptions,
  argument = 'direction',
): Promise<NdArray<Floats>> {
  const planned = await planJvp(given, inputs, direction, options, argument)
  const { prepared } = planned
  const { arrays } = await execute(planned)
  const data = cut(prepared, (arrays[0] as (typeof arrays)[number]).data)
  return { data, shape: [prepared.samples, prepared.width] }
}

export async function planJvp(
  given: Core,
  inputs: Inputs,
  direction: Direction,
  options: DerivativeOptions,
  argument = 'direction',
): Promise<Planned> {
  given.checkAlive()
  const core = await given.at(inputs, options)
  const directions = directionArrays(core, direction, argument)
  const prepared = await prepare(core, inputs, options)
  const { samples, width, x, outputs } = prepared
  const what = `A result of ${samples} × ${width}`
  return {
    prepared,
    job: { kind: 'jvp', directions, columns: 1 },
    results: [{ name: 'product', shape: [x.samples, outputs.length] }],
    words: { what, fits: () => 'fewer samples at a time would fit' },
  }
}
