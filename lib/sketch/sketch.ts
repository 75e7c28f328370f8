import { badArgument, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { type SinkOptions, toSink } from '../derivatives/tiles.js'
import { held, heldInputs } from '../io/held.js'
import type { Floats, NdArray } from '../io/index.js'
import type { TileReport } from '../io/sink.js'
import {
  type PlannedSketch,
  planSketch,
  type SketchOptions,
  sketchOf,
} from '../kernels/sketch/job.js'
import { sketchTiles } from '../kernels/sketch/tiles.js'
import type { SketchError, SketchMap } from '../kernels/sketch/types.js'
import { type Core, cores } from '../model/core.js'
import { type Inputs, samplesOf } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { measureError } from './error.js'
import { TangentSketch } from './features.js'

/** Options of {@link sketch} that stays in memory. */
export interface MeasuredSketchOptions extends SketchOptions {
  /** Samples whose exact kernel is compared (default: 16; 0: none). */
  check?: number | undefined
  /** A sketch whose map is taken, so that both can be compared; size, kind and seed are its own then. */
  like?: TangentSketch | undefined
}

/** What was done to a sink, and how far the sketches' inner products are from the kernel. */
export interface SketchReport extends TileReport {
  error: SketchError | null
}

type Heads = NonNullable<PlannedSketch['heads']>

/**
 * Sketches of a network's tangent features: k numbers for each sample and output whose inner products are
 * those of the features, the tangent kernel, up to an error that is measured against the exact kernel of
 * some samples and told. The map is a function of the seed and the parameters' names alone, so that any
 * batching and any process applies the same one. It serves where features are too large to keep.
 * @param x N samples
 * @param options with a `sink` the sketches go there, in tiles of samples, by part.
 * @throws TangentError as {@link Network.ntk} does.
 * @example
 * ```js
 * import { buildMlp, Network, sketch } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [64], outputs: 1 }))
 * const x = { data: Float32Array.from({ length: 40 }, (_, e) => Math.sin(e)), shape: [20, 2] }
 * const { parts, error } = await sketch(network, x, { size: 1024 })
 * console.log(parts.get('total').shape.join(' × '))
 * console.log(error.offDiagonal < 0.1, error.expected.offDiagonal < 0.1)
 * await network.dispose()
 * // 20 × 1 × 1024
 * // true true
 * ```
 * @since 0.2.0
 */
export function sketch(
  network: Network<Floats>,
  x: Inputs,
  options: MeasuredSketchOptions & SinkOptions,
): Promise<SketchReport>
export function sketch(
  network: Network<Floats>,
  x: Inputs,
  options?: MeasuredSketchOptions,
): Promise<TangentSketch>
export async function sketch(
  network: Network<Floats>,
  x: Inputs,
  given: MeasuredSketchOptions & Partial<SinkOptions> = {},
): Promise<TangentSketch | SketchReport> {
  checkCall(given)
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  const { check = 16, like, ...rest } = given
  wholeNumber('options.check', check, 0)
  if (like !== undefined && !(like instanceof TangentSketch && like.map.kind !== 'nystrom')) {
    throw badArgument('options.like', 'a sketch', like)
  }
  const heads = Array.isArray(rest.heads) ? [...rest.heads] : held(rest.heads, 'options.heads')
  const { kind, size, seed } = (like?.map as SketchMap & { kind: SketchOptions['kind'] }) ?? rest
  const options = { ...rest, heads, kind, size, seed }
  const own = heldInputs(x, 'x')
  const planned = await planSketch(core, own, options)
  if (like) checkLike(planned, like.map)
  const headsOf = planned.heads && ((i: number) => (planned.heads as Heads).weights(i, 1))
  const { onProgress: _, ...quiet } = options
  if (toSink(options)) {
    const { map, ...report } = await sketchTiles(planned, options, like?.map)
    const error = check > 0 ? await errorOf(core, own, planned, map, { ...quiet, check }) : null
    return { ...report, error }
  }
  const { prepared, rows } = planned
  const { arrays, map } = await sketchOf(planned, 0, prepared.samples, like?.map)
  const parts = new Map(
    map.parts.map((name, g): [string, NdArray<Floats>] => {
      return [name, { data: arrays[g] as Floats, shape: [prepared.samples, rows, map.size] }]
    }),
  )
  const result = new TangentSketch(parts, map, null)
  if (check === 0) return result
  return result.withError(await measureError(core, own, result, { ...quiet, check }, headsOf))
}

function checkLike({ prepared, groups }: PlannedSketch, { parameters }: SketchMap): void {
  const names = prepared.core.architecture.active.map(({ parameter }) => parameter.name)
  const same =
    names.length === parameters.length &&
    parameters.every(({ name, part }, p) => name === names[p] && part === groups[p])
  if (!same) throw badArgument('options.like', 'a sketch of the same parameters', undefined)
}

/** The error of sketches that are elsewhere: those of the compared samples are made again. */
function errorOf(
  core: Core,
  x: Inputs,
  planned: PlannedSketch,
  map: SketchMap,
  options: SketchOptions & { check: number },
): Promise<SketchError> {
  const { heads, rows, prepared } = planned
  const at = (some: readonly number[], outputs: readonly number[]) =>
    sketchAgain(core, x, { some, outputs, map }, planned, options)
  const measured = { samples: prepared.samples, outputs: rows, map, at }
  return measureError(core, x, measured, options, heads && ((i: number) => heads.weights(i, 1)))
}

/** Of sketches in a store. @internal */
export async function storedError(
  network: Network<Floats>,
  x: Inputs,
  options: SketchOptions & { check: number },
): Promise<SketchError> {
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  const planned = await planSketch(core, x, options)
  const { map } = await sketchOf(planned, 0, 1)
  return errorOf(core, x, planned, map, options)
}

/** The sketch of some of the samples, where that of all is not in memory. */
async function sketchAgain(
  core: Core,
  x: Inputs,
  { some, outputs, map }: { some: readonly number[]; outputs: readonly number[]; map: SketchMap },
  { heads, prepared: { width } }: PlannedSketch,
  options: SketchOptions,
): Promise<TangentSketch> {
  const { rows, ...declared } = await core.reading(x, 'x', options)
  const own = await samplesOf(rows, declared, some)
  let weights: NdArray | undefined
  if (heads) {
    const each = some.map((i) => heads.weights(i, 1))
    const data = new Float64Array(each.flatMap((one) => [...one]))
    weights = { data, shape: [some.length, width, heads.columns] }
  }
  const planned = await planSketch(core, own, { ...options, heads: weights })
  const { arrays } = await sketchOf(planned, 0, some.length, map)
  const parts = new Map(
    map.parts.map((name, g): [string, NdArray<Floats>] => {
      return [name, { data: arrays[g] as Floats, shape: [some.length, planned.rows, map.size] }]
    }),
  )
  const samples = some.map((_, i) => i)
  return new TangentSketch(parts, map, null).at(samples, outputs)
}
