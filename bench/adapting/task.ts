// A task, a draw of it, and what the methods may try.
import type { NdArray, Network } from '../../lib/index.js'

/** Samples with labels. */
export interface Samples {
  x: NdArray<Float32Array>
  /** Integers (N) are classes, floats (N, 1) numbers. */
  y: NdArray
}

/** Rows of numbers. */
export type Rows = number[][]

/** A draw of a task: the network to adapt, the labels to adapt it with, and samples to judge by. */
export interface Split {
  network: Network
  /** Outputs that are fitted; undefined: all. */
  outputs?: readonly number[]
  fit: Samples
  test: Samples
  /** What the methods without a network see of the same; targets as the network's are. */
  peers: { x: Rows; y: Rows; test: Rows; offset?: Rows }
}

/** What all methods may try. */
export interface Budget {
  prices: readonly number[]
  /** Times the ridge of least leave-one-out error. */
  ridges: readonly number[]
  folds: number
  repeats: number
  /** Whether to adapt the right side alone, too. */
  oneSide: boolean
  /** Of fine-tuning by Adam: the loss is looked at after every so many epochs, so many times. */
  rates: readonly number[]
  epochs: number
  looks: number
  batch: number
}

export interface Task {
  name: string
  title: string
  kind: 'classes' | 'numbers'
  /** All that a draw depends on but the number of the split. */
  settings: Readonly<Record<string, unknown>>
  budget: Budget
  /** Splits at most. */
  splits: number
  draw(split: number): Promise<Split>
}

/** 24 candidates for all: those of `price: 'auto'`, with one shuffle into folds in place of two. */
export const fullBudget: Budget = {
  prices: [10, 3, 1, 0.3, 0.1],
  ridges: [0.1, 1, 10, 100],
  folds: 5,
  repeats: 1,
  oneSide: true,
  rates: [3e-4, 1e-3, 3e-3, 1e-2],
  epochs: 60,
  looks: 6,
  batch: 20,
}
