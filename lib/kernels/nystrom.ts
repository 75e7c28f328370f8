// Nyström features of landmarks z: Φ = K(x, z) K(z, z)^(−1/2).
import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import type { Floats, NdArray } from '../io/index.js'
import { permutation, stream } from '../linear/random.js'
import { KernelSpectrum } from '../linear/spectrum.js'
import { transposed } from '../linear/transpose.js'

/** Samples that are landmarks: how many (default: 64, or all of fewer), or which. */
export type Landmarks = number | readonly number[] | undefined

/** Which of the samples they are: for a number some at random, a function of the seed. */
export function landmarksOf(given: Landmarks, samples: number, seed: number): readonly number[] {
  if (Array.isArray(given)) {
    if (given.length === 0) throw badArgument('options.landmarks', 'at least one sample', given)
    for (const i of given) wholeNumber('options.landmarks', i, 0, samples - 1)
    if (new Set(given).size < given.length) {
      throw badArgument('options.landmarks', 'each sample once', given)
    }
    return given
  }
  const count = (given as number | undefined) ?? Math.min(64, samples)
  wholeNumber('options.landmarks', count, 1, samples)
  return Array.from(permutation(samples, stream(seed, 0)).slice(0, count)).sort((a, b) => a - b)
}

/** Numbers that are turned at once. */
const mostTogether = 2 ** 18

/** K(z, z)^(−1/2), by the eigenvectors of K(z, z). */
export class LandmarkRoot {
  /** Features: one for each landmark and output. */
  readonly columns: number
  readonly #spectrum: KernelSpectrum
  readonly #roots: Float64Array

  private constructor(spectrum: KernelSpectrum) {
    const largest = spectrum.values[0] as number
    if (!(largest > 0)) {
      throw mismatch('the kernel of the landmarks', 'one that is not zero', 'zeros')
    }
    this.columns = spectrum.n
    this.#spectrum = spectrum
    // What is left of float32 kernels below is rounding.
    const least = largest * spectrum.n * 2 ** -23
    this.#roots = spectrum.values.map((value) => (value > least ? 1 / Math.sqrt(value) : 0))
  }

  /** @param among K(z, z), (M, O, M, O) */
  static async of(
    among: NdArray<Floats>,
    options: { signal?: AbortSignal | undefined; threads?: number | undefined } = {},
  ): Promise<LandmarkRoot> {
    return new LandmarkRoot(await KernelSpectrum.of(among, options))
  }

  /** @param across K(x, z), (n, O, M, O). @returns (n · O, columns) */
  async features(across: Floats): Promise<Float64Array> {
    const { columns } = this
    const all = new Float64Array(across.length)
    // Some rows at a time: this thread does other things in between.
    const some = Math.max(1, Math.floor(mostTogether / columns)) * columns
    for (let first = 0; first < across.length; first += some) {
      const part = across.subarray(first, first + some)
      const rows = part.length / columns
      const turned = await transposed(part, rows, columns)
      const made = await this.#spectrum.filter(this.#roots, turned)
      all.set(await transposed(made, columns, rows), first)
    }
    return all
  }
}
