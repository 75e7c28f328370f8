import { each } from '../core/turns.js'
import type { Floats } from '../io/index.js'

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
