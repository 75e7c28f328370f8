import { badArgument, mismatch, TangentError, wholeNumber } from '../core/errors.js'
import { defaultBudget, parseBytes } from '../core/memory.js'
import { checkCall } from '../core/options.js'
import { breathing } from '../core/turns.js'
import type { NdArray } from '../io/index.js'
import { notNegative } from '../linear/checks.js'
import { KernelFactor } from '../linear/factor.js'
import { type GramOptions, gramOf, heldKernel } from '../linear/gram.js'
import type { ChosenRidge } from '../linear/ridge.js'
import { KernelSpectrum } from '../linear/spectrum.js'
import type { ChosenDevice } from '../native/device.js'
import { TangentSketch } from '../sketch/features.js'
import { checkedBase, checkedOwn, positive, targetsOf } from './checks.js'
import { chooseByEvidence, type Evidence, evidenceOf } from './evidence.js'
import { inverseOf } from './inverse.js'
import { SketchFactor, type SketchPosteriorOptions } from './low-rank.js'
import { asked, type Cross, crossOf, type PosteriorAnswer, withoutGroup } from './queries.js'

/** Options of {@link KernelPosterior.of}. */
export interface PosteriorOptions extends GramOptions {
  /**
   * λ ≥ 0, or the one of least error when each sample is left out (`loo`, default), of least generalised
   * cross-validation error (`gcv`), or of greatest evidence (`evidence`).
   */
  ridge?: number | 'loo' | 'gcv' | 'evidence' | undefined
  /** f(x; θ0), as many numbers as there are targets (default: 0). */
  base?: ArrayLike<number> | undefined
  /** The relative precision of the kernel; see {@link KernelSpectrum.chooseRidge}. */
  precision?: number | undefined
}

/** What each sample gets from a model that was fitted without it. */
export interface LeftOut {
  /** f_{−i}(x_i): (N, O), or (N, O, columns). */
  predictions: NdArray<Float64Array>
  /** y_i − f_{−i}(x_i), in the same shape. */
  residuals: NdArray<Float64Array>
  /**
   * (N, O): the posterior variance of f at x_i without sample i, without noise, in the kernel's units:
   * that of A_ii⁻¹ − ridge·I.
   */
  variance: NdArray<Float64Array>
  /** (N, O): see {@link KernelPosterior.leverage}. */
  leverage: NdArray<Float64Array>
}

/** Options of what is asked at other samples. */
export interface QueryOptions {
  /** f(x; θ0) there (default: 0). */
  base?: ArrayLike<number> | undefined
  signal?: AbortSignal | undefined
}

/** Options of {@link KernelPosterior.sample}. */
export interface PosteriorSampleOptions extends QueryOptions {
  /** τ² (default: 1). */
  prior?: number | undefined
  /** Default 1. */
  seed?: number | undefined
}

/**
 * Kernel ridge regression, or the posterior of a Gaussian process, from one factorisation of
 * K + ridge·I: what each sample's prediction is without it, how uncertain a prediction is, which samples
 * it rests on, the evidence, draws (METHOD.md, section 8). Rows are (sample, output), y = f(x; θ0) + change;
 * several columns of targets share the kernel.
 *
 * All of it is exact for fixed features. Of an adapted kernel K_M it is conditional on M, which has seen
 * all targets: what it says of a sample that was left out is then too good.
 *
 * ```ts
 * const posterior = await KernelPosterior.of(await network.ntk(x), y, { base: f0 })
 * const { residuals } = await posterior.leaveOneOut()
 * const variance = await posterior.variance(await network.ntk(query, x), own)
 * ```
 */
export class KernelPosterior {
  readonly factor: KernelFactor | SketchFactor
  /** Where the kernel was factored, and why there. */
  readonly device: ChosenDevice
  /** Rows of the kernel, and of one sample. */
  readonly n: number
  readonly outputs: number
  /** Columns of the targets. */
  readonly columns: number
  readonly ridge: number
  /** How the ridge was chosen, where it was by leaving out, and by evidence. */
  readonly choice: ChosenRidge | Evidence | undefined
  /** (n, columns): (K + ridge·I)⁻¹(y − f(x; θ0)). */
  readonly alpha: Float64Array
  readonly #targets: Float64Array
  readonly #residual: Float64Array
  #left: Promise<LeftOut> | undefined

