import { badArgument, mismatch } from '../core/errors.js'
import { checkArray, type Floats, type NdArray, toFloats } from '../io/index.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { filledUp } from './blocks.js'
import { type Planned, prepare } from './derive.js'
import { gradient, planGradient } from './gradient.js'
import type { ParameterArrays } from './jacobian.js'

export async function vjp(
  core: Core,
  inputs: Inputs,
  cotangents: NdArray,
  options: DerivativeOptions,
): Promise<ParameterArrays<Floats>> {
  return gradient(await planVjp(core, inputs, cotangents, options))
}

export async function planVjp(
  core: Core,
  inputs: Inputs,
  cotangents: NdArray,
  options: DerivativeOptions,
): Promise<Planned> {
  const prepared = await prepare(core, inputs, options)
  const { samples, width: outputs } = prepared
  checkArray(cotangents, 'cotangents')
  const { data, shape } = toFloats(cotangents, prepared.core.architecture.double, 'cotangents')
  if (shape.length !== 2 || shape[0] !== samples || shape[1] !== outputs) {
    throw mismatch('cotangents', `an array (${samples}, ${outputs})`, `(${shape.join(', ')})`)
  }
  checkNumbers(data, 'cotangents')
  const all = filledUp(prepared, data)
  return planGradient(prepared, { kind: 'vjp', cotangents: all, columns: 1 })
}

export function checkNumbers(data: Floats, name: string): void {
  const bad = data.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0) throw badArgument(`${name}.data[${bad}]`, 'a finite number', data[bad])
}
