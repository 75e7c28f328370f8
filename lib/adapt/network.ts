// The network that is fitted: as it is, or with a new last layer.

import { knownNames } from '../control/settle.js'
import { TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import { shapeSize } from '../core/shape.js'
import { type LastAffine, lastAffine, type NoAffine, withHead } from '../graph/head.js'
import type { NdArray } from '../io/index.js'
import { type CallOptions, type Core, cores } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { Network } from '../network/network.js'
import { encodeModel } from '../onnx/encode.js'
import { decodeModel } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import type { Penultimate } from './linear-head.js'

/** The last affine layer of a network's output, or why there is none. */
export function lastLayer(core: Core): LastAffine | NoAffine {
  const { architecture } = core
  if (architecture.pending) {
    return { why: 'its samples decide which branches it takes', before: undefined }
  }
  return lastAffine(architecture.model, architecture.output)
}

/** What the last layer is given, of samples. */
export async function penultimate(
  network: Network,
  last: LastAffine,
  x: Inputs,
  options: CallOptions,
): Promise<Penultimate> {
  const { signal, threads, memory } = options
  const { data, shape } = await network.run(x, { output: last.input, signal, threads, memory })
  const values = Float64Array.from(data as ArrayLike<number>, Number)
  const bad = values.find((value) => !Number.isFinite(value))
  if (bad !== undefined) {
    throw new TangentError(
      'NUMERICAL',
      `The penultimate value of the network is ${bad} for a sample`,
    )
  }
  return { values, width: shapeSize(shape.slice(1)) }
}

/** @throws TangentError UNSUPPORTED where the last layer is given several vectors for each sample */
export async function checkVector(network: Network, { input }: LastAffine): Promise<void> {
  const values = await network.values()
  const shape = values.find(({ name }) => name === input)?.shape
  if (!shape || shape.length === 2) return
  const sizes = shape.map((size) => size ?? '?').join(', ')
  throw noHead({
    why: `its last layer is given several vectors for each sample, (${sizes})`,
    before: undefined,
  })
}

export function noHead({ why, before }: NoAffine): TangentError {
  const other =
    before === undefined
      ? ''
      : `take ${quote(before)} as its output (the option output of Network.load, --output), or `
  return new TangentError(
    'UNSUPPORTED',
    `Expected a network that ends in an affine layer (Gemm, or MatMul and Add) for a new head, but ${why}; ${other}keep the head (head: 'keep', --head keep)`,
  )
}

/** A network with another last layer, and its new parameters' names. */
export interface Headed {
  network: Network
  weight: string
  bias: string
}

/**
 * The same network with a last layer of `columns` outputs, zeros for now; its parameters are those that
 * were differentiated before.
 * @param scale a constant that its outputs are multiplied by
 */
export async function headed(
  network: Network,
  last: LastAffine,
  { columns, width, scale }: { columns: number; width: number; scale?: number | undefined },
): Promise<Headed> {
  const core = cores.get(network) as Core
  const { architecture, threads, memory } = core
  const { output, model, options } = architecture
  const own = decodeModel(await network.toOnnx(), { name: model.name, ...folderOf(model) })
  const head: { weight: NdArray<Float32Array>; bias: NdArray<Float32Array>; scale?: number } = {
    weight: { data: new Float32Array(columns * width), shape: [columns, width] },
    bias: { data: new Float32Array(columns), shape: [columns] },
  }
  if (scale !== undefined) head.scale = scale
  const { graph, weight, bias } = withHead(own, output, last, head)
  const bytes = encodeModel(changed(own.proto, { graph }))
  const there = new Set([
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap((node) => node.output),
  ])
  const active = architecture.parameters.filter(({ frozen }) => !frozen).map(({ name }) => name)
  const trained = last.weight === undefined || active.includes(last.weight)
  const before = active.filter((name) => there.has(name.replace(/#\d+$/, '')))
  const names = new Set([...before, ...(trained ? [weight, bias] : [])])
  if (!trained) for (const name of [weight, bias]) names.delete(name)
  const loaded = await Network.load(bytes, {
    ...knownNames(options, { ...own, graph }),
    ...(model.folder === undefined ? {} : { externalData: model.folder }),
    output,
    parameters: [...names],
    frozen: undefined,
    threads,
    memory,
  })
  return { network: loaded, weight, bias }
}

const folderOf = ({ folder }: { folder?: string }) => (folder === undefined ? {} : { folder })
