import { shapeSize } from '../core/shape.js'
import { picked } from '../io/axes.js'
import type { Floats, NdArray } from '../io/index.js'
import type { TileReport } from '../io/sink.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { type NativeFeatures, native } from '../native/index.js'
import { loaded } from '../runtime/loaded.js'
import { checkSeparable, cut } from './blocks.js'
import { askJob, prepare } from './derive.js'
import { digestOfJob } from './identity.js'
import type { Prepared } from './prepared.js'
import { chosenSize, fillRows, type SinkOptions } from './tiles.js'

/**
 * The tangent features ∂f_o(x_i)/∂θ of one parameter, dense or in factors (METHOD.md section 2):
 * the parameter seen as an m × k matrix has X[i,o] = Σ_t δ[i,o,t,:] ⊗ h[i,t,:].
 */
export type ParameterFeatures<F extends Floats = Float32Array> = { shape: number[] } & (
  | {
      kind: 'dense'
      /** (N, O, …shape). */
      x: NdArray<F>
      /** Where the parameter is used as one matrix: how it is stored, and its bias. */
      matrix?: MatrixUse
    }
  | {
      kind: 'rows'
      /** δ, (N, O, T, m): h[i,t,:] is 1 at one column and 0 elsewhere, as for rows of an embedding. */
      delta: NdArray<F>
      /** That column, (N, T), from 0 to k − 1. */
      columns: NdArray<Int32Array>
      /** Columns of the parameter seen as a matrix. */
      k: number
      /** The parameter is stored k × m instead of m × k. */
      transposed: boolean
    }
  | {
      kind: 'factors'
      /** δ, (N, O, T, m). */
      delta: NdArray<F>
      /** h, (N, T, k). */
      h: NdArray<F>
      /** The parameter is stored k × m instead of m × k. */
      transposed: boolean
      /** Name of the parameter (of m numbers) whose features are Σ_t δ[i,o,t,:], if there is one. */
      bias: string | undefined
    }
)

export type FeatureArrays<F extends Floats = Float32Array> = Map<string, ParameterFeatures<F>>

/** How a parameter is used as a matrix: how it is stored, and the name of its bias. */
export interface MatrixUse {
  m: number
  k: number
  transposed: boolean
  bias: string | undefined
}

/** The features of one parameter in the addon's memory. */
export interface HeldParameter {
  name: string
  shape: number[]
  /** Ids of the blocks that hold them, of the samples or blocks that `prepared` tells. */
  blocks: NativeFeatures
  matrix: MatrixUse | undefined
}

/** A network's features in the addon's memory, until they are released. */
export interface HeldFeatures {
  prepared: Prepared
  /** In double. */
  double: boolean
  parameters: HeldParameter[]
  release(): void
}

/** Computes features and leaves them where they are: whoever calls releases them. */
export async function heldFeatures(prepared: Prepared, factored = false): Promise<HeldFeatures> {
  const job = factored ? { kind: 'features' as const, factored: 1 } : { kind: 'features' as const }
  const { result } = askJob(prepared, job, prepared.budget, {
    discard: ({ report }) => (report as NativeFeatures[]).forEach(releaseFeatures),
  })
  const found = (await result).report as NativeFeatures[]
  const active = prepared.core.architecture.active.map(({ parameter }) => parameter)
  const parameters = active.map(({ name, shape }, p): HeldParameter => {
    const blocks = found[p] as NativeFeatures
    const { rows: m, cols: k, transposed = false, bias = -1 } = blocks
    const known = m !== undefined && k !== undefined
    const matrix = known ? { m, k, transposed, bias: active[bias]?.name } : undefined
    return { name, shape: [...shape], blocks, matrix }
  })
  const { double } = prepared.core.architecture
  return { prepared, double, parameters, release: () => found.forEach(releaseFeatures) }
}

export async function features(
  core: Core,
  inputs: Inputs,
  options: DerivativeOptions,
): Promise<FeatureArrays<Floats>> {
  return featuresOf(await prepare(core, inputs, options))
}

/** The same, in factors wherever that is possible, even where these are larger. */
export async function factors(
  core: Core,
  inputs: Inputs,
  options: DerivativeOptions,
): Promise<FeatureArrays<Floats>> {
  return featuresOf(await prepare(core, inputs, options), true)
}

/** The same as features, in tiles of samples to a sink: by parameter `/x`, or `/delta` and `/h` or `/columns`. */
export async function featuresTo(
  core: Core,
  inputs: Inputs,
  options: DerivativeOptions & SinkOptions,
): Promise<TileReport> {
  const prepared = await prepare(core, inputs, options)
  checkSeparable(prepared, 'for results that leave in tiles')
  const { samples, options: given } = prepared
  const rows = async (first: number, count: number) => {
    const x = await loaded(prepared.x, first, count)
    const own = { ...given, onProgress: undefined }
    return arraysOf(await featuresOf({ ...prepared, x, samples: count, options: own }))
  }
  // Which form each parameter has is seen on one sample.
  const one = await rows(0, 1)
  const widths = [...one.values()].map(({ data }) => data.length)
  return fillRows(
    {
      samples,
      one,
      size: options.tile ?? chosenSize(prepared, { rows: 0, columns: null }, widths),
      digest: await digestOfJob({ prepared, job: { kind: 'features' }, results: [] }),
      rows,
    },
    options,
  )
}

