// Kronecker and diagonal approximations of the generalised Gauss-Newton matrix, parameter by parameter.
import { TangentError } from '../../core/errors.js'
import type { ParameterFeatures } from '../../derivatives/features.js'
import type { Floats } from '../../io/index.js'
import { KernelSpectrum } from '../../linear/spectrum.js'
import { each } from '../small.js'
import type { Curvature } from './likelihood.js'

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
    signal?: AbortSignal | undefined,
  ): Promise<void> {
    const { outputs, positions, m, k } = factors
    const kron = this.#structure === 'kron'
    const cost = positions * outputs * m * (kron ? m : k) + positions * k * k
    const one = kron
      ? (i: number) => this.#addKron(factors, i, first + i, curvature)
      : (i: number) => this.#addDiagonal(factors, i, first + i, curvature)
    await each(factors.samples, cost, one, signal)
  }

  #addKron(factors: Factors, i: number, sample: number, curvature: Curvature): void {
    const { outputs, positions, m, k, delta, h } = factors
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
      if (!h) continue
      const at = (i * positions + t) * k
      addOuter(this.#second, h.subarray(at, at + k), 1)
    }
  }

  #addDiagonal(factors: Factors, i: number, sample: number, curvature: Curvature): void {
    const { outputs, positions, m, k, delta, h } = factors
    const { weights, likelihood } = curvature
    if (positions === 1) {
      // One product δhᵀ: the diagonal is that of δ times the squares of h.
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
      return
    }
    const mean = new Float64Array(m * k)
    for (let o = 0; o < outputs; o += 1) {
      const weight = weights[sample * outputs + o] as number
      const x = featureOf(factors, i, o)
      for (let e = 0; e < x.length; e += 1) {
        const value = x[e] as number
        this.#first[e] = (this.#first[e] as number) + weight * value * value
        mean[e] = (mean[e] as number) + weight * value
      }
    }
    if (likelihood !== 'classification') return
    for (let e = 0; e < mean.length; e += 1)
      this.#first[e] = (this.#first[e] as number) - (mean[e] as number) ** 2
  }

  /** Eigenvalues of B and their vectors, computed once. */
  #left(): Promise<{ mu: Float64Array; v: Float64Array }> {
    this.#found ??= this.#decompose()
    return this.#found
  }

  async #decompose(): Promise<{ mu: Float64Array; v: Float64Array }> {
    const { m } = this.#sizes
    const spectrum = await KernelSpectrum.of({ data: mirrored(this.#first, m), shape: [m, m] })
    return { mu: spectrum.values.map((value) => Math.max(value, 0)), v: spectrum.vectors() }
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
    return { name, m, k, values, v, u: right.vectors() }
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

/** X[i,o], (m, k). */
export function featureOf(
  { outputs, positions, m, k, delta, h }: Factors,
  i: number,
  o: number,
): Float64Array | Floats {
  const at = (i * outputs + o) * positions * m
  if (!h) return delta.subarray(at, at + m)
  const x = new Float64Array(m * k)
  for (let t = 0; t < positions; t += 1) {
    for (let a = 0; a < m; a += 1) {
      const value = delta[at + t * m + a] as number
      if (value === 0) continue
      const from = (i * positions + t) * k
      for (let b = 0; b < k; b += 1)
        x[a * k + b] = (x[a * k + b] as number) + value * (h[from + b] as number)
    }
  }
  return x
}

/** The rows x (count, size) in a basis, whose rows are its vectors. */
export function turned(x: Floats, basis: Float64Array | null, size: number): Floats {
  if (!basis) return x
  const count = x.length / size
  const out = new Float64Array(x.length)
  for (let r = 0; r < count; r += 1) {
    for (let e = 0; e < size; e += 1) {
      const value = x[r * size + e] as number
      if (value === 0) continue
      for (let j = 0; j < size; j += 1)
        out[r * size + j] = (out[r * size + j] as number) + value * (basis[j * size + e] as number)
    }
  }
  return out
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
export function addCovariance(
  block: Block,
  factors: Factors,
  i: number,
  { scale, prior }: Precision,
  out: Float64Array,
): void {
  const { outputs, positions, m, k, delta, h } = factors
  const { values, v, u } = block
  if (values.length !== m * k) {
    throw new TangentError('FAILED', `The features of ${block.name} have another shape than before`)
  }
  const from = i * outputs * positions * m
  const d = turned(delta.subarray(from, from + outputs * positions * m), v, m)
  const full = out.length === outputs * outputs && outputs > 1
  if (positions === 1) {
    // With one position the columns only weigh the rows.
    const weights = new Float64Array(m)
    const a = h ? turned(h.subarray(i * k, (i + 1) * k), u, k) : null
    for (let p = 0; p < m; p += 1) {
      let sum = 0
      for (let q = 0; q < k; q += 1)
        sum += (a ? (a[q] as number) ** 2 : 1) / (scale * (values[p * k + q] as number) + prior)
      weights[p] = sum
    }
    addProducts(d, weights, outputs, full, out)
    return
  }
  const t = turned((h as Floats).subarray(i * positions * k, (i + 1) * positions * k), u, k)
  const own = { samples: 1, outputs, positions, m, k, name: block.name, delta: d, h: t }
  const x = new Float64Array(outputs * m * k)
  for (let o = 0; o < outputs; o += 1) x.set(featureOf(own, 0, o), o * m * k)
  const weights = values.map((value) => 1 / (scale * value + prior))
  addProducts(x, weights, outputs, full, out)
}

/** out[o, p] += Σ_e x[o, e] w[e] x[p, e]. */
function addProducts(
  x: Floats,
  weights: Float64Array,
  outputs: number,
  full: boolean,
  out: Float64Array,
): void {
  const size = weights.length
  for (let o = 0; o < outputs; o += 1) {
    for (let p = full ? 0 : o; p <= o; p += 1) {
      let sum = 0
      for (let e = 0; e < size; e += 1)
        sum += (x[o * size + e] as number) * (weights[e] as number) * (x[p * size + e] as number)
      if (!full) out[o] = (out[o] as number) + sum
      else {
        out[o * outputs + p] = (out[o * outputs + p] as number) + sum
        if (p !== o) out[p * outputs + o] = (out[p * outputs + o] as number) + sum
      }
    }
  }
}
