import type { NdArray } from '../arrays/index.js'
import type { Core, DerivativeOptions } from '../core.js'
import type { Inputs } from '../inputs.js'
import { compute, type Prepared, prepare } from './derive.js'

export type ParameterArrays = Map<string, NdArray<Float32Array>>

export async function jacobian(
  core: Core,
  inputs: Inputs,
  options: DerivativeOptions,
): Promise<ParameterArrays> {
  const prepared = await prepare(core, inputs, options)
  const parameters = core.architecture.active.map(({ parameter }) => parameter)
  const rows = prepared.x.samples * prepared.outputs.length
  const total = parameters.reduce((sum, { count }) => sum + count, 0)
  const { blocks } = await compute(
    prepared,
    parameters.map(({ count }) => rows * count),
    (results) => ({ kind: 'jacobian', results: results.map(({ id }) => id) }),
    {
      what: `The Jacobian of ${rows} outputs by ${total} parameters`,
      fits: () => fitting(prepared, total),
    },
  )
  return new Map(
    parameters.map(({ name, shape }, p) => {
      const { data } = blocks[p] as (typeof blocks)[number]
      return [name, { data, shape: [prepared.x.samples, prepared.outputs.length, ...shape] }]
    }),
  )
}

function fitting({ budget, outputs }: Prepared, parameters: number): string {
  const most = Math.floor(budget / 2 / 4 / parameters / outputs.length)
  const samples = most >= 1 ? `${most} samples would fit, and ` : ''
  return `${samples}ntk, vjp and ntkProduct need no Jacobian`
}
