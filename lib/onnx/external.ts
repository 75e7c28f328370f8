import { realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import { TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import { tensorType } from '../io/element-types.js'
import { readBytes } from '../io/files.js'
import { type NdArray, toFloat32 } from '../io/ndarray.js'
import { isExternal, tensorBytes, tensorToArray } from '../io/tensor.js'
import {
  type AttributeProto,
  type GraphProto,
  type TensorProto,
  TensorProto_DataLocation,
} from '../protobuf/index.js'
import type { OnnxModel } from './decode.js'

/** Where in which file the bytes of a tensor lie. */
export interface ExternalRange {
  path: string
  offset: number
  length: number
}

function wholeNumber(text: string | undefined, what: string, where: string): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN
  if (!Number.isSafeInteger(value)) {
    throw new TangentError('BAD_FILE', `${where} has ${quote(text)} as its external ${what}.`)
  }
  return value
}

/**
 * Finds a tensor's external data: in the model's folder or below, nowhere else, and long enough.
 * @throws TangentError BAD_FILE in any other case.
 */
export async function externalRange(
  tensor: TensorProto,
  folder: string | undefined,
  where: string,
): Promise<ExternalRange> {
  const bad = (message: string) => new TangentError('BAD_FILE', message)
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]))
  const location = entries.get('location')
  if (!location) throw bad(`${where} does not say which file holds its data.`)
  if (folder === undefined) {
    throw bad(
      `${where} lies in the external file ${quote(location)}; load the model by its path, or give the folder of its weights.`,
    )
  }
  const outside = `${where} lies in ${quote(location)}, outside the model's folder.`
  const parts = location.split(/[\\/]/)
  if (isAbsolute(location) || /^[a-z]:/i.test(location) || parts.includes('..')) throw bad(outside)
  if (location.includes('\0')) throw bad(`${where} has an impossible file name.`)
  let path: string
  let size: number
  try {
    const root = await realpath(folder)
    path = await realpath(join(root, location))
    const inside = relative(root, path)
    if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
      throw bad(outside)
    }
    const found = await stat(path)
    if (!found.isFile()) throw bad(`${where} lies in ${quote(location)}, which is not a file.`)
    size = found.size
  } catch (cause) {
    if (cause instanceof TangentError) throw cause
    throw new TangentError(
      'BAD_FILE',
      `${where} lies in the external file ${quote(location)}, which cannot be read.`,
      { cause },
    )
  }
  const need = tensorBytes(tensor, where)
  if (need === null) throw bad(`${where} holds strings, which cannot lie in an external file.`)
  const offset = wholeNumber(entries.get('offset'), 'offset', where) ?? 0
  const length = wholeNumber(entries.get('length'), 'length', where) ?? need
  if (length !== need) {
    throw bad(`${where} needs ${need} bytes for its shape, but its external data has ${length}.`)
  }
  if (offset + length > size) {
    throw bad(
      `${where} ends at byte ${offset + length} of ${quote(location)}, which has ${size} bytes.`,
    )
  }
  return { path, offset, length }
}

/** All tensors of a graph with the words that name them: initializers, sparse ones, attributes. */
export function* allTensors(graph: GraphProto, model: string): Generator<[TensorProto, string]> {
  for (const tensor of graph.initializer) {
    yield [tensor, `initializer ${quote(tensor.name)} of ${model}`]
  }
  for (const { values, indices } of graph.sparseInitializer) {
    for (const tensor of [values, indices])
      if (tensor) yield [tensor, `a sparse initializer of ${model}`]
  }
  for (const node of graph.node) {
    for (const attribute of node.attribute) yield* attributeTensors(attribute, model)
  }
}

function* attributeTensors(
  attribute: AttributeProto,
  model: string,
): Generator<[TensorProto, string]> {
  const { t, g, tensors, graphs } = attribute
  for (const tensor of t ? [t, ...tensors] : tensors) {
    yield [tensor, `attribute ${quote(attribute.name)} of ${model}`]
  }
  for (const graph of g ? [g, ...graphs] : graphs) yield* allTensors(graph, model)
}

/** External tensors up to this many bytes are read at once: shapes, axes, most biases. */
const SMALL = 65536

function* modelTensors(model: OnnxModel): Generator<[TensorProto, string]> {
  yield* allTensors(model.graph, model.name)
  for (const { node } of model.proto.functions) {
    for (const { attribute } of node) {
      for (const entry of attribute) yield* attributeTensors(entry, model.name)
    }
  }
}

/**
 * Checks every external tensor of a model, so that onnxruntime reads none that we would not, and
 * moves the small ones into the message: onnxruntime needs shapes there to open a model.
 */
export async function settleExternal(model: OnnxModel): Promise<void> {
  for (const [tensor, where] of modelTensors(model)) {
    if (!isExternal(tensor)) continue
    const range = await externalRange(tensor, model.folder, where)
    if (range.length > SMALL) continue
    tensor.rawData = await readBytes(range.path, range)
    tensor.externalData = []
    tensor.dataLocation = TensorProto_DataLocation.DEFAULT
  }
}

/**
 * The numbers of a tensor of the model, in memory of their own. float16 and bfloat16 become
 * float32; with `float32`, float64 does too. External data is read from the model's folder only.
 * @throws TangentError BAD_FILE when the data is not there or not numbers (float8, int4, strings).
 */
export async function initializerData(
  model: Pick<OnnxModel, 'name' | 'folder'>,
  tensor: TensorProto,
  options: { float32?: boolean } = {},
): Promise<NdArray> {
  const where = `initializer ${quote(tensor.name)} of ${model.name}`
  let external: Uint8Array | undefined
  if (isExternal(tensor)) {
    const range = await externalRange(tensor, model.folder, where)
    if (tensorType(tensor.dataType) !== null) external = await readBytes(range.path, range)
  }
  const array = tensorToArray(tensor, where, external)
  return options.float32 && array.data instanceof Float64Array ? toFloat32(array) : array
}
