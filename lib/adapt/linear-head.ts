// Ridge regression on the penultimate value: the linear probe, and a new head to start from.
import { TangentFeatures } from '../fit/features.js'
import { heldOut, rowsOf } from '../fit/folds.js'
import type { NdArray } from '../io/index.js'
import { KernelFactor } from '../linear/factor.js'
import type { SolveOptions } from '../native/call.js'
import type { FoldPlan } from './folds.js'

/** The penultimate value of samples. */
export interface Penultimate {
  /** (N, width) */
  values: Float64Array
  width: number
}

/** W h + b. */
export interface LinearHead {
  /** (C, width) */
  weight: NdArray<Float32Array>
  /** (C) */
  bias: NdArray<Float32Array>
}

/** Error of one ridge. */
export interface RidgeCandidate {
  ridge: number
  /** Mean squared error of held-out rows over folds and repeats. */
  error: number
}

/** Of the mean diagonal of the centred Gram matrix. */
const ratios = [1e-4, 1e-3, 1e-2, 0.1, 1, 10]

/** Samples less the mean of some of them. */
function centred({ values, width }: Penultimate, rows: readonly number[], mean: Float64Array) {
  const own = new Float64Array(rows.length * width)
  rows.forEach((row, i) => {
    for (let k = 0; k < width; k += 1) {
      own[i * width + k] = (values[row * width + k] as number) - (mean[k] as number)
    }
  })
  return TangentFeatures.from(rows.length, 1, [{ name: 'head', m: 1, k: width, x: own }])
}

function meanOf(values: Float64Array, width: number, rows: readonly number[]): Float64Array {
  const mean = new Float64Array(width)
  for (const row of rows) {
    for (let k = 0; k < width; k += 1) {
      mean[k] = (mean[k] as number) + (values[row * width + k] as number) / rows.length
    }
  }
  return mean
}

/** Ridge regression with a free bias on some samples, ready for any ridge. */
class HeadProblem {
  readonly #features: TangentFeatures
  readonly #kernel: Float64Array
  readonly #residual: Float64Array
  readonly columns: number
  readonly mean: Float64Array
  readonly offset: Float64Array

  private constructor(
    parts: { features: TangentFeatures; kernel: Float64Array; residual: Float64Array },
    means: { columns: number; mean: Float64Array; offset: Float64Array },
  ) {
    this.#features = parts.features
    this.#kernel = parts.kernel
    this.#residual = parts.residual
    this.columns = means.columns
    this.mean = means.mean
    this.offset = means.offset
  }

  /** @param y (N, columns) of all samples */
  static async of(
    h: Penultimate,
    y: Float64Array,
    rows: readonly number[],
    options: SolveOptions,
  ): Promise<HeadProblem> {
    const columns = (y.length * h.width) / h.values.length
    const mean = meanOf(h.values, h.width, rows)
    const offset = meanOf(y, columns, rows)
    const features = await centred(h, rows, mean)
    const kernel = await features.kernel(features, options)
    const own = rowsOf(y, rows, columns)
    const residual = own.map((value, e) => value - (offset[e % columns] as number))
    return new HeadProblem({ features, kernel, residual }, { columns, mean, offset })
  }

  /** Of the centred Gram matrix. */
  get meanDiagonal(): number {
    const n = this.#features.samples
    let sum = 0
    for (let i = 0; i < n; i += 1) sum += this.#kernel[i * n + i] as number
    return sum / n
  }

  /** W, row after row. */
  async weights(ridge: number, options: SolveOptions): Promise<Float64Array[]> {
    const { samples: n } = this.#features
    const factor = await KernelFactor.of({ data: this.#kernel, shape: [n, n] }, ridge, options)
    const alpha = await factor.solve(this.#residual)
    const columns = Array.from({ length: this.columns }, (_, c) =>
      Float64Array.from({ length: n }, (_, i) => alpha[i * this.columns + c] as number),
    )
    const rows: Float64Array[] = []
    for (const column of columns) rows.push(await this.#features.adjoint(column, options))
    return rows
  }
}

/** Chooses the ridge of a linear head by the given folds; undefined where h is the same for all samples. */
export async function chooseHead(
  h: Penultimate,
  y: Float64Array,
  plan: FoldPlan,
  options: SolveOptions,
): Promise<{ ridge: number; grid: RidgeCandidate[] } | undefined> {
  const every = Array.from({ length: h.values.length / h.width }, (_, i) => i)
  const all = await HeadProblem.of(h, y, every, options)
  const unit = all.meanDiagonal
  if (!(unit > 0)) return undefined
  const ridges = ratios.map((ratio) => ratio * unit)
  const sums = ridges.map(() => 0)
  let count = 0
  for (let repeat = 0; repeat < plan.repeats; repeat += 1) {
    const order = plan.order(repeat)
    for (let fold = 0; fold < plan.folds; fold += 1) {
      const [kept, held] = heldOut(order, fold, plan.folds)
      const problem = await HeadProblem.of(h, y, kept, options)
      const test = await centred(h, held, problem.mean)
      const truth = rowsOf(y, held, problem.columns)
      for (const [r, ridge] of ridges.entries()) {
        const rows = await problem.weights(ridge, options)
        for (const [c, row] of rows.entries()) {
          const found = await test.apply(row, options)
          found.forEach((value, i) => {
            const error = value + (problem.offset[c] as number)
            const apart = error - (truth[i * problem.columns + c] as number)
            sums[r] = (sums[r] as number) + apart * apart
          })
        }
      }
      count += truth.length
    }
  }
  const grid = ridges.map((ridge, r) => ({ ridge, error: (sums[r] as number) / count }))
  const best = grid.reduce((a, b) => (b.error < a.error ? b : a))
  return { ridge: best.ridge, grid }
}

/** The head of some samples. */
export async function fitHead(
  h: Penultimate,
  y: Float64Array,
  rows: readonly number[],
  ridge: number,
  options: SolveOptions,
): Promise<LinearHead> {
  const problem = await HeadProblem.of(h, y, rows, options)
  const { columns, mean, offset } = problem
  const weights = await problem.weights(ridge, options)
  const weight = new Float32Array(columns * h.width)
  const bias = new Float32Array(columns)
  weights.forEach((row, c) => {
    weight.set(row, c * h.width)
    const shift = row.reduce((sum, value, k) => sum + value * (mean[k] as number), 0)
    bias[c] = (offset[c] as number) - shift
  })
  return {
    weight: { data: weight, shape: [columns, h.width] },
    bias: { data: bias, shape: [columns] },
  }
}

/** What a head makes of samples, (N, C). */
export async function applyHead(
  { weight, bias }: LinearHead,
  h: Penultimate,
  options: SolveOptions,
): Promise<Float64Array> {
  const columns = bias.data.length
  const count = h.values.length / h.width
  const rows = Array.from({ length: count }, (_, i) => i)
  const features = await centred(h, rows, new Float64Array(h.width))
  const out = new Float64Array(count * columns)
  for (let c = 0; c < columns; c += 1) {
    const row = Float64Array.from(weight.data.subarray(c * h.width, (c + 1) * h.width))
    const found = await features.apply(row, options)
    found.forEach((value, i) => {
      out[i * columns + c] = value + (bias.data[c] as number)
    })
  }
  return out
}
