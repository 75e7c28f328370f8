import { create, toBinary } from '@bufbuild/protobuf'
import { badArgument } from '../core/errors.js'
import { checkArray, dtypeOf, type NdArray } from '../io/ndarray.js'
import { arrayToTensor } from '../io/tensor.js'
import {
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../protobuf/index.js'
import type { OnnxModel } from './decode.js'
import { changed } from './message.js'

/** What `appendToModel` adds to the main graph. */
export interface Addition {
  nodes?: readonly NodeProto[]
  /** Values to return in addition to the model's own outputs: names, needing no type or shape. */
  outputs?: readonly string[]
  inputs?: readonly ValueInfoProto[]
  initializers?: readonly TensorProto[]
}

/**
 * Adds to a model's graph without decoding it: protobuf merges concatenated messages, so a small
 * second model is appended to the bytes. The weights are copied once and not looked at.
 */
export function appendToModel(bytes: Uint8Array, addition: Addition): Uint8Array<ArrayBuffer> {
  const graph = create(GraphProtoSchema, {
    node: [...(addition.nodes ?? [])],
    output: (addition.outputs ?? []).map((name) => create(ValueInfoProtoSchema, { name })),
    input: [...(addition.inputs ?? [])],
    initializer: [...(addition.initializers ?? [])],
  })
  const tail = toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph }))
  const out = new Uint8Array(bytes.length + tail.length)
  out.set(bytes)
  out.set(tail, bytes.length)
  return out
}

export function encodeModel(proto: ModelProto): Uint8Array<ArrayBuffer> {
  return toBinary(ModelProtoSchema, proto)
}

/** A node of ai.onnx without attributes, such as the `Shape` that tells a value's shape. */
export function makeNode(opType: string, input: string[], output: string[], name = ''): NodeProto {
  return create(NodeProtoSchema, { opType, input, output, name })
}

/** What a written file says of itself. */
export interface FileNote {
  /** Goes before the file's own description. */
  docString: string
  /** Replaces what the file has under the same names. */
  metadata: Readonly<Record<string, string>>
}

/** The model's message with parts of its main graph exchanged; everything else is shared. */
function withGraph(
  model: OnnxModel,
  parts: Partial<GraphProto>,
  note?: FileNote,
): Uint8Array<ArrayBuffer> {
  const graph = changed(model.graph, parts)
  const about = note ? noted(model.proto, note) : {}
  return toBinary(ModelProtoSchema, changed(model.proto, { graph, ...about }))
}

function noted({ docString: before, metadataProps: kept }: ModelProto, note: FileNote) {
  const docString = before === '' ? note.docString : `${note.docString}\n\n${before}`
  const own = Object.entries(note.metadata).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  )
  const metadataProps = [...kept.filter(({ key }) => !Object.hasOwn(note.metadata, key)), ...own]
  return { docString, metadataProps }
}

/**
 * The model's bytes without the named initializers, nor their listing as inputs where old files
 * have one: what uses them needs them as typed inputs (`appendToModel`) then.
 */
export function stripInitializers(
  model: OnnxModel,
  names: Iterable<string>,
): Uint8Array<ArrayBuffer> {
  const strip = new Set(names)
  for (const name of strip) {
    if (!model.initializers.has(name)) throw badArgument('names', "an initializer's name", name)
  }
  return withGraph(model, {
    initializer: model.graph.initializer.filter(({ name }) => !strip.has(name)),
    input: model.graph.input.filter(({ name }) => !strip.has(name)),
  })
}

/**
 * The bytes of the same model with other numbers in some of its values, everything else kept. A
 * value that is an initializer gets new data; one that a node computes from constants (an
 * `Identity` of a weight, a Constant node) becomes an initializer and the node goes. New data is
 * stored in the file itself.
 * @param values arrays by the name of the value, of the shapes and types that they replace.
 */
export function replaceValues(
  model: OnnxModel,
  values: ReadonlyMap<string, NdArray>,
  note?: FileNote,
): Uint8Array<ArrayBuffer> {
  const rest = new Map(values)
  const take = (name: string) => {
    const array = rest.get(name)
    if (!array) return undefined
    checkArray(array, name)
    rest.delete(name)
    return arrayToTensor(array, name)
  }
  const initializer = model.graph.initializer.map((tensor) => {
    const array = values.get(tensor.name)
    const replaced = take(tensor.name)
    if (!array || !replaced) return tensor
    if (array.shape.join() !== tensor.dims.join()) {
      throw badArgument(tensor.name, `an array of shape [${tensor.dims.join(', ')}]`, array.shape)
    }
    if (replaced.dataType !== tensor.dataType) {
      throw badArgument(tensor.name, 'the type of the initializer', dtypeOf(array))
    }
    return changed(replaced, { docString: tensor.docString, metadataProps: tensor.metadataProps })
  })
  const node = model.graph.node.filter(({ output }) => {
    const replaced = output.length === 1 ? take(output[0]!) : undefined
    if (replaced) initializer.push(replaced)
    return !replaced
  })
  for (const name of rest.keys()) {
    throw badArgument('values', 'names of initializers or of constants', name)
  }
  return withGraph(model, { initializer, node }, note)
}
