// Optimisers and learning rates, as PyTorch defines them.
import { badArgument } from '../errors.js'

/** Stochastic gradient descent: v ← μv + g, w ← w − ηv (g + decay·w in place of g). */
export interface SgdOptions {
  kind: 'sgd'
  /** η. */
  learningRate: number
  /** μ (default 0). */
  momentum?: number | undefined
  /** Default 0. */
  weightDecay?: number | undefined
}

/** Adam (Kingma & Ba 2015); `adamw` decays the weights apart from the gradient (Loshchilov 2019). */
export interface AdamOptions {
  kind: 'adam' | 'adamw'
  learningRate: number
  /** Default [0.9, 0.999]. */
  betas?: readonly [number, number] | undefined
  /** Default 1e-8. */
  epsilon?: number | undefined
  /** Default 0, for `adamw` 0.01. */
  weightDecay?: number | undefined
}

export type OptimizerOptions = SgdOptions | AdamOptions

/** How the learning rate goes: it stays, or falls to 0 as half a cosine over all steps. */
export type Schedule = 'constant' | 'cosine'

/** Learning rate of step `step` (from 0) of `steps`. */
export function rateAt(schedule: Schedule, rate: number, step: number, steps: number): number {
  return schedule === 'cosine' ? (rate / 2) * (1 + Math.cos((Math.PI * step) / steps)) : rate
}

/** @throws TangentError BAD_ARGUMENT for a rate or a momentum out of range. */
export function checkOptimizer(options: OptimizerOptions): void {
  const within = (name: string, value: number | undefined, low: number, high: number) => {
    if (value === undefined || (value >= low && value < high)) return
    const range = high === Infinity ? `a number ≥ ${low}` : `a number in [${low}, ${high})`
    throw badArgument(`options.optimizer.${name}`, range, value)
  }
  if (!['sgd', 'adam', 'adamw'].includes(options.kind)) {
    throw badArgument('options.optimizer.kind', 'sgd, adam or adamw', options.kind)
  }
  if (options.learningRate === undefined) {
    throw badArgument('options.optimizer.learningRate', 'a number ≥ 0', undefined)
  }
  within('learningRate', options.learningRate, 0, Infinity)
  within('weightDecay', options.weightDecay, 0, Infinity)
  if (options.kind === 'sgd') {
    within('momentum', options.momentum, 0, 1)
    return
  }
  within('betas[0]', options.betas?.[0], 0, 1)
  within('betas[1]', options.betas?.[1], 0, 1)
  within('epsilon', options.epsilon, 0, Infinity)
}

/** The state of one optimiser: for each array as many numbers per moment. */
export class Optimizer {
  readonly #options: OptimizerOptions
  /** [moment][array]. */
  readonly moments: Float32Array[][]
  /** Steps made. */
  steps = 0

  constructor(options: OptimizerOptions, arrays: readonly Float32Array[]) {
    this.#options = options
    const count = options.kind === 'sgd' ? 1 : 2
    this.moments = Array.from({ length: count }, () =>
      arrays.map(({ length }) => new Float32Array(length)),
    )
  }

  /** Changes the weights in place. */
  step(
    weights: readonly Float32Array[],
    gradients: readonly Float32Array[],
    learningRate: number,
  ): void {
    this.steps += 1
    const options = this.#options
    weights.forEach((w, a) => {
      const g = gradients[a] as Float32Array
      const first = this.moments[0]?.[a] as Float32Array
      if (options.kind === 'sgd') {
        const { momentum = 0, weightDecay = 0 } = options
        for (let e = 0; e < w.length; e += 1) {
          const v =
            momentum * (first[e] as number) + (g[e] as number) + weightDecay * (w[e] as number)
          first[e] = v
          w[e] = (w[e] as number) - learningRate * v
        }
        return
      }
      this.#adam(options, w, g, first, this.moments[1]?.[a] as Float32Array, learningRate)
    })
  }

  #adam(
    { kind, betas = [0.9, 0.999], epsilon = 1e-8, weightDecay }: AdamOptions,
    w: Float32Array,
    g: Float32Array,
    first: Float32Array,
    second: Float32Array,
    learningRate: number,
  ): void {
    const decay = weightDecay ?? (kind === 'adamw' ? 0.01 : 0)
    const [b1, b2] = betas
    const rate = learningRate / (1 - b1 ** this.steps)
    const root = Math.sqrt(1 - b2 ** this.steps)
    const coupled = kind === 'adam' ? decay : 0
    const shrink = kind === 'adamw' ? 1 - learningRate * decay : 1
    for (let e = 0; e < w.length; e += 1) {
      const own = (w[e] as number) * shrink
      const slope = (g[e] as number) + coupled * own
      const m = b1 * (first[e] as number) + (1 - b1) * slope
      const v = b2 * (second[e] as number) + (1 - b2) * slope * slope
      first[e] = m
      second[e] = v
      w[e] = own - (rate * m) / (Math.sqrt(v) / root + epsilon)
    }
  }
}
