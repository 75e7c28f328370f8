import type { sketchKinds } from '../../runtime/jobs/sketch.js'

/**
 * How k numbers are made of a gradient; the inner products of all have those of the gradients as mean.
 * - `combined` (default): a weight's features are made smaller on one side while they are still factors δ
 *   and h, where that saves most of the work of forming them, then go through a sparse map; of a weight
 *   with one position δ is added up in buckets before it is multiplied by h.
 * - `sparse`: a sparse map (Johnson & Lindenstrauss) of the gradient, which is formed a few rows at a
 *   time: error 1/√k, work about that of a second reverse pass.
 * - `factored`: P_δ X P_hᵀ of k numbers for each weight. Cheapest; the error is that of each side's size.
 * - `mask`: k of the gradient's numbers, chosen at random: next to no work; the error grows with how
 *   unequal the numbers are.
 */
export type SketchKind = (typeof sketchKinds)[number]

/** The map of a sketch: two sketches can be compared where theirs are the same. */
export interface SketchMap {
  readonly kind: SketchKind | 'nystrom'
  readonly size: number
  readonly seed: number
  /** Of Nyström features: a digest of the landmarks. */
  readonly landmarks?: string | undefined
  /** The parts, in order. */
  readonly parts: readonly string[]
  /**
   * For each parameter, by name: its part, and the sizes (left, right) of its factored stage; of one whose factors
   * are added up before they are multiplied how long the runs of places are, and how many sums are independent.
   */
  readonly parameters: readonly {
    readonly name: string
    readonly part: number
    readonly stage: readonly [number, number]
    readonly run?: number
    readonly independent?: number
  }[]
}

/** The root mean square of |K̂ij − Kij| / √(Kii Kjj), i = j and i ≠ j apart. */
export interface ErrorPair {
  readonly diagonal: number
  readonly offDiagonal: number
}

/** Of a sketch, against the exact kernel of some rows. */
export interface SketchError extends ErrorPair {
  /**
   * What theory gives: of `sparse` sketches √(2/k) and √((1 + ρij²)/k), ρ = Kij/√(Kii Kjj); of factored
   * stages what those of one δhᵀ would have, which many positions make smaller (a bound); of masks an
   * estimate from the numbers that were kept. null where there is none.
   */
  readonly expected: ErrorPair | null
  /** The samples and outputs (or heads) that were compared. */
  readonly samples: readonly number[]
  readonly outputs: readonly number[]
}
