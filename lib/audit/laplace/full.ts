// The generalised Gauss-Newton matrix in full, through the kernel: nothing of size P × P.
import { each } from '../../core/turns.js'
import type { Floats, NdArray } from '../../io/index.js'
import { KernelFactor } from '../../linear/factor.js'
import { asked } from '../queries.js'
import type { Precision } from './blocks.js'
import type { Curvature } from './likelihood.js'

/**
 * R K (from the left) of a matrix whose rows are (sample, output), in place: rows √w_c (K_c − Σ_o p_o K_o),
 * p = 0 for numbers.
 */
async function leftRoot(
  data: Float64Array,
  width: number,
  { samples, outputs, weights, likelihood }: Curvature,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (likelihood === 'regression') return
  const mean = new Float64Array(width)
  const one = (i: number) => {
    mean.fill(0)
    for (let o = 0; o < outputs; o += 1) {
      const p = weights[i * outputs + o] as number
      const at = (i * outputs + o) * width
      for (let c = 0; c < width; c += 1)
        mean[c] = (mean[c] as number) + p * (data[at + c] as number)
    }
    for (let o = 0; o < outputs; o += 1) {
      const scale = Math.sqrt(weights[i * outputs + o] as number)
      const at = (i * outputs + o) * width
      for (let c = 0; c < width; c += 1)
        data[at + c] = scale * ((data[at + c] as number) - (mean[c] as number))
    }
  }
  await each(samples, 2 * outputs * width, one, signal)
}

/** The same for columns: K Rᵀ of a matrix (rows, N·O), in place. */
async function rightRoot(
  data: Float64Array,
  { samples, outputs, weights, likelihood }: Curvature,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (likelihood === 'regression') return
  const width = samples * outputs
  const row = (r: number) => {
    for (let i = 0; i < samples; i += 1) {
      const at = r * width + i * outputs
      let mean = 0
      for (let o = 0; o < outputs; o += 1)
        mean += (weights[i * outputs + o] as number) * (data[at + o] as number)
      for (let o = 0; o < outputs; o += 1) {
        const scale = Math.sqrt(weights[i * outputs + o] as number)
        data[at + o] = scale * ((data[at + o] as number) - mean)
      }
    }
  }
  await each(data.length / width, 2 * width, row, signal)
}

/** G = R K Rᵀ and the curvature that it has in it. */
export class FullCurvature {
  readonly #gram: Float64Array
  readonly #curvature: Curvature
  readonly #factors = new Map<number, Promise<KernelFactor>>()
  readonly #threads: number | undefined

  private constructor(gram: Float64Array, curvature: Curvature, threads: number | undefined) {
    this.#gram = gram
    this.#curvature = curvature
    this.#threads = threads
  }

  /** @param kernel K, (N, O, N, O) */
  static async of(
    kernel: NdArray<Floats>,
    curvature: Curvature,
    { signal, threads }: { signal?: AbortSignal | undefined; threads?: number | undefined },
  ): Promise<FullCurvature> {
    const n = curvature.samples * curvature.outputs
    const gram = new Float64Array(kernel.data)
    await leftRoot(gram, n, curvature, signal)
    await rightRoot(gram, curvature, signal)
    // Symmetric to the last bit, as a factor wants it.
    const row = (r: number) => {
      for (let c = 0; c < r; c += 1) {
        const mean = ((gram[r * n + c] as number) + (gram[c * n + r] as number)) / 2
        gram[r * n + c] = mean
        gram[c * n + r] = mean
      }
    }
    await each(n, n, row, signal)
    return new FullCurvature(gram, curvature, threads)
  }

  /** G + (prior / scale)·I; the last one is kept. */
  #factor({ scale, prior }: Precision, signal: AbortSignal | undefined): Promise<KernelFactor> {
    const ridge = prior / scale
    let factor = this.#factors.get(ridge)
    if (!factor) {
      const { outputs } = this.#curvature
      factor = KernelFactor.of(this.#gram, ridge, { outputs, signal, threads: this.#threads })
      this.#factors.clear()
      this.#factors.set(ridge, factor)
      factor.catch(() => this.#factors.clear())
    }
    return factor
  }

  /** log det(scale·H + prior·I) − log det(prior·I). */
  async logDetRatio(precision: Precision, signal: AbortSignal | undefined): Promise<number> {
    const factor = await this.#factor(precision, signal)
    return factor.logDeterminant - factor.n * Math.log(precision.prior / precision.scale)
  }

  /**
   * @param cross K(x*, X), (N2, O, N, O)
   * @param own k(x*, x*), (N2, O, O)
   * @returns (N2, O, O): J* (scale·H + prior·I)⁻¹ J*ᵀ of each sample
   */
  async covariance(
    cross: NdArray<Floats>,
    own: Floats,
    precision: Precision,
    signal: AbortSignal | undefined,
  ): Promise<Float64Array> {
    const { samples, outputs } = this.#curvature
    const n = samples * outputs
    const data = new Float64Array(cross.data)
    await rightRoot(data, this.#curvature, signal)
    const factor = await this.#factor(precision, signal)
    const posterior = {
      ...{ n, outputs, samples, columns: 1, alpha: new Float64Array(n), factor },
      leaveOneOut: () => Promise.reject(new Error('Not asked for')),
    }
    const rows = data.length / n
    const { blocks } = await asked(
      posterior,
      { data, rows, base: undefined },
      { blocks: own, signal },
    )
    return blocks.map((value) => value / precision.prior)
  }
}
