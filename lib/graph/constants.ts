import { create } from '@bufbuild/protobuf'
import { normalDomain } from '../onnx/index.js'
import {
  TensorProto_DataType as DataType,
  type NodeProto,
  type TensorProto,
  TensorProtoSchema,
} from '../protobuf/index.js'

/** Is a stored truth value (or number) not zero? */
export function isTrue({ rawData, int32Data, int64Data }: TensorProto): boolean {
  return rawData.some(Boolean) || int32Data.some(Boolean) || int64Data.some(Boolean)
}

/** What a Constant node holds; undefined for other nodes, sparse tensors and texts. */
export function constantTensor(node: NodeProto): TensorProto | undefined {
  if (node.opType !== 'Constant' || normalDomain(node.domain) !== '') return undefined
  for (const attribute of node.attribute) {
    switch (attribute.name) {
      case 'value':
        return attribute.t
      case 'value_float':
        return create(TensorProtoSchema, { dataType: DataType.FLOAT, floatData: [attribute.f] })
      case 'value_int':
        return create(TensorProtoSchema, { dataType: DataType.INT64, int64Data: [attribute.i] })
      case 'value_floats':
        return create(TensorProtoSchema, {
          dataType: DataType.FLOAT,
          dims: [BigInt(attribute.floats.length)],
          floatData: attribute.floats,
        })
      case 'value_ints':
        return create(TensorProtoSchema, {
          dataType: DataType.INT64,
          dims: [BigInt(attribute.ints.length)],
          int64Data: attribute.ints,
        })
    }
  }
  return undefined
}
