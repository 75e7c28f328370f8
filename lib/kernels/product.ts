import { mismatch } from '../core/errors.js'
import { cut, filledUp } from '../derivatives/blocks.js'
import { execute, type Planned, prepare } from '../derivatives/derive.js'
import type { Prepared } from '../derivatives/prepared.js'
import { checkNumbers } from '../derivatives/vjp.js'
import { checkArray, type Floats, type NdArray, toFloats } from '../io/index.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'

export async function ntkProduct(
  core: Core,
  inputs: Inputs,
  vectors: NdArray,
  options: DerivativeOptions,
): Promise<NdArray<Floats>> {
  return productOf(await prepare(core, inputs, options), vectors)
}

/**
 * K·v of a call that has been prepared.
 * @param keep a number under which forward runs are kept for the next product of these samples.
 */
export async function productOf(
  prepared: Prepared,
  vectors: NdArray,
  keep?: number,
): Promise<NdArray<Floats>> {
  const planned = planProduct(prepared, vectors, keep)
  const { shape } = vectors
  const { arrays } = await execute(planned)
  const { data } = arrays[0] as (typeof arrays)[number]
  return { data: cut(prepared, data, shape[2]), shape: [...shape] }
}

export function planProduct(prepared: Prepared, vectors: NdArray, keep?: number): Planned {
  const { samples, width: outputs } = prepared
  checkArray(vectors, 'v')
  const { data, shape } = toFloats(vectors, prepared.core.architecture.double, 'v')
  const [rows, width, columns = 1] = shape
  const rank = shape.length === 2 || shape.length === 3
  if (!rank || rows !== samples || width !== outputs || columns < 1) {
    throw mismatch(
      'v',
      `an array (${samples}, ${outputs}) or (${samples}, ${outputs}, q)`,
      `(${shape.join(', ')})`,
    )
  }
  checkNumbers(data, 'v')
  const filled = filledUp(prepared, data, columns)
  const what = `A product of ${columns} columns`
  return {
    prepared,
    job: { kind: 'product', vectors: filled, columns },
    results: [{ name: 'product', shape: [filled.length / columns, columns] }],
    words: { what, fits: () => 'fewer columns at a time would fit' },
    keep,
  }
}
