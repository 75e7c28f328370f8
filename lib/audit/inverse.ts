// Inverses of the blocks of one sample's outputs.
import { KernelFactor } from '../linear/factor.js'
import { inverted } from './small.js'

/** Rows from which the native core inverts. */
const large = 100

/** The inverse of a symmetric positive definite matrix (size, size); null where it is none. */
export async function inverseOf(
  matrix: Float64Array,
  size: number,
  signal: AbortSignal | undefined,
): Promise<Float64Array | null> {
  if (size < large) return inverted(matrix, size)
  const factor = await KernelFactor.try({ data: matrix, shape: [size, size] }, 0, { signal })
  if (!factor) return null
  const unit = new Float64Array(size * size)
  for (let r = 0; r < size; r += 1) unit[r * (size + 1)] = 1
  return factor.solve(unit)
}
