// A fitted model as a .safetensors file: B, its spectrum, M and what was fitted.

import { badArgument, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { shapeSize } from '../core/shape.js'
import {
  decodeSafetensors,
  encodeSafetensors,
  type NdArray,
  readSafetensors,
  type Safetensors,
  writeSafetensors,
} from '../io/index.js'
import type { BlockLayout, BlockSplit } from './blocks.js'
import {
  AdaptiveModel,
  type BlockSolution,
  effectiveRank,
  type ModelParts,
  type Stretch,
} from './model.js'
import { NetworkModel } from './network.js'
import type { FitOrigin } from './origin.js'
import type { SettledPrice } from './price.js'

const format = 'adaptive-tangent model 1'

interface Header {
  blocks: Pick<BlockSolution, 'name' | 'm' | 'k' | 'modes' | 'structure' | 'penalty'>[]
  numbers: Pick<ModelParts, 'ridge' | 'objective' | 'penalty' | 'misfit' | 'outputs' | 'redundant'>
  iterations: ModelParts['iterations']
  status: ModelParts['status']
  /** Not in files of version 0.1.0, whose price was 1. JSON has null for Infinity. */
  price?: { value: number | null; relative: number | null }
  selection?: ModelParts['selection']
  starts?: ModelParts['starts']
  network?: {
    layout: BlockLayout[]
    outputs: number[] | null
    split: BlockSplit
    /** Not in files of version 0.1.0. */
    origin?: FitOrigin | undefined
    classes?: readonly number[] | undefined
  }
}

/**
 * Writes a fitted model, whole or not at all.
 * @throws TangentError `FAILED` when it cannot be written.
 * @example
 * ```js
 * import { fitFeatures, saveModel, TangentFeatures } from 'adaptive-tangent'
 *
 * const features = await TangentFeatures.from(2, 1, [
 *   { name: 'w', m: 1, k: 2, x: Float64Array.of(1, 0, 0, 1) },
 * ])
 * await saveModel('model.safetensors', await fitFeatures(features, [1, 2], { ridge: 0.1 }))
 * ```
 * @since 0.1.0
 */
export async function saveModel(
  path: string,
  fitted: AdaptiveModel | NetworkModel,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  checkCall(options)
  const { tensors, metadata } = toTensors(fitted)
  await writeSafetensors(path, tensors, { ...options, metadata })
}

/** The same as bytes. */
export function encodeModel(fitted: AdaptiveModel | NetworkModel): Uint8Array {
  const { tensors, metadata } = toTensors(fitted)
  return Buffer.concat(encodeSafetensors(tensors, metadata))
}

/**
 * Reads a model that {@link saveModel} wrote.
 * @returns a NetworkModel when it was one
 * @throws TangentError BAD_FILE
 * @example
 * ```js
 * import { fitFeatures, loadModel, saveModel, TangentFeatures } from 'adaptive-tangent'
 *
 * const features = await TangentFeatures.from(2, 1, [
 *   { name: 'w', m: 1, k: 2, x: Float64Array.of(1, 0, 0, 1) },
 * ])
 * await saveModel('model.safetensors', await fitFeatures(features, [1, 2], { ridge: 0.1 }))
 * const model = await loadModel('model.safetensors')
 * console.log(model.ridge)
 * // 0.1
 * ```
 * @since 0.1.0
 */
export async function loadModel(path: string): Promise<AdaptiveModel | NetworkModel> {
  return fromTensors(await readSafetensors(path), path)
}

/** The same from bytes. */
export function decodeModel(bytes: Uint8Array, name = 'the model'): AdaptiveModel | NetworkModel {
  return fromTensors(decodeSafetensors(bytes, name), name)
}

function toTensors(fitted: AdaptiveModel | NetworkModel): {
  tensors: Map<string, NdArray>
  metadata: Record<string, string>
} {
  const model = fitted instanceof NetworkModel ? fitted.model : fitted
  if (!(model instanceof AdaptiveModel)) throw badArgument('fitted', 'a fitted model', fitted)
  const tensors = new Map<string, NdArray>()
  const put = (name: string, data: Float64Array, shape: number[] = [data.length]) => {
    if (data.length > 0) tensors.set(name, { data, shape })
  }
  model.blocks.forEach((block, b) => {
    const { m, k, singularValues, u, vt, stretches, transforms, numbers } = block
    const at = `blocks.${b}`
    put(`${at}.b`, block.b, [m, k])
    put(`${at}.singular`, singularValues)
    put(`${at}.u`, u, [m, u.length / m])
    put(`${at}.vt`, vt, [vt.length / k, k])
    put(`${at}.numbers`, numbers, [m, k])
    stretches.forEach((z, s) => {
      put(`${at}.stretch.${s}`, z)
    })
    transforms.forEach(({ z, vectors, dim }, d) => {
      put(`${at}.mode.${d}.z`, z)
      put(`${at}.mode.${d}.vectors`, vectors, [z.length, dim])
    })
  })
  put('fit', model.fit)
  put('dual', model.dual)
  put('targets', model.targets)
  const { ridge, objective, penalty, misfit, outputs, redundant, iterations, status } = model
  const header: Header = {
    blocks: model.blocks.map(({ name, m, k, modes, structure, penalty: price }) => ({
      name,
      m,
      k,
      modes,
      structure,
      penalty: price,
    })),
    numbers: { ridge, objective, penalty, misfit, outputs, redundant },
    iterations,
    status,
    price: model.price,
    selection: model.selection,
    starts: model.starts,
  }
  if (fitted instanceof NetworkModel) {
    header.network = {
      layout: [...fitted.layout],
      outputs: fitted.outputs ? [...fitted.outputs] : null,
      split: fitted.split,
      origin: fitted.origin,
      classes: fitted.classes,
    }
  }
  return { tensors, metadata: { format, model: JSON.stringify(header) } }
}

function fromTensors(file: Safetensors, name: string): AdaptiveModel | NetworkModel {
  const bad = (why: string) =>
    new TangentError('BAD_FILE', `${name} is not a fitted model: ${why}.`)
  try {
    const model = read(file, bad)
    if (model instanceof NetworkModel && !model.origin) warnOfOrigin(name)
    return model
  } catch (error) {
    if (error instanceof TangentError) throw error
    // A description with other kinds of values than ours.
    throw bad('its description is damaged')
  }
}

/** Files of version 0.1.0 do not say which network they belong to. */
function warnOfOrigin(name: string): void {
  process.emitWarning(
    `${name} does not say which network it was fitted to: with other weights than those its predictions are wrong, which cannot be checked`,
    { type: 'TangentWarning', code: 'NO_ORIGIN' },
  )
}

function read(
  { tensors, metadata }: Safetensors,
  bad: (why: string) => TangentError,
): AdaptiveModel | NetworkModel {
  if (metadata.format !== format) throw bad(`its format is not "${format}"`)
  let header: Header
  try {
    header = JSON.parse(metadata.model ?? '')
  } catch {
    throw bad('its description is not JSON')
  }
  const get = (tensor: string, count?: number): Float64Array => {
    const array = tensors.get(tensor)
    if (array && !(array.data instanceof Float64Array)) throw bad(`${tensor} is not float64`)
    const data = (array?.data as Float64Array | undefined) ?? new Float64Array(0)
    if (count !== undefined && data.length !== count) {
      throw bad(`${tensor} holds ${data.length} numbers instead of ${count}`)
    }
    return data
  }
  if (!Array.isArray(header.blocks) || !header.numbers) throw bad('its description is incomplete')
  const blocks = header.blocks.map((block, b): BlockSolution => {
    const { m, k, modes, structure } = block
    if (!Number.isInteger(m) || !Number.isInteger(k) || m < 1 || k < 1 || !Array.isArray(modes)) {
      throw bad(`block ${b} has no valid size`)
    }
    const at = `blocks.${b}`
    const singularValues = get(`${at}.singular`)
    const rank = structure === 'matrix' && singularValues.length > 0 ? Math.min(m, k) : 0
    const sides = structure === 'modes' ? modes.length : structure === 'matrix' ? 2 : 1
    const dims = structure === 'modes' ? modes : structure === 'flat' ? [m * k] : [m, k]
    const numbers = get(`${at}.numbers`)
    const transforms = dims.map((dim, d): Stretch => {
      const z = get(`${at}.mode.${d}.z`)
      return { z, dim, vectors: get(`${at}.mode.${d}.vectors`, z.length * dim) }
    })
    return {
      ...block,
      b: get(`${at}.b`, m * k),
      singularValues,
      u: get(`${at}.u`, m * rank),
      vt: get(`${at}.vt`, rank * k),
      stretches:
        structure === 'fixed'
          ? []
          : Array.from({ length: sides }, (_, s) => get(`${at}.stretch.${s}`)),
      transforms: numbers.length > 0 ? [] : transforms,
      numbers,
      effectiveRank: effectiveRank(structure, singularValues, m, k),
    }
  })
  const fit = get('fit')
  const model = new AdaptiveModel({
    ...header.numbers,
    blocks,
    iterations: header.iterations ?? [],
    status: header.status,
    fit,
    dual: get('dual', fit.length),
    targets: get('targets', fit.length),
    price: header.price
      ? { ...header.price, value: finiteOr(header.price.value) }
      : { value: 1, relative: null },
    selection: header.selection && {
      ...header.selection,
      price: priceOf(header.selection.price),
      grid: header.selection.grid.map((each) => ({ ...each, price: priceOf(each.price) })),
    },
    starts: header.starts,
  })
  const { network } = header
  if (!network) return model
  const { layout } = network
  const known =
    Array.isArray(layout) &&
    layout.length === blocks.length &&
    layout.every((entry, b) => isLayout(entry, blocks[b] as BlockSolution))
  if (!known) throw bad('its blocks do not say which parameters they are')
  const { origin, classes } = network
  if (origin !== undefined && !isOrigin(origin)) throw bad('it does not say which network it is of')
  const outputs = network.outputs ?? undefined
  return new NetworkModel(model, network.layout, outputs, network.split, { origin, classes })
}

/** JSON has null for Infinity. */
const finiteOr = (value: number | null) => value ?? Number.POSITIVE_INFINITY
const priceOf = (price: SettledPrice | null) => price ?? Number.POSITIVE_INFINITY

function isOrigin({ file, output, network, weights }: FitOrigin): boolean {
  return [file, output, network, weights].every((text) => typeof text === 'string')
}

/** Are these parameters that a block's numbers fill exactly? */
function isLayout({ m, k, weight, shape, bias }: BlockLayout, block: BlockSolution): boolean {
  const width = bias === undefined ? k : k - 1
  const fills = (sizes: readonly number[], count: number) => shapeSize(sizes) === count
  return (
    m === block.m &&
    k === block.k &&
    typeof weight === 'string' &&
    fills(shape, m * width) &&
    (bias === undefined || (typeof bias.name === 'string' && fills(bias.shape, m)))
  )
}
