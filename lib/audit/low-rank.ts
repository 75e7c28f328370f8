// Φ Φᵀ + ridge·I of sketches Φ (n, k), through the smaller ΦᵀΦ: nothing of size n × n.
import { badArgument } from '../core/errors.js'
import { each } from '../core/turns.js'
import type { TangentFeatures } from '../fit/features.js'
import type { Floats } from '../io/index.js'
import { numbersOf } from '../linear/checks.js'
import { KernelFactor } from '../linear/factor.js'
import { transposed } from '../linear/transpose.js'
import type { SolveOptions } from '../native/call.js'
import type { ChosenDevice } from '../native/device.js'
import type { TangentSketch } from '../sketch/features.js'
import { checkSketches } from './memory.js'
import { rowsOf } from './products.js'

/** Options of `KernelPosterior.ofSketch`. */
export interface SketchPosteriorOptions extends SolveOptions {
  /** λ > 0. */
  ridge: number
  /** f(x; θ0), as many numbers as there are targets (default: 0). */
  base?: ArrayLike<number> | undefined
}

/** Rows that are solved for at once. */
const together = 256

/** The inverse of ΦΦᵀ + ridge·I: (I − Φ(ΦᵀΦ + ridge·I)⁻¹Φᵀ)/ridge. */
export class SketchFactor {
  /** Rows. */
  readonly n: number
  /** Rows of one sample. */
  readonly outputs: number
  readonly ridge: number
  readonly #phi: Floats
  readonly #size: number
  readonly #rows: TangentFeatures
  readonly #columns: TangentFeatures
  readonly #small: KernelFactor
  readonly #options: SolveOptions

  private constructor(
    { n, outputs, ridge }: Pick<SketchFactor, 'n' | 'outputs' | 'ridge'>,
    phi: Floats,
    [rows, columns]: [TangentFeatures, TangentFeatures],
    small: KernelFactor,
    options: SolveOptions,
  ) {
    this.n = n
    this.outputs = outputs
    this.ridge = ridge
    this.#phi = phi
    this.#size = small.n
    this.#rows = rows
    this.#columns = columns
    this.#small = small
    this.#options = options
  }

  /** @internal */
  static async of(
    sketch: TangentSketch,
    ridge: number,
    budget: number,
    options: SolveOptions,
  ): Promise<SketchFactor> {
    if (!(typeof ridge === 'number' && ridge > 0 && Number.isFinite(ridge)))
      throw badArgument('options.ridge', 'a number above 0', ridge)
    const { samples, outputs } = sketch
    const n = samples * outputs
    const parts = [...sketch.parts.values()].map(({ data }) => ({ data, size: data.length / n }))
    const size = parts.reduce((sum, part) => sum + part.size, 0)
    checkSketches(n, size, budget)
    const [only] = parts
    const phi = parts.length === 1 && only ? only.data : joined(parts, n, size)
    const { signal, threads } = options
    const across = await transposed(phi, n, size, signal)
    const rows = await rowsOf(phi, size, { signal, threads })
    const columns = await rowsOf(across, n, { signal, threads })
    const gram = { data: await columns.kernel(columns, { signal, threads }), shape: [size, size] }
    const small = await KernelFactor.of(gram, ridge, { signal, threads })
    return new SketchFactor({ n, outputs, ridge }, phi, [rows, columns], small, { threads })
  }

  /** Where the small matrix was factored, and why there. */
  get device(): ChosenDevice {
    return this.#small.device
  }

  /** Gives the memory of the factor and of both copies of the sketches back. */
  free(): void {
    this.#small.free()
    this.#rows.free()
    this.#columns.free()
  }

  /** log det(ΦΦᵀ + ridge·I). */
  get logDeterminant(): number {
    return this.#small.logDeterminant + (this.n - this.#size) * Math.log(this.ridge)
  }

  /**
   * (ΦΦᵀ + ridge·I)⁻¹ y.
   * @param y (n, columns)
   */
  async solve(y: ArrayLike<number>): Promise<Float64Array> {
    const right = numbersOf('y', y)
    const count = right.length / this.n
    const lines = await rowsOf(await transposed(right, this.n, count), this.n, this.#options)
    const inner = await this.#small.solve(await this.#columns.kernel(lines, this.#options))
    const back = await rowsOf(await transposed(inner, this.#size, count), this.#size, this.#options)
    const explained = await this.#rows.kernel(back, this.#options)
    const row = (r: number) => {
      for (let e = r * count; e < (r + 1) * count; e += 1)
        explained[e] = ((right[e] as number) - (explained[e] as number)) / this.ridge
    }
    await each(this.n, count, row)
    return explained
  }

  /** The blocks of the inverse on the diagonal, one for each sample: (N, O, O). */
  async inverseBlocks({
    signal,
  }: {
    signal?: AbortSignal | undefined
  } = {}): Promise<Float64Array> {
    const { outputs, ridge } = this
    const size = this.#size
    const samples = this.n / outputs
    const blocks = new Float64Array(this.n * outputs)
    const some = Math.max(1, Math.floor(together / outputs))
    for (let first = 0; first < samples; first += some) {
      const count = Math.min(some, samples - first)
      const rows = count * outputs
      const from = first * outputs * size
      const phi = this.#phi.subarray(from, from + rows * size)
      const solved = await transposed(
        await this.#small.solve(await transposed(phi, rows, size, signal)),
        size,
        rows,
        signal,
      )
      const one = (i: number) => {
        for (let o = 0; o < outputs; o += 1) {
          for (let p = 0; p <= o; p += 1) {
            let sum = 0
            const [a, b] = [(i * outputs + o) * size, (i * outputs + p) * size]
            for (let e = 0; e < size; e += 1)
              sum += (phi[a + e] as number) * (solved[b + e] as number)
            const value = (Number(o === p) - sum) / ridge
            const at = (first + i) * outputs * outputs
            blocks[at + o * outputs + p] = value
            blocks[at + p * outputs + o] = value
          }
        }
      }
      await each(count, outputs * outputs * size, one, signal)
    }
    return blocks
  }
}

/** Parts of every row after one another. */
function joined(
  parts: readonly { data: Floats; size: number }[],
  n: number,
  size: number,
): Float64Array {
  const all = new Float64Array(n * size)
  for (let r = 0; r < n; r += 1) {
    let at = r * size
    for (const part of parts) {
      all.set(part.data.subarray(r * part.size, (r + 1) * part.size), at)
      at += part.size
    }
  }
  return all
}
