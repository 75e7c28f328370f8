// Kronecker and diagonal approximations of the generalised Gauss-Newton matrix, parameter by parameter.
import { TangentError } from '../../core/errors.js'
import { breathing, each } from '../../core/turns.js'
import type { ParameterFeatures } from '../../derivatives/features.js'
import type { Floats } from '../../io/index.js'
import { KernelSpectrum } from '../../linear/spectrum.js'
import { transposed } from '../../linear/transpose.js'
import type { SolveOptions } from '../../native/call.js'
import { isSparse, rowProducts } from '../products.js'
import { eachFeature, type Factors, turned } from './features.js'
import type { Curvature } from './likelihood.js'

/** A parameter's features as factors; what is no matrix is one column. */
export function factorsOf(name: string, features: ParameterFeatures<Floats>): Factors {
  if (features.kind === 'factors') {
    const { delta, h } = features
    const [samples = 0, outputs = 0, positions = 0, m = 0] = delta.shape
    const sizes = { samples, outputs, positions, m, k: h.shape[2] as number }
    return { name, ...sizes, delta: delta.data, h: h.data }
  }
  if (features.kind === 'rows') {
    const { delta, columns, k } = features
    const [samples = 0, outputs = 0, positions = 0, m = 0] = delta.shape
    const h = new Float64Array(samples * positions * k)
    columns.data.forEach((column, at) => {
      h[at * k + column] = 1
    })
    return { name, samples, outputs, positions, m, k, delta: delta.data, h }
  }
  const { x } = features
  const [samples = 0, outputs = 0, ...shape] = x.shape
  const m = shape.reduce((size, one) => size * one, 1)
  return { name, samples, outputs, positions: 1, m, k: 1, delta: x.data, h: null }
}

export type Structure = 'kron' | 'diagonal'

/** One parameter's block: eigenvalues (m, k) in the bases V (m, m) and U (k, k), null for none. */
export interface Block {
  name: string
  m: number
  k: number
  values: Float64Array
  v: Float64Array | null
  u: Float64Array | null
}

/** Sums over samples, from which a block is made. */
export class Gathered {
  readonly #first: Float64Array
  readonly #second: Float64Array
  readonly #structure: Structure
  readonly #sizes: Pick<Factors, 'name' | 'm' | 'k' | 'positions'> & { columns: boolean }
  #found: Promise<{ mu: Float64Array; v: Float64Array }> | undefined

  constructor(factors: Factors, structure: Structure) {
    const { name, m, k, positions, h } = factors
    this.#structure = structure
    this.#sizes = { name, m, k, positions, columns: h !== null }
    // B and A, or the diagonal.
    this.#first = new Float64Array(structure === 'kron' ? m * m : m * k)
    this.#second = new Float64Array(structure === 'kron' && h ? k * k : 0)
  }

