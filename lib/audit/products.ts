// Products of matrices off the JS thread, and what moves their numbers.
import { TangentFeatures } from '../fit/features.js'
import type { Floats } from '../io/index.js'
import type { SolveOptions } from '../native/call.js'

/** The rows of x (count, size) for the native core. */
export function rowsOf(x: Floats, size: number, options: SolveOptions): Promise<TangentFeatures> {
  return TangentFeatures.from(x.length / size, 1, [{ name: 'rows', m: 1, k: size, x }], options)
}

/** A Bᵀ of A (p, size) and B (q, size), (p, q); of A alone A Aᵀ. */
export async function rowProducts(
  a: Floats,
  b: Floats | null,
  size: number,
  { signal, threads }: SolveOptions = {},
): Promise<Float64Array> {
  const options = { signal, threads }
  const left = await rowsOf(a, size, options)
  return left.kernel(b ? await rowsOf(b, size, options) : left, options)
}

/** Share of numbers other than 0 below which products by hand cost less than those of all. */
const few = 0.04

/** Are nearly all of the numbers 0, as the derivatives of a last layer's outputs are? */
export function isSparse(x: Floats): boolean {
  const limit = few * x.length
  let count = 0
  for (let e = 0; e < x.length && count <= limit; e += 1) if (x[e] !== 0) count += 1
  return count <= limit
}
