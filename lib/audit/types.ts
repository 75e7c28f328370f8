import type { NdArray } from '../io/index.js'
import type { Evidence } from './evidence.js'

type Numbers = NdArray<Float64Array>

/** What the samples themselves say of each other's targets. */
export interface AuditLabels {
  /** Labels that occur, ascending; null where the targets are numbers. */
  classes: number[] | null
  /** Of each sample; null where the targets are numbers. */
  given: number[] | null
  /** The label of the largest leave-one-out prediction; null where the targets are numbers. */
  predicted: number[] | null
  /** Targets as they were fitted: one-hot, −1 and 1, or numbers, (N, O). */
  targets: Numbers
  /** f_{−i}(x_i), of the model that was fitted without sample i: (N, O). */
  predictions: Numbers
  /** targets − predictions. */
  residuals: Numbers
  /**
   * Higher is more suspicious. Of classes the largest leave-one-out prediction of another class less that of
   * the label's own; of numbers the root mean square of the residuals. Both in standard deviations of a
   * target by the model without the sample, √(τ²·variance + σ²): far from all others little is contradicted.
   */
  suspicion: Float64Array
  /** Samples, the most suspicious first. */
  order: number[]
}

/** What the kernel says of the training samples. */
export interface AuditSamples {
  /** How much of its own prediction each row makes, (N, O). */
  leverage: Numbers
  /** Posterior variance at each sample without that sample, (N, O), in the kernel's units. */
  variance: Numbers
  /** 1 − Σ_o variance / Σ_o k(x, x): the share of a sample's prior variance that the others explain. */
  support: Float64Array
  /** Samples whose variance without themselves is far above that of most, the farthest first. */
  unsupported: number[]
  /** The nearest other sample of each, by the cosine of the trace kernel, and that cosine. */
  nearest: number[]
  similarity: Float64Array
  /** Pairs that are far nearer than neighbours are, the nearest first. */
  duplicates: AuditPair[]
}

/** Two samples that are nearly one. */
export interface AuditPair {
  first: number
  second: number
  /** Cosine of the trace kernel. */
  similarity: number
  /** Distance of the normalised features over the median distance to the nearest neighbour. */
  distance: number
}

/** What the fitted model says of other samples, and what that rests on. */
export interface AuditQuery {
  samples: number
  /** (N2, O) */
  predictions: Numbers
  /** diag(k** − k*ᵀ(K + ridge·I)⁻¹k*) in the kernel's units (τ² = 1), without noise: (N2, O). */
  variance: Numbers
  /** The variance's mean over the outputs: higher is farther from the training samples. */
  score: Float64Array
  /** The share of training samples whose own variance, without themselves, is as large. */
  typical: Float64Array
  /** The training sample of the largest cosine of the trace kernel, and that cosine. */
  nearest: number[]
  similarity: Float64Array
  /** The highest output of each. */
  output: number[]
  /** f(x*) − f_{−j}(x*) of the highest output: what each training sample does to it, (N2, N). */
  influence: Numbers
  /** The parts that add up to the change of that output, k(x*, x_j) α_j: (N2, N). */
  representers: Numbers
}

/** Everything that an audit found. */
export interface Audit {
  kind: 'adaptive-tangent/audit'
  version: 1
  /** ISO 8601. */
  created: string
  software: string
  samples: number
  outputs: number
  /** Flat outputs that were audited; null: all. */
  chosen: number[] | null
  features: 'fixed' | 'adaptive'
  /** Whether what is said of samples that were left out is exact, in a sentence. */
  leaveOneOut: { exact: boolean; note: string }
  ridge: number
  /** How the ridge was chosen; null where it was given. */
  choice: { rows: number; of: 'kernel' | 'mean over outputs'; error: number; advice: string } | null
  /** At this ridge, τ² being that of greatest evidence. */
  evidence: Evidence
  labels: AuditLabels
  train: AuditSamples
  query: AuditQuery | null
}
