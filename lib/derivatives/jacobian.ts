import type { Floats, NdArray } from '../io/index.js'
import type { TileReport } from '../io/sink.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { cut } from './blocks.js'
import { execute, type Planned, prepare } from './derive.js'
import type { WeightPath } from './path.js'
import type { Prepared } from './prepared.js'
import { fill, type SinkOptions } from './tiles.js'

export type ParameterArrays<F extends Floats = Float32Array> = Map<string, NdArray<F>>

export async function jacobian(
  core: Core,
  inputs: Inputs,
  options: DerivativeOptions,
): Promise<ParameterArrays<Floats>> {
  return (await jacobians(core, inputs, options)).features
}

/** The same, its rows to a sink. */
export async function jacobianTo(
  core: Core,
  inputs: Inputs,
  options: DerivativeOptions & SinkOptions,
): Promise<TileReport> {
  return fill(await planJacobian(core, inputs, options), options)
}

/** The same, averaged over a path where one is given. */
export async function jacobians(
  core: Core,
  inputs: Inputs,
  options: DerivativeOptions,
  path?: WeightPath,
): Promise<{ features: ParameterArrays<Floats>; change: NdArray<Floats> | undefined }> {
  const planned = await planJacobian(core, inputs, options, path)
  const { prepared } = planned
  const { arrays } = await execute(planned)
  const parameters = prepared.core.architecture.active
  const change = arrays[parameters.length]
  const features = new Map(
    parameters.map(({ parameter: { name, shape, count } }, p) => {
      const own = cut(prepared, (arrays[p] as (typeof arrays)[number]).data, count)
      return [name, { data: own, shape: [prepared.samples, prepared.width, ...shape] }]
    }),
  )
  const shape = [prepared.samples, prepared.width]
  return { features, change: change && { data: cut(prepared, change.data), shape } }
}

export async function planJacobian(
  core: Core,
  inputs: Inputs,
  options: DerivativeOptions,
  path?: WeightPath,
): Promise<Planned> {
  const prepared = await prepare(core, inputs, options)
  const parameters = prepared.core.architecture.active.map(({ parameter }) => parameter)
  const rows = [prepared.x.samples, prepared.outputs.length] as const
  const total = parameters.reduce((sum, { count }) => sum + count, 0)
  return {
    prepared,
    job: { kind: 'jacobian', ...(path ? { path: path.job } : {}) },
    results: [
      ...parameters.map(({ name, shape }) => ({ name, shape: [...rows, ...shape] })),
      ...(path ? [{ name: 'change', shape: rows }] : []),
    ],
    words: {
      what: `The Jacobian of ${rows[0] * rows[1]} outputs by ${total} parameters`,
      fits: () => fitting(prepared, total),
    },
    path: path?.message,
  }
}

function fitting({ budget, outputs }: Prepared, parameters: number): string {
  const most = Math.floor(budget / 2 / 4 / parameters / outputs.length)
  const samples = most >= 1 ? `${most} samples would fit, and ` : ''
  return `${samples}ntk, vjp and ntkProduct need no Jacobian`
}
