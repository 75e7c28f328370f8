import { badArgument, mismatch, wholeNumber } from '../errors.js'
import { type NativeSpectrum, native } from '../native.js'
import { notNegative } from './checks.js'
import { call, type SolveOptions } from './native-call.js'

/** Errors of kernel ridge regression at one ridge; see {@link KernelSpectrum.errors}. */
export interface RidgeErrors {
  ridge: number
  /** (1/n)‖(I − H)y‖² / (1 − tr H/n)² (Golub, Heath & Wahba 1979). */
  gcv: number
  /** (1/n) Σ_i (e_i / (1 − H_ii))²: the mean squared leave-one-out error, exactly. */
  loo: number
}

/** How training is scaled in time; see {@link KernelSpectrum.trained}. */
export interface TrainingTime {
  /**
   * t of the gradient flow dθ/dt = −∇L, or with `steps` ignored. Infinity gives the end of training.
   */
  time?: number | undefined
  /** Steps of gradient descent instead, with `learningRate`. */
  steps?: number | undefined
  learningRate?: number | undefined
  /**
   * L = ½‖f − y‖² (`sum`, default), or that divided by the number of rows (`mean`).
   */
  loss?: 'sum' | 'mean' | undefined
}

/**
 * One eigendecomposition of a kernel's Gram matrix, and what it makes cheap: ridge regression at any
 * ridge with its cross-validation errors, and the exact training dynamics of the linearised network.
 * Targets are (n, columns), columns sharing the kernel.
 */
export class KernelSpectrum {
  /** Rows of the kernel. */
  readonly n: number
  /** Eigenvalues, descending. */
  readonly values: Float64Array
  readonly #native: NativeSpectrum

  private constructor(n: number, spectrum: NativeSpectrum) {
    this.n = n
    this.values = spectrum.values
    this.#native = spectrum
  }

  /**
   * By LAPACK in double, off the JS thread.
   * @param kernel (n, n), symmetric positive semidefinite
   */
  static async of(
    kernel: Float32Array | Float64Array,
    options: SolveOptions = {},
  ): Promise<KernelSpectrum> {
    const n = Math.round(Math.sqrt(kernel.length))
    if (n < 1 || n * n !== kernel.length) {
      throw mismatch('kernel', 'a square matrix', `${kernel.length} numbers`)
    }
    const spectrum = await call(options.signal, () => native.createSpectrum(kernel, n))
    return new KernelSpectrum(n, spectrum)
  }

  /** Eigenvalues that are not zero but for rounding. */
  get rank(): number {
    const least = this.n * 2 ** -52 * Math.max(this.values[0] as number, 0)
    return this.values.findLastIndex((value) => value > least) + 1
  }

  /**
   * α = (K + ridge·I)⁻¹ y; at ridge 0 the ridgeless limit, the minimum-norm least-squares solution
   * K⁺ y.
   * @returns (n, columns)
   */
  coefficients(y: ArrayLike<number>, ridge: number): Promise<Float64Array> {
    notNegative('ridge', ridge)
    const { rank } = this
    const weights = this.values.map((value, j) => {
      if (ridge === 0) return j < rank ? 1 / value : 0
      return 1 / (Math.max(value, 0) + ridge)
    })
    return this.filter(weights, y)
  }

  /** Generalised cross-validation and leave-one-out errors at every ridge > 0, O(n²) each. */
  async errors(y: ArrayLike<number>, ridges: readonly number[]): Promise<RidgeErrors[]> {
    for (const ridge of ridges) {
      if (!(ridge > 0 && Number.isFinite(ridge))) {
        throw badArgument('ridges', 'ridges above 0', ridge)
      }
    }
    const { gcv, loo } = await call(undefined, () =>
      this.#native.errors(Float64Array.from(ridges), Float64Array.from(y), this.#columns(y)),
    )
    return ridges.map((ridge, i) => ({ ridge, gcv: gcv[i] as number, loo: loo[i] as number }))
  }

