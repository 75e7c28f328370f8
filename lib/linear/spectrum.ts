import { leavable } from '../core/abort.js'
import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import type { NdArray } from '../io/index.js'
import { call, callSync, memoryOf } from '../native/call.js'
import { deviceForWork, spectrumWork } from '../native/choose.js'
import { type ChosenDevice, deviceName } from '../native/device.js'
import { type NativeSpectrum, native } from '../native/index.js'
import { notNegative, numbersOf } from './checks.js'
import { KernelFactor } from './factor.js'
import { type GramOptions, gramOf, heldKernel } from './gram.js'
import { type ChosenRidge, ends, type RidgeErrors, type RidgeOptions } from './ridge.js'
import { learnedShares, type TrainingTime } from './training-time.js'

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
  /** Where it was computed, and why there. */
  readonly device: ChosenDevice
  readonly #native: NativeSpectrum

  private constructor(
    { n, outputs, device }: Pick<KernelSpectrum, 'n' | 'outputs' | 'device'>,
    spectrum: NativeSpectrum,
  ) {
    this.n = n
    this.outputs = outputs
    this.device = device
    this.values = spectrum.values
    this.#native = spectrum
  }

  /**
   * By LAPACK in double, or on a device, off the JS thread. An abort rejects at once; the decomposition
   * ends in the background.
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
    const device = await deviceForWork(options, spectrumWork(n, true))
    const on = deviceName(device)
    const spectrum = await call(options.signal, () =>
      leavable(options.signal, native.createSpectrum(data, n, true, on, memoryOf(options))),
    )
    return new KernelSpectrum({ n, outputs, device }, spectrum)
  }

  /** Eigenvalues that are not zero but for rounding. */
  get rank(): number {
    return callSync(() => this.#native.rank)
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
    const { n, outputs, device } = this
    const factor = callSync(() => this.#native.factor(ridge))
    return KernelFactor.from({ n, outputs, ridge, device }, factor)
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
    return this.filter(learnedShares(this, when, false), residual)
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
    return this.filter(learnedShares(this, when, true), residual)
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
   * Vᵀ x, x (n, columns): row j belongs to values[j]. {@link KernelSpectrum.combined} goes back.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of(Float64Array.of(2, 1, 1, 2))
   * const parts = await spectrum.coordinates([3, 1])
   * console.log([...parts].map((value) => Math.abs(value).toFixed(3)).join(' '))
   * // 2.828 1.414
   * console.log([...(await spectrum.combined(parts))].map((value) => value.toFixed(3)).join(' '))
   * // 3.000 1.000
   * ```
   * @since 0.2.0
   */
  async coordinates(x: ArrayLike<number>): Promise<Float64Array> {
    const columns = this.#columns(x)
    return call(undefined, () => this.#native.coordinates(Float64Array.from(x), columns))
  }

  /**
   * V x, x (n, columns): what has the coordinates x.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of(Float64Array.of(2, 0, 0, 1))
   * console.log([...(await spectrum.combined([0, 2]))].map(Math.abs).join(' '))
   * // 0 2
   * ```
   * @since 0.2.0
   */
  async combined(x: ArrayLike<number>): Promise<Float64Array> {
    const columns = this.#columns(x)
    return call(undefined, () => this.#native.combined(Float64Array.from(x), columns))
  }

  /**
   * The kernel's first eigenfunctions, estimated from the n samples X of this spectrum (Nyström), at
   * other samples: e_j(x) = √n·K(x, X) v_j / values[j], orthonormal over X, whose eigenvalues are
   * values[j]/n. The n samples need no labels, so that there may be many.
   * @param kernel K(x, X), (N, n) or (N, O, n/O, O)
   * @param count how many (default: a quarter of the rows, as far as the rank goes; the later ones
   *   are mostly an accident of X, and large elsewhere)
   * @returns (rows, count), for {@link fitCoordinates}
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of(Float64Array.of(2, 0, 0, 1))
   *
   * // At X itself, v_j·√n.
   * const kernel = { data: Float64Array.of(2, 0, 0, 1), shape: [2, 2] }
   * const { data, shape } = await spectrum.eigenfunctions(kernel, 2)
   * console.log(shape.join(' '), [...data].map((value) => Math.abs(value).toFixed(3)).join(' '))
   * // 2 2 1.414 0.000 0.000 1.414
   * ```
   * @since 0.2.0
   */
  async eigenfunctions(
    kernel: NdArray,
    count: number = Math.min(this.rank, Math.ceil(this.n / 4)),
  ): Promise<NdArray<Float64Array>> {
    const { data } = kernel ?? {}
    if (!(data instanceof Float32Array || data instanceof Float64Array)) {
      throw badArgument('kernel', 'an array of floats', kernel)
    }
    const rows = data.length / this.n
    if (!Number.isInteger(rows)) {
      throw mismatch('kernel', `a multiple of ${this.n} numbers`, `${data.length} numbers`)
    }
    wholeNumber('count', count, 1, this.rank)
    const found = await call(undefined, () => this.#native.functions(data, rows, count))
    return { data: found, shape: [rows, count] }
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
    return callSync(() => this.#native.vectors())
  }

  /**
   * Gives the memory of its eigenvectors back, n² doubles. Without it they stay until V8 finds that nobody needs them.
   * Calls that are under way are still answered and factors keep what they need; of later calls all that need more
   * than the eigenvalues are refused.
   * @example
   * ```js
   * import { KernelSpectrum } from 'adaptive-tangent'
   *
   * const spectrum = await KernelSpectrum.of(Float64Array.of(2, 0, 0, 1))
   * spectrum.free()
   * const error = await spectrum.coefficients([1, 1], 1).catch((problem) => problem)
   * console.log(error.code, spectrum.values.join(' '))
   * // DISPOSED 2 1
   * ```
   * @since 0.2.0
   */
  free(): void {
    this.#native.free()
  }

  #columns(x: ArrayLike<number>): number {
    const { length } = numbersOf('targets', x)
    const columns = length / this.n
    if (!Number.isInteger(columns) || columns < 1) {
      throw mismatch('targets', `a multiple of ${this.n} numbers`, `${length} numbers`)
    }
    return columns
  }
}
