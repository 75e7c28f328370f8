// Values of a forward run that onnxruntime writes where they stay, in memory of the addon. Its package for
// Node takes memory for a result and writes there, but then copies every result on one thread into pages
// that nobody touched before. At a result that is no tensor it ends with an error: where that is the first
// one, all is written and nothing copied.
import { shapeSize } from '../core/shape.js'
import { type NativeGraph, native } from '../native/index.js'
import * as ort from '../native/onnxruntime.js'
import { layOut } from '../native/shared-memory.js'
import { fields, message } from '../onnx/wire.js'

/** The result that is no tensor. */
export const endName = 'adaptive_tangent_end'
const endOp = 'SequenceEmpty'
const oldestOpset = 11

/** What makes it; undefined where the model's opset has no such operator. */
export function endNode({ nodes }: NativeGraph): Uint8Array | undefined {
  const { opset = 0 } = nodes.find(({ domain }) => domain === '') ?? {}
  if (opset < oldestOpset) return undefined
  return message([fields.node.output, endName], [fields.node.opType, endOp])
}

/** Did a run end at that result, and not before? */
export function isEnd(cause: unknown): boolean {
  return cause instanceof Error && cause.message.startsWith('Non tensor type')
}

/** Of fewer bytes the copy costs less than the error. */
const least = 2 ** 19

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  bool: Uint8Array,
}

/** The values of a run, and the buffer that holds them all. */
export interface Place {
  tensors: Map<string, ort.Tensor>
  buffer: ArrayBuffer
}

/**
 * Memory for the values of a run; undefined where it does not pay, or where one of them is of another type.
 * @param types by the name of a value
 */
export function placeOf(
  names: readonly string[],
  types: (name: string) => string | undefined,
  shapeOf: (name: string) => readonly number[],
  places: Places,
): Place | undefined {
  const values: { name: string; type: keyof typeof arrays; shape: readonly number[] }[] = []
  for (const name of names) {
    const type = types(name) ?? ''
    if (!isPlaced(type)) return undefined
    values.push({ name, type, shape: shapeOf(name) })
  }
  const { bytes, starts } = layOut(
    values.map(({ type, shape }) => shapeSize(shape) * arrays[type].BYTES_PER_ELEMENT),
  )
  if (bytes < least) return undefined
  const buffer = places.take(bytes)
  const tensors = values.map(({ name, type, shape }, k) => {
    const data = new arrays[type](buffer, starts[k], shapeSize(shape))
    return [name, new ort.Tensor(type, data as never, shape)] as const
  })
  return { tensors: new Map(tensors), buffer }
}

const mark = 0xa5

/**
 * Marks the first and the last number of each value.
 * @returns was one of them left as it is? Nobody else says that a run wrote what it was given.
 */
export function marked({ tensors, buffer }: Place): () => boolean {
  const ends = [...tensors.values()].flatMap(({ data }) => {
    const { byteOffset, byteLength, BYTES_PER_ELEMENT: size } = data as Float32Array
    const last = byteOffset + byteLength - size
    return byteLength === 0 ? [] : [byteOffset, last].map((at) => new Uint8Array(buffer, at, size))
  })
  for (const bytes of ends) bytes.fill(mark)
  return () => ends.some((bytes) => bytes.every((byte) => byte === mark))
}

/** Memory of the last run: a new buffer for each would have the engine collect once a run. */
export class Places {
  #last: ArrayBuffer | undefined

  take(bytes: number): ArrayBuffer {
    const last = this.#last
    if (last?.byteLength !== bytes) {
      this.clear()
      return native.lendMemory(bytes)
    }
    this.#last = undefined
    return last
  }

  give(buffer: ArrayBuffer): void {
    this.clear()
    this.#last = buffer
  }

  clear(): void {
    if (this.#last) native.takeMemoryBack(this.#last)
    this.#last = undefined
  }
}

const isPlaced = (type: string): type is keyof typeof arrays => type in arrays
