// What a posterior says at other samples: products with K(x*, X), solved block by block of its rows.
import { abortError } from '../core/abort.js'
import { badArgument, mismatch } from '../core/errors.js'
import { each } from '../core/turns.js'
import { heldNumbers } from '../io/held.js'
import { checkArray, type Floats, type NdArray } from '../io/index.js'
import { numbersOf } from '../linear/checks.js'
import { KernelFactor } from '../linear/factor.js'

/** K(x*, X), (rows, n), and f(x*; θ0). */
export interface Cross {
  data: Floats
  rows: number
  base: Float64Array | undefined
}

/** A posterior as it is asked here. */
export interface Answering {
  readonly n: number
  readonly outputs: number
  readonly samples: number
  readonly columns: number
  readonly alpha: Float64Array
  readonly factor: Pick<KernelFactor, 'solve'>
  leaveOneOut(options: {
    signal?: AbortSignal | undefined
  }): Promise<{ residuals: NdArray<Float64Array> }>
}

/** What is asked of each row. */
interface Question {
  mean?: boolean
  /** k(x*, x*): asks for the variance. */
  own?: Float64Array
  /** K(x*, x*), (rows, rows): asks for the covariance. */
  covariance?: Floats
  /** k(x*, x*) of each sample, (N2, O, O): asks for the covariance of its outputs. */
  blocks?: Floats
  influence?: boolean
  representers?: boolean
  signal?: AbortSignal | undefined
}

/** Empty where it was not asked for. */
export interface PosteriorAnswer {
  /** (rows, columns) */
  mean: Float64Array
  /** (rows) */
  variance: Float64Array
  /** (rows, rows) */
  covariance: Float64Array
  /** (N2, O, O) */
  blocks: Float64Array
  /** (rows, N, columns) */
  influence: Float64Array
  representers: Float64Array
}

/** Numbers that are solved for at once. */
const blockNumbers = 1 << 22

/** Checks K(x*, X) of a caller. */
export function crossOf(
  { n, outputs, columns }: Answering,
  given: NdArray,
  base: ArrayLike<number> | undefined,
): Cross {
  checkArray(given, 'cross')
  const { shape } = given
  if (!(given.data instanceof Float32Array || given.data instanceof Float64Array)) {
    throw badArgument('cross', 'an array of floats', given.data)
  }
  const half = shape.length / 2
  const width = shape.slice(half).reduce((size, one) => size * one, 1)
  const rows = shape.slice(0, half).reduce((size, one) => size * one, 1)
  if (!(half === 1 || half === 2) || width !== n || rows % outputs !== 0 || rows === 0) {
    const expected = `(n2, ${n}) or (N2, ${outputs}, ${n / outputs}, ${outputs})`
    throw mismatch('cross', expected, `an array (${shape.join(', ')})`)
  }
  const numbers = base && numbersOf('options.base', base)
  if (numbers && numbers.length !== rows * columns) {
    throw mismatch('options.base', `${rows * columns} numbers`, `${numbers.length}`)
  }
  return { data: heldNumbers(given.data, 'cross'), rows, base: numbers }
}

/** Answers for every row of K(x*, X). */
export async function asked(
  posterior: Answering,
  cross: Cross,
  question: Question,
): Promise<PosteriorAnswer> {
  const { n, columns, samples } = posterior
  const { rows } = cross
  const { mean, own, covariance, blocks, influence, representers, signal } = question
  const { outputs } = posterior
  const bySample = rows * samples * columns
  const answer: PosteriorAnswer = {
    mean: new Float64Array(mean ? rows * columns : 0),
    variance: new Float64Array(own ? rows : 0),
    covariance: new Float64Array(covariance ? rows * rows : 0),
    blocks: Float64Array.from(blocks ?? []),
    influence: new Float64Array(influence ? bySample : 0),
    representers: new Float64Array(representers ? bySample : 0),
  }
  if (mean) await each(rows, n * columns, (q) => meanOf(posterior, cross, q, answer.mean), signal)
  if (representers) {
    const { alpha } = posterior
    const part = (q: number) =>
      addBySample(posterior, cross.data, q * n, alpha, answer.representers, q)
    await each(rows, n * columns, part, signal)
  }
  if (!own && !covariance && !blocks && !influence) return answer
  const left = influence ? (await posterior.leaveOneOut({ signal })).residuals.data : undefined
  const together = Math.max(1, Math.floor(blockNumbers / n))
  for (let first = 0; first < rows; first += together) {
    const count = Math.min(together, rows - first)
    // (count, n): the rows of K(x*, X)(K + ridge·I)⁻¹.
    const solved = await solvedRows(posterior, cross.data, first, count, signal)
    await each(
      count,
      n * (columns + (blocks ? outputs : 1)),
      (k) => {
        const q = first + k
        const at = k * n
        if (own) {
          const explained = dot(cross.data, q * n, solved, at, n)
          answer.variance[q] = Math.max(0, (own[q] as number) - explained)
        }
        if (blocks) {
          const [i, o] = [Math.floor(q / outputs), q % outputs]
          for (let p = 0; p < outputs; p += 1) {
            const explained = dot(cross.data, (i * outputs + p) * n, solved, at, n)
            const entry = (i * outputs + o) * outputs + p
            answer.blocks[entry] = (answer.blocks[entry] as number) - explained
          }
        }
        if (left) addBySample(posterior, solved, at, left, answer.influence, q)
      },
      signal,
    )
    if (covariance) {
      const row = (k: number) =>
        covarianceRow(cross, covariance, answer.covariance, first + k, solved, k * n, n)
      await each(count, n * rows, row, signal)
    }
  }
  return answer
}

