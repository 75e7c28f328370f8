// Ridges of a kernel and their errors.

/** Errors of kernel ridge regression at one ridge; see {@link KernelSpectrum.errors}. */
export interface RidgeErrors {
  ridge: number
  /** (1/n)‖(I − H)y‖² / (1 − tr H/n)² (Golub, Heath & Wahba 1979). */
  gcv: number
  /**
   * (1/n) Σ_J ‖y_J − f_{−J}(x_J)‖²: the mean squared leave-one-out error, exactly; J are all rows of
   * a sample (`outputs` of them), which are left out together.
   */
  loo: number
}

/** Options of {@link KernelSpectrum.chooseRidge}. */
export interface RidgeOptions {
  /** Leave-one-out by sample (`loo`, default), or generalised cross-validation. */
  by?: 'loo' | 'gcv' | undefined
  /**
   * The relative precision of the features that the kernel was made of (default 2⁻²³, float32; 2⁻⁵²
   * for kernels computed in double throughout). No ridge below this times the trace is considered.
   */
  precision?: number | undefined
  signal?: AbortSignal | undefined
}

/** What {@link KernelSpectrum.chooseRidge} found. */
export interface ChosenRidge extends RidgeErrors {
  /** The end of the grid where the error is least, if it is not inside. */
  end: 'least' | 'largest' | null
  /** What that means, and what to try. */
  advice: string
}

/** What to try where the least error is at an end of the grid. */
export const ends = {
  least:
    'The error falls down to the least ridge that the precision of the kernel allows: the targets are ' +
    'fitted nearly exactly. If the kernel is more precise, say so with options.precision.',
  largest:
    'The error falls up to the largest ridge: these features predict nothing of the targets. Subtract ' +
    'their means, or try other features.',
}
