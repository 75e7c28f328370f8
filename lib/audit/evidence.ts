// Log marginal likelihood of a Gaussian process on a kernel, and the ridge that it prefers.
import { abortError } from '../core/abort.js'
import type { KernelSpectrum } from '../linear/spectrum.js'

/** Log marginal likelihood of targets at one ridge; see {@link KernelPosterior.evidence}. */
export interface Evidence {
  /** log N(r; 0, τ²K + σ²I), summed over the columns. */
  log: number
  /** τ²: the prior variance of the parameters' changes. */
  prior: number
  /** σ² = ridge·τ²: the noise's variance. */
  noise: number
  ridge: number
}

/** What the evidence of (K + ridge·I) is made of. */
export interface EvidenceParts {
  ridge: number
  /** rᵀ(K + ridge·I)⁻¹r, summed over the columns. */
  quadratic: number
  logDeterminant: number
  rows: number
  columns: number
}

/**
 * −½ rᵀ(τ²K + σ²I)⁻¹r − ½ log det(τ²K + σ²I) − ½ n log 2π (METHOD.md, section 8).
 * @param prior τ² (default: that of greatest evidence at this ridge, rᵀ(K + ridge·I)⁻¹r / n)
 */
export function evidenceOf(parts: EvidenceParts, prior?: number): Evidence {
  const { ridge, quadratic, logDeterminant, rows, columns } = parts
  const count = rows * columns
  const variance = prior ?? quadratic / count
  const log =
    -0.5 * (quadratic / variance) -
    0.5 * (count * Math.log(2 * Math.PI * variance) + columns * logDeterminant)
  return { log, prior: variance, noise: ridge * variance, ridge }
}

/** The ridge of greatest evidence, τ² being chosen at each. */
export async function chooseByEvidence(
  spectrum: KernelSpectrum,
  residual: Float64Array,
  { precision, signal }: { precision: number; signal?: AbortSignal | undefined },
): Promise<Evidence> {
  const { values, n } = spectrum
  const columns = residual.length / n
  const trace = values.reduce((sum, value) => sum + Math.max(value, 0), 0)
  const least = Math.log(Math.max(precision * trace, Number.MIN_VALUE * 2 ** 52))
  const most = Math.max(Math.log(10 * (values[0] as number)), least + 1)
  let [low, high] = [least, most]
  let best: Evidence | undefined
  for (let round = 0; round < 3; round += 1) {
    const count = round === 0 ? 41 : 21
    const step = (high - low) / (count - 1)
    for (let i = 0; i < count; i += 1) {
      if (signal?.aborted) throw abortError(signal)
      const ridge = Math.exp(low + i * step)
      const shifted = values.map((value) => Math.max(value, 0) + ridge)
      const solved = await spectrum.filter(
        shifted.map((value) => 1 / value),
        residual,
      )
      const quadratic = solved.reduce((sum, value, r) => sum + value * (residual[r] as number), 0)
      const logDeterminant = shifted.reduce((sum, value) => sum + Math.log(value), 0)
      const found = evidenceOf({ ridge, quadratic, logDeterminant, rows: n, columns })
      if (best === undefined || found.log > best.log) best = found
    }
    const centre = Math.log((best as Evidence).ridge)
    low = Math.max(centre - step, least)
    high = Math.min(centre + step, most)
  }
  return best as Evidence
}
