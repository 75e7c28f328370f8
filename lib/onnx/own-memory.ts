import { native } from '../native/index.js'
import { sharedIdOf, sharedRoom } from '../native/shared-memory.js'
import { TensorProto_DataType as DataType, type TensorProto } from '../protobuf/index.js'
import type { OnnxModel } from './decode.js'
import { changed } from './message.js'

/** Bytes of weights below which a file stays as it is. */
const small = 2 ** 20

/** The numbers of a float32 tensor as bytes, whichever field holds them. */
function bytesOf({ rawData, floatData }: TensorProto): Uint8Array {
  return rawData.length > 0 ? rawData : new Uint8Array(Float32Array.from(floatData).buffer)
}

/**
 * The same model with its float32 initializers in memory that the worker sees, too, and
 * without the file's bytes: views of them anywhere in the message would keep the whole file. Bytes that
 * were read from a file are gone when this returns.
 */
export function inOwnMemory(model: OnnxModel): OnnxModel {
  const lengths = new Map<TensorProto, number>()
  for (const tensor of model.graph.initializer) {
    const length = tensor.rawData.length || 4 * tensor.floatData.length
    if (tensor.dataType === DataType.FLOAT && length > 0) lengths.set(tensor, length)
  }
  if ([...lengths.values()].reduce((sum, length) => sum + length, 0) < small) return model
  const { buffer, starts } = sharedRoom([...lengths.values()])
  const numbers = new Map<string, Uint8Array<ArrayBuffer>>()
  ;[...lengths].forEach(([tensor, length], k) => {
    const room = new Uint8Array(buffer, starts[k], length)
    room.set(bytesOf(tensor))
    numbers.set(tensor.name, room)
  })
  for (const tensor of lengths.keys()) {
    tensor.rawData = numbers.get(tensor.name) as Uint8Array
    tensor.floatData = []
  }
  const { graph } = model
  const proto = changed(model.proto, { graph })
  ownBytes(proto, model.bytes.buffer)
  if (model.file !== undefined) native.detach(model.bytes.buffer as ArrayBuffer)
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
  return { ...model, bytes: new Uint8Array(0), proto, initializers }
}

/** Copies what a message holds of a buffer, in place. */
function ownBytes(message: object, buffer: ArrayBufferLike): void {
  const fields = message as Record<string, unknown>
  for (const key of Object.keys(fields)) {
    const value = fields[key]
    if (typeof value !== 'object' || value === null) continue
    if (!ArrayBuffer.isView(value)) {
      // Of numbers and texts there may be many.
      if (!Array.isArray(value) || typeof value[0] === 'object') ownBytes(value, buffer)
    } else if (value.buffer === buffer) fields[key] = (value as Uint8Array).slice()
  }
}

/** The numbers that `inOwnMemory` has moved, not copied; undefined where they lie elsewhere. */
export function movedNumbers({ dataType, rawData }: TensorProto): Float32Array | undefined {
  const { buffer, byteOffset, length } = rawData
  if (dataType !== DataType.FLOAT || length === 0 || sharedIdOf(buffer) === undefined)
    return undefined
  return new Float32Array(buffer, byteOffset, length / 4)
}
