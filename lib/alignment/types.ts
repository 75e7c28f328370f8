import type { NdArray } from '../io/index.js'
import type { TangentKernel } from '../kernels/kernel.js'
import type { KernelMethod, KernelSplit } from '../kernels/ntk.js'
import type { DerivativeOptions } from '../model/core.js'
import type { WeightSource } from '../model/weights.js'
import type { Network } from '../network/network.js'
import type { CheckpointUnit } from './checkpoint-files.js'

/**
 * Weights of a network at one moment of its training: a file or arrays as for
 * `Network.withParameters`, or a network made by it, which is left open.
 */
export interface Checkpoint {
  source: WeightSource | Network
  /** Default: the file's name without its ending. */
  name?: string | undefined
  /** Default: the last whole number in the file's name; `weights-12.safetensors` has 12. */
  step?: number | undefined
  /** What `step` counts. Default: what the file's name says, else `step`. */
  unit?: CheckpointUnit | undefined
}

/** Options of {@link alignmentAlong}. */
export interface AlongOptions extends DerivativeOptions {
  /**
   * Labels (N,) as whole numbers of which at least one repeats, one-hot rows, or real values (N,) or
   * (N, k). Y is the one-hot matrix, or the values, minus its column means.
   */
  target?: NdArray | undefined
  /**
   * ŷ (N, O), or (N,) for one output: what was learned, or is to be. Default: the target, where it
   * has N·O numbers, or one-hot where its classes are numbers of outputs; else there is no K_ŷ.
   */
  learned?: NdArray | undefined
  /**
   * `trace` (default): (N, N) kernels Σ_o K[i,o,j,o], against YYᵀ and K_ŷ = (ŷ − f_0)(ŷ − f_0)ᵀ summed
   * over outputs. `full`: (N·O, N·O) Gram matrices against vec(Y)vec(Y)ᵀ and
   * vec(ŷ − f_0)vec(ŷ − f_0)ᵀ.
   */
  kernel?: 'trace' | 'full' | undefined
  /** Parts that are measured in addition to the whole: a layer [W b] each (default), a parameter, or none. */
  by?: KernelSplit | undefined
  method?: KernelMethod | undefined
  /** Numbers of leading eigenvectors for the targets' energy (default: 1, 5, 10, 50). */
  top?: readonly number[] | undefined
  /** Whose spectrum is computed: of all parts (default), of the whole kernel, or of none. */
  spectrum?: 'parts' | 'total' | 'none' | undefined
  /** Rows of a kernel up to which its spectrum is computed (default: 2048). */
  spectrumLimit?: number | undefined
  /** How many checkpoints there are, where they are not an array; for `onProgress`. */
  count?: number | undefined
}

/** How a kernel relates to an earlier one, A. Null where a kernel is zero. */
export interface KernelChange {
  /** cos(K, A) = ⟨K, A⟩_F / (‖K‖_F ‖A‖_F). */
  alignment: number | null
  /** cos(HKH, HAH), H = I − 11ᵀ/n: the CKA (Kornblith et al. 2019). */
  centred: number | null
  /** ‖K − A‖_F / ‖A‖_F. */
  distance: number | null
  /** 1 − cos(K, A), computed as ½‖K/‖K‖ − A/‖A‖‖² so that small ones are exact. */
  rotation: number | null
  /** arccos cos(K, A), in radians. */
  angle: number | null
}

/** How a kernel relates to a target kernel T = RRᵀ, R with columns r_c. Null where one is zero. */
export interface TargetAlignment {
  /** cos(K, T). */
  alignment: number | null
  /** cos(HKH, HTH). */
  centred: number | null
  /**
   * For each number k of `top` the share Σ_{j ≤ k} ‖Rᵀv_j‖² / ‖R‖²_F of the target's energy in the
   * eigenvectors v_j of the k largest eigenvalues, those left out that are only rounding (below
   * 1e-7 of the largest or the size of the most negative one); empty without a spectrum.
   */
  energy: number[]
}

/** K ≈ initial·K_0 + target·K_ŷ + K_rest, by least squares over the entries. */
export interface KernelSplitWeights {
  initial: number
  target: number
  /** ‖initial·K_0‖_F / ‖K‖_F; null for a zero kernel, as the other two. */
  initialSize: number | null
  /** ‖target·K_ŷ‖_F / ‖K‖_F. */
  targetSize: number | null
  /** ‖K_rest‖_F / ‖K‖_F. */
  rest: number | null
}

/**
 * The diagonal of a kernel against the margin of ŷ, as {@link diagonalByMargin} measures it (a score's
 * size, or how far the largest of several is above the next).
 */
export interface KernelMargin {
  /** Mean diagonal of the 5 % of samples with the least margin, over the median of all. */
  near: number
  /** Largest diagonal over the median of all. */
  peak: number
  /** Spearman's correlation of margin and diagonal; null for a constant diagonal. */
  correlation: number | null
}

/** What is measured of one kernel of n rows. */
export interface KernelMeasures {
  /** tr K. */
  trace: number
  /** ‖K‖_F. */
  norm: number
  /** (tr K)² / ‖K‖²_F = (Σλ)² / Σλ². */
  participationRatio: number
  /**
   * exp(−Σ p_j log p_j), p_j = λ_j / Σλ with negative eigenvalues as 0 (Roy & Vetterli 2007); null
   * without a spectrum.
   */
  effectiveRank: number | null
  /** Descending, by LAPACK in float64; null without a spectrum. */
  eigenvalues: Float64Array | null
  /** Against K_ŷ; null where ŷ is not known. */
  learned: TargetAlignment | null
  /** Against the labels' kernel; null without labels. */
  labels: TargetAlignment | null
  /** Against the same kernel K_0 at the first checkpoint. */
  initial: KernelChange
  /** Against that at the checkpoint before; null at the first. */
  previous: KernelChange | null
  /** Null where ŷ is not known. */
  split: KernelSplitWeights | null
  /** Null where ŷ is not known or has the same margin everywhere, and where the median is zero. */
  margin: KernelMargin | null
}

/** What is measured at one checkpoint. */
export interface CheckpointAlignment {
  /** From 0. */
  index: number
  name: string
  step: number | null
  /** What `step` counts: `weights-12.safetensors` is epoch 12. */
  unit: CheckpointUnit
  /** The network's outputs that were asked for, (N, O). */
  outputs: NdArray<Float32Array>
  /** The whole kernel. */
  total: KernelMeasures
  /** By layer or parameter, in the network's order; empty with `by: 'total'`. */
  parts: Map<string, KernelMeasures>
  /**
   * The kernels themselves, `total` and by part. Their memory is used again: read them before the
   * next checkpoint is asked for, and copy what is kept.
   */
  kernels: { total: TangentKernel; parts: Map<string, TangentKernel> }
  /** Wall time of this checkpoint, and of that the part inside onnxruntime and the addon. */
  seconds: { whole: number; native: number }
}
