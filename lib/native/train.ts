// The addon's part of a training, typed. See native/train/.
import type { NativeDeviceCounts } from './counts.js'
import type { NativeData, NativeFrame } from './frame.js'

/** A parameter as its factors see it. */
export interface FactorLayout {
  /** Sizes of the modes; empty: not transformed. */
  modes: number[]
  /** For a bias: index of the parameter whose output mode transforms it, and which mode that is. */
  follows?: { parameter: number; mode: number }
}

/** Sums over samples. */
export interface LossSum {
  loss: number
  /** Wrong classes; for one output wrong signs. */
  wrong: number
}

export interface NativeTrainingOptions {
  model: 'full' | 'fixed' | 'adaptive'
  optimizer: {
    kind: 'sgd' | 'adam' | 'adamw'
    momentum: number
    decay: number
    beta1: number
    beta2: number
    epsilon: number
  }
  /** Flat outputs per sample (O). */
  outputs: number
  threads: number
  memory: number
  /** Where passes and steps are computed; absent: the processor. */
  device?: string | undefined
  /** One per parameter; read for `adaptive`. */
  layouts: FactorLayout[]
  /** Ids of shared float32 arrays: one per parameter, or of `adaptive` Θ and its matrices. */
  arrays: number[]
  /** [moment][array]: the same. */
  moments: number[][]
  /** Of the training samples, then of the test samples: (N, O) numbers or N classes. */
  targets: (Float32Array | Int32Array)[]
}

/** How a value of the forward run grows with the samples: dimension d is base[d] + n·slope[d]. */
export interface NativeGrowth {
  id: number
  base: number[]
  slope: number[]
  /** Of an input that rules read: all samples. It is pinned. */
  data?: NativeData
}

/**
 * One training. `set` 0 are the training samples, 1 the test samples. Everything happens at once, in
 * the calling thread.
 */
export interface NativeTraining {
  /**
   * A step on a batch, which may come in several runs: the gradients of the mean over `batch` samples
   * add up, from the `first` run on, until `apply` makes the step. `output` (n, O) is the network's,
   * `rows` tell its targets.
   */
  collect(
    frame: NativeFrame,
    output: Float32Array,
    rows: Uint32Array,
    batch: number,
    first: boolean,
    control: BigInt64Array,
  ): LossSum
  apply(rate: number): void
  /** Steps of `size` rows of `order` each, on runs that are kept. */
  steps(order: Uint32Array, size: number, rates: Float64Array, control: BigInt64Array): LossSum
  /** All samples of a set whose runs are kept, `block` at once. */
  evaluate(set: number, block: number, control: BigInt64Array): LossSum
  /** Samples [first, first + count); without a frame `output` is the model's own. */
  evaluateRun(
    set: number,
    frame: NativeFrame | null,
    output: Float32Array,
    first: number,
    count: number,
    control: BigInt64Array,
  ): LossSum
  /** Makes room to keep the runs of a set. */
  store(set: number, samples: number, growth: NativeGrowth[]): void
  /** Keeps the run of samples [first, …). */
  remember(set: number, frame: NativeFrame, output: Float32Array, first: number): void
  /** The arrays have changed: to be called before `evaluateRun` with frames, and `evaluate`. */
  renew(): void
  /** The shared arrays have been changed. */
  send(): void
  /**
   * Copies of the weights, or of Δ, by parameter. When it returns the shared arrays are what they are after the
   * last step, on a device as well.
   */
  present(): Float32Array[]
  /** What the device was asked for so far; null without one. */
  readonly device: NativeDeviceCounts | null
  /** Steps made. */
  done: number
  dispose(): void
}