  /** @param first of these samples among all of the curvature */
  async add(
    factors: Factors,
    first: number,
    curvature: Curvature,
    options: SolveOptions = {},
  ): Promise<void> {
    const { samples, outputs, positions, m, k, h } = factors
    if (this.#structure === 'diagonal') {
      if (positions > 1) return this.#addFeatures(factors, first, curvature, options)
      const cost = outputs * m + m * k
      const one = (i: number) => this.#addDiagonal(factors, i, first + i, curvature)
      return each(samples, cost, one, options.signal)
    }
    if (isSparse(factors.delta)) {
      const one = (i: number) => this.#addSparse(factors, i, first + i, curvature)
      await each(samples, positions * outputs * m * (1 + m / 20), one, options.signal)
    } else await this.#addRoots(factors, first, curvature, options)
    if (h) await addGram(this.#second, h, k, options)
  }

  /** B of rows √w_o (δ_o − Σ_p w_p δ_p), whose products are Σ_o w_o δ_o δ_oᵀ − μμᵀ of classes. */
  async #addRoots(
    { samples, outputs, positions, m, delta }: Factors,
    first: number,
    { weights, likelihood }: Curvature,
    options: SolveOptions,
  ): Promise<void> {
    const size = outputs * positions * m
    const together = Math.max(1, Math.floor(partNumbers / size))
    for (let from = 0; from < samples; from += together) {
      const count = Math.min(together, samples - from)
      const rows = new Float64Array(count * size)
      const mean = new Float64Array(m)
      const one = (i: number) => {
        for (let t = 0; t < positions; t += 1) {
          mean.fill(0)
          for (let o = 0; likelihood === 'classification' && o < outputs; o += 1) {
            const weight = weights[(first + from + i) * outputs + o] as number
            const at = (from + i) * size + (o * positions + t) * m
            for (let a = 0; a < m; a += 1)
              mean[a] = (mean[a] as number) + weight * (delta[at + a] as number)
          }
          for (let o = 0; o < outputs; o += 1) {
            const scale = Math.sqrt(weights[(first + from + i) * outputs + o] as number)
            const at = (o * positions + t) * m
            for (let a = 0; a < m; a += 1) {
              const value = delta[(from + i) * size + at + a] as number
              rows[i * size + at + a] = scale * (value - (mean[a] as number))
            }
          }
        }
      }
      await each(count, 2 * size, one, options.signal)
      await addGram(this.#first, rows, m, options)
    }
  }

  #addSparse(factors: Factors, i: number, sample: number, curvature: Curvature): void {
    const { outputs, positions, m, delta } = factors
    const { weights, likelihood } = curvature
    const mean = new Float64Array(m)
    for (let t = 0; t < positions; t += 1) {
      mean.fill(0)
      for (let o = 0; o < outputs; o += 1) {
        const weight = weights[sample * outputs + o] as number
        const at = ((i * outputs + o) * positions + t) * m
        const row = delta.subarray(at, at + m)
        addOuter(this.#first, row, weight)
        if (likelihood === 'classification') {
          for (let a = 0; a < m; a += 1) mean[a] = (mean[a] as number) + weight * (row[a] as number)
        }
      }
      if (likelihood === 'classification') addOuter(this.#first, mean, -1)
    }
  }

  /** One product δhᵀ: the diagonal is that of δ times the squares of h. */
  #addDiagonal(factors: Factors, i: number, sample: number, curvature: Curvature): void {
    const { outputs, m, k, delta, h } = factors
    const { weights, likelihood } = curvature
    const [squares, means] = [new Float64Array(m), new Float64Array(m)]
    for (let o = 0; o < outputs; o += 1) {
      const weight = weights[sample * outputs + o] as number
      for (let a = 0; a < m; a += 1) {
        const value = delta[(i * outputs + o) * m + a] as number
        if (value === 0) continue
        squares[a] = (squares[a] as number) + weight * value * value
        means[a] = (means[a] as number) + weight * value
      }
    }
    for (let a = 0; a < m; a += 1) {
      const less = likelihood === 'classification' ? (means[a] as number) ** 2 : 0
      const row = (squares[a] as number) - less
      for (let b = 0; b < k; b += 1) {
        const by = h ? (h[i * k + b] as number) ** 2 : 1
        this.#first[a * k + b] = (this.#first[a * k + b] as number) + row * by
      }
    }
  }

  async #addFeatures(
    factors: Factors,
    first: number,
    { weights, likelihood }: Curvature,
    options: SolveOptions,
  ): Promise<void> {
    const { samples, outputs, m, k } = factors
    const diagonal = this.#first
    const mean = new Float64Array(m * k)
    const breathe = breathing(options.signal)
    for (let i = 0; i < samples; i += 1) {
      mean.fill(0)
      await eachFeature(factors, i, options, breathe, (x, o) => {
        const weight = weights[(first + i) * outputs + o] as number
        for (let e = 0; e < x.length; e += 1) {
          const value = x[e] as number
          diagonal[e] = (diagonal[e] as number) + weight * value * value
          mean[e] = (mean[e] as number) + weight * value
        }
      })
      if (likelihood !== 'classification') continue
      for (let e = 0; e < mean.length; e += 1)
        diagonal[e] = (diagonal[e] as number) - (mean[e] as number) ** 2
    }
  }

