// What a training may be asked for, and what it tells of an epoch.
import type { NdArray } from '../io/index.js'
import type { DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Loss } from './loss.js'
import type { OptimizerOptions, Schedule } from './optimizer.js'
import type { TrainingModel } from './protocol.js'

/** Samples and what the network should make of them. */
export interface LabelledSamples {
  x: Inputs
  /**
   * Classes (N,), each the number of an output; with squared loss they are integers, two of them ∓1
   * of one output, or else numbers (N, O), or (N,) for one output.
   */
  target: NdArray
}

/** Options of {@link train}. */
export interface TrainOptions extends Omit<DerivativeOptions, 'outputs' | 'block' | 'outputBlock'> {
  /**
   * `full`: all parameters (default). `fixed`: Δ of the linearised network f(x; θ0) + J·Δ. `adaptive`:
   * the factors of Δ = M_1ΘM_2 per layer in the linearised network, from M = I, Θ = 0, a bias as
   * M_2ᵀb; convolutions with three modes.
   */
  model?: TrainingModel | undefined
  /** ½‖f − y‖² or cross-entropy, the mean over a batch (default: cross-entropy). */
  loss?: Loss | undefined
  optimizer: OptimizerOptions
  /** Of the learning rate, over all steps (default: constant). */
  schedule?: Schedule | undefined
  epochs: number
  /** Samples of a step (default 50, at most N). What does not fill one is left out of an epoch. */
  batch?: number | undefined
  /**
   * Samples of an epoch, drawn again for every epoch from all N; default: all of them. With fewer
   * than N, every epoch sees other samples: a learning curve over it is not one over samples.
   */
  samplesPerEpoch?: number | undefined
  /** Of the order of samples (default 1). */
  seed?: number | undefined
  /** Evaluated after every epoch. */
  test?: LabelledSamples | undefined
  /** Evaluates `test` after every so many epochs only, and after the last (default 1). */
  evaluateEvery?: number | undefined
  /** Writes the weights at chosen moments, and what `resume` needs, to a folder. */
  checkpoints?: CheckpointOptions | undefined
  /**
   * A `state.safetensors` to go on from: what follows is the same to the last bit on the same device. Refused for other
   * samples, targets, starting weights or options that decide the steps; more epochs may be asked for
   * where the rate is constant.
   */
  resume?: string | undefined
  onEpoch?: ((report: EpochReport) => void) | undefined
}

/** Which files a training leaves. */
export interface CheckpointOptions {
  folder: string
  /**
   * `weights-<epoch>.safetensors` and `state.safetensors` after every so many epochs and after the
   * last (default 1).
   */
  every?: number | undefined
  /**
   * The weights after these numbers of steps of the optimiser as `step-<number>.safetensors`, 0
   * being the start. Then there are no `weights-<epoch>.safetensors`; `every` tells how often the
   * state is written.
   */
  at?: readonly number[] | undefined
}

/** One epoch. */
export interface EpochReport {
  /** From 1. */
  epoch: number
  /** Mean loss of the samples, each before its step. */
  trainLoss: number
  /** Share of wrong classes, or signs, among them. */
  trainError: number
  /** Of the test samples after the epoch; null without any, or where it was not evaluated. */
  testLoss: number | null
  testError: number | null
}