/** f(x*; θ0) + k*ᵀ α of row q. */
function meanOf(
  { n, columns, alpha }: Answering,
  { data, base }: Cross,
  q: number,
  out: Float64Array,
): void {
  for (let c = 0; c < columns; c += 1) {
    let sum = base ? (base[q * columns + c] as number) : 0
    for (let r = 0; r < n; r += 1) {
      sum += (data[q * n + r] as number) * (alpha[r * columns + c] as number)
    }
    out[q * columns + c] = sum
  }
}

/** out[q, J, c] = Σ_{r of J} row[r] · weights[r, c]. */
function addBySample(
  { samples, outputs, columns }: Answering,
  row: Floats,
  at: number,
  weights: Float64Array,
  out: Float64Array,
  q: number,
): void {
  for (let j = 0; j < samples; j += 1) {
    for (let c = 0; c < columns; c += 1) {
      let sum = 0
      for (let o = 0; o < outputs; o += 1) {
        const r = j * outputs + o
        sum += (row[at + r] as number) * (weights[r * columns + c] as number)
      }
      out[(q * samples + j) * columns + c] = sum
    }
  }
}

function covarianceRow(
  { data, rows }: Cross,
  own: Floats,
  out: Float64Array,
  q: number,
  solved: Float64Array,
  at: number,
  n: number,
): void {
  // Symmetric to the last bit: the lower half is computed, and mirrored.
  for (let p = 0; p <= q; p += 1) {
    const value = (own[q * rows + p] as number) - dot(data, p * n, solved, at, n)
    out[q * rows + p] = value
    out[p * rows + q] = value
  }
}

function dot(a: Floats, from: number, b: Floats, at: number, n: number): number {
  let sum = 0
  for (let r = 0; r < n; r += 1) sum += (a[from + r] as number) * (b[at + r] as number)
  return sum
}

/** (count, n): rows of K(x*, X) times (K + ridge·I)⁻¹. */
async function solvedRows(
  { n, factor }: Answering,
  cross: Floats,
  first: number,
  count: number,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const columns = new Float64Array(n * count)
  for (let k = 0; k < count; k += 1) {
    for (let r = 0; r < n; r += 1) columns[r * count + k] = cross[(first + k) * n + r] as number
  }
  const solved = await factor.solve(columns)
  if (signal?.aborted) throw abortError(signal)
  const rows = columns
  for (let k = 0; k < count; k += 1) {
    for (let r = 0; r < n; r += 1) rows[k * n + r] = solved[r * count + k] as number
  }
  return rows
}

/**
 * What a group G of samples does to predictions: (k*ᵀA_{:,G}) A_GG⁻¹ α_G, (rows, columns).
 */
export async function withoutGroup(
  posterior: Answering,
  cross: Cross,
  group: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const { n, outputs, columns, alpha, factor } = posterior
  const rows = group.flatMap((i) => Array.from({ length: outputs }, (_, o) => i * outputs + o))
  const size = rows.length
  const change = new Float64Array(cross.rows * columns)
  if (size === 0) return change
  const unit = new Float64Array(n * size)
  rows.forEach((row, k) => {
    unit[row * size + k] = 1
  })
  const inverse = await factor.solve(unit)
  const block = new Float64Array(size * size)
  const symmetric = (a: number) => {
    const row = rows[a] as number
    for (let b = 0; b < size; b += 1) {
      // Symmetric to the last bit, as a factor wants it.
      const other = inverse[(rows[b] as number) * size + a] as number
      block[a * size + b] = ((inverse[row * size + b] as number) + other) / 2
    }
  }
  await each(size, 8 * size, symmetric, signal)
  const right = new Float64Array(size * columns)
  rows.forEach((row, a) => {
    right.set(alpha.subarray(row * columns, (row + 1) * columns), a * columns)
  })
  const left = await (await KernelFactor.of(block, 0, { signal })).solve(right)
  // A_{:,G} A_GG⁻¹ α_G first: (n, columns).
  const weights = new Float64Array(n * columns)
  const spread = (r: number) => {
    for (let c = 0; c < columns; c += 1) {
      let sum = 0
      for (let a = 0; a < size; a += 1) {
        sum += (inverse[r * size + a] as number) * (left[a * columns + c] as number)
      }
      weights[r * columns + c] = sum
    }
  }
  await each(n, size * columns, spread, signal)
  const row = (q: number) => {
    for (let c = 0; c < columns; c += 1) {
      let sum = 0
      for (let r = 0; r < n; r += 1) {
        sum += (cross.data[q * n + r] as number) * (weights[r * columns + c] as number)
      }
      change[q * columns + c] = sum
    }
  }
  await each(cross.rows, n * columns, row, signal)
  return change
}
