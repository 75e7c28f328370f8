// Which parameters make up which block, and a network's features in the solver's memory.

import { badArgument, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import type { FeatureArrays, ParameterFeatures } from '../derivatives/features.js'
import { heldInputs } from '../io/held.js'
import type { DerivativeOptions } from '../model/core.js'
import { cores } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { type FeatureBlock, TangentFeatures } from './features.js'

/** A block per parameter, or per layer with its bias as the weight's last column. */
export type BlockSplit = 'layer' | 'parameter'

/** How a block's B is spread over the network's parameters. */
export interface BlockLayout {
  name: string
  m: number
  /** Columns of B, the bias's included. */
  k: number
  /** The parameter that B's columns belong to. */
  weight: string
  /** Stored k × m instead of m × k. */
  transposed: boolean
  shape: readonly number[]
  /** The parameter of the last column, where there is one. */
  bias: { name: string; shape: readonly number[] } | undefined
}

/** A network's features for a fit, and what they are features of. */
export interface NetworkFeatures {
  features: TangentFeatures
  layout: BlockLayout[]
}

/** Options of {@link networkFeatures}. */
export interface NetworkFeatureOptions extends DerivativeOptions {
  /** Default `layer`. */
  blocks?: BlockSplit | undefined
  /** Keep the biases of convolutions apart, so that their kernels have three modes. */
  separateModes?: boolean | undefined
}

/**
 * The tangent features of a network on samples x, in blocks as the solver sees them.
 * @param x N samples
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
 * @example
 * ```js
 * import { buildMlp, Network, networkFeatures } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
 * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
 * const { features } = await networkFeatures(network, x)
 * for (const { name, m, k } of features.blocks) console.log(name, m, '×', k)
 * await network.dispose()
 * // dense1 8 × 3
 * // dense2 1 × 9
 * ```
 * @since 0.1.0
 */
export async function networkFeatures(
  network: Network,
  x: Inputs,
  options: NetworkFeatureOptions = {},
): Promise<NetworkFeatures> {
  checkCall(options)
  const own = heldInputs(x, 'x')
  const { samples, outputs, layout, blocks } = await networkBlocks(network, own, options)
  const features = await TangentFeatures.from(samples, outputs, blocks, options)
  return { features, layout }
}

/**
 * The same as arrays, before they are in the solver's memory.
 * @internal
 */
export async function networkBlocks(
  network: Network,
  x: Inputs,
  options: NetworkFeatureOptions = {},
): Promise<{ samples: number; outputs: number; layout: BlockLayout[]; blocks: FeatureBlock[] }> {
  checkCall(options)
  const { blocks = 'layer', separateModes = false } = options
  if (blocks !== 'layer' && blocks !== 'parameter') {
    throw badArgument('options.blocks', "'layer' or 'parameter'", blocks)
  }
  if (!cores.has(network)) throw badArgument('network', 'a Network', network)
  const found = await network.features(x, options)
  const [samples, outputs] = sizesOf(found)
  const layout = layoutOf(network, found, blocks, separateModes)
  const arrays = layout.map((block) => toBlock(block, found))
  found.clear()
  return { samples, outputs, layout, blocks: arrays }
}

function sizesOf(found: FeatureArrays): [number, number] {
  const [first] = found.values()
  if (!first) {
    throw new TangentError('BAD_ARGUMENT', 'Expected a network with parameters that are not frozen')
  }
  const { shape } = first.kind === 'dense' ? first.x : first.delta
  return [shape[0] as number, shape[1] as number]
}

function layoutOf(
  network: Network,
  found: FeatureArrays,
  split: BlockSplit,
  separateModes: boolean,
): BlockLayout[] {
  const parameters = new Map(network.parameters.map((entry) => [entry.name, entry]))
  const joined = new Map<string, string>()
  if (split === 'layer') {
    for (const [name, entry] of found) {
      const bias = matrixOf(entry)?.bias
      const alone = bias !== undefined && parameters.get(bias)?.uses === 1 && found.has(bias)
      const kernel = entry.shape.length > 2
      if (alone && !(separateModes && kernel)) joined.set(name, bias)
    }
  }
  const taken = new Set(joined.values())
  const layers = new Map<string, number>()
  const free = [...found.keys()].filter((name) => !taken.has(name))
  const layerOf = (name: string) => parameters.get(name)?.layer ?? name
  for (const name of free) layers.set(layerOf(name), (layers.get(layerOf(name)) ?? 0) + 1)
  const labels = new Set<string>()
  return free.map((name) => {
    const entry = found.get(name) as ParameterFeatures
    const matrix = matrixOf(entry)
    const { m, k } = matrix ?? flatMatrix(entry.shape)
    const bias = joined.get(name)
    const layer = layerOf(name)
    let label = parameters.get(name)?.label ?? name
    if (split === 'layer' && layers.get(layer) === 1) label = layer
    if (labels.has(label)) label = name
    labels.add(label)
    return {
      name: label,
      m,
      k: bias === undefined ? k : k + 1,
      weight: name,
      transposed: matrix?.transposed ?? false,
      shape: entry.shape,
      bias: bias === undefined ? undefined : { name: bias, shape: found.get(bias)?.shape ?? [m] },
    }
  })
}

interface MatrixUse {
  m: number
  k: number
  transposed: boolean
  bias: string | undefined
}

function matrixOf(entry: ParameterFeatures): MatrixUse | undefined {
  if (entry.kind === 'dense') return entry.matrix
  const m = entry.delta.shape[3] as number
  if (entry.kind === 'rows') {
    return { m, k: entry.k, transposed: entry.transposed, bias: undefined }
  }
  const k = entry.h.shape[2] as number
  return { m, k, transposed: entry.transposed, bias: entry.bias }
}

/** A parameter that is no matrix: its first dimension against the rest. */
function flatMatrix(shape: readonly number[]): { m: number; k: number } {
  const [m = 1, ...rest] = shape
  return { m, k: rest.reduce((product, size) => product * size, 1) }
}

function toBlock(block: BlockLayout, found: FeatureArrays): FeatureBlock {
  const { name, m, k, bias } = block
  const entry = found.get(block.weight) as ParameterFeatures
  const [, inputs = 0, ...positions] = block.shape
  const isKernel = block.shape.length > 2 && bias === undefined && !block.transposed
  const size = positions.reduce((product, d) => product * d, 1)
  const columns = isKernel && inputs * size === k ? [inputs, size] : [k]
  if (entry.kind === 'rows') {
    const { delta, columns: picked } = entry
    const positions = picked.shape[1] as number
    return { name, m, k, columns, delta: delta.data, h: picked.data, positions }
  }
  if (entry.kind === 'factors') {
    const { delta, h } = entry
    const ones = bias !== undefined
    const positionCount = h.shape[1] as number
    return { name, m, k, columns, delta: delta.data, h: h.data, positions: positionCount, ones }
  }
  const shared = { name, m, k, columns, x: entry.x.data, transposed: block.transposed }
  const column = bias && found.get(bias.name)
  if (!bias || !column) return shared
  if (column.kind !== 'dense') {
    throw new TangentError('FAILED', `The bias ${bias.name} has features in factors`)
  }
  return { ...shared, bias: column.x.data }
}

/**
 * B of every block as changes of the network's parameters, of their shapes; added to the weights
 * they make the first-order model's own network.
 * @param b every block's B (m, k)
 */
export function toParameters(
  layout: readonly BlockLayout[],
  b: readonly Float64Array[],
): Map<string, { data: Float64Array; shape: number[] }> {
  const changes = new Map<string, { data: Float64Array; shape: number[] }>()
  layout.forEach(({ m, k, weight, transposed, shape, bias }, index) => {
    const values = b[index] as Float64Array
    const width = bias === undefined ? k : k - 1
    const data = new Float64Array(m * width)
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < width; j++) {
        data[transposed ? j * m + i : i * width + j] = values[i * k + j] as number
      }
    }
    changes.set(weight, { data, shape: [...shape] })
    if (!bias) return
    const column = Float64Array.from({ length: m }, (_, i) => values[i * k + k - 1] as number)
    changes.set(bias.name, { data: column, shape: [...bias.shape] })
  })
  return changes
}
