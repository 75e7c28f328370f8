// The calls of a network whose results a store can hold.
import { badArgument, oneOf } from '../core/errors.js'
import type { SinkOptions } from '../derivatives/tiles.js'
import { type ArraySource, type Floats, isSource, type NdArray, wholeOf } from '../io/index.js'
import type { TileReport } from '../io/sink.js'
import { type KnownLandmarks, nystromTiles } from '../kernels/landmark-tiles.js'
import type { NtkOptions } from '../kernels/ntk.js'
import type { Landmarks } from '../kernels/nystrom.js'
import { planSketch, type SketchOptions } from '../kernels/sketch/job.js'
import { sketchTiles } from '../kernels/sketch/tiles.js'
import type { SketchKind } from '../kernels/sketch/types.js'
import type { CallOptions, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { coreOf } from '../network/job.js'
import type { Network } from '../network/network.js'
import { headsInput, type StoreInputs } from './samples.js'

/** What a store is to hold: the call of that name, with its arguments. */
export type StoreRequest =
  | ({ kind: 'ntk'; x: StoreInputs; x2?: StoreInputs | undefined } & Without<NtkOptions>)
  | ({ kind: 'jacobian' | 'features'; x: StoreInputs; x2?: undefined } & Without<DerivativeOptions>)
  | ({
      kind: 'sketch'
      x: StoreInputs
      x2?: undefined
      /** The kind of the sketch's map. */
      map?: SketchKind | undefined
      /** One weight for each output, that all samples share, or weights (N, O) or (N, O, H) of each. */
      heads?: readonly number[] | NdArray | ArraySource | undefined
    } & Without<Omit<SketchOptions, 'kind' | 'heads'>>)
  | ({
      kind: 'nystrom'
      x: StoreInputs
      x2?: undefined
      /** How many samples are landmarks (default: 64, or all of fewer), or which. */
      landmarks?: Landmarks
      /** Which of all random choices of landmarks (default: 1). */
      seed?: number | undefined
    } & Without<DerivativeOptions>)

/** Thread count and memory budget are those of each worker. */
type Without<T> = Omit<T, 'signal' | 'onProgress'>

/** Plain options that decide the numbers. */
export type PlainRequest = Readonly<Record<string, unknown>> & { kind: string }

const derivative = ['nonFinite', 'outputs', 'block', 'outputBlock']
/** Options that decide the numbers, by kind. */
const optionsOf: Record<StoreRequest['kind'], readonly string[]> = {
  ntk: ['kernel', 'by', 'method', 'mean', ...derivative],
  jacobian: derivative,
  features: derivative,
  sketch: ['map', 'size', 'seed', 'by', 'heads', ...derivative],
  nystrom: ['landmarks', 'seed', ...derivative],
}

const kinds = ['ntk', 'jacobian', 'features', 'sketch', 'nystrom'] as const

/** Stands for heads that come with the samples. */
const ofEach = 'of each sample'

/** Heads that come with the samples. */
export function headsOfEach(request: StoreRequest): NdArray | ArraySource | undefined {
  const { heads } = request as { heads?: unknown }
  return heads === undefined || Array.isArray(heads) ? undefined : (heads as NdArray)
}

/** The options of a request as a manifest has them. @throws TangentError BAD_ARGUMENT for unknown ones. */
export function plainRequest(request: StoreRequest): PlainRequest {
  const { x, x2, threads, memory, kind, ...options } = request
  oneOf(kind, kinds, 'request.kind')
  if (kind === undefined) {
    throw badArgument('request.kind', `${kinds.slice(0, -1).join(', ')} or ${kinds.at(-1)}`, kind)
  }
  if (kind !== 'ntk' && x2 !== undefined) throw badArgument('request.x2', 'none', x2)
  const defaults = {
    ntk: { kernel: 'full', by: 'total', method: 'auto' },
    jacobian: {},
    features: {},
    sketch: { map: 'combined', size: 4096, seed: 1, by: 'total' },
    nystrom: { seed: 1 },
  }[kind]
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  const unknown = given.find(([name]) => !optionsOf[kind].includes(name))
  if (unknown) {
    const known = optionsOf[kind].join(', ')
    throw badArgument('request', `options of ${kind} (${known})`, unknown[0])
  }
  const heads = headsOfEach(request) && { heads: ofEach }
  return { ...defaults, ...Object.fromEntries(given), ...heads, kind }
}

/** Makes the call for some of its samples. */
export function callOf(
  network: Network<Floats>,
  { kind, ...options }: PlainRequest,
  x: Inputs,
  x2: Inputs | undefined,
  more: SinkOptions & CallOptions,
  landmarks?: KnownLandmarks,
): Promise<TileReport> {
  const all = { ...options, ...more }
  if (kind === 'jacobian') return network.jacobian(x, all)
  if (kind === 'features') return network.features(x, all)
  if (kind === 'sketch') return sketchTo(network, x, all)
  if (landmarks) return nystromTiles(coreOf(network), x, landmarks, all)
  return x2 === undefined ? network.ntk(x, all) : network.ntk(x, x2, all)
}

async function sketchTo(
  network: Network<Floats>,
  x: Inputs,
  { map, heads, ...options }: SinkOptions & Omit<SketchOptions, 'heads'> & SketchExtras,
): Promise<TileReport> {
  const core = coreOf(network)
  const own = heads === ofEach ? await apart(x) : { x, heads }
  const how = { ...options, heads: own.heads, kind: map } as SketchOptions & SinkOptions
  const { map: _, ...report } = await sketchTiles(await planSketch(core, own.x, how), how)
  return report
}

interface SketchExtras {
  map?: SketchKind
  heads?: SketchOptions['heads'] | typeof ofEach
}

/** The samples, and the heads that came with them. */
async function apart(x: Inputs): Promise<{ x: Inputs; heads: NdArray }> {
  const { [headsInput]: heads, ...inputs } = x as Record<string, NdArray | ArraySource>
  const own = heads as NdArray | ArraySource
  return { x: inputs, heads: isSource(own) ? await wholeOf(own, 'heads') : own }
}
