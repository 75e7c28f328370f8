// How much a number depends on which samples were drawn: the jackknife, each sample left out once.
// Efron & Stein, "The jackknife estimate of variance", Annals of Statistics 9, 1981.
import { setImmediate as breathe } from 'node:timers/promises'

/** A number measured on all samples, and on all but each one. */
export interface LeftOut {
  value: number
  /** N numbers: without sample i. */
  without: Float64Array
}

/** A number with its standard error over samples, and how far it is from another network's. */
export interface ProbeEstimate {
  /** Null where there are fewer than 3 samples, or where it is not defined without one of them. */
  standardError: number | null
  /**
   * Less the first network's, on the same samples; its standard error is the paired one. Null for the
   * first network itself.
   */
  change: { value: number; standardError: number | null } | null
}

/** sqrt((N − 1)/N · Σ (θ_i − mean)²) over the numbers θ_i without sample i. */
export function standardError(without: Float64Array): number | null {
  const n = without.length
  if (n < 3) return null
  const mean = without.reduce((sum, value) => sum + value, 0) / n
  const squares = without.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  const error = Math.sqrt(((n - 1) / n) * squares)
  return Number.isFinite(error) ? rounded(error) : null
}

const rounded = (value: number) => Number(value.toPrecision(6))

export function estimate(own: LeftOut, first: LeftOut | undefined): ProbeEstimate {
  const error = standardError(own.without)
  if (!first) return { standardError: error, change: null }
  const gaps = own.without.map((value, i) => value - (first.without[i] as number))
  const change = { value: rounded(own.value - first.value), standardError: standardError(gaps) }
  return { standardError: error, change }
}

/** f of numbers, and of what they are without each sample. */
export function combined(parts: readonly LeftOut[], f: (...values: number[]) => number): LeftOut {
  const [first] = parts as [LeftOut]
  return {
    value: f(...parts.map(({ value }) => value)),
    without: first.without.map((_, i) => f(...parts.map(({ without }) => without[i] as number))),
  }
}

/** Σ_i of a number for each sample. */
export function sumOf(values: ArrayLike<number>): LeftOut {
  const value = Float64Array.from(values).reduce((sum, one) => sum + one, 0)
  return { value, without: Float64Array.from(values, (one) => value - one) }
}

/** Its mean. */
export function meanOf(values: ArrayLike<number>): LeftOut {
  const n = values.length
  const { value, without } = sumOf(values)
  return { value: value / n, without: without.map((sum) => sum / (n - 1)) }
}

type Matrix = ArrayLike<number>

/** Rows of N numbers after which the event loop gets its turn. */
export const restEvery = (n: number) => Math.max(1, Math.floor(2e6 / n))

/** What products with a symmetric matrix need of it. */
export interface Sums {
  matrix: Matrix
  rows: Float64Array
  total: number
}

export function sumsOf(matrix: Matrix, n: number): Sums {
  const rows = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    let sum = 0
    for (let j = 0; j < n; j++) sum += matrix[i * n + j] as number
    rows[i] = sum
  }
  return { matrix, rows, total: rows.reduce((sum, value) => sum + value, 0) }
}

/**
 * ⟨A, B⟩ and ⟨HAH, HBH⟩ of symmetric matrices, H = I − 11ᵀ/N, with each sample left out, in O(N²):
 * ⟨HAH, HBH⟩ = ⟨A, B⟩ − 2 a·b/N + (1·a)(1·b)/N², where a = A1 and b = B1.
 */
export async function products(a: Sums, b: Sums): Promise<{ plain: LeftOut; centred: LeftOut }> {
  const n = a.rows.length
  const inner = new Float64Array(n)
  // (A b)_i and (B a)_i
  const ab = new Float64Array(n)
  const ba = new Float64Array(n)
  let whole = 0
  let rows = 0
  const stride = restEvery(n)
  for (let i = 0; i < n; i++) {
    if (i % stride === stride - 1) await breathe()
    let [sum, left, right] = [0, 0, 0]
    for (let j = 0; j < n; j++) {
      const [p, q] = [a.matrix[i * n + j] as number, b.matrix[i * n + j] as number]
      sum += p * q
      left += p * (b.rows[j] as number)
      right += q * (a.rows[j] as number)
    }
    inner[i] = sum
    ab[i] = left
    ba[i] = right
    whole += sum
    rows += (a.rows[i] as number) * (b.rows[i] as number)
  }
  const plain = new Float64Array(n)
  const centred = new Float64Array(n)
  const m = n - 1
  for (let i = 0; i < n; i++) {
    const [p, q] = [a.matrix[i * n + i] as number, b.matrix[i * n + i] as number]
    const [s, t] = [a.rows[i] as number, b.rows[i] as number]
    const kept = whole - 2 * (inner[i] as number) + p * q
    const own = (s - p) * (t - q)
    const products = rows - (ab[i] as number) - (ba[i] as number) + (inner[i] as number) - own
    plain[i] = kept
    centred[i] =
      kept - (2 * products) / m + ((a.total - 2 * s + p) * (b.total - 2 * t + q)) / (m * m)
  }
  return {
    plain: { value: whole, without: plain },
    centred: { value: whole - (2 * rows) / n + (a.total * b.total) / (n * n), without: centred },
  }
}

/** What of a target kernel all alignments need. */
export interface TargetSums {
  sums: Sums
  norm: LeftOut
}

export async function targetSums(matrix: Matrix, n: number): Promise<TargetSums> {
  const sums = sumsOf(matrix, n)
  return { sums, norm: (await products(sums, sums)).centred }
}

/** Both alignments with the labels; Y's column means are those of the samples that are left. */
export async function alignments(
  matrix: Matrix,
  { sums, norm }: TargetSums,
): Promise<{ cosine: LeftOut; centred: LeftOut }> {
  const own = sumsOf(matrix, sums.rows.length)
  const inner = (await products(own, sums)).centred
  const size = await products(own, own)
  const cosine = (ab: number, aa: number, bb: number) => ab / Math.sqrt(aa * bb)
  return {
    cosine: combined([inner, size.plain, norm], cosine),
    centred: combined([inner, size.centred, norm], cosine),
  }
}
