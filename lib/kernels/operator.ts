import { mismatch, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { prepare } from '../derivatives/derive.js'
import type { Prepared } from '../derivatives/prepared.js'
import { heldNumbers } from '../io/held.js'
import type { Floats } from '../io/index.js'
import { checkList } from '../linear/checks.js'
import {
  type DensityEstimate,
  type DensityOptions,
  estimateDensity,
  estimateTrace,
  type TraceEstimate,
  type TraceOptions,
} from '../linear/estimates.js'
import { type LanczosOptions, type TopEigenvalues, topEigenvalues } from '../linear/lanczos.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { sharedFeed } from '../runtime/shared.js'
import { productOf } from './product.js'

let nextId = 1

/**
 * The tangent kernel of x with itself as an operator: known by its products K·v = J(Jᵀv) and never
 * formed, so that N·O may be 10⁵ and more. A quarter of the memory budget keeps forward runs for the
 * next product, while no other call comes between. Made by `Network.kernelOperator()`; lives as long as the
 * network.
 *
 * ```ts
 * const kernel = await network.kernelOperator(x)
 * const { values } = await kernel.topEigenvalues({ count: 20 })
 * const { trace } = await kernel.trace()
 * ```
 */
export class KernelOperator {
  /** Rows of the kernel's Gram matrix, N·O. */
  readonly size: number
  readonly samples: number
  readonly outputs: number
  readonly #prepared: Prepared
  readonly #id = nextId++

  private constructor(prepared: Prepared) {
    this.#prepared = prepared
    this.samples = prepared.samples
    this.outputs = prepared.width
    this.size = this.samples * this.outputs
  }

  /** @internal */
  static async of(core: Core, inputs: Inputs, options: DerivativeOptions): Promise<KernelOperator> {
    const prepared = await prepare(core, inputs, options)
    // Every product needs the samples: the worker gets them once.
    return new KernelOperator({ ...prepared, x: sharedFeed(prepared.x) })
  }

  /**
   * K·v in single precision, or in double of a network in float64.
   * @param v (N·O, columns), in C order
   * @returns (N·O, columns)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
   * const operator = await network.kernelOperator(x)
   * const product = await operator.product(Float64Array.of(1, 1, 1))
   * console.log(product.length)
   * await network.dispose()
   * // 3
   * ```
   * @since 0.1.0
   */
  async product(
    v: Float64Array,
    columns = 1,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<Float64Array> {
    checkCall(options)
    checkList('v', v)
    wholeNumber('columns', columns, 1)
    if (v.length !== this.size * columns) {
      throw mismatch('v', `${this.size} × ${columns} numbers`, `${v.length} numbers`)
    }
    const own = heldNumbers(v, 'v')
    // In single precision huge and tiny vectors would overflow and vanish, and so would the products of
    // huge and tiny kernels: those are made again from vectors that are scaled the other way.
    const largest = v.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    if (largest === 0) return new Float64Array(v.length)
    let image = await this.#scaled(own, columns, largest, 'return', options.signal)
    let factor = 1
    let size = 0
    for (const value of image) size = Math.max(size, Math.abs(value))
    if (!Number.isFinite(size) || size < 2 ** -80) {
      factor = size < 1 ? 2 ** 56 : 2 ** -56
      const { nonFinite } = this.#prepared
      image = await this.#scaled(own, columns, largest / factor, nonFinite, options.signal)
    }
    const result = new Float64Array(image)
    for (let e = 0; e < result.length; e += 1)
      result[e] = ((result[e] as number) / factor) * largest
    return result
  }

  /** K·v / scale as the core gives it. */
  async #scaled(
    v: Float64Array,
    columns: number,
    scale: number,
    nonFinite: Prepared['nonFinite'],
    signal: AbortSignal | undefined,
  ): Promise<Floats> {
    const { double } = this.#prepared.core.architecture
    const data = new (double ? Float64Array : Float32Array)(v.length)
    for (let e = 0; e < v.length; e += 1) data[e] = (v[e] as number) / scale
    const shape = [this.samples, this.outputs, columns]
    const prepared = this.#prepared
    const own = { ...prepared.options, signal: signal ?? prepared.options.signal }
    const image = await productOf(
      { ...prepared, nonFinite, options: { ...own, onProgress: undefined } },
      { data, shape },
      this.#id,
    )
    return image.data
  }

  /**
   * The largest eigenvalues, by the Lanczos method; see `topEigenvalues`.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] }
   * const operator = await network.kernelOperator(x)
   * const { values, status } = await operator.topEigenvalues({ count: 2 })
   * console.log(status, values.length, values[0] > values[1])
   * await network.dispose()
   * // converged 2 true
   * ```
   * @since 0.1.0
   */
  topEigenvalues(options: LanczosOptions = {}): Promise<TopEigenvalues> {
    checkCall(options)
    const { threads } = this.#prepared
    return topEigenvalues(this.#product(options.signal), this.size, { threads, ...options })
  }

  /**
   * Trace and Frobenius norm, estimated from random vectors; see `estimateTrace`.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] }
   * const { trace } = await (await network.kernelOperator(x)).trace({ probes: 30 })
   * const exact = (await network.ntk(x)).trace()
   * console.log(Math.abs(trace.value / exact - 1) < 0.1)
   * await network.dispose()
   * // true
   * ```
   * @since 0.1.0
   */
  trace(options: TraceOptions = {}): Promise<TraceEstimate> {
    checkCall(options)
    const { threads } = this.#prepared
    return estimateTrace(this.#product(options.signal), this.size, { threads, ...options })
  }

  /**
   * Density of all eigenvalues, estimated from random vectors; see `estimateDensity`.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] }
   * const density = await (await network.kernelOperator(x)).density({ probes: 4 })
   *
   * // How many eigenvalues there are, of any size.
   * console.log(density.sum(() => 1).value.toFixed(1))
   * await network.dispose()
   * // 20.0
   * ```
   * @since 0.1.0
   */
  density(options: DensityOptions = {}): Promise<DensityEstimate> {
    checkCall(options)
    const { threads } = this.#prepared
    return estimateDensity(this.#product(options.signal), this.size, { threads, ...options })
  }

  #product(signal: AbortSignal | undefined) {
    return (v: Float64Array, columns: number) => this.product(v, columns, { signal })
  }
}
