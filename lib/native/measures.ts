// The part of the addon's boundary that compares kernels with each other: see native.ts.

/** A kernel and those of the same size that it is compared with, (n, n) each. */
export interface NativeKernelQuestion {
  kernel: Float32Array
  initial?: Float32Array | undefined
  previous?: Float32Array | undefined
  /** Eigenvalues too, and the targets' energy in the eigenvectors. */
  spectrum: boolean
}

/** NaN where a cosine or a ratio is not defined. */
export interface NativeKernelChange {
  alignment: number
  centred: number
  distance: number
  rotation: number
}

export interface NativeKernelMeasures {
  trace: number
  norm: number
  participation: number
  initial: NativeKernelChange | null
  previous: NativeKernelChange | null
  /** One for each target; `energy` one for each number of eigenvectors. */
  targets: { alignment: number; centred: number; energy: Float64Array }[]
  /** Of the initial kernel and of the first target. */
  wInitial: number
  wTarget: number
  rest: number
  initialSize: number
  targetSize: number
  effectiveRank: number
  /** Descending; empty without a spectrum. */
  eigenvalues: Float64Array
}

export interface NativeMeasures {
  /**
   * Measures each kernel; sums in double.
   * @param targets kernels Y Yᵀ by their factor y (n, columns)
   * @param energies numbers of eigenvectors, ascending or not
   */
  measureKernels(
    kernels: readonly NativeKernelQuestion[],
    n: number,
    targets: readonly { y: Float64Array; columns: number }[],
    energies: readonly number[],
    options: {
      threads: number
      atOnce: number
      control?: BigInt64Array
      /** That finds eigenvalues. */
      device?: string | undefined
    },
  ): Promise<NativeKernelMeasures[]>
  /**
   * The cosine of two matrices (rows, columns), NaN where one is zero; centred in rows and columns
   * first it is the CKA. `squared` is ‖a‖² of a as it is.
   */
  alignment(
    a: Float32Array | Float64Array,
    b: Float32Array | Float64Array,
    rows: number,
    columns: number,
    options: { centred: boolean; threads: number; control?: BigInt64Array },
  ): Promise<{ cosine: number; squared: number }>
  /** exp of the entropy of the positive values over their sum; 0 of none. */
  effectiveRank(values: Float64Array): number
  /** out = Σ parts, entry by entry in double. */
  addKernels(parts: readonly Float32Array[], out: Float32Array, threads: number): Promise<void>
}
