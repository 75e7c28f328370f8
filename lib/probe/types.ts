import type { ProbeGroup, ProbeTarget } from '../io/labels.js'
import type { ProbeClasses } from './classes.js'
import type { ProbeGraph } from './graph.js'
import type { ProbeEstimate } from './left-out.js'
import type { ProbeRaster } from './raster.js'
import type { ProbeThumbnails } from './thumbnails.js'
import type { ProbeTraining } from './training-types.js'

export type { ProbeGroup, ProbeTarget } from '../io/labels.js'

/** How well a kernel agrees with the labels; both lie in [-1, 1], 1 is perfect. */
export interface ProbeAlignment {
  /** ⟨K, YYᵀ⟩ / (‖K‖ ‖YYᵀ‖), Frobenius, K as it is. */
  cosine: number
  /** The same after double centring of K (centred kernel alignment). */
  centred: number
}

/** One layer's part of the trace kernel Σ_o K[i,o,j,o]. */
export interface ProbeLayer {
  name: string
  parameters: string[]
  /** Numbers in its parameters. */
  count: number
  /** Σ_i of the layer's trace kernel at (i, i). */
  trace: number
  /** Its part of the whole kernel's trace; the layers' shares add up to 1. */
  share: number
  alignment: ProbeAlignment | null
  /** Over samples, by quantity; absent where it is not known. */
  estimates?: Partial<Record<'cosine' | 'centred' | 'share', ProbeEstimate>>
  raster: ProbeRaster
}

export interface ProbeSpectrum {
  /** The matrix: the Gram matrix (N·O)² of all outputs, or the trace kernel N². */
  of: 'gram' | 'trace'
  /** Its number of rows. */
  size: number
  /** Descending, all of them, 6 significant digits. */
  eigenvalues: number[]
  /** exp of the entropy of the eigenvalues divided by their sum. */
  effectiveRank: number
  /** (Σλ)² / Σλ². */
  participationRatio: number
}

/** An eigenvector of the trace kernel, by the samples that it lives on. */
export interface ProbeEigenvector {
  eigenvalue: number
  /** Of the trace. */
  share: number
  /** Samples with the greatest and the least entries; the sign is chosen so that the greatest is larger. */
  high: { sample: number; value: number }[]
  low: { sample: number; value: number }[]
  /** Mean entry of each class, in the order of `groups`; empty without classes. */
  classMeans: number[]
}

/** Errors on samples that were held out, over the folds of a cross-validation. */
export interface ProbeHeldOut {
  /** The one of least error among those tried. */
  ridge: number
  /** Ridges that were tried, with the held-out error of each. */
  tried?: { ridge: number; error: number }[]
  /** Mean squared error. */
  error: number
  standardError: number
  /** Share of samples put into another class: the largest output's, or the sign's. */
  misclassified: number
}

/** The target fitted with the tangent features as they are, and with adaptive ones. */
export interface ProbeAdaptive {
  /** Samples used. */
  samples: number
  folds: number
  /** Each at the ridge of least held-out error among three a factor of ten apart. */
  fixed: ProbeHeldOut
  adaptive: ProbeHeldOut
  /** The fixed model's error less the adaptive one's, fold by fold. */
  gain: { mean: number; standardError: number }
  /** Of the adaptive fit to all samples used, and how it ended. */
  iterations: number
  status: string
  /** What Ω was multiplied by, and the largest z of any direction: 1 where nothing was stretched. */
  price: number
  largestStretch: number
  /** Cosine of the full kernel and vec(Y)vec(Y)ᵀ: of the tangent kernel, and of the adapted one. */
  alignment: { before: number; after: number }
  /** Blocks of the adaptive fit, [W b] of a layer: B's singular values, at most 64 each, and Σσ² / σ₁². */
  blocks: {
    name: string
    shape: number[]
    singularValues: number[]
    effectiveRank: number
    stableRank?: number
  }[]
}

/** What a network's standard errors are given for. */
export type ProbeQuantity =
  | 'cosine'
  | 'centred'
  | 'trace'
  | 'traceRatio'
  | 'effectiveRank'
  | 'accuracy'
  | 'within'
  | 'between'
  | 'gap'

export interface ProbeValue {
  name: string
  type: string
  shape: (number | string | null)[] | null
}

export interface ProbeNetwork {
  name: string
  file: string | null
  /** Shapes as the file declares them; null where it does not say. */
  inputs: ProbeValue[]
  output: ProbeValue
  /** Outputs of one sample that the kernel is made of. */
  outputs: number
  /** Numbers in the parameters that the kernel is taken with respect to. */
  parameterCount: number
  /** Numbers in those left out. */
  frozenCount: number
  operators: { name: string; count: number }[]
  /** Part of the samples whose largest output is their class; null where that has no meaning. */
  accuracy: number | null
  layers: ProbeLayer[]
  trace: number
  alignment: ProbeAlignment | null
  raster: ProbeRaster
  spectrum: ProbeSpectrum
  /** Null without a target that belongs to the outputs, and where it was not asked for. */
  adaptive: ProbeAdaptive | null
  /** Why a target is not fitted, as a sentence's second half; null where it is, or not asked for. */
  adaptiveMissing: string | null
  /** Over samples, by quantity; `traceRatio` is the trace over the first network's. */
  estimates?: Partial<Record<ProbeQuantity, ProbeEstimate>>
  /** By classes; null without classes, and with more than 1,024. */
  classes?: ProbeClasses | null
  /** Means over pairs of samples of one class and of different ones, in units of the mean diagonal. */
  pairs?: { within: number; between: number } | null
  /** How samples flow from layer to layer; null where that is too large for a picture. */
  graph?: ProbeGraph | null
  /** Leading eigenvectors of the trace kernel; empty where there was no room for them. */
  eigenvectors?: ProbeEigenvector[]
  /** How the kernels were computed; all ways agree within rounding. */
  method: string
  seconds: number
}

/** Everything that the report shows, as plain JSON. */
export interface ProbeReport {
  kind: 'adaptive-tangent/probe'
  version: 1
  /** ISO 8601. */
  created: string
  software: string
  samples: number
  input: { name: string; file: string | null; shape: number[] }[]
  target: ProbeTarget | null
  /** Sample indices in the order of the kernels' pictures. */
  order: number[]
  /** Class blocks in that order; empty without classes. */
  groups: ProbeGroup[]
  /** YYᵀ with Y's column means taken off; null without a target. */
  targetRaster: ProbeRaster | null
  /** In the order given; the first is "before", the last is "after". */
  networks: ProbeNetwork[]
  /** Samples that the page can show; see `thumbnailsOf`. */
  thumbnails?: ProbeThumbnails | null
  /** The kernel along checkpoints, where they were given; see `probeTraining`. */
  training?: ProbeTraining | null
}