  /** Eigenvalues of B and their vectors, computed once. */
  #left(): Promise<{ mu: Float64Array; v: Float64Array }> {
    this.#found ??= this.#decompose()
    return this.#found
  }

  async #decompose(): Promise<{ mu: Float64Array; v: Float64Array }> {
    const { m } = this.#sizes
    const spectrum = await KernelSpectrum.of({ data: mirrored(this.#first, m), shape: [m, m] })
    const v = spectrum.vectors()
    spectrum.free()
    return { mu: spectrum.values.map((value) => Math.max(value, 0)), v }
  }

  /**
   * @param samples of all: A is a mean over them and over positions
   * @param weight of a bias: its B is that of the weight
   */
  async block(samples: number, weight?: Gathered): Promise<Block> {
    const { name, m, k, columns, positions } = this.#sizes
    if (this.#structure === 'diagonal') {
      return { name, m, k, values: this.#first, v: null, u: null }
    }
    const { mu, v } = await (weight ?? this).#left()
    if (!columns) return { name, m, k, values: mu, v, u: null }
    const a = mirrored(this.#second, k).map((value) => value / samples / positions)
    const right = await KernelSpectrum.of({ data: a, shape: [k, k] })
    const values = new Float64Array(m * k)
    for (let p = 0; p < m; p += 1) {
      for (let q = 0; q < k; q += 1)
        values[p * k + q] = (mu[p] as number) * Math.max(right.values[q] as number, 0)
    }
    const u = right.vectors()
    right.free()
    return { name, m, k, values, v, u }
  }
}

/** Adds weight · x xᵀ to the lower half; what is zero in x costs nothing. */
function addOuter(sum: Float64Array, x: Floats, weight: number): void {
  const m = x.length
  for (let a = 0; a < m; a += 1) {
    const value = weight * (x[a] as number)
    if (value === 0) continue
    for (let b = 0; b <= a; b += 1)
      sum[a * m + b] = (sum[a * m + b] as number) + value * (x[b] as number)
  }
}

function mirrored(half: Float64Array, size: number): Float64Array {
  for (let a = 0; a < size; a += 1) {
    for (let b = 0; b < a; b += 1) half[b * size + a] = half[a * size + b] as number
  }
  return half
}

/** Numbers of rows that are multiplied at once. */
const partNumbers = 1 << 23

/** Adds xᵀx of rows x (count, size); of sparse ones what is not 0. */
async function addGram(
  sum: Float64Array,
  x: Floats,
  size: number,
  options: SolveOptions,
): Promise<void> {
  const count = x.length / size
  if (isSparse(x)) {
    const row = (r: number) => addOuter(sum, x.subarray(r * size, (r + 1) * size), 1)
    await each(count, size + (size * size) / 20, row, options.signal)
    return
  }
  const together = Math.max(1, Math.floor(partNumbers / size))
  for (let first = 0; first < count; first += together) {
    const rows = Math.min(together, count - first)
    const part = x.subarray(first * size, (first + rows) * size)
    const columns = await transposed(part, rows, size, options.signal)
    const products = await rowProducts(columns, null, rows, options)
    for (let e = 0; e < sum.length; e += 1) sum[e] = (sum[e] as number) + (products[e] as number)
  }
}

/** How a posterior weighs a block: precision scale·values + prior. */
export interface Precision {
  scale: number
  prior: number
}

/**
 * Adds what a block says of the covariance of one sample's outputs: J (scale·H + prior)⁻¹ Jᵀ.
 * @param out (O, O), or its diagonal (O)
 */
export async function addCovariance(
  block: Block,
  factors: Factors,
  i: number,
  { scale, prior }: Precision,
  out: Float64Array,
  options: SolveOptions = {},
): Promise<void> {
  const { outputs, positions, m, k, delta, h } = factors
  const { values, v, u } = block
  if (values.length !== m * k) {
    throw new TangentError('FAILED', `The features of ${block.name} have another shape than before`)
  }
  const from = i * outputs * positions * m
  const d = await turned(delta.subarray(from, from + outputs * positions * m), v, m, options)
  const full = out.length === outputs * outputs && outputs > 1
  if (positions === 1) {
    // With one position the columns only weigh the rows.
    const weights = new Float64Array(m)
    const a = h ? await turned(h.subarray(i * k, (i + 1) * k), u, k, options) : null
    for (let p = 0; p < m; p += 1) {
      let sum = 0
      for (let q = 0; q < k; q += 1)
        sum += (a ? (a[q] as number) ** 2 : 1) / (scale * (values[p * k + q] as number) + prior)
      weights[p] = sum
    }
    await addProducts(d, weights, outputs, full, out, options)
    return
  }
  const rows = (h as Floats).subarray(i * positions * k, (i + 1) * positions * k)
  const t = await turned(rows, u, k, options)
  const own = { samples: 1, outputs, positions, m, k, name: block.name, delta: d, h: t }
  const weights = values.map((value) => 1 / (scale * value + prior))
  const x = new Float64Array(full ? outputs * m * k : 0)
  await eachFeature(own, 0, options, breathing(options.signal), (feature, o) => {
    if (full) x.set(feature, o * m * k)
    else out[o] = (out[o] as number) + weighted(feature, feature, weights)
  })
  if (full) await addProducts(x, weights, outputs, full, out, options)
}

/** Σ_e a[e] w[e] b[e]. */
function weighted(a: Floats, b: Floats, weights: Float64Array): number {
  let sum = 0
  for (let e = 0; e < weights.length; e += 1)
    sum += (a[e] as number) * (weights[e] as number) * (b[e] as number)
  return sum
}

/** out[o, p] += Σ_e x[o, e] w[e] x[p, e]. */
async function addProducts(
  x: Floats,
  weights: Float64Array,
  outputs: number,
  full: boolean,
  out: Float64Array,
  options: SolveOptions,
): Promise<void> {
  const size = weights.length
  const row = (o: number) => x.subarray(o * size, (o + 1) * size)
  if (!full) {
    const one = (o: number) => {
      out[o] = (out[o] as number) + weighted(row(o), row(o), weights)
    }
    return each(outputs, size, one, options.signal)
  }
  const roots = weights.map(Math.sqrt)
  const scaled = new Float64Array(x.length)
  const scale = (o: number) => {
    for (let e = 0; e < size; e += 1)
      scaled[o * size + e] = (x[o * size + e] as number) * (roots[e] as number)
  }
  await each(outputs, size, scale, options.signal)
  const products = await rowProducts(scaled, null, size, options)
  for (let e = 0; e < out.length; e += 1) out[e] = (out[e] as number) + (products[e] as number)
}
