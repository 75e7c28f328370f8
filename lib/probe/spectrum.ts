// Spectra of a network's kernels for the report, and the samples behind the leading eigenvectors.
import { setImmediate as breathe } from 'node:timers/promises'
import type { Labels } from '../io/labels.js'
import type { TangentKernel } from '../kernels/kernel.js'
import { KernelSpectrum } from '../linear/spectrum.js'
import type { LeftOut } from './left-out.js'
import type { ProbeEigenvector, ProbeSpectrum } from './types.js'

const shownVectors = 6
const shownSamples = 8

const digits = (value: number, count = 6) => Number(value.toPrecision(count))

/** Eigenvectors take three more matrices of the kernel's size in double. */
export const vectorsFit = (rows: number, memory: number) => 4 * 8 * rows * rows <= memory / 2

export interface MeasuredSpectrum {
  spectrum: ProbeSpectrum
  /** log of the effective rank; null where there was no room for eigenvectors. */
  logRank: LeftOut | null
  /** Rows are eigenvectors; null likewise. */
  vectors: { values: Float64Array; rows: Float64Array } | null
}

export async function spectrumOf(
  kernel: TangentKernel,
  of: ProbeSpectrum['of'],
  {
    samples,
    memory,
    signal,
  }: { samples: number; memory: number; signal?: AbortSignal | undefined },
): Promise<MeasuredSpectrum> {
  const { data, shape } = kernel.gram()
  const rows = shape[0] as number
  const described = async (
    values: Float64Array,
    effectiveRank: number,
  ): Promise<ProbeSpectrum> => ({
    of,
    size: values.length,
    eigenvalues: Array.from(values, (value) => digits(value)),
    effectiveRank,
    participationRatio: await kernel.participationRatio(),
  })
  if (!vectorsFit(rows, memory)) {
    const values = await kernel.eigenvalues(undefined, { signal })
    const rank = await kernel.effectiveRank(undefined, { signal })
    return { spectrum: await described(values, rank), logRank: null, vectors: null }
  }
  const found = await KernelSpectrum.of({ data, shape }, { signal })
  const vectors = { values: found.values, rows: found.vectors() }
  const logRank = await entropy(vectors, samples)
  const rank = Math.exp(logRank.value)
  return { spectrum: await described(found.values, rank), logRank, vectors }
}

/**
 * E = −Σ p_k log p_k, p = λ / Σλ, and its first-order change when a sample is left out (the
 * infinitesimal jackknife, Jaeckel 1972): the kernel is √w K √w with a weight for each sample, so that
 * ∂λ_k/∂w_i = λ_k Σ_o v_k[i,o]².
 */
async function entropy(
  { values, rows }: { values: Float64Array; rows: Float64Array },
  samples: number,
): Promise<LeftOut> {
  const size = values.length
  const outputs = size / samples
  const positive = values.map((value) => Math.max(value, 0))
  const total = positive.reduce((sum, value) => sum + value, 0)
  const logs = positive.reduce((sum, value) => sum + (value > 0 ? value * Math.log(value) : 0), 0)
  const trace = new Float64Array(samples)
  const weighted = new Float64Array(samples)
  for (const [k, lambda] of positive.entries()) {
    if (lambda === 0) break
    if (k % 256 === 255) await breathe()
    const log = lambda * Math.log(lambda)
    for (let r = 0; r < size; r++) {
      const squared = (rows[k * size + r] as number) ** 2
      const i = Math.floor(r / outputs)
      trace[i] = (trace[i] as number) + lambda * squared
      weighted[i] = (weighted[i] as number) + log * squared
    }
  }
  const value = total > 0 ? Math.log(total) - logs / total : 0
  return {
    value,
    without: trace.map((d, i) => {
      const slope = (d * logs) / total ** 2 - (weighted[i] as number) / total
      return value - (total > 0 ? slope : 0)
    }),
  }
}

/** The leading eigenvectors of an (N, N) kernel by the samples at their ends. */
export function eigenvectorsOf(
  { values, rows }: { values: Float64Array; rows: Float64Array },
  labels: Labels | null,
): ProbeEigenvector[] {
  const n = values.length
  const total = values.reduce((sum, value) => sum + Math.max(value, 0), 0)
  const wanted = values.subarray(0, shownVectors).filter((value) => value > 1e-7 * (values[0] ?? 0))
  return Array.from(wanted, (eigenvalue, k) => {
    const row = rows.subarray(k * n, (k + 1) * n)
    const sign = row.reduce((most, v) => (Math.abs(v) > Math.abs(most) ? v : most), 0) < 0 ? -1 : 1
    const entries = Array.from(row, (value, sample) => ({ sample, value: digits(sign * value, 4) }))
    const sorted = entries.toSorted((a, b) => b.value - a.value || a.sample - b.sample)
    const most = Math.min(shownSamples, Math.ceil(n / 2))
    return {
      eigenvalue: digits(eigenvalue),
      share: digits(eigenvalue / total),
      high: sorted.slice(0, most),
      low: sorted.slice(Math.max(most, n - shownSamples)).reverse(),
      classMeans: classMeansOf(entries, labels),
    }
  })
}

function classMeansOf(entries: readonly { value: number }[], labels: Labels | null): number[] {
  const { classes, groups } = labels ?? { classes: null, groups: [] }
  const sums = groups.map(() => 0)
  classes?.forEach((own, i) => {
    sums[own] = (sums[own] as number) + (entries[i]?.value ?? 0)
  })
  return sums.map((sum, c) => digits(sum / (groups[c]?.count ?? 1), 4))
}
