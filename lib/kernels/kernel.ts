import { abortError, leavable } from '../core/abort.js'
import { badArgument, mismatch, oneOf, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { checkArray, type Floats, type NdArray, writeNpy } from '../io/index.js'
import { call, memoryOf, threadsOf } from '../native/call.js'
import { deviceForWork, spectrumWork } from '../native/choose.js'
import {
  type ChosenDevice,
  type DeviceOptions,
  deviceName,
  type MeasuredError,
} from '../native/device.js'
import type { KernelKind } from '../native/engine.js'
import type { NativeSpectrum } from '../native/fit.js'
import { native } from '../native/index.js'

/** Options of {@link TangentKernel.alignment}. */
export interface AlignmentOptions {
  /** Double centring first, which makes it the CKA (default: false, the plain cosine). */
  centred?: boolean
}

/** Options of {@link TangentKernel.eigenvalues}. */
export interface SpectrumOptions extends DeviceOptions {
  /** Aborts with a DOMException named AbortError. */
  signal?: AbortSignal | undefined
}

/**
 * An empirical tangent kernel. With `K[i,o,j,p] = Σ_θ ∂f_o(x_i)/∂θ · ∂f_p(x'_j)/∂θ`, summed and
 * not averaged, it is one of
 * - `full`: shape (N1, O, N2, O), all of K;
 * - `trace`: shape (N1, N2), Σ_o K[i,o,j,o];
 * - `diagonal`: shape (N1, N2, O), K[i,o,j,o].
 *
 * It is an array `{ data, shape }` like any other, float32 in C order (float64 of a network loaded in it).
 */
export class TangentKernel<F extends Floats = Float32Array> implements NdArray<F> {
  readonly data: F
  readonly shape: number[]
  readonly kind: KernelKind
  /** True for a kernel of X with itself; it is symmetric to the last bit then. */
  readonly symmetric: boolean
  /** How far its products in TF32 were off; absent where they were in float32. */
  readonly tf32: MeasuredError | undefined
  readonly #spectra = new Map<number | undefined, Promise<NativeSpectrum>>()
  #device: ChosenDevice | undefined

  /** @param shape as the kind demands. */
  constructor(
    data: F,
    shape: readonly number[],
    kind: KernelKind,
    symmetric: boolean,
    tf32?: MeasuredError,
  ) {
    oneOf(kind, ['full', 'trace', 'diagonal'] as const, 'kind')
    const rank = { full: 4, trace: 2, diagonal: 3 }[kind]
    checkArray({ data, shape: shape as number[] }, 'the kernel')
    if (!(data instanceof Float32Array || data instanceof Float64Array))
      throw badArgument('data', 'a Float32Array or Float64Array', data)
    if (shape.length !== rank) throw badArgument('shape', `${rank} dimensions`, shape)
    this.data = data
    this.shape = [...shape]
    this.kind = kind
    this.symmetric = symmetric
    this.tf32 = tf32
  }

  /** Outputs O that the kernel was made of; 1 for a trace kernel. */
  get outputs(): number {
    if (this.kind === 'trace') return 1
    return this.shape[this.kind === 'full' ? 1 : 2] as number
  }

  /**
   * The kernel as a matrix: (N1·O, N2·O), which is J J'ᵀ and shares this kernel's memory, for
   * `full`; (N1, N2) for `trace`; (N1, N2) of one output, a copy, for `diagonal`.
   * @param output which output of a `diagonal` kernel.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 3 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
   * const kernel = await network.ntk(x)
   * console.log(kernel.shape.join(' '), '→', kernel.gram().shape.join(' '))
   * await network.dispose()
   * // 2 3 2 3 → 6 6
   * ```
   * @since 0.1.0
   */
  gram(output?: number): NdArray<F> {
    const [rows = 0, a = 0, b = 0] = this.shape
    if (this.kind === 'full') return { data: this.data, shape: [rows * a, b * a] }
    if (this.kind === 'trace') return { data: this.data, shape: [rows, a] }
    if (output === undefined || !Number.isInteger(output) || output < 0 || output >= b) {
      throw badArgument('output', `an output from 0 to ${b - 1} of the diagonal kernel`, output)
    }
    const data = new (this.data.constructor as new (length: number) => F)(rows * a)
    for (let e = 0; e < data.length; e += 1) data[e] = this.data[e * b + output] as number
    return { data, shape: [rows, a] }
  }

  /**
   * Eigenvalues of the Gram matrix, descending, by LAPACK, or on a device, in float64, off the JS thread.
   * @param output which output of a `diagonal` kernel.
   * @param options a signal that lets the call be left at once (the decomposition ends in the
   *   background), and a device.
   * @throws TangentError BAD_ARGUMENT for a kernel of two inputs, NUMERICAL when it is not
   *   finite; a
   *   DOMException named AbortError.
   * @example
   * ```js
   * import { targetKernel } from 'adaptive-tangent'
   *
   * // Two classes of two samples each: two eigenvalues of 2.
   * const kernel = targetKernel(
   *   { data: Int32Array.of(0, 0, 1, 1), shape: [4] },
   *   { centred: false },
   * )
   * console.log(
   *   [...(await kernel.eigenvalues())].map((value) => Math.abs(value).toFixed(1)).join(' '),
   * )
   * // 2.0 2.0 0.0 0.0
   * ```
   * @since 0.1.0
   */
  async eigenvalues(output?: number, options: SpectrumOptions = {}): Promise<Float64Array> {
    checkCall(options)
    this.#checkSymmetric('eigenvalues')
    return (await this.#spectrum(output, options)).values
  }

  /** Where its eigenvalues were computed last, and why there; undefined before. */
  get device(): ChosenDevice | undefined {
    return this.#device
  }

  /**
   * Sum of the Gram matrix's diagonal: Σ_i Σ_o K[i,o,i,o], for every kind.
   * @example
   * ```js
   * import { targetKernel } from 'adaptive-tangent'
   *
   * const kernel = targetKernel(
   *   { data: Int32Array.of(0, 0, 1, 1), shape: [4] },
   *   { centred: false },
   * )
   * console.log(kernel.trace())
   * // 4
   * ```
   * @since 0.1.0
   */
  trace(): number {
    this.#checkSymmetric('its trace')
    const [samples = 0] = this.shape
    const { outputs, kind, data } = this
    let sum = 0
    for (let i = 0; i < samples; i += 1) {
      for (let o = 0; o < outputs; o += 1) {
        const row = kind === 'full' ? (i * outputs + o) * samples : i * samples
        sum += data[(row + i) * outputs + o] as number
      }
    }
    return sum
  }

  /**
   * exp of the entropy of the eigenvalues over their sum: how many directions carry the kernel
   * (Roy & Vetterli 2007). Between 1 and the number of rows.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { targetKernel } from 'adaptive-tangent'
   *
   * const kernel = targetKernel(
   *   { data: Int32Array.of(0, 0, 1, 1), shape: [4] },
   *   { centred: false },
   * )
   * console.log((await kernel.effectiveRank()).toFixed(2))
   * // 2.00
   * ```
   * @since 0.1.0
   */
  async effectiveRank(output?: number, options: SpectrumOptions = {}): Promise<number> {
    checkCall(options)
    this.#checkSymmetric('its effective rank')
    return (await this.#spectrum(output, options)).effectiveRank
  }

  /**
   * (tr K)² / tr K²: the number of equal eigenvalues that would give the same two traces.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { targetKernel } from 'adaptive-tangent'
   *
   * const kernel = targetKernel(
   *   { data: Int32Array.of(0, 0, 1, 1), shape: [4] },
   *   { centred: false },
   * )
   * console.log((await kernel.participationRatio()).toFixed(2))
   * // 2.00
   * ```
   * @since 0.1.0
   */
  async participationRatio(): Promise<number> {
    const matrix = this.#matrix()
    const { squared } = await compared(matrix, matrix, false)
    const trace = this.trace()
    return squared === 0 ? 0 : (trace * trace) / squared
  }

  /**
   * ⟨K, K'⟩ / (‖K‖ ‖K'‖), Frobenius; in [−1, 1]. With `centred` both are centred in rows and
   * columns first, which makes it the CKA (Kornblith et al. 2019).
   * @param other a kernel of the same kind and size, such as {@link targetKernel}'s, or the matrix
   *   itself, of the shape of {@link gram}.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { targetKernel } from 'adaptive-tangent'
   *
   * const labels = { data: Int32Array.of(0, 0, 1, 1), shape: [4] }
   * const kernel = targetKernel(labels, { centred: false })
   * console.log((await kernel.alignment(targetKernel(labels), { centred: true })).toFixed(2))
   * // 1.00
   * ```
   * @since 0.1.0
   */
  async alignment(
    other: TangentKernel<Floats> | NdArray,
    options: AlignmentOptions = {},
  ): Promise<number> {
    checkCall(options)
    const a = this.#matrix()
    if (!(other instanceof TangentKernel)) checkArray(other, 'other')
    const b = other instanceof TangentKernel ? other.#matrix() : matrixOf(other)
    if (a.rows !== b.rows || a.columns !== b.columns) {
      throw mismatch('other', `a kernel of ${a.rows} × ${a.columns}`, `${b.rows} × ${b.columns}`)
    }
    const { cosine } = await compared(a, b, options.centred ?? false)
    return Number.isNaN(cosine) ? 0 : cosine
  }

  /**
   * Writes the kernel as `.npy`, whole or not at all.
   * @throws TangentError `FAILED` when it cannot be written.
   * @example
   * ```js
   * import { readArray, targetKernel } from 'adaptive-tangent'
   *
   * const kernel = targetKernel({ data: Int32Array.of(0, 0, 1, 1), shape: [4] })
   * await kernel.save('kernel.npy')
   * console.log((await readArray('kernel.npy')).shape.join(' × '))
   * // 4 × 4
   * ```
   * @since 0.1.0
   */
  async save(path: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    checkCall(options)
    await writeNpy(path, this, options)
  }

  async #spectrum(
    output: number | undefined,
    { signal, device }: SpectrumOptions,
  ): Promise<NativeSpectrum> {
    if (signal?.aborted) throw abortError(signal)
    let spectrum = this.#spectra.get(output)
    if (!spectrum) {
      const { data, shape } = this.gram(output)
      const rows = shape[0] as number
      spectrum = this.#decompose(data, rows, device)
      this.#spectra.set(output, spectrum)
      // Another device may find it.
      spectrum.catch(() => this.#spectra.delete(output))
    }
    return leavable(signal, spectrum)
  }

  async #decompose(data: Floats, rows: number, asked: SpectrumOptions['device']) {
    const device = await deviceForWork({ device: asked }, spectrumWork(rows, false))
    const on = deviceName(device)
    const found = await call(undefined, () =>
      native.createSpectrum(data, rows, false, on, memoryOf({})),
    )
    this.#device = device
    return found
  }

  #checkSymmetric(what: string): void {
    if (this.symmetric) return
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected a kernel of one input with itself for ${what} but this one is of two inputs`,
    )
  }

  #matrix(): Matrix {
    if (this.kind !== 'diagonal') return matrixOf(this.gram())
    throw badArgument('this kernel', 'a full or a trace kernel', this.kind)
  }
}

interface Matrix {
  data: Float32Array | Float64Array
  rows: number
  columns: number
}

function compared(a: Matrix, b: Matrix, centred: boolean) {
  const { rows, columns } = a
  return call(undefined, (control) =>
    native.alignment(a.data, b.data, rows, columns, { centred, threads: threadsOf({}), control }),
  )
}

function matrixOf(array: NdArray): Matrix {
  const [rows = 0, columns = 0] = array.shape
  const { data } = array
  if (array.shape.length !== 2 || !(data instanceof Float32Array || data instanceof Float64Array)) {
    throw mismatch(
      'other',
      'a kernel or a matrix of floats',
      `an array (${array.shape.join(', ')})`,
    )
  }
  return { data, rows, columns }
}

/** @throws TangentError BAD_ARGUMENT for what is no tangent kernel. */
export function checkKernel(kernel: unknown, name = 'kernel'): void {
  if (!(kernel instanceof TangentKernel)) throw badArgument(name, 'a TangentKernel', kernel)
}
