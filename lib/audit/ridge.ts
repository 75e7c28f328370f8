// The ridge of an audit: given, or that of least leave-one-out error, of some of the samples where there are many.
import { TangentError } from '../core/errors.js'
import { each } from '../core/turns.js'
import type { Residual } from '../fit/network.js'
import type { Floats, NdArray } from '../io/index.js'
import { permutation, uniforms } from '../linear/random.js'
import { KernelSpectrum } from '../linear/spectrum.js'
import type { Audit } from './types.js'

/** A ridge and how it was found. */
export interface AuditRidge {
  ridge: number
  choice: Audit['choice']
}

/** Rows of a kernel whose eigenvalues are computed. */
const most = 2500

/** @param kernel K, (N, O, N, O) */
export async function chosenRidge(
  kernel: NdArray<Floats>,
  { residual, samples, outputs }: Pick<Residual, 'residual' | 'samples' | 'outputs'>,
  given: number | 'auto' | undefined,
  signal: AbortSignal | undefined,
): Promise<AuditRidge> {
  if (typeof given === 'number') return { ridge: given, choice: null }
  if (residual.every((value) => value === 0)) {
    throw new TangentError(
      'BAD_INPUT',
      'Expected targets that differ from the network’s own outputs, from which a ridge can be chosen; give options.ridge as a number',
    )
  }
  const single = kernel.data instanceof Float32Array
  const precision = single ? 2 ** -23 : 2 ** -52
  if (samples * outputs <= most) {
    const spectrum = await KernelSpectrum.of(kernel, { signal })
    const { ridge, loo, advice } = await spectrum.chooseRidge(residual, { precision, signal })
    const choice = { rows: samples * outputs, of: 'kernel' as const, error: loo, advice }
    return { ridge, choice }
  }
  const count = Math.min(samples, most)
  const rows = permutation(samples, uniforms(1)).subarray(0, count).sort()
  const mean = new Float64Array(count * count)
  const fill = (a: number) => {
    for (let b = 0; b <= a; b += 1) {
      const [i, j] = [rows[a] as number, rows[b] as number]
      let sum = 0
      for (let o = 0; o < outputs; o += 1)
        sum += kernel.data[((i * outputs + o) * samples + j) * outputs + o] as number
      mean[a * count + b] = sum / outputs
      mean[b * count + a] = sum / outputs
    }
  }
  await each(count, count * outputs, fill, signal)
  const some = Float64Array.from({ length: count * outputs }, (_, e) => {
    const row = rows[Math.floor(e / outputs)] as number
    return residual[row * outputs + (e % outputs)] as number
  })
  const spectrum = await KernelSpectrum.of({ data: mean, shape: [count, count] }, { signal })
  const { ridge, loo, advice } = await spectrum.chooseRidge(some, { precision, signal })
  return { ridge, choice: { rows: count, of: 'mean over outputs', error: loo, advice } }
}