  private constructor(
    factor: KernelFactor | SketchFactor,
    targets: Float64Array,
    residual: Float64Array,
    alpha: Float64Array,
    choice: ChosenRidge | Evidence | undefined,
  ) {
    this.factor = factor
    this.device = factor.device
    this.n = factor.n
    this.outputs = factor.outputs
    this.columns = targets.length / factor.n
    this.ridge = factor.ridge
    this.choice = choice
    this.alpha = alpha
    this.#targets = targets
    this.#residual = residual
  }

  /**
   * Factors K + ridge·I and solves for the targets.
   * @param given K, (n, n) or (N, O, N, O), symmetric positive semidefinite
   * @param y (n, columns)
   * @throws TangentError BAD_INPUT for a kernel that is not finite or not symmetric, NUMERICAL where
   *   K + ridge·I cannot be inverted in double precision.
   * @example
   * ```js
   * import { KernelPosterior } from 'adaptive-tangent'
   *
   * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
   * const posterior = await KernelPosterior.of(kernel, [3, 3], { ridge: 1 })
   * console.log([...posterior.alpha].map((value) => value.toFixed(2)).join(' '))
   * // 0.75 0.75
   * ```
   * @since 0.2.0
   */
  static async of(
    given: Float32Array | Float64Array | NdArray,
    y: ArrayLike<number>,
    options: PosteriorOptions = {},
  ): Promise<KernelPosterior> {
    checkCall(options)
    const kernel = heldKernel(given)
    const { n, outputs } = gramOf(kernel, options)
    const targets = targetsOf(y, n)
    const base = options.base && checkedBase(options.base, targets.length)
    const residual = base ? targets.map((value, r) => value - (base[r] as number)) : targets
    const { ridge = 'loo', precision = 2 ** -23, signal } = options
    if (typeof ridge === 'number') {
      notNegative('options.ridge', ridge)
      const factor = await KernelFactor.of(kernel, ridge, options)
      if (ridge === 0 && factor.condition * n > 2 ** 52) throw singular()
      return new KernelPosterior(factor, targets, residual, await factor.solve(residual), undefined)
    }
    if (ridge !== 'loo' && ridge !== 'gcv' && ridge !== 'evidence')
      throw badArgument('options.ridge', "a number ≥ 0, 'loo', 'gcv' or 'evidence'", ridge)
    if (residual.every((value) => value === 0)) {
      const how = 'give options.ridge as a number'
      throw mismatch('y', 'targets that are not all fitted before; else', `0 everywhere: ${how}`)
    }
    const spectrum = await KernelSpectrum.of(kernel, { ...options, outputs })
    const choice =
      ridge === 'evidence'
        ? await chooseByEvidence(spectrum, residual, { precision, signal })
        : await spectrum.chooseRidge(residual, { by: ridge, precision, signal })
    const factor = spectrum.factor(choice.ridge)
    // The factor has what it needs.
    spectrum.free()
    return new KernelPosterior(factor, targets, residual, await factor.solve(residual), choice)
  }

