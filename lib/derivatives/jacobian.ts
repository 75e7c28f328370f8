import type { Floats, NdArray } from '../io/index.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { cut } from './blocks.js'
import { compute, prepare } from './derive.js'
import type { WeightPath } from './path.js'
import type { Prepared } from './prepared.js'

export type ParameterArrays<F extends Floats = Float32Array> = Map<string, NdArray<F>>

export async function jacobian(
  core: Core,
  inputs: Inputs,
  options: DerivativeOptions,
): Promise<ParameterArrays<Floats>> {
  return (await jacobians(core, inputs, options)).features
}

/** The same, averaged over a path where one is given. */
export async function jacobians(
  core: Core,
  inputs: Inputs,
  options: DerivativeOptions,
  path?: WeightPath,
): Promise<{ features: ParameterArrays<Floats>; change: NdArray<Floats> | undefined }> {
  const prepared = await prepare(core, inputs, options)
  const parameters = prepared.core.architecture.active.map(({ parameter }) => parameter)
  const rows = prepared.x.samples * prepared.outputs.length
  const total = parameters.reduce((sum, { count }) => sum + count, 0)
  const { blocks } = await compute(
    prepared,
    [...parameters.map(({ count }) => rows * count), ...(path ? [rows] : [])],
    { kind: 'jacobian', ...(path ? { path: path.job } : {}) },
    {
      what: `The Jacobian of ${rows} outputs by ${total} parameters`,
      fits: () => fitting(prepared, total),
    },
    { path: path?.message },
  )
  const change = blocks[parameters.length]
  const features = new Map(
    parameters.map(({ name, shape }, p) => {
      const { data } = blocks[p] as (typeof blocks)[number]
      const { count } = parameters[p] as (typeof parameters)[number]
      const own = cut(prepared, data, count)
      return [name, { data: own, shape: [prepared.samples, prepared.width, ...shape] }]
    }),
  )
  const shape = [prepared.samples, prepared.width]
  return { features, change: change && { data: cut(prepared, change.data), shape } }
}

function fitting({ budget, outputs }: Prepared, parameters: number): string {
  const most = Math.floor(budget / 2 / 4 / parameters / outputs.length)
  const samples = most >= 1 ? `${most} samples would fit, and ` : ''
  return `${samples}ntk, vjp and ntkProduct need no Jacobian`
}
