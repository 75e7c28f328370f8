import { create } from '@bufbuild/protobuf'
import { tensorType, tensorTypeName } from '../io/element-types.js'
import type { StoredType } from '../io/ndarray.js'
import {
  type TensorShapeProto,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../protobuf/index.js'

/** A dimension: a size, the name of a free one, or null where it is free and has no name. */
export type Dimension = number | string | null

/** What a model says of one of its values. */
export interface ValueInfo {
  name: string
  /** null for anything but a tensor of plain numbers (strings, float8, sequences, …). */
  type: StoredType | null
  /** As ONNX writes the element type; 'SEQUENCE', … for what is no tensor. */
  typeName: string
  /** ONNX's number of the element type; 0 for what is no tensor. */
  dataType: number
  /** null where even the rank is unknown. */
  shape: Dimension[] | null
  /** Of an input: a dimension of several that the file fixes, and that is free here. */
  freed?: { axis: number; size: number }
}

function readShape(shape: TensorShapeProto): Dimension[] {
  return shape.dim.map(({ value }) => {
    if (value.case === 'dimParam') return value.value === '' ? null : value.value
    // Some converters write -1 for a free dimension, and onnxruntime reads it so.
    if (value.case === 'dimValue') return value.value < 0n ? null : Number(value.value)
    return null
  })
}

/** Reads an input's or output's declared type and shape. */
export function valueInfo(info: ValueInfoProto): ValueInfo {
  const type = info.type?.value
  if (type?.case !== 'tensorType') {
    const typeName = type?.case?.replace(/Type$/, '').toUpperCase() ?? 'UNDEFINED'
    return { name: info.name, type: null, typeName, dataType: 0, shape: null }
  }
  const { elemType, shape } = type.value
  return {
    name: info.name,
    type: tensorType(elemType),
    typeName: tensorTypeName(elemType),
    dataType: elemType,
    shape: shape ? readShape(shape) : null,
  }
}

/** Builds the declaration of a tensor value; without a shape its rank stays open. */
export function makeValueInfo(
  name: string,
  dataType: number,
  shape?: readonly Dimension[],
): ValueInfoProto {
  const dim = shape?.map((size) =>
    create(
      TensorShapeProto_DimensionSchema,
      size === null
        ? {}
        : typeof size === 'string'
          ? { value: { case: 'dimParam', value: size } }
          : { value: { case: 'dimValue', value: BigInt(size) } },
    ),
  )
  const tensor = create(TypeProto_TensorSchema, {
    elemType: dataType,
    ...(dim ? { shape: create(TensorShapeProtoSchema, { dim }) } : {}),
  })
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  })
}
