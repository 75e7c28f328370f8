import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { TensorProto_DataType as DataType, ModelProtoSchema, type TensorProto } from 'onnx-buf'
import { blockOf, sharedRoom } from '../blocks.js'
import type { OnnxModel } from './decode.js'
import { changed } from './message.js'

/** Bytes of weights below which a file stays as it is. */
const small = 2 ** 20

/**
 * The same model with its float32 initializers in memory that the forward worker sees, too, and
 * without the file's bytes: views of them anywhere in the message would keep the whole file.
 */
export function inOwnMemory(model: OnnxModel): OnnxModel {
  const moved = model.graph.initializer.filter(
    ({ dataType, rawData }) => dataType === DataType.FLOAT && rawData.length > 0,
  )
  if (moved.reduce((sum, { rawData }) => sum + rawData.length, 0) < small) return model
  const { buffer, starts } = sharedRoom(moved.map(({ rawData }) => rawData.length))
  const numbers = new Map<string, Uint8Array<ArrayBuffer>>()
  moved.forEach(({ name, rawData }, k) => {
    const room = new Uint8Array(buffer, starts[k], rawData.length)
    room.set(rawData)
    numbers.set(name, room)
  })
  const initializer = model.graph.initializer.map((tensor) =>
    numbers.has(tensor.name) ? changed(tensor, { rawData: new Uint8Array(0) }) : tensor,
  )
  const rest = changed(model.proto, { graph: changed(model.graph, { initializer }) })
  const bytes = toBinary(ModelProtoSchema, rest)
  const proto = fromBinary(ModelProtoSchema, bytes)
  const graph = proto.graph as NonNullable<typeof proto.graph>
  for (const tensor of graph.initializer) {
    tensor.rawData = numbers.get(tensor.name) ?? tensor.rawData
  }
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
  return { ...model, bytes, proto, graph, initializers }
}

/** The numbers that `inOwnMemory` has moved, not copied; undefined where they lie elsewhere. */
export function movedNumbers({ dataType, rawData }: TensorProto): Float32Array | undefined {
  const { buffer, byteOffset, length } = rawData
  if (dataType !== DataType.FLOAT || length === 0 || blockOf(buffer) === undefined) return undefined
  return new Float32Array(buffer, byteOffset, length / 4)
}
