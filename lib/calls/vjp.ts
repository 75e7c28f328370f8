import { type NdArray, toFloat32 } from '../arrays/index.js'
import type { Core, DerivativeOptions } from '../core.js'
import { badArgument } from '../errors.js'
import type { Inputs } from '../inputs.js'
import { compute, prepare } from './derive.js'
import type { ParameterArrays } from './jacobian.js'

export async function vjp(
  core: Core,
  inputs: Inputs,
  cotangents: NdArray,
  options: DerivativeOptions,
): Promise<ParameterArrays> {
  const prepared = await prepare(core, inputs, options)
  const [samples, outputs] = [prepared.x.samples, prepared.outputs.length]
  const { data, shape } = toFloat32(cotangents, 'cotangents')
  if (shape.length !== 2 || shape[0] !== samples || shape[1] !== outputs) {
    throw badArgument('cotangents', `an array (${samples}, ${outputs})`, `(${shape.join(', ')})`)
  }
  checkNumbers(data, 'cotangents')
  const parameters = core.architecture.active.map(({ parameter }) => parameter)
  const total = parameters.reduce((sum, { count }) => sum + count, 0)
  const { blocks } = await compute(
    prepared,
    parameters.map(({ count }) => count),
    (results) => ({
      kind: 'vjp',
      cotangents: data,
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

export function checkNumbers(data: Float32Array, name: string): void {
  const bad = data.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0) throw badArgument(`${name}.data[${bad}]`, 'a finite number', data[bad])
}
