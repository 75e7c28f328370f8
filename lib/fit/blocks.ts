// Which parameters make up which block, and a network's features in the solver's memory.

import { badArgument, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { shapeSize } from '../core/shape.js'
import { prepare } from '../derivatives/derive.js'
import {
  type HeldFeatures,
  type HeldParameter,
  heldFeatures,
  releaseFeatures,
} from '../derivatives/features.js'
import { heldInputs } from '../io/held.js'
import type { DerivativeOptions } from '../model/core.js'
import { cores } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { NativeFeatures } from '../native/index.js'
import type { Network } from '../network/network.js'
import { type NativeBlock, TangentFeatures } from './features.js'

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
  const { blocks = 'layer', separateModes = false } = options
  if (blocks !== 'layer' && blocks !== 'parameter') {
    throw badArgument('options.blocks', "'layer' or 'parameter'", blocks)
  }
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  const held = await heldFeatures(await prepare(core, heldInputs(x, 'x'), options))
  try {
    if (held.parameters.length === 0) {
      throw new TangentError(
        'BAD_ARGUMENT',
        'Expected a network with parameters that are not frozen',
      )
    }
    const { samples, width } = held.prepared
    const layout = layoutOf(network, held.parameters, blocks, separateModes)
    const numbers = layout.map((block) => toBlock(block, held))
    const features = await TangentFeatures.fromNative(samples, width, numbers, options)
    return { features, layout }
  } finally {
    held.release()
  }
}

function layoutOf(
  network: Network,
  found: readonly HeldParameter[],
  split: BlockSplit,
  separateModes: boolean,
): BlockLayout[] {
  const parameters = new Map(network.parameters.map((entry) => [entry.name, entry]))
  const shapes = new Map(found.map(({ name, shape }) => [name, shape]))
  const joined = new Map<string, string>()
  if (split === 'layer') {
    for (const { name, shape, matrix } of found) {
      const bias = matrix?.bias
      const alone = bias !== undefined && parameters.get(bias)?.uses === 1 && shapes.has(bias)
      const kernel = shape.length > 2
      if (alone && !(separateModes && kernel)) joined.set(name, bias)
    }
  }
  const taken = new Set(joined.values())
  const layers = new Map<string, number>()
  const free = found.filter(({ name }) => !taken.has(name))
  const layerOf = (name: string) => parameters.get(name)?.layer ?? name
  for (const { name } of free) layers.set(layerOf(name), (layers.get(layerOf(name)) ?? 0) + 1)
  const labels = new Set<string>()
  return free.map(({ name, shape, matrix }) => {
    const { m, k } = matrix ?? flatMatrix(shape)
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
      shape,
      bias: bias === undefined ? undefined : { name: bias, shape: shapes.get(bias) ?? [m] },
    }
  })
}

/** A parameter that is no matrix: its first dimension against the rest. */
function flatMatrix(shape: readonly number[]): { m: number; k: number } {
  const [m = 1, ...rest] = shape
  return { m, k: shapeSize(rest) }
}

function toBlock(layout: BlockLayout, { prepared, double, parameters }: HeldFeatures): NativeBlock {
  const { name, m, k, bias, transposed } = layout
  const blocksOf = (parameter: string) =>
    parameters.find((entry) => entry.name === parameter)?.blocks as NativeFeatures
  const numbers = (id: number) => ({ block: id, double })
  const blocks = blocksOf(layout.weight)
  const common = { name, m, k, columns: modesOf(layout), release: () => releaseFeatures(blocks) }
  if ('x' in blocks) {
    const x = numbers(blocks.x)
    const column = bias && blocksOf(bias.name)
    if (!column) return { ...common, x, transposed }
    if (!('x' in column)) {
      throw new TangentError('FAILED', `The bias ${bias.name} has features in factors`)
    }
    return { ...common, x, transposed, bias: numbers(column.x) }
  }
  const factors = { ...common, delta: numbers(blocks.delta), positions: blocks.positions }
  // The samples of a block have their h in common.
  const sharing = prepared.block?.size ?? 1
  if ('columns' in blocks) {
    return { ...factors, h: numbers(blocks.columns), picked: true, sharing }
  }
  return { ...factors, h: numbers(blocks.h), picked: false, ones: bias !== undefined, sharing }
}

/** What the columns of a block stand for: of a convolution's kernel channels and positions. */
function modesOf({ k, shape, bias, transposed }: BlockLayout): number[] {
  const [, inputs = 0, ...positions] = shape
  const isKernel = shape.length > 2 && bias === undefined && !transposed
  const size = shapeSize(positions)
  return isKernel && inputs * size === k ? [inputs, size] : [k]
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
