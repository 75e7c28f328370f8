// Adaptive eigenvalues: errors by noise in the sequence model, and on samples.
import { fitCoordinates, fitEigenvalues, fitSequence, KernelSpectrum } from 'adaptive-tangent'
import { gaussians, uniforms } from '../../lib/linear/random.js'

/** The sequence model of Li & Lin (2024) with λ_j = j^−γ. */
export interface RateSettings {
  gamma: number
  target:
    | {
        /** θ* = ℓ^−(p+1)/2 at j = ℓ^q: aligned with the kernel for q = 1, misaligned for more. */
        p: number
        q: number
      }
    | {
        /** θ* = size at these j. */
        size: number
        at: readonly number[]
      }
  count: number
  epsilons: readonly number[]
  seed: number
}

/** Flows that are compared: eigenvalues fixed or adaptive, stopped by estimated risk or by rate. */
export const flows = [
  { depth: 'fixed', time: 'risk' },
  { depth: 0, time: 'risk' },
  { depth: 1, time: 'risk' },
  { depth: 3, time: 'risk' },
  { depth: 0, time: 'rate' },
  { depth: 1, time: 'rate' },
  { depth: 3, time: 'rate' },
] as const

/** Σ (θ_j − θ*_j)² for each flow and ε, with what lies beyond the numbers that are kept. */
export async function sequenceErrors(settings: RateSettings, threads: number): Promise<number[][]> {
  const { gamma, target, count, epsilons, seed } = settings
  const lambda = Float64Array.from({ length: count }, (_, j) => (j + 1) ** -gamma)
  const truth = new Float64Array(count)
  let beyond = 0
  if ('at' in target) {
    for (const j of target.at) truth[j - 1] = target.size
  } else {
    const { p, q } = target
    const last = Math.floor(count ** (1 / q) + 1e-9)
    for (let l = 1; l <= last; l += 1) truth[l ** q - 1] = l ** (-(p + 1) / 2)
    // ∫ x^−(p+1) dx from last + ½.
    beyond = (last + 0.5) ** -p / p
  }
  const noise = gaussians(count, seed)
  const errors: number[][] = []
  for (const { depth, time } of flows) {
    const own: number[] = []
    for (const epsilon of epsilons) {
      const z = truth.map((value, j) => value + epsilon * (noise[j] as number))
      const { theta } = await fitSequence(lambda, z, epsilon, { depth, time, threads })
      own.push(squared(theta, truth) + beyond)
    }
    errors.push(own)
  }
  return errors
}

function squared(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, j) => sum + (value - (b[j] as number)) ** 2, 0)
}

/** Samples of a function on [0, 1] in few of the eigenfunctions √2 cos(πjx) of eigenvalue j^−2. */
export interface SampleSettings {
  samples: number
  unlabelled: number
  test: number
  /** Eigenfunctions of the kernel. */
  count: number
  noise: number
  /** j and the target's coefficient. */
  target: readonly (readonly [number, number])[]
  seed: number
}

export const models = [
  'ridge regression, leave-one-out',
  'fixed eigenvalues, by folds',
  'own eigenvectors, D = 0',
  'own eigenvectors, D = 1',
  'eigenfunctions of unlabelled inputs, D = 0',
  'eigenfunctions of unlabelled inputs, D = 1',
  'known eigenfunctions, D = 0',
  'known eigenfunctions, D = 1',
] as const

/** The mean squared error at test inputs of each of `models`. */
export async function sampleErrors(settings: SampleSettings, threads: number): Promise<number[]> {
  const { samples, unlabelled, test, count, noise, target, seed } = settings
  const uniform = uniforms(seed)
  const inputs = (n: number) => Float64Array.from({ length: n }, uniform)
  const [x, u, held] = [inputs(samples), inputs(unlabelled), inputs(test)]
  const lambda = Float64Array.from({ length: count }, (_, j) => (j + 1) ** -2)
  const truth = (at: Float64Array) =>
    at.map((value) => target.reduce((sum, [j, c]) => sum + c * cosine(j, value), 0))
  const random = gaussians(samples, seed + 1000)
  const y = truth(x).map((value, i) => value + noise * (random[i] as number))
  const wanted = truth(held)
  const ofX = eigenfunctions(x, count)
  const ofU = eigenfunctions(u, count)
  const ofHeld = eigenfunctions(held, count)
  const kernel = (a: Float64Array, b: Float64Array) => product(a, b, lambda)
  const spectrum = await KernelSpectrum.of(kernel(ofX, ofX).data, { threads })
  const cross = kernel(ofHeld, ofX)
  const error = (found: Float64Array) => squared(found, wanted) / test
  const byAlpha = (alpha: Float64Array) => error(times(cross.data, alpha))
  const { ridge } = await spectrum.chooseRidge(y, { precision: 2 ** -52 })
  const known = { data: ofX, shape: [samples, count] }
  const inKnown = async (depth: number | 'fixed') => {
    const { theta } = await fitCoordinates(known, lambda, y, { depth, noise, threads })
    return error(times(ofHeld, theta))
  }
  const own = async (depth: number) =>
    byAlpha((await fitEigenvalues(spectrum, y, noise, { depth, threads })).alpha)
  const many = await KernelSpectrum.of(kernel(ofU, ofU).data, { threads })
  const kept = Math.ceil(unlabelled / 4)
  const [there, here] = [
    await many.eigenfunctions(kernel(ofHeld, ofU), kept),
    await many.eigenfunctions(kernel(ofX, ofU), kept),
  ]
  const values = many.values.slice(0, kept).map((value) => value / unlabelled)
  const estimated = async (depth: number) => {
    const { theta } = await fitCoordinates(here, values, y, { depth, noise, threads })
    return error(times(there.data, theta))
  }
  return [
    byAlpha(await spectrum.coefficients(y, ridge)),
    await inKnown('fixed'),
    await own(0),
    await own(1),
    await estimated(0),
    await estimated(1),
    await inKnown(0),
    await inKnown(1),
  ]
}

const cosine = (j: number, x: number) => Math.SQRT2 * Math.cos(Math.PI * j * x)

/** (n, count) */
function eigenfunctions(x: Float64Array, count: number): Float64Array {
  return Float64Array.from({ length: x.length * count }, (_, at) =>
    cosine((at % count) + 1, x[Math.floor(at / count)] as number),
  )
}

/** a diag(weights) bᵀ, row by row. */
function product(a: Float64Array, b: Float64Array, weights: Float64Array) {
  const count = weights.length
  const [rows, columns] = [a.length / count, b.length / count]
  const data = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i += 1) {
    const row = a.subarray(i * count, (i + 1) * count).map((v, j) => v * (weights[j] as number))
    for (let k = 0; k < columns; k += 1) {
      let sum = 0
      for (let j = 0; j < count; j += 1) sum += (row[j] as number) * (b[k * count + j] as number)
      data[i * columns + k] = sum
    }
  }
  return { data, shape: [rows, columns] }
}

function times(matrix: Float64Array, x: Float64Array): Float64Array {
  const n = x.length
  return Float64Array.from({ length: matrix.length / n }, (_, i) =>
    x.reduce((sum, value, j) => sum + value * (matrix[i * n + j] as number), 0),
  )
}
