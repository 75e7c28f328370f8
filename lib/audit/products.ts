// Products of matrices off the JS thread, and what moves their numbers.
import { TangentFeatures } from '../fit/features.js'
import type { Floats } from '../io/index.js'
import type { SolveOptions } from '../native/call.js'
import { each } from './small.js'

/** A Bᵀ of A (p, size) and B (q, size), (p, q); of A alone A Aᵀ. */
export async function rowProducts(
  a: Floats,
  b: Floats | null,
  size: number,
  { signal, threads }: SolveOptions = {},
): Promise<Float64Array> {
  const options = { signal, threads }
  const rows = (x: Floats) =>
    TangentFeatures.from(x.length / size, 1, [{ name: 'rows', m: 1, k: size, x }], options)
  const left = await rows(a)
  return left.kernel(b ? await rows(b) : left, options)
}

/** Of an array (rows, columns): (columns, rows). */
export async function transposed(
  data: Floats,
  rows: number,
  columns: number,
  signal?: AbortSignal | undefined,
): Promise<Float64Array> {
  const out = new Float64Array(data.length)
  const row = (r: number) => {
    for (let c = 0; c < columns; c += 1) out[c * rows + r] = data[r * columns + c] as number
  }
  // Writes far apart cost more than reads one after another.
  await each(rows, 8 * columns, row, signal)
  return out
}
