import { toBinary } from '@bufbuild/protobuf'
import { makeValueInfo, type OnnxModel } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import { isMember } from '../onnx/names.js'
import { TensorProto_DataType as DataType, ModelProtoSchema } from '../protobuf/index.js'
import type { PreparedGraph, Weight } from './prepare.js'
import { inPlanes } from './transposed.js'

/**
 * The bytes of the prepared model with the given weights as typed inputs instead of stored numbers, so that
 * one onnxruntime session serves any weights. (An initializer that is merely listed as an input too
 * keeps its stored numbers whatever is fed.)
 * @param double will it be written out in float64?
 */
export function skeleton(
  model: OnnxModel,
  prepared: PreparedGraph,
  weights: readonly Weight[],
  double = false,
): Uint8Array {
  const fed = new Set(weights.map(({ name }) => name))
  // Weights that were nodes and are not fed are stored.
  const stored = prepared.weights.filter(
    ({ name }) => !fed.has(name) && !model.initializers.has(name),
  )
  const { nodes, stored: shapes } = double
    ? { nodes: [...prepared.nodes], stored: [] }
    : inPlanes(prepared.nodes, model.opsets.get('') ?? 0)
  const graph = {
    ...model.graph,
    node: nodes,
    initializer: [
      ...model.graph.initializer.filter(({ name }) => !fed.has(name)),
      ...stored.map(({ name, tensor }) => changed(tensor, { name })),
      ...shapes,
    ],
    input: [
      ...model.graph.input.filter(({ name }) => !fed.has(name)),
      ...weights.map(({ name, shape }) => makeValueInfo(name, DataType.FLOAT, shape)),
    ],
    // What a session returns of the others it copies under another name.
    output: model.graph.output.filter(({ name }) => !isMember(name)),
  }
  return toBinary(ModelProtoSchema, { ...model.proto, graph })
}
