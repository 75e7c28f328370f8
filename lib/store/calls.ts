// The calls of a network whose results a store can hold.
import { badArgument, oneOf } from '../core/errors.js'
import type { SinkOptions } from '../derivatives/tiles.js'
import type { Floats } from '../io/index.js'
import type { TileReport } from '../io/sink.js'
import type { NtkOptions } from '../kernels/ntk.js'
import { planSketch, type SketchOptions } from '../kernels/sketch/job.js'
import { sketchTiles } from '../kernels/sketch/tiles.js'
import type { SketchKind } from '../kernels/sketch/types.js'
import { type CallOptions, cores, type DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import type { StoreInputs } from './samples.js'

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
      /** One weight for each output, that all samples share. */
      heads?: readonly number[] | undefined
    } & Without<Omit<SketchOptions, 'kind' | 'heads'>>)

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
}

/** The options of a request as a manifest has them. @throws TangentError BAD_ARGUMENT for unknown ones. */
export function plainRequest(request: StoreRequest): PlainRequest {
  const { x, x2, threads, memory, kind, ...options } = request
  oneOf(kind, ['ntk', 'jacobian', 'features', 'sketch'] as const, 'request.kind')
  if (kind === undefined) {
    throw badArgument('request.kind', 'ntk, jacobian, features or sketch', kind)
  }
  if (kind !== 'ntk' && x2 !== undefined) throw badArgument('request.x2', 'none', x2)
  const defaults = {
    ntk: { kernel: 'full', by: 'total', method: 'auto' },
    jacobian: {},
    features: {},
    sketch: { map: 'combined', size: 4096, seed: 1, by: 'total' },
  }[kind]
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  const unknown = given.find(([name]) => !optionsOf[kind].includes(name))
  if (unknown) {
    const known = optionsOf[kind].join(', ')
    throw badArgument('request', `options of ${kind} (${known})`, unknown[0])
  }
  return { ...defaults, ...Object.fromEntries(given), kind }
}

/** Makes the call for some of its samples. */
export function callOf(
  network: Network<Floats>,
  { kind, ...options }: PlainRequest,
  x: Inputs,
  x2: Inputs | undefined,
  more: SinkOptions & CallOptions,
): Promise<TileReport> {
  const all = { ...options, ...more }
  if (kind === 'jacobian') return network.jacobian(x, all)
  if (kind === 'features') return network.features(x, all)
  if (kind === 'sketch') return sketchTo(network, x, all)
  return x2 === undefined ? network.ntk(x, all) : network.ntk(x, x2, all)
}

async function sketchTo(
  network: Network<Floats>,
  x: Inputs,
  { map, ...options }: SinkOptions & SketchOptions & { map?: SketchKind },
): Promise<TileReport> {
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  const how = { ...options, kind: map }
  const { map: _, ...report } = await sketchTiles(await planSketch(core, x, how), how)
  return report
}
