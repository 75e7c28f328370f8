// Optimisers and learning rates, as PyTorch defines them.
import { badArgument } from '../core/errors.js'
import type { NativeTrainingOptions } from '../native/train.js'

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

/** As the addon takes it. */
export function nativeOptimizer(options: OptimizerOptions): NativeTrainingOptions['optimizer'] {
  const { kind, weightDecay: decay = kind === 'adamw' ? 0.01 : 0 } = options
  const rest = { momentum: 0, beta1: 0, beta2: 0, epsilon: 0 }
  if (options.kind === 'sgd') return { ...rest, kind, decay, momentum: options.momentum ?? 0 }
  const { betas = [0.9, 0.999], epsilon = 1e-8 } = options
  return { ...rest, kind, decay, beta1: betas[0], beta2: betas[1], epsilon }
}
