// What influence is asked, and what it answers.
import type { Checkpoints } from '../../alignment/checkpoints.js'
import type { NetworkModel } from '../../fit/network.js'
import type { NdArray } from '../../io/index.js'
import type { SketchError } from '../../kernels/sketch/types.js'
import type { CallOptions, Core } from '../../model/core.js'
import type { Network } from '../../network/network.js'
import type { MeasuredSketchOptions } from '../../sketch/sketch.js'
import type { Picker } from '../kernels.js'
import type { Head, HeadOfValue } from './heads.js'
import type { AdamMetric } from './metric.js'
import type { AskedValue } from './value.js'

/** Ways to say what a training sample does to a query's head. */
export type InfluenceMethod =
  | 'leave-one-out'
  | 'representer'
  | 'newton'
  | 'trak'
  | 'gradient'
  | 'cosine'

/** Options of {@link influence}. */
export interface InfluenceOptions extends CallOptions {
  /**
   * - `leave-one-out` (default): head(f(x*)) − head(f_{−j}(x*)) of the ridge model of fixed features, exactly.
   * - `representer`: head(f(x*)) − head(f(x*) − k*ᵀ_j α_j) of the same model.
   * - `newton`: a damped Newton step of the network's own margins, k*ᵀ(K + damping·I)⁻¹e_j (1 − p_j) with K the
   *   kernel of the margins' gradients (TRAK, Park et al. 2023, with exact features).
   * - `trak`: the same of sketches of these gradients, φ*ᵀ(ΦᵀΦ + damping·I)⁻¹φ_j (1 − p_j): memory grows with N, not
   *   with N², and `sketch.error` tells how far the sketches' kernel is off.
   * - `gradient`: what a step on the sample's cross-entropy does to the query's head, −⟨∇head, ∇loss⟩.
   * - `cosine`: the same over the sizes of both gradients.
   */
  method?: InfluenceMethod | undefined
  /**
   * What of the query is asked for (default: `margin`; `logit` of targets that are numbers), or any value of the
   * graph, as `{ value: 'name' }`.
   */
  head?: Head | HeadOfValue | undefined
  /**
   * Labels of the query (N2): whose logit, margin or loss (default: those predicted); of a value which of its
   * numbers.
   */
  labels?: NdArray | undefined
  /** λ of the ridge model (default: `auto`, the one of least leave-one-out error, or that of `model`). */
  ridge?: number | 'auto' | undefined
  /**
   * Of `gradient` and `cosine`, in which the gradients are compared: `identity` (default); Adam's second moments
   * v, g/(√v + ε); `kron` or `diagonal`, (H + damping·I)⁻¹g with H the cross-entropy's generalised Gauss-Newton
   * matrix of all samples (with `gradient` the influence function, Koh & Liang 2017; Grosse et al. 2023).
   */
  metric?: 'identity' | 'kron' | 'diagonal' | AdamMetric | undefined
  /** A model that was fitted to x and y: its adapted features, given which the answer is exact. */
  model?: NetworkModel | undefined
  /**
   * Above 0. Of `newton` and `trak` `auto` (default) is the mean diagonal of the margins' kernel: about where scores
   * predict trainings best, see docs/audit.md; of the metrics `kron` and `diagonal` a tenth of H's mean eigenvalue.
   */
  damping?: number | 'auto' | undefined
  /** Of `trak`: as of {@link sketch} (default: 4096 numbers, compared with the exact kernel of 16 samples). */
  sketch?: Pick<MeasuredSketchOptions, 'size' | 'kind' | 'seed' | 'check'> | undefined
  /**
   * Of the methods by the network's gradients: weights whose scores are averaged, in place of the network's own:
   * files, Maps of arrays (such as {@link train} gives), or networks made by {@link Network.withParameters}.
   */
  checkpoints?: Checkpoints | undefined
}

/** What {@link influence} found. */
export interface Influence {
  /** (N2, N): above 0 where the sample raises the query's head. */
  scores: NdArray<Float64Array>
  /** The query's head as it is, (N2). Of several checkpoints the mean, as are the scores. */
  values: Float64Array
  head: Head | HeadOfValue
  method: InfluenceMethod
  /** The ridge or the damping that was used (of several checkpoints the mean); null where there is none. */
  damping: number | null
  /** Of `trak`: numbers of a sketch, and how far the kernel of the margins is off (the largest of all checkpoints). */
  sketch: {
    /** Numbers of each sketch. */
    size: number
    /** Against the exact kernel of some samples; null where none was compared. */
    error: SketchError | null
  } | null
}

/** A call whose arguments have been checked. */
export interface Task {
  network: Network
  core: Core
  method: InfluenceMethod
  common: CallOptions
  options: InfluenceOptions
  x: Picker
  y: NdArray
  query: Picker
  labels: NdArray | undefined
  /** Where the head is a value of the graph. */
  value: AskedValue | undefined
  progress(fraction: number): void
}
