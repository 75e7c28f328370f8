// Features of single samples from their factors, in other bases; what is large goes to the native core.
import { type Breathe, each } from '../../core/turns.js'
import type { Floats } from '../../io/index.js'
import { transposed } from '../../linear/transpose.js'
import type { SolveOptions } from '../../native/call.js'
import { isSparse, rowProducts, rowsOf } from '../products.js'

/** X[i,o] (m × k) = Σ_t δ[i,o,t,:] ⊗ h[i,t,:] of some samples; without h it is δ itself, k = 1. */
export interface Factors {
  name: string
  samples: number
  outputs: number
  positions: number
  m: number
  k: number
  delta: Floats
  h: Floats | null
}

/** Products of one feature from which the native core is asked. */
const large = 1 << 17

/**
 * Calls use(X[i,o], o) with the (m, k) numbers of every output o of sample i.
 * @param breathe of the caller, who may go through many samples
 */
export async function eachFeature(
  factors: Factors,
  i: number,
  { signal, threads }: SolveOptions,
  breathe: Breathe,
  use: (x: Floats, o: number) => void,
): Promise<void> {
  const { outputs, positions, m, k, delta, h } = factors
  const size = positions * m
  const options = { signal, threads }
  const own = (o: number) => delta.subarray((i * outputs + o) * size, (i * outputs + o + 1) * size)
  const right = h?.subarray(i * positions * k, (i + 1) * positions * k)
  const dense = right && size * k >= large && !isSparse(own(0))
  const columns =
    dense && (await rowsOf(await transposed(right, positions, k, signal), positions, options))
  for (let o = 0; o < outputs; o += 1) {
    if (!right) use(own(o), o)
    else if (!columns) use(featureOf(own(o), right, { positions, m, k }), o)
    else {
      const x = await transposed(own(o), positions, m, signal)
      const rows = await rowsOf(x, positions, options)
      use(await rows.kernel(columns, options), o)
    }
    await breathe(columns || !right ? 2 * m * k : size * k)
  }
}

/** Σ_t δ_t ⊗ h_t of one sample and output, (m, k). */
function featureOf(
  delta: Floats,
  h: Floats,
  { positions, m, k }: Pick<Factors, 'positions' | 'm' | 'k'>,
): Float64Array {
  const x = new Float64Array(m * k)
  for (let t = 0; t < positions; t += 1) {
    for (let a = 0; a < m; a += 1) {
      const value = delta[t * m + a] as number
      if (value === 0) continue
      for (let b = 0; b < k; b += 1)
        x[a * k + b] = (x[a * k + b] as number) + value * (h[t * k + b] as number)
    }
  }
  return x
}

/** The rows x (count, size) in a basis, whose rows are its vectors. */
export async function turned(
  x: Floats,
  basis: Float64Array | null,
  size: number,
  { signal, threads }: SolveOptions = {},
): Promise<Floats> {
  if (!basis) return x
  if (!isSparse(x)) return rowProducts(x, basis, size, { signal, threads })
  const out = new Float64Array(x.length)
  const row = (r: number) => {
    for (let e = 0; e < size; e += 1) {
      const value = x[r * size + e] as number
      if (value === 0) continue
      for (let j = 0; j < size; j += 1)
        out[r * size + j] = (out[r * size + j] as number) + value * (basis[j * size + e] as number)
    }
  }
  // Reads of a column are far apart.
  await each(x.length / size, size + (size * size) / 4, row, signal)
  return out
}