/** How the arrays of a parameter's features are to be read: see {@link ParameterFeatures}. */
export interface FeatureForm {
  name: string
  shape: number[]
  kind: ParameterFeatures['kind']
  /** The parameter is stored k × m instead of m × k. */
  transposed?: boolean
  /** Columns of the parameter seen as a matrix. */
  k?: number
  /** Name of the parameter whose features are Σ_t δ[i,o,t,:]. */
  bias?: string
}

/** The forms of features, as plain data. */
export function formsOf(features: FeatureArrays<Floats>): FeatureForm[] {
  return [...features].map(([name, entry]): FeatureForm => {
    const { kind, shape } = entry
    if (kind === 'dense') return { name, shape, kind }
    const { transposed } = entry
    if (kind === 'rows') return { name, shape, kind, transposed, k: entry.k }
    return {
      name,
      shape,
      kind,
      transposed,
      ...(entry.bias === undefined ? {} : { bias: entry.bias }),
    }
  })
}

/** All arrays of features: by parameter `/x`, or `/delta` and `/h` or `/columns`. */
export function arraysOf(features: FeatureArrays<Floats>): Map<string, NdArray> {
  const arrays = new Map<string, NdArray>()
  for (const [name, entry] of features) {
    if (entry.kind === 'dense') arrays.set(`${name}/x`, entry.x)
    else {
      arrays.set(`${name}/delta`, entry.delta)
      if (entry.kind === 'rows') arrays.set(`${name}/columns`, entry.columns)
      else arrays.set(`${name}/h`, entry.h)
    }
  }
  return arrays
}

async function featuresOf(prepared: Prepared, factored = false): Promise<FeatureArrays<Floats>> {
  const held = await heldFeatures(prepared, factored)
  try {
    return new Map(
      held.parameters.map((entry) => [entry.name, ofSamples(prepared, attached(held, entry))]),
    )
  } finally {
    held.release()
  }
}

function attached(
  { prepared, double }: HeldFeatures,
  { shape, blocks, matrix }: HeldParameter,
): ParameterFeatures<Floats> {
  const [n, o] = [prepared.x.samples, prepared.outputs.length]
  const view = (id: number, dims: number[], bytes: number): [ArrayBuffer, number, number] => {
    const length = shapeSize(dims)
    return [native.attachShared(id, bytes * length), 0, length]
  }
  const Kind = double ? Float64Array : Float32Array
  const take = (id: number, dims: number[]): NdArray<Floats> => {
    return { data: new Kind(...view(id, dims, Kind.BYTES_PER_ELEMENT)), shape: dims }
  }
  if ('x' in blocks) {
    return { kind: 'dense', shape, x: take(blocks.x, [n, o, ...shape]), ...(matrix && { matrix }) }
  }
  const { positions, rows, cols, transposed } = blocks
  const delta = take(blocks.delta, [n, o, positions, rows])
  if ('columns' in blocks) {
    const dims = [n, positions]
    const data = new Int32Array(...view(blocks.columns, dims, Int32Array.BYTES_PER_ELEMENT))
    return { kind: 'rows', shape, delta, columns: { data, shape: dims }, k: cols, transposed }
  }
  const h = take(blocks.h, [n, positions, cols])
  return { kind: 'factors', shape, delta, h, transposed, bias: matrix?.bias }
}

/** Features of blocks as those of their samples: δ is in order, and h is the same for a whole block. */
function ofSamples(
  prepared: Prepared,
  entry: ParameterFeatures<Floats>,
): ParameterFeatures<Floats> {
  const { block, samples, width } = prepared
  if (!block) return entry
  const own = ({ data, shape: [, , ...rest] }: NdArray<Floats>) => ({
    data: cut(prepared, data, shapeSize(rest)),
    shape: [samples, width, ...rest],
  })
  const ofBlock = Array.from({ length: samples }, (_, i) => Math.floor(i / block.size))
  if (entry.kind === 'dense') return { ...entry, x: own(entry.x) }
  const delta = own(entry.delta)
  if (entry.kind === 'factors') return { ...entry, delta, h: picked(entry.h, 0, ofBlock) }
  return { ...entry, delta, columns: picked(entry.columns, 0, ofBlock) }
}

/** Of one parameter; a second time it does nothing. */
export function releaseFeatures(entry: NativeFeatures): void {
  const ids = 'x' in entry ? [entry.x] : [entry.delta, 'columns' in entry ? entry.columns : entry.h]
  for (const id of ids) native.releaseShared(id)
}
