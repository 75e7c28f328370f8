import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { heldInputs } from '../io/held.js'
import { identify } from '../io/identify.js'
import type { Floats } from '../io/index.js'
import { ntk } from '../kernels/ntk.js'
import { permutation, stream } from '../linear/random.js'
import { KernelSpectrum } from '../linear/spectrum.js'
import { type CallOptions, cores } from '../model/core.js'
import { type Inputs, samplesOf } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { measureError } from './error.js'
import { TangentSketch } from './features.js'

/** Options of {@link nystrom}. */
export interface NystromOptions extends CallOptions {
  /** Flat indices of the outputs wanted (default: all). */
  outputs?: readonly number[] | undefined
  /** How many samples are landmarks (default: 64, or all of fewer), or which. */
  landmarks?: number | readonly number[] | undefined
  /** Which of all random choices of landmarks (default: 1). */
  seed?: number | undefined
  /** Samples whose exact kernel is compared (default: 16; 0: none). */
  check?: number | undefined
}

/**
 * Nyström features Φ = K(x, z) K(z, z)^(−1/2) of landmarks z among the samples, one feature for each landmark
 * and output: ΦΦᵀ is the kernel's best approximation by what it is at the landmarks, exact for them and
 * never larger on the diagonal. Where the kernel's eigenvalues fall fast, a smaller error than that of a
 * {@link sketch} of the same size; it is measured in the same way.
 * @param x N samples
 * @throws TangentError as {@link Network.ntk} does.
 * @example
 * ```js
 * import { buildMlp, Network, nystrom } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [64], outputs: 1 }))
 * const x = { data: Float32Array.from({ length: 100 }, (_, e) => Math.sin(e)), shape: [50, 2] }
 * const { parts, error } = await nystrom(network, x, { landmarks: 20 })
 * console.log(parts.get('total').shape.join(' × '), error.offDiagonal < 0.1)
 * await network.dispose()
 * // 50 × 1 × 20 true
 * ```
 * @since 0.2.0
 */
export async function nystrom(
  network: Network<Floats>,
  x: Inputs,
  options: NystromOptions = {},
): Promise<TangentSketch> {
  checkCall(options)
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  const { seed = 1, check = 16, outputs, signal, threads, memory } = options
  wholeNumber('options.seed', seed, 0, 2 ** 32 - 1)
  wholeNumber('options.check', check, 0)
  const own = heldInputs(x, 'x')
  const call = { outputs, signal, threads, memory }
  const { samples } = await core.feed(own, 'x', call)
  const chosen = landmarksOf(options.landmarks, samples, seed)
  const { rows, ...declared } = await core.reading(own, 'x', call)
  const at = await samplesOf(rows, declared, chosen)
  const among = (await ntk(core, at, undefined, call)).get('total')
  const across = (await ntk(core, own, at, call)).get('total')
  if (!among || !across) throw badArgument('network', 'a network with parameters', network)
  const [, o = 1, m = 0] = across.shape
  const [n, columns] = [samples * o, m * o]
  const spectrum = await KernelSpectrum.of(among, { signal, threads })
  const largest = spectrum.values[0] as number
  // What is left of float32 kernels below is rounding.
  const least = largest * columns * 2 ** -23
  const roots = spectrum.values.map((value) => (value > least ? 1 / Math.sqrt(value) : 0))
  if (!(largest > 0)) throw mismatch('the kernel of the landmarks', 'one that is not zero', 'zeros')
  const turned = new Float64Array(columns * n)
  across.data.forEach((value, e) => {
    turned[(e % columns) * n + Math.floor(e / columns)] = value
  })
  const made = await spectrum.filter(roots, turned)
  const data = new Float64Array(n * columns)
  made.forEach((value, e) => {
    data[(e % n) * columns + Math.floor(e / n)] = value
  })
  const parameters = core.architecture.active.map(({ parameter: { name } }) => {
    return { name, part: 0, stage: [0, 0] as const }
  })
  const map = {
    ...({ kind: 'nystrom', size: columns, seed, parts: ['total'], parameters } as const),
    landmarks: await identify(among.data),
  }
  const parts = new Map([['total', { data, shape: [samples, o, columns] }]])
  const result = new TangentSketch(parts, map, null)
  if (check === 0) return result
  return result.withError(await measureError(core, own, result, { ...call, check }))
}

function landmarksOf(
  given: NystromOptions['landmarks'],
  samples: number,
  seed: number,
): readonly number[] {
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
