import { badArgument, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { heldInputs } from '../io/held.js'
import { identify } from '../io/identify.js'
import type { Floats, NdArray } from '../io/index.js'
import type { TangentKernel } from '../kernels/kernel.js'
import { ntk } from '../kernels/ntk.js'
import { LandmarkRoot, type Landmarks, landmarksOf } from '../kernels/nystrom.js'
import type { SketchError, SketchMap } from '../kernels/sketch/types.js'
import { type CallOptions, type Core, cores } from '../model/core.js'
import { type Declared, type Inputs, type SettledInputs, samplesOf } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { measureError } from './error.js'
import { TangentSketch } from './features.js'

/** Options of {@link nystrom}. */
export interface NystromOptions extends CallOptions {
  /** Flat indices of the outputs wanted (default: all). */
  outputs?: readonly number[] | undefined
  /** How many samples are landmarks (default: 64, or all of fewer), or which. */
  landmarks?: Landmarks
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
  const found = await among(core, own, { landmarks: options.landmarks, seed, ...call })
  const { map } = found
  const all = await featuresOf(found, own, call)
  const result = new TangentSketch(new Map([['total', all]]), map, null)
  if (check === 0) return result
  return result.withError(await measureError(core, own, result, { ...call, check }))
}

/** Of features in a store: those of the compared samples are made again. @internal */
export async function storedNystromError(
  network: Network<Floats>,
  x: Inputs,
  { landmarks, seed = 1, check, ...call }: NystromOptions & { check: number },
): Promise<SketchError> {
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  const found = await among(core, x, { landmarks, seed, ...call })
  const { map, samples, outputs, rows, declared } = found
  const at = async (some: readonly number[], chosen: readonly number[]) => {
    const part = await featuresOf(found, await samplesOf(rows, declared, some), call)
    const made = new TangentSketch(new Map([['total', part]]), map, null)
    return made.at(Array.from(some.keys()), chosen)
  }
  return measureError(core, x, { samples, outputs, map, at }, { ...call, check })
}

/** The landmarks among some samples, and the map that they make. */
interface Among {
  core: Core
  rows: SettledInputs
  declared: Declared
  at: SettledInputs
  root: LandmarkRoot
  samples: number
  outputs: number
  map: SketchMap
}

async function among(
  core: Core,
  x: Inputs,
  {
    landmarks,
    seed,
    ...call
  }: CallOptions & Pick<NystromOptions, 'landmarks' | 'outputs'> & { seed: number },
): Promise<Among> {
  const { samples } = await core.feed(x, 'x', call)
  const { rows, ...declared } = await core.reading(x, 'x', call)
  const at = await samplesOf(rows, declared, landmarksOf(landmarks, samples, seed))
  const kernel = (await ntk(core, at, undefined, call)).get('total')
  if (!kernel) throw badArgument('network', 'a network with parameters', core)
  const { signal, threads } = call
  const root = await LandmarkRoot.of(kernel, { signal, threads })
  const [, outputs = 1] = kernel.shape
  const parameters = core.architecture.active.map(({ parameter: { name } }) => {
    return { name, part: 0, stage: [0, 0] as const }
  })
  const map = {
    ...({ kind: 'nystrom', size: root.columns, seed, parts: ['total'], parameters } as const),
    landmarks: await identify(kernel.data),
  }
  return { core, rows, declared, at, root, samples, outputs, map }
}

async function featuresOf(
  { core, at, root, outputs }: Among,
  x: Inputs,
  call: CallOptions & Pick<NystromOptions, 'outputs'>,
): Promise<NdArray<Float64Array>> {
  const across = (await ntk(core, x, at, call)).get('total') as TangentKernel<Floats>
  const [samples = 0] = across.shape
  return { data: await root.features(across.data), shape: [samples, outputs, root.columns] }
}
