import { leavable } from '../core/abort.js'
import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import type { NdArray } from '../io/index.js'
import { call } from '../native/call.js'
import { type NativeSpectrum, native } from '../native/index.js'
import { notNegative, numbersOf } from './checks.js'
import { KernelFactor } from './factor.js'
import { type GramOptions, gramOf, heldKernel } from './gram.js'

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

const ends = {
  least:
    'The error falls down to the least ridge that the precision of the kernel allows: the targets are ' +
    'fitted nearly exactly. If the kernel is more precise, say so with options.precision.',
  largest:
    'The error falls up to the largest ridge: these features predict nothing of the targets. Subtract ' +
    'their means, or try other features.',
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
  /** Rows of one sample. */
  readonly outputs: number
  /** Eigenvalues, descending. */
  readonly values: Float64Array
  readonly #native: NativeSpectrum

  private constructor(n: number, outputs: number, spectrum: NativeSpectrum) {
    this.n = n
    this.outputs = outputs
    this.values = spectrum.values
    this.#native = spectrum
  }

  /**
   * By LAPACK in double, off the JS thread. An abort rejects at once; LAPACK ends in the background.
   * @param kernel (n, n) or (N, O, N, O), symmetric positive semidefinite
   * @throws TangentError BAD_INPUT for a kernel that is not finite or not symmetric.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of({
   *   data: Float64Array.of(2, 1, 1, 2),
   *   shape: [2, 2],
   * })
   * console.log([...spectrum.values].map((value) => value.toFixed(3)).join(' '))
   * // 3.000 1.000
   * ```
   * @since 0.1.0
   */
  static async of(
    kernel: Float32Array | Float64Array | NdArray,
    options: GramOptions = {},
  ): Promise<KernelSpectrum> {
    checkCall(options)
    const { data, n, outputs } = gramOf(heldKernel(kernel), options)
    const spectrum = await call(options.signal, () =>
      leavable(options.signal, native.createSpectrum(data, n, true)),
    )
    return new KernelSpectrum(n, outputs, spectrum)
  }

  /** Eigenvalues that are not zero but for rounding. */
  get rank(): number {
    return this.#native.rank
  }

  /**
   * α = (K + ridge·I)⁻¹ y; at ridge 0 the ridgeless limit, the minimum-norm least-squares solution
   * K⁺ y.
   * @returns (n, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of({
   *   data: Float64Array.of(2, 1, 1, 2),
   *   shape: [2, 2],
   * })
   * for (const ridge of [0, 1]) {
   *   console.log(
   *     ridge,
   *     [...(await spectrum.coefficients([3, 3], ridge))]
   *       .map((value) => value.toFixed(2))
   *       .join(' '),
   *   )
   * }
   * // 0 1.00 1.00
   * // 1 0.75 0.75
   * ```
   * @since 0.1.0
   */
  async coefficients(y: ArrayLike<number>, ridge: number): Promise<Float64Array> {
    this.#columns(y)
    return this.factor(ridge).solve(y)
  }

  /**
   * K + ridge·I by the eigenvectors that are there already: all ridges share them. At ridge 0 its
   * solutions and inverse are those of the pseudo-inverse, and its log-determinant is −Infinity
   * unless K has full rank.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of({ data: Float64Array.of(2, 0, 0, 1), shape: [2, 2] })
   * console.log(Math.exp(spectrum.factor(1).logDeterminant).toFixed(3))
   * // 6.000
   * ```
   * @since 0.2.0
   */
  factor(ridge: number): KernelFactor {
    notNegative('ridge', ridge)
    return KernelFactor.from(this.n, this.outputs, ridge, this.#native.factor(ridge))
  }

  /**
   * Generalised cross-validation and leave-one-out errors at every ridge > 0, O(n²·outputs) each.
   * @param y (n, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of({
   *   data: Float64Array.of(2, 1, 1, 2),
   *   shape: [2, 2],
   * })
   * const [{ loo }] = await spectrum.errors([1, 1], [1])
   *
   * // Each sample, fitted without it, is off by 2/3.
   * console.log(loo.toFixed(4), (4 / 9).toFixed(4))
   * // 0.4444 0.4444
   * ```
   * @since 0.1.0
   */
  async errors(
    y: ArrayLike<number>,
    ridges: readonly number[],
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<RidgeErrors[]> {
    checkCall(options)
    for (const ridge of numbersOf('ridges', ridges)) {
      if (!(ridge > 0 && Number.isFinite(ridge))) {
        throw badArgument('ridges', 'ridges above 0', ridge)
      }
    }
    const columns = this.#columns(y)
    const { gcv, loo } = await call(options.signal, (control) =>
      this.#native.errors(
        Float64Array.from(ridges),
        Float64Array.from(y),
        columns,
        this.outputs,
        control,
      ),
    )
    return ridges.map((ridge, i) => ({ ridge, gcv: gcv[i] as number, loo: loo[i] as number }))
  }

  /**
   * The ridge with the least error, by leave-one-out of samples unless told otherwise, on a grid of 41
   * from the kernel's own precision to ten times the largest eigenvalue, refined twice between its
   * neighbours.
   *
   * Features of relative precision u give entries that are off by up to u·√(K_ii K_jj), so a kernel
   * that is off by up to u·tr K: below that a ridge fits rounding. Generalised cross-validation is
   * known to fall towards zero ridge on small sets, and counts a sample's outputs as independent.
   * @param y (n, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const n = 40
   * const x = Array.from({ length: n }, (_, i) => i / n)
   *
   * // A smooth kernel and a smooth target with noise.
   * const data = Float64Array.from({ length: n * n }, (_, at) =>
   *   Math.exp(-((x[at % n] - x[Math.floor(at / n)]) ** 2) / 0.1),
   * )
   * const y = x.map((value, i) => Math.sin(6 * value) + 0.1 * Math.cos(97 * i))
   * const spectrum = await KernelSpectrum.of({ data, shape: [n, n] })
   * const { ridge, end } = await spectrum.chooseRidge(y)
   * console.log(ridge > 0, end)
   * // true null
   * ```
   * @since 0.1.0
   */
  async chooseRidge(y: ArrayLike<number>, options: RidgeOptions = {}): Promise<ChosenRidge> {
    checkCall(options)
    const { by = 'loo', precision = 2 ** -23, signal } = options
    if (by !== 'loo' && by !== 'gcv') throw badArgument('options.by', "'loo' or 'gcv'", by)
    if (!(typeof precision === 'number' && precision > 0 && precision < 1)) {
      throw badArgument('options.precision', 'a number between 0 and 1', precision)
    }
    const trace = this.values.reduce((sum, value) => sum + Math.max(value, 0), 0)
    const least = Math.max(precision * trace, Number.MIN_VALUE * 2 ** 52)
    const most = Math.max(10 * (this.values[0] as number), 10 * least)
    let [low, high] = [Math.log(least), Math.log(most)]
    this.#columns(y)
    const targets = Float64Array.from(y)
    let best: RidgeErrors | undefined
    let end: ChosenRidge['end'] = null
    for (let round = 0; round < 3; round++) {
      const count = round === 0 ? 41 : 21
      const step = (high - low) / (count - 1)
      const grid = Array.from({ length: count }, (_, i) => Math.exp(low + i * step))
      for (const [i, error] of (await this.errors(targets, grid, { signal })).entries()) {
        if (best !== undefined && !(error[by] < best[by])) continue
        best = error
        const first = i === 0 && low === Math.log(least)
        const last = i === count - 1 && high === Math.log(most)
        end = first ? 'least' : last ? 'largest' : null
      }
      const centre = Math.log((best as RidgeErrors).ridge)
      low = Math.max(centre - step, Math.log(least))
      high = Math.min(centre + step, Math.log(most))
    }
    const advice = end === null ? 'Nothing: the least error is inside of the grid.' : ends[end]
    return { ...(best as RidgeErrors), end, advice }
  }

  /**
   * α(t) of training the linearised network by squared loss from f = f_0, exactly: on any samples
   * f_t(x) = f_0(x) + K(x, X) α(t), with α(t) = (1 − e^{−λt})/λ in the eigenbasis (Jacot et al. 2018;
   * Lee et al. 2019).
   * @param residual y − f_0 on the training samples, (n, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of({
   *   data: Float64Array.of(2, 1, 1, 2),
   *   shape: [2, 2],
   * })
   * const alpha = await spectrum.trained([3, 3], { time: 1e6 })
   * console.log([...alpha].map((value) => value.toFixed(3)).join(' '))
   * // 1.000 1.000
   * ```
   * @since 0.1.0
   */
  async trained(residual: ArrayLike<number>, when: TrainingTime): Promise<Float64Array> {
    return this.filter(this.#learned(when, false), residual)
  }

  /**
   * The change of the outputs on the training samples themselves at that time, (n, columns).
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of({
   *   data: Float64Array.of(2, 1, 1, 2),
   *   shape: [2, 2],
   * })
   *
   * // Along the eigenvector of eigenvalue 3: (1 − e^{−3t})·3.
   * console.log((await spectrum.trainedFit([3, 3], { time: 0.1 }))[0].toFixed(4))
   * // 0.7775
   * ```
   * @since 0.1.0
   */
  async trainedFit(residual: ArrayLike<number>, when: TrainingTime): Promise<Float64Array> {
    return this.filter(this.#learned(when, true), residual)
  }

  /**
   * Gradient descent on the linearised network is stable below this: 2/λ_max for the `sum` loss,
   * n times that for the `mean`.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of({
   *   data: Float64Array.of(2, 1, 1, 2),
   *   shape: [2, 2],
   * })
   * console.log(spectrum.largestLearningRate().toFixed(3))
   * // 0.667
   * ```
   * @since 0.1.0
   */
  largestLearningRate(loss: 'sum' | 'mean' = 'sum'): number {
    return (2 * (loss === 'mean' ? this.n : 1)) / (this.values[0] as number)
  }

  /**
   * V diag(weights) Vᵀ x, a weight per eigenvalue; x (n, columns).
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of({
   *   data: Float64Array.of(2, 1, 1, 2),
   *   shape: [2, 2],
   * })
   *
   * // The projection on the first eigenvector.
   * console.log(
   *   [...(await spectrum.filter(Float64Array.of(1, 0), [1, 3]))]
   *     .map((value) => value.toFixed(3))
   *     .join(' '),
   * )
   * // 2.000 2.000
   * ```
   * @since 0.1.0
   */
  async filter(weights: Float64Array, x: ArrayLike<number>): Promise<Float64Array> {
    const columns = this.#columns(x)
    if (numbersOf('weights', weights).length !== this.n) {
      throw mismatch('weights', `${this.n} numbers`, `${weights.length} numbers`)
    }
    return call(undefined, () =>
      this.#native.filter(numbersOf('weights', weights), Float64Array.from(x), columns),
    )
  }

  /**
   * (n, n): row j belongs to values[j].
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of({
   *   data: Float64Array.of(2, 1, 1, 2),
   *   shape: [2, 2],
   * })
   * console.log([...spectrum.vectors()].map((value) => Math.abs(value).toFixed(3)).join(' '))
   * // 0.707 0.707 0.707 0.707
   * ```
   * @since 0.1.0
   */
  vectors(): Float64Array {
    return this.#native.vectors()
  }

  #columns(x: ArrayLike<number>): number {
    const { length } = numbersOf('targets', x)
    const columns = length / this.n
    if (!Number.isInteger(columns) || columns < 1) {
      throw mismatch('targets', `a multiple of ${this.n} numbers`, `${length} numbers`)
    }
    return columns
  }

  /** 1 − e^{−λt} per eigenvalue, or that over λ. */
  #learned(when: TrainingTime, fit: boolean): Float64Array {
    if (typeof when !== 'object' || when === null) {
      throw badArgument('when', 'either a time or steps with a learningRate', when)
    }
    const { time, steps, learningRate, loss = 'sum' } = when
    const scale = loss === 'mean' ? 1 / this.n : 1
    if ((time === undefined) === (steps === undefined)) {
      throw badArgument('when', 'either a time or steps with a learningRate', { time, steps })
    }
    if (time !== undefined && !(typeof time === 'number' && time >= 0))
      throw badArgument('when.time', 'a time ≥ 0', time)
    if (steps !== undefined) {
      wholeNumber('when.steps', steps, 0)
      if (!(typeof learningRate === 'number' && learningRate > 0)) {
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
