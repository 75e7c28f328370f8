// Conjugate gradients: the fixed model where the kernel is too large to store.

import { abortError } from '../core/abort.js'
import { badArgument, TangentError, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { call, type SolveOptions } from '../native/call.js'
import { native } from '../native/index.js'
import { checkedProduct, checkTargets, notNegative, numbersOf } from './checks.js'

/** K times a few vectors, v (n, columns) → (n, columns). */
export type KernelProduct = (v: Float64Array, columns: number) => Promise<Float64Array>

/** Options of {@link solveByProducts}. */
export interface ProductSolveOptions extends SolveOptions {
  /** λ ≥ 0 (default 1e-3). */
  ridge?: number | undefined
  /** Stops when ‖r − (K + λI)α‖ is below this times ‖r‖ (default 1e-10). */
  tolerance?: number | undefined
  /** Default 1000. */
  maxIterations?: number | undefined
  /**
   * Rank of the randomised Nyström preconditioner (Frangella, Tropp & Udell 2021; default 64 but
   * at most n/4): costs as many products at the start. 0: none.
   */
  rank?: number | undefined
  /** α of a nearby problem to start from. */
  start?: Float64Array | undefined
  /** Called after every iteration. */
  onIteration?: ((iteration: { iteration: number; residual: number }) => void) | undefined
}

/** What conjugate gradients found. */
export interface ProductSolution {
  alpha: Float64Array
  /** K α. */
  fit: Float64Array
  ridge: number
  iterations: number
  /** ‖r − (K + λI)α‖ / ‖r‖ at the end, as the recurrence has it. */
  residual: number
  status: 'converged' | 'iteration limit' | 'stalled'
  /** What to try next. */
  advice: string
}

/**
 * (K + ridge·I) α = y by preconditioned conjugate gradients on products with K; nothing of size n²
 * is stored.
 * @param y (n)
 */
export async function solveByProducts(
  product: KernelProduct,
  y: ArrayLike<number>,
  options: ProductSolveOptions = {},
): Promise<ProductSolution> {
  checkCall(options)
  const { ridge = 1e-3, tolerance = 1e-10, maxIterations = 1000, signal, start } = options
  notNegative('options.ridge', ridge)
  notNegative('options.tolerance', tolerance)
  wholeNumber('options.maxIterations', maxIterations, 1)
  if (typeof product !== 'function') throw badArgument('product', 'a function', product)
  const b = checkTargets(y, numbersOf('y', y).length)
  const n = b.length
  const rank = options.rank ?? Math.min(64, Math.floor(n / 4))
  wholeNumber('options.rank', rank, 0)
  if (rank > n) throw badArgument('options.rank', `at most the ${n} rows`, rank)
  if (start !== undefined) checkTargets(start, n)

  const precondition = rank > 0 ? await nystrom(product, n, rank, ridge, signal) : identity
  const x = start ? start.slice() : new Float64Array(n)
  const r = b.slice()
  if (start) {
    const image = await product(start, 1)
    for (let i = 0; i < n; i++) {
      r[i] = (r[i] as number) - (image[i] as number) - ridge * (start[i] as number)
    }
  }
  const scale = Math.sqrt(dot(b, b))
  let z = precondition(r)
  const p = z.slice()
  let rz = dot(r, z)
  let residual = scale > 0 ? Math.sqrt(dot(r, r)) / scale : 0
  let best = residual
  let sinceBest = 0
  let iterations = 0
  while (residual > tolerance && iterations < maxIterations && sinceBest < 50) {
    if (signal?.aborted) throw abortError(signal)
    const q = await product(p, 1)
    for (let i = 0; i < n; i++) q[i] = (q[i] as number) + ridge * (p[i] as number)
    const curvature = dot(p, q)
    if (!Number.isFinite(curvature)) {
      throw new TangentError('BAD_INPUT', 'Expected finite products with the kernel')
    }
    if (!(curvature > 0)) break
    const step = rz / curvature
    for (let i = 0; i < n; i++) {
      x[i] = (x[i] as number) + step * (p[i] as number)
      r[i] = (r[i] as number) - step * (q[i] as number)
    }
    z = precondition(r)
    const next = dot(r, z)
    const turn = next / rz
    rz = next
    for (let i = 0; i < n; i++) p[i] = (z[i] as number) + turn * (p[i] as number)
    residual = Math.sqrt(dot(r, r)) / scale
    sinceBest = residual < best ? 0 : sinceBest + 1
    best = Math.min(best, residual)
    iterations++
    options.onIteration?.({ iteration: iterations, residual })
  }
  const fit = b.map((value, i) => value - (r[i] as number) - ridge * (x[i] as number))
  const done = residual <= tolerance
  const limit = iterations >= maxIterations
  return {
    alpha: x,
    fit,
    ridge,
    iterations,
    residual,
    status: done ? 'converged' : limit ? 'iteration limit' : 'stalled',
    advice: done
      ? 'Nothing: the residual is below the tolerance.'
      : limit
        ? 'Raise options.maxIterations or options.rank, or the ridge.'
        : 'Rounding hides further progress: raise the ridge, or loosen options.tolerance.',
  }
}

const identity = (r: Float64Array) => r.slice()

/** P⁻¹ = (λ_q + ridge) U (Λ + ridge)⁻¹ Uᵀ + (I − U Uᵀ). */
async function nystrom(
  product: KernelProduct,
  n: number,
  q: number,
  ridge: number,
  signal: AbortSignal | undefined,
): Promise<(r: Float64Array) => Float64Array> {
  const omega = await manyGaussians(n * q)
  const y = checkedProduct(await product(omega, q), n * q)
  const { u, values } = await call(signal, () => native.nystrom(omega, y, n, q))
  const last = (values[q - 1] as number) + ridge
  const gains = values.map((value) => (value + ridge > 0 ? last / (value + ridge) - 1 : 0))
  return (r) => {
    const parts = new Float64Array(q)
    for (let i = 0; i < n; i++) {
      const ri = r[i] as number
      for (let j = 0; j < q; j++) parts[j] = (parts[j] as number) + ri * (u[i * q + j] as number)
    }
    for (let j = 0; j < q; j++) parts[j] = (parts[j] as number) * (gains[j] as number)
    const out = r.slice()
    for (let i = 0; i < n; i++) {
      let sum = 0
      for (let j = 0; j < q; j++) sum += (u[i * q + j] as number) * (parts[j] as number)
      out[i] = (out[i] as number) + sum
    }
    return out
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}

/** Standard normals from a fixed seed: a solve gives the same bits every time. */
export function gaussians(count: number, seed = 1): Float64Array {
  const out = new Float64Array(count)
  draw(out, mulberry(seed))
  return out
}

/** The same, other work of the thread getting its turn meanwhile. */
async function manyGaussians(count: number, seed = 1): Promise<Float64Array> {
  const uniform = mulberry(seed)
  const out = new Float64Array(count)
  for (let first = 0; first < count; first += breath) {
    if (first > 0) await new Promise((resolve) => setImmediate(resolve))
    draw(out.subarray(first, first + breath), uniform)
  }
  return out
}

/** An even number. */
const breath = 1 << 17

function draw(out: Float64Array, uniform: () => number): void {
  for (let i = 0; i < out.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()))
    const angle = 2 * Math.PI * uniform()
    out[i] = radius * Math.cos(angle)
    if (i + 1 < out.length) out[i + 1] = radius * Math.sin(angle)
  }
}

/** Uniform in [0, 1) with a state of 32 bits (Tommy Ettinger's mulberry32, public domain). */
export function mulberry(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
