// What the main thread and the worker say to each other about training.

import type { ChosenDevice } from '../native/device.js'
import type { NativeDeviceCounts } from '../native/index.js'
import type { FactorLayout, LossSum } from '../native/train.js'
import type { Feed } from '../runtime/protocol.js'
import type { Loss, Targets } from './loss.js'
import type { OptimizerOptions } from './optimizer.js'

/** What is trained: all weights; Δ in the linearised network; its factors. */
export type TrainingModel = 'full' | 'fixed' | 'adaptive'

export interface TrainingData {
  x: Feed
  targets: Targets
}

export interface TrainingSetup {
  model: TrainingModel
  loss: Loss
  optimizer: OptimizerOptions
  threads: number
  memory: number
  /** Flat outputs per sample. */
  outputs: number
  batch: number
  /** Where passes and steps are computed. */
  device: ChosenDevice
  /** Samples are run one by one. */
  single: boolean
  /** The parameters in the order of the addon's results. */
  parameters: { id: number; name: string; count: number; layout: FactorLayout }[]
  train: TrainingData
  test: TrainingData | undefined
  /** Samples that the whole training will draw. */
  draws: number
}

/** What the service `train` is asked. */
export interface TrainingMessage {
  training: number
  action: TrainingAction
}

export type TrainingAction =
  /** `identify`: the reply holds digests. */
  | { do: 'start'; setup: TrainingSetup; identify: boolean }
  /** One step for each `size` samples of `order`, at the rates of the steps. */
  | { do: 'steps'; order: Uint32Array; size: number; rates: Float64Array }
  | { do: 'evaluate'; data: 'train' | 'test' }
  | { do: 'save' }
  | { do: 'restore'; state: TrainingState }
  | { do: 'end' }

/** Everything that a continued training needs. */
export interface TrainingState {
  /** Names of the arrays. */
  names: string[]
  arrays: Float32Array[]
  /** [moment][array]. */
  moments: Float32Array[][]
  steps: number
  /** The weights, or Δ, that the arrays stand for, by parameter. */
  weights: Float32Array[]
}

/** Of what a training reads and does not change. */
export interface TrainingDigests {
  /** Samples and targets. */
  data: string
  /** The network's weights, less those that are trained. */
  weights: string
}

export type TrainingReply = Partial<LossSum> & {
  state?: TrainingState
  /** What the device was asked for since the training began; null without one. */
  device?: NativeDeviceCounts | null
  digests?: TrainingDigests | undefined
}
