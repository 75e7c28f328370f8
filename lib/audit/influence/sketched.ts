// Influence by sketches of the margins' gradients (TRAK, Park et al. 2023).
import { mismatch } from '../../core/errors.js'
import type { NdArray } from '../../io/index.js'
import type { Floats } from '../../io/ndarray.js'
import { KernelFactor } from '../../linear/factor.js'
import { transposed } from '../../linear/transpose.js'
import type { CallOptions } from '../../model/core.js'
import type { Inputs } from '../../model/inputs.js'
import type { Network } from '../../network/network.js'
import { sketch } from '../../sketch/sketch.js'
import { rowProducts } from '../products.js'
import type { Influence, InfluenceOptions } from './types.js'

/** Numbers of a sketch where none are given. */
export const sketchSize = 4096

/** A network of one output, the head, and its inputs. */
interface Sides {
  network: Network
  train: Inputs
  ask: Inputs
}

/** φ*ᵀ(ΦᵀΦ + λI)⁻¹Φᵀ, (N2, N), by whichever of ΦᵀΦ and ΦΦᵀ is smaller. */
export async function sketched(
  { network, train, ask }: Sides,
  samples: number,
  { sketch: asked = {}, damping: given }: InfluenceOptions,
  common: CallOptions & { onFraction(fraction: number): void },
): Promise<{ data: Float64Array } & Pick<Influence, 'sketch'> & { damping: number }> {
  const { onFraction, ...call } = common
  const { size = sketchSize } = asked
  const own = await sketch(network, train, { ...call, ...asked, size })
  onFraction(0.5)
  const other = await sketch(network, ask, { ...call, like: own, check: 0 })
  onFraction(0.7)
  const [phi, psi] = [only(own.parts), only(other.parts)]
  const rows = psi.length / size
  const fewer = samples <= size
  const wide = fewer ? phi : await transposed(phi, samples, size, common.signal)
  const n = fewer ? samples : size
  const kernel = await rowProducts(wide, null, fewer ? size : samples, common)
  const damping = typeof given === 'number' ? given : trace(kernel, n) / samples
  if (!(damping > 0)) throw mismatch('x', 'samples whose margins have gradients', 'none of them')
  const { signal, threads } = common
  const factor = await KernelFactor.of({ data: kernel, shape: [n, n] }, damping, {
    signal,
    threads,
  })
  onFraction(0.9)
  const right = fewer
    ? await rowProducts(phi, psi, size, common)
    : await transposed(psi, rows, size, signal)
  const solved = await transposed(await factor.solve(right), n, rows, signal)
  const data = fewer ? solved : await rowProducts(solved, phi, size, common)
  return { data, damping, sketch: { size, error: own.error } }
}

function trace(matrix: Float64Array, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i += 1) sum += matrix[i * (n + 1)] as number
  return sum
}

function only(parts: ReadonlyMap<string, NdArray<Floats>>): Floats {
  return (parts.get('total') as NdArray<Floats>).data
}