  /**
   * The same of the kernel that sketches make, where the exact one is too large to factor: n = N·O rows of k
   * numbers take O(n·k + k²) memory. Its answers are exact for that kernel, and `sketch.error` tells how far the
   * kernel is off. Other samples are sketched with `like`, `cross` is `other.kernel(sketch)`, and their own
   * k(x*, x*) `other.selfKernel()`.
   * @param sketch of the n rows' features
   * @param y (n, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options, `MEMORY_BUDGET`, `NUMERICAL`.
   * @example
   * ```js
   * import { buildMlp, KernelPosterior, Network, sketch } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [32], outputs: 1 }))
   * const x = { data: Float32Array.from({ length: 40 }, (_, i) => i / 20 - 1), shape: [40, 1] }
   * const train = await sketch(network, x, { size: 24 })
   * const posterior = await KernelPosterior.ofSketch(train, x.data.map(Math.abs), { ridge: 0.1 })
   *
   * // Far from all samples less is known.
   * const query = { data: Float32Array.of(0.1, 3), shape: [2, 1] }
   * const other = await sketch(network, query, { like: train })
   * const own = (await other.selfKernel()).data
   * const { data } = await posterior.variance(await other.kernel(train), own)
   * console.log(data[1] > 10 * data[0], train.error.offDiagonal < 0.5)
   * await network.dispose()
   * // true true
   * ```
   * @since 0.2.0
   */
  static async ofSketch(
    sketch: TangentSketch,
    y: ArrayLike<number>,
    options: SketchPosteriorOptions,
  ): Promise<KernelPosterior> {
    checkCall(options)
    if (!(sketch instanceof TangentSketch)) throw badArgument('sketch', 'a TangentSketch', sketch)
    const targets = targetsOf(y, sketch.samples * sketch.outputs)
    const base = options.base && checkedBase(options.base, targets.length)
    const residual = base ? targets.map((value, r) => value - (base[r] as number)) : targets
    const { memory } = options
    const budget = memory === undefined ? defaultBudget() : parseBytes(memory)
    const factor = await SketchFactor.of(sketch, options.ridge, budget, options)
    return new KernelPosterior(factor, targets, residual, await factor.solve(residual), undefined)
  }

  /** Samples, N. */
  get samples(): number {
    return this.n / this.outputs
  }

