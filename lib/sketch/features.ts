import { badArgument, mismatch, oneOf, TangentError, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { each } from '../core/turns.js'
import { TangentFeatures } from '../fit/features.js'
import type { Floats, NdArray } from '../io/index.js'
import { TangentKernel } from '../kernels/kernel.js'
import type { SketchError, SketchMap } from '../kernels/sketch/types.js'
import type { SolveOptions } from '../native/call.js'
import type { KernelKind } from '../native/engine.js'

/** Options of {@link TangentSketch.kernel}. */
export interface SketchKernelOptions extends SolveOptions {
  /** What is kept of the outputs (default: `full`). */
  kernel?: KernelKind | undefined
}

/** Options of {@link TangentSketch.nearest}. */
export interface NearestOptions extends SolveOptions {
  /** How many of them (default: 10). */
  count?: number | undefined
  /** By cosines (default), or by inner products. */
  by?: 'cosine' | 'product' | undefined
}

/**
 * Sketches of the tangent features of N samples: for every sample and output (or head) as many numbers as
 * were asked for, whose inner products stand for the tangent kernel's. It takes the place of features: in
 * fits ({@link TangentSketch.features}), and through its kernel in spectra, solves and alignments.
 */
export class TangentSketch {
  /** By part (`total`, or layers or parameters, whose kernels add up): (N, O, size), or (N, H, size). */
  readonly parts: ReadonlyMap<string, NdArray<Floats>>
  readonly map: SketchMap
  /** Of its inner products against the exact kernel, on some of the samples; null where none was asked for. */
  readonly error: SketchError | null
  readonly samples: number
  /** Outputs or heads of each sample. */
  readonly outputs: number

  /** @internal */
  constructor(
    parts: ReadonlyMap<string, NdArray<Floats>>,
    map: SketchMap,
    error: SketchError | null,
  ) {
    this.parts = parts
    this.map = map
    this.error = error
    const [first] = parts.values()
    const [samples = 0, outputs = 0] = (first as NdArray).shape
    this.samples = samples
    this.outputs = outputs
  }

  /**
   * The sketches as features: for {@link fitFeatures} with `structure: 'fixed'`, with a block for each part.
   * @throws TangentError `BAD_ARGUMENT` for wrong options.
   * @example
   * ```js
   * import { buildMlp, fitFeatures, Network, sketch } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
   * const features = await (await sketch(network, x, { size: 64 })).features()
   * const fitted = await fitFeatures(features, [1, 2, 3], { structure: 'fixed', ridge: 0.1 })
   * console.log(features.rows, features.size, fitted.status.name)
   * await network.dispose()
   * // 3 64 converged
   * ```
   * @since 0.2.0
   */
  features(options: SolveOptions = {}): Promise<TangentFeatures> {
    checkCall(options)
    return this.#blocks(this.outputs, options)
  }

  /**
   * The kernel that the inner products make, of these samples with themselves or with others.
   * @throws TangentError `BAD_ARGUMENT` for sketches by another map, or wrong options.
   * @example
   * ```js
   * import { buildMlp, Network, sketch } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 3 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
   * const kernel = await (await sketch(network, x)).kernel({ kernel: 'trace' })
   * const exact = await network.ntk(x, { kernel: 'trace' })
   * console.log(kernel.shape.join(' '), Math.abs(kernel.data[0] / exact.data[0] - 1) < 0.2)
   * await network.dispose()
   * // 2 2 true
   * ```
   * @since 0.2.0
   */
  kernel(options?: SketchKernelOptions): Promise<TangentKernel<Float64Array>>
  kernel(other: TangentSketch, options?: SketchKernelOptions): Promise<TangentKernel<Float64Array>>
  async kernel(
    ...given: [SketchKernelOptions?] | [TangentSketch, SketchKernelOptions?]
  ): Promise<TangentKernel<Float64Array>> {
    const other = given[0] instanceof TangentSketch ? given[0] : undefined
    const options = ((other ? given[1] : given[0]) ?? {}) as SketchKernelOptions
    checkCall(options)
    const kind = oneOf<KernelKind>(options.kernel, ['full', 'trace', 'diagonal'], 'options.kernel')
    const right = other ?? this
    this.#checkSame(right)
    const [n, o, m] = [this.samples, this.outputs, right.samples]
    // Of the trace an output's numbers are some more of its sample's.
    const rows = kind === 'trace' ? 1 : o
    const own = await this.#blocks(rows, options)
    const theirs = other ? await other.#blocks(rows, options) : own
    const all = await own.kernel(theirs, options)
    if (kind === 'trace') return new TangentKernel(all, [n, m], kind, !other)
    if (kind === 'full') return new TangentKernel(all, [n, o, m, o], kind, !other)
    const diagonal = new Float64Array(n * m * o)
    const pick = (i: number) => {
      for (let j = 0; j < m; j += 1) {
        for (let p = 0; p < o; p += 1) {
          diagonal[(i * m + j) * o + p] = all[(i * o + p) * m * o + j * o + p] as number
        }
      }
    }
    await each(n, m * o, pick, options.signal)
    return new TangentKernel(diagonal, [n, m, o], kind, !other)
  }

  /**
   * The inner products of every sample's and output's sketch with itself, which stand for k(x, x)_oo.
   * @returns (N, O)
   * @example
   * ```js
   * import { buildMlp, Network, sketch } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 3 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
   * const own = await (await sketch(network, x)).selfKernel()
   * console.log(own.shape.join(' × '))
   * await network.dispose()
   * // 2 × 3
   * ```
   * @since 0.2.0
   */
  async selfKernel(
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<NdArray<Float64Array>> {
    checkCall(options)
    const rows = this.samples * this.outputs
    const data = new Float64Array(rows)
    for (const part of this.parts.values()) {
      const size = part.data.length / rows
      const add = (r: number) => {
        let sum = 0
        for (let e = r * size; e < (r + 1) * size; e += 1) sum += (part.data[e] as number) ** 2
        ;(data[r] as number) += sum
      }
      await each(rows, size, add, options.signal)
    }
    return { data, shape: [this.samples, this.outputs] }
  }

  /**
   * For each of these samples the ones among `others` whose features are nearest, outputs together.
   * @returns (N, count): their indices, nearest first, and the cosines or inner products.
   * @throws TangentError `BAD_ARGUMENT` for sketches by another map, or wrong options.
   * @example
   * ```js
   * import { buildMlp, Network, sketch } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1, 0.9, 0.1), shape: [3, 2] }
   * const all = await sketch(network, x)
   * const { indices } = await all.nearest(all, { count: 2 })
   * console.log(indices.data.subarray(0, 2).join(' '))
   * await network.dispose()
   * // 0 2
   * ```
   * @since 0.2.0
   */
  async nearest(
    others: TangentSketch,
    options: NearestOptions = {},
  ): Promise<{ indices: NdArray<Int32Array>; values: NdArray<Float64Array> }> {
    checkCall(options)
    if (!(others instanceof TangentSketch)) throw badArgument('others', 'a TangentSketch', others)
    const by = oneOf(options.by, ['cosine', 'product'] as const, 'options.by')
    const { count = Math.min(10, others.samples) } = options
    wholeNumber('options.count', count, 1, others.samples)
    const [n, m] = [this.samples, others.samples]
    const { data } = await this.kernel(others, { ...options, kernel: 'trace' })
    const { signal } = options
    const [own, theirs] = [await this.#norms(signal), await others.#norms(signal)]
    const indices = new Int32Array(n * count)
    const values = new Float64Array(n * count)
    const search = (i: number) => {
      const scores = data.slice(i * m, (i + 1) * m)
      if (by === 'cosine') {
        for (let j = 0; j < m; j += 1) {
          const norm = (own[i] as number) * (theirs[j] as number)
          scores[j] = norm > 0 ? (scores[j] as number) / norm : 0
        }
      }
      const order = Int32Array.from(scores.keys()).sort(
        (a, b) => (scores[b] as number) - (scores[a] as number) || a - b,
      )
      indices.set(order.subarray(0, count), i * count)
      for (let k = 0; k < count; k += 1) {
        values[i * count + k] = scores[order[k] as number] as number
      }
    }
    // Sorting reads each of them several times.
    await each(n, m * Math.ceil(Math.log2(m + 1)), search, signal)
    const shape = [n, count]
    return { indices: { data: indices, shape }, values: { data: values, shape: [...shape] } }
  }

  /** Some samples and outputs. @internal */
  at(samples: readonly number[], outputs: readonly number[]): TangentSketch {
    const parts = new Map(
      [...this.parts].map(([name, { data, shape }]) => {
        const [, all = 1, size = 1] = shape
        const own = new (data.constructor as new (length: number) => Floats)(
          samples.length * outputs.length * size,
        )
        samples.forEach((i, a) => {
          outputs.forEach((o, b) => {
            const from = (i * all + o) * size
            own.set(data.subarray(from, from + size), (a * outputs.length + b) * size)
          })
        })
        return [name, { data: own, shape: [samples.length, outputs.length, size] }]
      }),
    )
    return new TangentSketch(parts, this.map, null)
  }

  /** The same, measured. @internal */
  withError(error: SketchError): TangentSketch {
    return new TangentSketch(this.parts, this.map, error)
  }

  async #norms(signal: AbortSignal | undefined): Promise<Float64Array> {
    const { outputs } = this
    const { data } = await this.selfKernel({ signal })
    return Float64Array.from({ length: this.samples }, (_, i) =>
      Math.sqrt(data.subarray(i * outputs, (i + 1) * outputs).reduce((sum, one) => sum + one, 0)),
    )
  }

  #blocks(rows: number, options: SolveOptions): Promise<TangentFeatures> {
    const { signal, threads, memory } = options
    const blocks = [...this.parts].map(([name, { data }]) => {
      return { name, m: 1, k: data.length / (this.samples * rows), x: data }
    })
    return TangentFeatures.from(this.samples, rows, blocks, { signal, threads, memory })
  }

  #checkSame(other: TangentSketch): void {
    if (other.outputs !== this.outputs) {
      throw mismatch('other', `${this.outputs} outputs or heads`, `${other.outputs}`)
    }
    const [a, b] = [this.map, other.map].map((map) => JSON.stringify(map))
    if (a === b) return
    throw new TangentError(
      'BAD_ARGUMENT',
      'Expected sketches by one map, the same kind, size, seed and parameters, but they are by two; sketch the others with { like }',
    )
  }
}
