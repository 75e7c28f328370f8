// A small builder of ONNX models for tests: nodes, initializers, inputs with symbolic dimensions.
import { create, toBinary } from '@bufbuild/protobuf'
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from '../../lib/protobuf/index.js'

export type ElementType = 'float32' | 'float64' | 'float16' | 'int64' | 'int32' | 'bool' | 'uint8'

const codes: Record<ElementType, DataType> = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  float16: DataType.FLOAT16,
  int64: DataType.INT64,
  int32: DataType.INT32,
  bool: DataType.BOOL,
  uint8: DataType.UINT8,
}

export interface Tensor {
  type: ElementType
  shape: readonly number[]
  data: ArrayLike<number>
}

/** A float32 tensor. */
export function floats(shape: readonly number[], data: ArrayLike<number>): Tensor {
  return { type: 'float32', shape, data }
}

/** An int64 tensor, of rank 1 unless a shape is given. */
export function ints(data: ArrayLike<number>, shape: readonly number[] = [data.length]): Tensor {
  return { type: 'int64', shape, data }
}

/**
 * A number with a fraction is a float attribute, a whole one an int; `{ f: 1 }` forces a float.
 * Arrays likewise (`{ fs: [1, 2] }` forces floats).
 */
export type AttributeValue =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | { f: number }
  | { fs: readonly number[] }
  | { t: Tensor }
  | { g: ModelSpec }

export interface NodeSpec {
  op: string
  /** '' for an absent optional input. */
  inputs: readonly string[]
  outputs: readonly string[]
  attributes?: Record<string, AttributeValue>
  domain?: string
  name?: string
}

export interface ValueSpec {
  name: string
  /** Default float32. */
  type?: ElementType
  /** Strings are symbolic dimensions ('N' for the batch). */
  shape: readonly (number | string)[]
}

export interface ModelSpec {
  nodes: readonly NodeSpec[]
  inputs?: readonly ValueSpec[]
  outputs: readonly ValueSpec[]
  initializers?: Record<string, Tensor>
  /** Version of ai.onnx; default 17. */
  opset?: number
  /** Versions of further domains. */
  domains?: Record<string, number>
  /** Default: the oldest that the opset allows. */
  irVersion?: number
}

function bytesOf(tensor: Tensor): Uint8Array<ArrayBuffer> {
  const values = Array.from(tensor.data)
  const count = tensor.shape.reduce((product, size) => product * size, 1)
  if (values.length !== count) {
    throw new Error(`${values.length} numbers for shape [${tensor.shape.join(', ')}]`)
  }
  switch (tensor.type) {
    case 'float32':
      return new Uint8Array(Float32Array.from(values).buffer)
    case 'float64':
      return new Uint8Array(Float64Array.from(values).buffer)
    case 'float16':
      return new Uint8Array(Uint16Array.from(values, toHalf).buffer)
    case 'int64':
      return new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
    case 'int32':
      return new Uint8Array(Int32Array.from(values).buffer)
    case 'bool':
    case 'uint8':
      return Uint8Array.from(values)
  }
}

/** Bits of the nearest float16 (ties to even). */
function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const magnitude = Math.abs(value)
  if (Number.isNaN(value)) return 0x7e00
  if (magnitude >= 65520) return sign | 0x7c00
  const exponent = Math.max(Math.floor(Math.log2(magnitude || 2 ** -30)), -14)
  const scaled = magnitude / 2 ** (exponent - 10)
  let mantissa = Math.round(scaled)
  if (Math.abs(scaled - Math.trunc(scaled) - 0.5) < 1e-9 && mantissa % 2) mantissa -= 1
  // A carry out of the mantissa raises the exponent, and a subnormal has exponent bits 0.
  return sign | (((exponent + 14) << 10) + mantissa)
}

export function tensorProto(name: string, tensor: Tensor): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: codes[tensor.type],
    dims: tensor.shape.map(BigInt),
    rawData: bytesOf(tensor),
  })
}

function attribute(name: string, value: AttributeValue): AttributeProto {
  const proto = create(AttributeProtoSchema, { name })
  const encode = new TextEncoder()
  if (typeof value === 'number') {
    if (Number.isInteger(value)) {
      proto.type = AttributeType.INT
      proto.i = BigInt(value)
    } else {
      proto.type = AttributeType.FLOAT
      proto.f = value
    }
  } else if (typeof value === 'string') {
    proto.type = AttributeType.STRING
    proto.s = encode.encode(value)
  } else if (Array.isArray(value)) {
    if (value.some((item) => typeof item === 'string')) {
      proto.type = AttributeType.STRINGS
      proto.strings = value.map((item) => encode.encode(String(item)))
    } else if (value.every((item) => Number.isInteger(item))) {
      proto.type = AttributeType.INTS
      proto.ints = value.map((item) => BigInt(item))
    } else {
      proto.type = AttributeType.FLOATS
      proto.floats = value.map(Number)
    }
  } else if ('f' in value) {
    proto.type = AttributeType.FLOAT
    proto.f = value.f
  } else if ('fs' in value) {
    proto.type = AttributeType.FLOATS
    proto.floats = [...value.fs]
  } else if ('t' in value) {
    proto.type = AttributeType.TENSOR
    proto.t = tensorProto('', value.t)
  } else if ('g' in value) {
    proto.type = AttributeType.GRAPH
    proto.g = graphProto(value.g)
  }
  return proto
}

function valueInfo(spec: ValueSpec) {
  const dim = spec.shape.map((size) =>
    create(
      TensorShapeProto_DimensionSchema,
      typeof size === 'string'
        ? { value: { case: 'dimParam', value: size } }
        : { value: { case: 'dimValue', value: BigInt(size) } },
    ),
  )
  const tensor = create(TypeProto_TensorSchema, {
    elemType: codes[spec.type ?? 'float32'],
    shape: create(TensorShapeProtoSchema, { dim }),
  })
  return create(ValueInfoProtoSchema, {
    name: spec.name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  })
}

function graphProto(spec: ModelSpec) {
  return create(GraphProtoSchema, {
    name: 'test',
    node: spec.nodes.map((node, index) =>
      create(NodeProtoSchema, {
        opType: node.op,
        domain: node.domain ?? '',
        name: node.name ?? `${node.op}_${index}`,
        input: [...node.inputs],
        output: [...node.outputs],
        attribute: Object.entries(node.attributes ?? {}).map(([name, value]) =>
          attribute(name, value),
        ),
      }),
    ),
    initializer: Object.entries(spec.initializers ?? {}).map(([name, tensor]) =>
      tensorProto(name, tensor),
    ),
    input: (spec.inputs ?? []).map(valueInfo),
    output: spec.outputs.map(valueInfo),
  })
}

function oldestIr(opset: number): number {
  if (opset >= 23) return 11
  if (opset >= 21) return 10
  if (opset >= 19) return 9
  if (opset >= 15) return 8
  if (opset >= 13) return 7
  if (opset >= 11) return 6
  return 4
}

/** The bytes of an ONNX model. */
export function model(spec: ModelSpec): Uint8Array {
  const opset = spec.opset ?? 17
  const proto = create(ModelProtoSchema, {
    irVersion: BigInt(spec.irVersion ?? oldestIr(opset)),
    producerName: 'adaptive-tangent-tests',
    opsetImport: [
      create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(opset) }),
      ...Object.entries(spec.domains ?? {}).map(([domain, version]) =>
        create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
      ),
    ],
    graph: graphProto(spec),
  })
  return toBinary(ModelProtoSchema, proto)
}