  /**
   * Each sample's prediction by the model that was fitted without that sample (all of its outputs), exactly
   * and without fitting again: y_J − f_{−J}(x_J) = A_JJ⁻¹ α_J with A = (K + ridge·I)⁻¹.
   * @throws TangentError `BAD_ARGUMENT` for wrong options.
   * @example
   * ```js
   * import { KernelPosterior } from 'adaptive-tangent'
   *
   * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
   * const posterior = await KernelPosterior.of(kernel, [3, 3], { ridge: 1 })
   *
   * // Without sample 0 the model predicts 1/(2 + 1)·3 for it.
   * const { predictions } = await posterior.leaveOneOut()
   * console.log([...predictions.data].map((value) => value.toFixed(2)).join(' '))
   * // 1.00 1.00
   * ```
   * @since 0.2.0
   */
  leaveOneOut(options: { signal?: AbortSignal | undefined } = {}): Promise<LeftOut> {
    checkCall(options)
    const found = this.#left ?? this.#leaveOut(options.signal)
    this.#left = found
    // What was aborted is computed again.
    found.catch(() => {
      if (this.#left === found) this.#left = undefined
    })
    return found
  }

  async #leaveOut(signal: AbortSignal | undefined): Promise<LeftOut> {
    const { outputs, columns, samples, alpha, ridge } = this
    const blocks = await this.factor.inverseBlocks({ signal })
    const residuals = new Float64Array(alpha.length)
    const variance = new Float64Array(this.n)
    const leverage = new Float64Array(this.n)
    const size = outputs * outputs
    const leave = (i: number, inverse: Float64Array) => {
      for (let o = 0; o < outputs; o += 1) {
        const row = i * outputs + o
        leverage[row] = 1 - ridge * (blocks[i * size + o * (outputs + 1)] as number)
        variance[row] = Math.max(0, (inverse[o * outputs + o] as number) - ridge)
        for (let c = 0; c < columns; c += 1) {
          let sum = 0
          for (let p = 0; p < outputs; p += 1) {
            const from = (i * outputs + p) * columns + c
            sum += (inverse[o * outputs + p] as number) * (alpha[from] as number)
          }
          residuals[row * columns + c] = sum
        }
      }
    }
    const breathe = breathing(signal)
    for (let i = 0; i < samples; i += 1) {
      const inverse = await inverseOf(blocks.subarray(i * size, (i + 1) * size), outputs, signal)
      if (!inverse) throw singular()
      leave(i, inverse)
      await breathe(outputs * size + size * columns)
    }
    const predictions = this.#targets.map((value, r) => value - (residuals[r] as number))
    return {
      predictions: { data: predictions, shape: this.#shape() },
      residuals: { data: residuals, shape: this.#shape() },
      variance: { data: variance, shape: [samples, outputs] },
      leverage: { data: leverage, shape: [samples, outputs] },
    }
  }

  /**
   * How much of its own prediction each row makes itself: ∂f(x_r)/∂y_r, the diagonal of K(K + ridge·I)⁻¹.
   * 1 at ridge 0; their sum is the degrees of freedom.
   * @returns (N, O)
   * @throws TangentError `BAD_ARGUMENT` for wrong options.
   * @example
   * ```js
   * import { KernelPosterior } from 'adaptive-tangent'
   *
   * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
   * const posterior = await KernelPosterior.of(kernel, [3, 3], { ridge: 1 })
   * console.log((await posterior.leverage()).data[0].toFixed(3))
   * // 0.625
   * ```
   * @since 0.2.0
   */
  async leverage(
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<NdArray<Float64Array>> {
    return (await this.leaveOneOut(options)).leverage
  }

  /**
   * Log marginal likelihood of the targets: prior variance τ² of the parameters' changes, noise σ² = ridge·τ².
   * @param options τ² as `prior` (default: that of greatest evidence)
   * @throws TangentError `BAD_ARGUMENT` for wrong options.
   * @example
   * ```js
   * import { KernelPosterior } from 'adaptive-tangent'
   *
   * // Two independent numbers of variance 1 + 1.
   * const kernel = { data: Float64Array.of(1, 0, 0, 1), shape: [2, 2] }
   * const posterior = await KernelPosterior.of(kernel, [2, 0], { ridge: 1 })
   * const { log } = posterior.evidence({ prior: 1 })
   * console.log(log.toFixed(4), (-1 - Math.log(2) - Math.log(2 * Math.PI)).toFixed(4))
   * // -3.5310 -3.5310
   * ```
   * @since 0.2.0
   */
  evidence(options: { prior?: number | undefined } = {}): Evidence {
    checkCall(options)
    const { prior } = options
    if (prior !== undefined) positive('options.prior', prior)
    const quadratic = this.alpha.reduce(
      (sum, value, r) => sum + value * (this.#residual[r] as number),
      0,
    )
    const { ridge, n: rows, columns } = this
    const { logDeterminant } = this.factor
    return evidenceOf({ ridge, quadratic, logDeterminant, rows, columns }, prior)
  }

  /**
   * The posterior mean elsewhere: f(x*; θ0) + K(x*, X) α.
   * @param cross K(x*, X), (n2, n) or (N2, O, N, O)
   * @returns (N2, O), or (N2, O, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelPosterior } from 'adaptive-tangent'
   *
   * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
   * const posterior = await KernelPosterior.of(kernel, [3, 3], { ridge: 1 })
   * const { data } = await posterior.predict({ data: Float64Array.of(1, 1), shape: [1, 2] })
   * console.log(data[0].toFixed(2))
   * // 1.50
   * ```
   * @since 0.2.0
   */
  async predict(cross: NdArray, options: QueryOptions = {}): Promise<NdArray<Float64Array>> {
    checkCall(options)
    const query = this.#cross(cross, options)
    const { mean } = await asked(this, query, { ...options, mean: true })
    return { data: mean, shape: this.#shape(query.rows) }
  }

  /**
   * The posterior variance elsewhere, without noise: k(x*, x*) − k*ᵀ(K + ridge·I)⁻¹k*, in the kernel's
   * units. Times τ² it is in the targets' ({@link KernelPosterior.evidence} estimates τ²).
   * @param own k(x*, x*) of every row, n2 numbers
   * @returns (N2, O)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelPosterior } from 'adaptive-tangent'
   *
   * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
   * const posterior = await KernelPosterior.of(kernel, [3, 3], { ridge: 1 })
   * const cross = { data: Float64Array.of(1, 1), shape: [1, 2] }
   * console.log((await posterior.variance(cross, [2])).data[0].toFixed(2))
   * // 1.50
   * ```
   * @since 0.2.0
   */
  async variance(
    cross: NdArray,
    own: ArrayLike<number>,
    options: QueryOptions = {},
  ): Promise<NdArray<Float64Array>> {
    checkCall(options)
    const query = this.#cross(cross, options)
    const { variance } = await asked(this, query, {
      ...options,
      own: checkedOwn(own, query.rows),
    })
    return { data: variance, shape: [query.rows / this.outputs, this.outputs] }
  }

  /**
   * What each training sample does to predictions: f(x*) − f_{−J}(x*), exactly, where f_{−J} was fitted
   * without sample J (all of its outputs). Above 0: with the sample the prediction is higher.
   * @returns (n2, N), or (n2, N, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelPosterior } from 'adaptive-tangent'
   *
   * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
   * const posterior = await KernelPosterior.of(kernel, [3, 3], { ridge: 1 })
   *
   * // 1.5 with both samples, 1/(2 + 1)·3 with one of them.
   * const cross = { data: Float64Array.of(1, 1), shape: [1, 2] }
   * console.log([...(await posterior.influence(cross)).data].map((v) => v.toFixed(2)).join(' '))
   * // 0.50 0.50
   * ```
   * @since 0.2.0
   */
  async influence(cross: NdArray, options: QueryOptions = {}): Promise<NdArray<Float64Array>> {
    checkCall(options)
    const query = this.#cross(cross, options)
    const { influence } = await asked(this, query, { ...options, influence: true })
    return { data: influence, shape: this.#bySample(query.rows) }
  }

  /**
   * The parts that add up to each prediction's change: k(x*, x_J) α_J of every training sample J.
   * @returns (n2, N), or (n2, N, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelPosterior } from 'adaptive-tangent'
   *
   * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
   * const posterior = await KernelPosterior.of(kernel, [3, 3], { ridge: 1 })
   * const cross = { data: Float64Array.of(1, 2), shape: [1, 2] }
   * console.log([...(await posterior.representers(cross)).data].map((v) => v.toFixed(2)).join(' '))
   * // 0.75 1.50
   * ```
   * @since 0.2.0
   */
  async representers(cross: NdArray, options: QueryOptions = {}): Promise<NdArray<Float64Array>> {
    checkCall(options)
    const query = this.#cross(cross, options)
    const { representers } = await asked(this, query, { ...options, representers: true })
    return { data: representers, shape: this.#bySample(query.rows) }
  }

  /**
   * Predictions of the model that was fitted without some samples, exactly, from this factorisation.
   * @param samples which are left out together
   * @returns (N2, O), or (N2, O, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelPosterior } from 'adaptive-tangent'
   *
   * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
   * const posterior = await KernelPosterior.of(kernel, [3, 3], { ridge: 1 })
   * const cross = { data: Float64Array.of(1, 1), shape: [1, 2] }
   * console.log((await posterior.without([0], cross)).data[0].toFixed(2))
   * // 1.00
   * ```
   * @since 0.2.0
   */
  async without(
    samples: readonly number[],
    cross: NdArray,
    options: QueryOptions = {},
  ): Promise<NdArray<Float64Array>> {
    checkCall(options)
    const query = this.#cross(cross, options)
    if (!Array.isArray(samples)) throw badArgument('samples', 'a list of samples', samples)
    for (const i of samples) wholeNumber('samples', i, 0, this.samples - 1)
    const group = [...new Set(samples)]
    if (group.length === this.samples) throw mismatch('samples', 'some that are left', 'all')
    const { mean } = await asked(this, query, { ...options, mean: true })
    const change = await withoutGroup(this, query, group, options.signal)
    const data = mean.map((value, e) => value - (change[e] as number))
    return { data, shape: this.#shape(query.rows) }
  }

  /**
   * Draws of f at other samples from the posterior, jointly: of mean {@link KernelPosterior.predict} and
   * covariance τ²(K(x*, x*) − K(x*, X)(K + ridge·I)⁻¹K(X, x*)).
   * @param own K(x*, x*), (n2, n2) or (N2, O, N2, O)
   * @returns (n2, columns, count)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelPosterior } from 'adaptive-tangent'
   *
   * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
   * const posterior = await KernelPosterior.of(kernel, [3, 3], { ridge: 1 })
   * const cross = { data: Float64Array.of(1, 1), shape: [1, 2] }
   * const own = { data: Float64Array.of(2), shape: [1, 1] }
   * const { data } = await posterior.sample(cross, own, 10_000)
   * const mean = data.reduce((sum, value) => sum + value, 0) / 10_000
   * console.log(Math.abs(mean - 1.5) < 0.1)
   * // true
   * ```
   * @since 0.2.0
   */
  async sample(
    cross: NdArray,
    own: NdArray,
    count: number,
    options: PosteriorSampleOptions = {},
  ): Promise<NdArray<Float64Array>> {
    checkCall(options)
    const { prior = 1, seed = 1, signal } = options
    positive('options.prior', prior)
    wholeNumber('count', count, 1)
    wholeNumber('options.seed', seed, 0)
    const query = this.#cross(cross, options)
    const gram = gramOf(heldKernel(own), { outputs: 1 })
    const { rows } = query
    if (gram.n !== rows) throw mismatch('own', `a matrix of ${rows} rows`, `one of ${gram.n}`)
    const { mean, covariance } = await asked(this, query, {
      ...options,
      mean: true,
      covariance: gram.data,
    })
    const spectrum = await KernelSpectrum.of(covariance, { signal })
    const { columns } = this
    const root = spectrum.factor(0)
    spectrum.free()
    const draws = await root.sample(columns * count, { seed, signal })
    root.free()
    const scale = Math.sqrt(prior)
    const data = draws.map((z, e) => (mean[Math.floor(e / count)] as number) + scale * z)
    return { data, shape: [rows, columns, count] }
  }

  /**
   * Gives the factor's memory back: n² doubles, on a card those of the card. Without it they stay until V8 finds that
   * nobody needs the posterior. Calls that are under way are still answered; of later ones those that need the factor
   * are refused.
   * @example
   * ```js
   * import { KernelPosterior } from 'adaptive-tangent'
   *
   * const kernel = { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }
   * const posterior = await KernelPosterior.of(kernel, [3, 3], { ridge: 1 })
   * posterior.free()
   * const error = await posterior.leaveOneOut().catch((problem) => problem)
   * console.log(error.code, posterior.alpha[0].toFixed(2))
   * // DISPOSED 0.75
   * ```
   * @since 0.2.0
   */
  free(): void {
    this.factor.free()
  }

  /** @internal Several answers from one solve. */
  ask(cross: NdArray, own: ArrayLike<number>, options: QueryOptions): Promise<PosteriorAnswer> {
    const query = this.#cross(cross, options)
    return asked(this, query, {
      signal: options.signal,
      mean: true,
      own: checkedOwn(own, query.rows),
      influence: true,
      representers: true,
    })
  }

  #cross(given: NdArray, { base }: QueryOptions): Cross {
    return crossOf(this, given, base)
  }

  #shape(rows = this.n): number[] {
    const { outputs, columns } = this
    const samples = rows / outputs
    return outputs > 1 && columns > 1 ? [samples, outputs, columns] : [samples, outputs * columns]
  }

  #bySample(rows: number): number[] {
    return this.columns > 1 ? [rows, this.samples, this.columns] : [rows, this.samples]
  }
}

const singular = () =>
  new TangentError(
    'NUMERICAL',
    'The kernel has directions of no size and the ridge is 0, so that nothing can be left out: take a ridge above 0',
  )
