import type { NativeAttribute } from '../native/index.js'
import {
  type AttributeProto,
  TensorProto_DataType as DataType,
  type NodeProto,
  AttributeProto_AttributeType as Type,
} from '../protobuf/index.js'

const decoder = new TextDecoder()

/** An attribute as the addon takes it; undefined for tensors, graphs and the like. */
export function nativeAttribute(attribute: AttributeProto): NativeAttribute | undefined {
  switch (attribute.type || guessType(attribute)) {
    case Type.INT:
      return { i: Number(attribute.i) }
    case Type.FLOAT:
      return { f: attribute.f }
    case Type.STRING:
      return { s: decoder.decode(attribute.s) }
    case Type.INTS:
      return { ints: attribute.ints.map(Number) }
    case Type.FLOATS:
      return { floats: [...attribute.floats] }
    case Type.STRINGS:
      return { strings: attribute.strings.map((text) => decoder.decode(text)) }
    default:
      return undefined
  }
}

// Files older than IR version 2 leave the type out.
function guessType(attribute: AttributeProto): Type {
  if (attribute.ints.length > 0) return Type.INTS
  if (attribute.floats.length > 0) return Type.FLOATS
  if (attribute.strings.length > 0) return Type.STRINGS
  if (attribute.s.length > 0) return Type.STRING
  if (attribute.t || attribute.g) return Type.UNDEFINED
  return attribute.f !== 0 ? Type.FLOAT : Type.INT
}

export function nativeAttributes(node: NodeProto): Record<string, NativeAttribute> {
  const result: Record<string, NativeAttribute> = {}
  for (const attribute of node.attribute) {
    const value = nativeAttribute(attribute)
    if (value) result[attribute.name] = value
  }
  if (node.opType === 'ConstantOfShape') {
    const fill = wholeNumber(node.attribute.find(({ name }) => name === 'value'))
    if (fill !== undefined) result.value = { i: fill }
  }
  return result
}

/** What a tensor of one whole number holds: with it the sizes that a network makes can be told. */
function wholeNumber(attribute: AttributeProto | undefined): number | undefined {
  const { dataType, int64Data = [], rawData } = attribute?.t ?? {}
  if (dataType !== DataType.INT64 || !rawData) return undefined
  if (rawData.length !== 8) return int64Data.length === 1 ? Number(int64Data[0]) : undefined
  return Number(new DataView(rawData.buffer, rawData.byteOffset, 8).getBigInt64(0, true))
}
