// What the loss's Hessian at the outputs is, in laplace-torch's conventions.
import { badArgument, mismatch } from '../../core/errors.js'
import { classIndices } from '../../io/classes.js'
import { checkArray, isFloat, type NdArray } from '../../io/index.js'

/** What targets are supposed to be drawn from. */
export type Likelihood = 'classification' | 'regression'

/** Targets of N samples and O outputs, and what follows from them at the network's outputs. */
export interface Curvature {
  likelihood: Likelihood
  samples: number
  outputs: number
  /** Weights w of the Hessian diag(w) − p pᵀ of each sample: p of classes, 1 of numbers. */
  weights: Float64Array
  /** Σ cross-entropy, or ½ Σ squared residuals. */
  loss: number
}

/**
 * The Hessian of the loss of every sample: diag(p) − p pᵀ with p = softmax(f), or the identity.
 * @param f (N, O)
 */
export function curvatureOf(
  f: Float64Array,
  y: NdArray,
  samples: number,
  given: Likelihood | undefined,
): Curvature {
  checkArray(y, 'y')
  const outputs = f.length / samples
  const [rows, columns = 1, ...rest] = y.shape
  const classes = y.shape.length === 1 && (given ?? 'classification') === 'classification'
  const likelihood = given ?? (classes && !isFloat(y) ? 'classification' : 'regression')
  if (likelihood === 'classification') {
    if (outputs < 2) {
      throw badArgument('options.likelihood', "'regression' for a network of one output", given)
    }
    if (y.shape.length !== 1 || rows !== samples) {
      throw mismatch('y', `classes (${samples})`, `an array (${y.shape.join(', ')})`)
    }
    const values = Array.from(y.data as ArrayLike<number | bigint>, Number)
    return ofClasses(f, classIndices(values, outputs, 'y'))
  }
  if (rest.length > 0 || rows !== samples || columns !== outputs) {
    const expected = `numbers (${samples}, ${outputs})`
    throw mismatch('y', expected, `an array (${y.shape.join(', ')})`)
  }
  let loss = 0
  f.forEach((value, r) => {
    const target = Number(y.data[r])
    if (!Number.isFinite(target)) throw badArgument('y', 'finite numbers', target)
    loss += 0.5 * (target - value) ** 2
  })
  return { likelihood, samples, outputs, weights: new Float64Array(f.length).fill(1), loss }
}

function ofClasses(f: Float64Array, classes: Int32Array): Curvature {
  const samples = classes.length
  const outputs = f.length / samples
  const weights = new Float64Array(f.length)
  let loss = 0
  for (let i = 0; i < samples; i += 1) {
    const row = f.subarray(i * outputs, (i + 1) * outputs)
    weights.set(softmax(row), i * outputs)
    const most = row.reduce((a, b) => Math.max(a, b))
    const total = row.reduce((sum, value) => sum + Math.exp(value - most), 0)
    loss += most + Math.log(total) - (row[classes[i] as number] as number)
  }
  return { likelihood: 'classification', samples, outputs, weights, loss }
}

/** The curvature of the cross-entropy at outputs f; of one output that of its sign. */
export function crossEntropyOf(f: Float64Array, places: readonly number[]): Curvature {
  const samples = places.length
  const outputs = f.length / samples
  if (outputs > 1) return ofClasses(f, Int32Array.from(places))
  const weights = f.map((value) => {
    const p = 1 / (1 + Math.exp(-value))
    return p * (1 - p)
  })
  // p(1 − p) is all of it: nothing like − p pᵀ is taken off.
  return { likelihood: 'regression', samples, outputs, weights, loss: 0 }
}

export function softmax(row: Float64Array): Float64Array {
  const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const powers = row.map((value) => Math.exp(value - most))
  const total = powers.reduce((sum, value) => sum + value, 0)
  return powers.map((value) => value / total)
}

/**
 * R (O, O) with Rᵀ R = the sample's Hessian, which is singular for classes: rows √p_c (e_c − p).
 */
export function rootOf({ likelihood, outputs, weights }: Curvature, sample: number): Float64Array {
  const root = new Float64Array(outputs * outputs)
  for (let c = 0; c < outputs; c += 1) {
    const scale = Math.sqrt(weights[sample * outputs + c] as number)
    for (let o = 0; o < outputs; o += 1) {
      const p = likelihood === 'classification' ? (weights[sample * outputs + o] as number) : 0
      root[c * outputs + o] = scale * (Number(c === o) - p)
    }
  }
  return root
}