  /**
   * The ridge with the least error, on a grid of 41 over twelve orders of magnitude below the
   * largest eigenvalue, refined twice between its neighbours.
   */
  async chooseRidge(y: ArrayLike<number>, by: 'gcv' | 'loo' = 'gcv'): Promise<RidgeErrors> {
    const top = Math.max(this.values[0] as number, Number.MIN_VALUE)
    let low = Math.log10(top) - 12
    let high = Math.log10(top) + 1
    let best: RidgeErrors | undefined
    for (let round = 0; round < 3; round++) {
      const count = round === 0 ? 41 : 21
      const step = (high - low) / (count - 1)
      const grid = Array.from({ length: count }, (_, i) => 10 ** (low + i * step))
      for (const error of await this.errors(y, grid)) {
        if (best === undefined || error[by] < best[by]) best = error
      }
      const centre = Math.log10((best as RidgeErrors).ridge)
      low = centre - step
      high = centre + step
    }
    return best as RidgeErrors
  }

  /**
   * α(t) of training the linearised network by squared loss from f = f_0, exactly: on any samples
   * f_t(x) = f_0(x) + K(x, X) α(t), with α(t) = (1 − e^{−λt})/λ in the eigenbasis (Jacot et al. 2018;
   * Lee et al. 2019).
   * @param residual y − f_0 on the training samples, (n, columns)
   */
  trained(residual: ArrayLike<number>, when: TrainingTime): Promise<Float64Array> {
    return this.filter(this.#learned(when, false), residual)
  }

  /** The change of the outputs on the training samples themselves at that time, (n, columns). */
  trainedFit(residual: ArrayLike<number>, when: TrainingTime): Promise<Float64Array> {
    return this.filter(this.#learned(when, true), residual)
  }

  /**
   * Gradient descent on the linearised network is stable below this: 2/λ_max for the `sum` loss,
   * n times that for the `mean`.
   */
  largestLearningRate(loss: 'sum' | 'mean' = 'sum'): number {
    return (2 * (loss === 'mean' ? this.n : 1)) / (this.values[0] as number)
  }

  /** V diag(weights) Vᵀ x, a weight per eigenvalue; x (n, columns). */
  filter(weights: Float64Array, x: ArrayLike<number>): Promise<Float64Array> {
    const columns = this.#columns(x)
    return call(undefined, () => this.#native.filter(weights, Float64Array.from(x), columns))
  }

  /** (n, n): row j belongs to values[j]. */
  vectors(): Float64Array {
    return this.#native.vectors()
  }

  #columns(x: ArrayLike<number>): number {
    const columns = x.length / this.n
    if (!Number.isInteger(columns) || columns < 1) {
      throw mismatch('targets', `a multiple of ${this.n} numbers`, `${x.length} numbers`)
    }
    return columns
  }

  /** 1 − e^{−λt} per eigenvalue, or that over λ. */
  #learned({ time, steps, learningRate, loss = 'sum' }: TrainingTime, fit: boolean): Float64Array {
    const scale = loss === 'mean' ? 1 / this.n : 1
    if ((time === undefined) === (steps === undefined)) {
      throw badArgument('when', 'either a time or steps with a learningRate', { time, steps })
    }
    if (time !== undefined && !(time >= 0)) throw badArgument('when.time', 'a time ≥ 0', time)
    if (steps !== undefined) {
      wholeNumber('when.steps', steps, 0)
      if (!(learningRate !== undefined && learningRate > 0)) {
        throw badArgument('when.learningRate', 'a rate > 0', learningRate)
      }
    }
    const { rank } = this
    return this.values.map((raw, j) => {
      const value = j < rank ? raw : 0
      if (value === 0) {
        // The limit of (1 − e^{−λt})/λ: directions that the kernel does not see keep growing in α
        // but never show in the outputs.
        if (fit) return 0
        const elapsed = time ?? (steps as number) * (learningRate as number)
        return Number.isFinite(elapsed) ? elapsed * scale : 0
      }
      const learned =
        time !== undefined
          ? -Math.expm1(-value * scale * time)
          : 1 - (1 - value * scale * (learningRate as number)) ** (steps as number)
      return fit ? learned : learned / value
    })
  }
}
