import { mismatch, oneOf, TangentError, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import type { NdArray } from '../io/index.js'
import { call, callSync, memoryOf, threadsOf } from '../native/call.js'
import { deviceForWork, factorWork } from '../native/choose.js'
import { type ChosenDevice, deviceName } from '../native/device.js'
import type { NativeFactor } from '../native/fit.js'
import { native } from '../native/index.js'
import { checkTargets, notNegative, numbersOf } from './checks.js'
import { type GramOptions, gramOf, heldKernel } from './gram.js'
import { manyGaussians } from './random.js'

/** Options of {@link KernelFactor.sample}. */
export interface SampleOptions {
  /** Which matrix is the covariance: K + ridge·I (`covariance`, default), or its inverse. */
  of?: 'covariance' | 'precision' | undefined
  /** Default 1. */
  seed?: number | undefined
  signal?: AbortSignal | undefined
}

/**
 * K + ridge·I of a kernel in memory, factored once: solutions, leave-one-out residuals, diagonal
 * blocks of the inverse, the log-determinant and draws, all at this ridge (METHOD.md, section 8).
 * For many ridges of one kernel take {@link KernelSpectrum.factor}.
 *
 * ```ts
 * const factor = await KernelFactor.of(await network.ntk(x), 0.1)
 * const alpha = await factor.solve(residual)
 * const left = await factor.leaveOneOut(residual) // y_i − f(x_i) of a model that never saw sample i
 * ```
 */
export class KernelFactor {
  /** Rows of the kernel. */
  readonly n: number
  /** Rows of one sample. */
  readonly outputs: number
  readonly ridge: number
  /** Where it was made, and why there; of a spectrum's, where that was. */
  readonly device: ChosenDevice
  readonly #native: NativeFactor

  private constructor(
    { n, outputs, ridge, device }: Pick<KernelFactor, 'n' | 'outputs' | 'ridge' | 'device'>,
    factor: NativeFactor,
  ) {
    this.n = n
    this.outputs = outputs
    this.ridge = ridge
    this.device = device
    this.#native = factor
  }

  /**
   * By Cholesky in double, off the JS thread.
   * @param kernel (n, n) or (N, O, N, O), symmetric positive semidefinite
   * @param ridge ≥ 0
   * @throws TangentError BAD_INPUT for a kernel that is not finite or not symmetric, NUMERICAL
   *   when
   *   kernel + ridge is not positive definite in double precision.
   * @example
   * ```js
   * import { KernelFactor } from 'adaptive-tangent'
   *
   * const factor = await KernelFactor.of(
   *   { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] },
   *   1,
   * )
   *
   * // det [3 1; 1 3] = 8
   * console.log(Math.exp(factor.logDeterminant).toFixed(3))
   * // 8.000
   * ```
   * @since 0.1.0
   */
  static async of(
    kernel: Float32Array | Float64Array | NdArray,
    ridge: number,
    options: GramOptions = {},
  ): Promise<KernelFactor> {
    checkCall(options)
    const factor = await KernelFactor.try(heldKernel(kernel), ridge, options)
    if (factor) return factor
    throw notPositive(ridge)
  }

  /** @internal The same, null where the matrix is not positive definite. */
  static async try(
    kernel: Float32Array | Float64Array | NdArray,
    ridge: number,
    options: GramOptions,
  ): Promise<KernelFactor | null> {
    const { data, n, outputs } = gramOf(kernel, options)
    notNegative('ridge', ridge)
    const device = await deviceForWork(options, factorWork(n))
    const on = deviceName(device)
    const factor = await call(options.signal, (control) =>
      native.factorKernel(data, n, ridge, threadsOf(options), control, on, memoryOf(options)),
    )
    if (factor.status === 'not positive definite') return null
    return new KernelFactor({ n, outputs, ridge, device }, factor)
  }

  /** @internal */
  static from(
    about: Pick<KernelFactor, 'n' | 'outputs' | 'ridge' | 'device'>,
    factor: NativeFactor,
  ): KernelFactor {
    return new KernelFactor(about, factor)
  }

  /** A lower estimate of the condition number of K + ridge·I. */
  get condition(): number {
    return callSync(() => this.#native.condition)
  }

  /** log det(K + ridge·I). */
  get logDeterminant(): number {
    return callSync(() => this.#native.logDeterminant)
  }

  /**
   * α = (K + ridge·I)⁻¹ y.
   * @param y (n, columns)
   * @returns (n, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelFactor } from 'adaptive-tangent'
   *
   * const factor = await KernelFactor.of(
   *   { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] },
   *   1,
   * )
   * console.log([...(await factor.solve([4, 4]))].map((value) => value.toFixed(3)).join(' '))
   * // 1.000 1.000
   * ```
   * @since 0.1.0
   */
  async solve(y: ArrayLike<number>): Promise<Float64Array> {
    const [targets, columns] = this.#targets(y)
    return call(undefined, () => this.#native.solve(targets, columns))
  }

  /**
   * The blocks of (K + ridge·I)⁻¹ on the diagonal, one for each sample.
   * @returns (N, O, O)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelFactor } from 'adaptive-tangent'
   *
   * const factor = await KernelFactor.of(
   *   { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] },
   *   1,
   * )
   * console.log([...(await factor.inverseBlocks())].map((value) => value.toFixed(3)).join(' '))
   * // 0.375 0.375
   * ```
   * @since 0.1.0
   */
  async inverseBlocks(options: { signal?: AbortSignal | undefined } = {}): Promise<Float64Array> {
    checkCall(options)
    return call(options.signal, (control) => this.#native.inverseBlocks(this.outputs, control))
  }

  /**
   * What each sample's rows are off by when the model is fitted without that sample, exactly:
   * y_J − f_{−J}(x_J) = A_JJ⁻¹ α_J, A the inverse.
   * @param y (n, columns)
   * @returns (n, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { KernelFactor } from 'adaptive-tangent'
   *
   * const factor = await KernelFactor.of(
   *   { data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] },
   *   1,
   * )
   *
   * // Without sample 0 the model predicts 1/(2 + 1)·1 for it: off by 2/3 from its target 1.
   * console.log(
   *   [...(await factor.leaveOneOut([1, 1]))]
   *     .map((value) => Math.abs(value).toFixed(3))
   *     .join(' '),
   * )
   * // 0.667 0.667
   * ```
   * @since 0.1.0
   */
  async leaveOneOut(
    y: ArrayLike<number>,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<Float64Array> {
    checkCall(options)
    const [targets, columns] = this.#targets(y)
    return call(options.signal, (control) =>
      this.#native.leaveOut(targets, columns, this.outputs, control),
    )
  }

  /**
   * Draws from the Gaussian of mean zero whose covariance is K + ridge·I, the prior of a Gaussian
   * process with that kernel and noise, or with `of: 'precision'` its inverse.
   * @returns (n, count)
   * @throws TangentError BAD_ARGUMENT
   * @example
   * ```js
   * import { KernelFactor } from 'adaptive-tangent'
   *
   * const factor = await KernelFactor.of({ data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }, 0)
   * const count = 10_000
   * const draws = await factor.sample(count) // (2, count)
   * const variance = draws.slice(0, count).reduce((sum, value) => sum + value ** 2, 0) / count
   * console.log(Math.abs(variance - 2) < 0.2)
   * // true
   * ```
   * @since 0.2.0
   */
  async sample(count: number, options: SampleOptions = {}): Promise<Float64Array> {
    checkCall(options)
    wholeNumber('count', count, 1)
    const { seed = 1, signal } = options
    wholeNumber('options.seed', seed, 0)
    const of = oneOf(options.of, ['covariance', 'precision'] as const, 'options.of')
    const normals = await manyGaussians(this.n * count, seed)
    return call(signal, (control) =>
      this.#native.sample(normals, count, of === 'precision', control),
    )
  }

  /**
   * Gives its memory back: n² doubles, on a card those of the card. Without it they stay until V8 finds that
   * nobody needs the factor. Calls that are under way are still answered, later ones are refused.
   * @example
   * ```js
   * import { KernelFactor } from 'adaptive-tangent'
   *
   * const factor = await KernelFactor.of({ data: Float64Array.of(2, 1, 1, 2), shape: [2, 2] }, 1)
   * factor.free()
   * const error = await factor.solve([4, 4]).catch((problem) => problem)
   * console.log(error.code)
   * // DISPOSED
   * ```
   * @since 0.2.0
   */
  free(): void {
    this.#native.free()
  }

  #targets(y: ArrayLike<number>): [Float64Array, number] {
    const { length } = numbersOf('y', y)
    if (length === 0 || length % this.n !== 0) {
      throw mismatch('y', `a multiple of ${this.n} numbers`, `${length} numbers`)
    }
    return [checkTargets(y, length), length / this.n]
  }
}

/** @internal */
export function notPositive(ridge: number): TangentError {
  return new TangentError(
    'NUMERICAL',
    `The kernel plus the ridge ${ridge} is not positive definite in double precision: raise ` +
      'the ridge',
  )
}
