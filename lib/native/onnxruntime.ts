// onnxruntime, wherever it is. Only threads that run networks import this. Its native module is used as
// onnxruntime-node does, whose own JavaScript, with the backends and kinds of tensors of browsers, would take
// longer to read than a small network to run. The two belong to one version: see package.json.
import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import type * as onnxruntime from 'onnxruntime-node'
import { shapeSize } from '../core/shape.js'
import { findOnnxruntimeModule } from './binary.js'

export type TensorType = onnxruntime.Tensor.Type
export type TensorData = onnxruntime.Tensor.DataType
export type SessionOptions = onnxruntime.InferenceSession.SessionOptions
/** What a session gives back, by name. */
export type Results = Readonly<Record<string, Tensor>>

type Fetches = Readonly<Record<string, Tensor | null>>

/** A value as onnxruntime's module reads and makes it. */
export class Tensor {
  readonly location = 'cpu'
  readonly type: TensorType
  readonly data: TensorData
  readonly dims: readonly number[]

  constructor(type: TensorType, data: TensorData, dims: readonly number[]) {
    const size = shapeSize(dims)
    if (size !== data.length) {
      throw new Error(`A tensor of size ${size} does not hold ${data.length} numbers`)
    }
    this.type = type
    this.data = data
    this.dims = dims
  }
}

interface Declared {
  name: string
  isTensor: boolean
  /** Of a tensor: TensorProto.DataType. */
  type: number
}

interface NativeSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: SessionOptions): void
  readonly inputMetadata: readonly Declared[]
  readonly outputMetadata: readonly Declared[]
  run(feeds: Readonly<Record<string, Tensor>>, fetches: Fetches, options: object): Results
  dispose(): void
}

const { InferenceSession: Native, initOrtOnce } = createRequire(import.meta.url)(
  findOnnxruntimeModule(),
) as {
  InferenceSession: new () => NativeSession
  initOrtOnce(logLevel: number, tensor: typeof Tensor, isMain: boolean): void
}

/** What fails is told by errors, not on the terminal. */
const fatal = 4
let isReady = false

export class InferenceSession {
  readonly #native: NativeSession
  readonly inputNames: readonly string[]
  /** TensorProto.DataType of each output; 0 of sequences and the like. */
  readonly outputTypes: ReadonlyMap<string, number>

  private constructor(native: NativeSession) {
    this.#native = native
    this.inputNames = native.inputMetadata.map(({ name }) => name)
    this.outputTypes = new Map(
      native.outputMetadata.map(({ name, isTensor, type }) => [name, isTensor ? type : 0]),
    )
  }

  static async create(model: Uint8Array, options: SessionOptions): Promise<InferenceSession> {
    if (!isReady) initOrtOnce(fatal, Tensor, isMainThread)
    isReady = true
    const native = new Native()
    native.loadModel(model.buffer, model.byteOffset, model.length, options)
    return new InferenceSession(native)
  }

  /** @param fetches names of outputs; with a tensor for each whose memory takes the numbers, or null */
  async run(
    feeds: Readonly<Record<string, Tensor>>,
    fetches: readonly string[] | Fetches,
    options: onnxruntime.InferenceSession.RunOptions,
  ): Promise<Results> {
    for (const name of this.inputNames) {
      if (!feeds[name]) throw new Error(`Input ${JSON.stringify(name)} is missing`)
    }
    // Without a prototype, whose members could be taken for outputs.
    const wanted: Record<string, Tensor | null> = Object.create(null)
    if (!Array.isArray(fetches)) Object.assign(wanted, fetches)
    else for (const name of fetches) wanted[name] = null
    for (const name in wanted) {
      if (!this.outputTypes.has(name)) throw new Error(`There is no output ${JSON.stringify(name)}`)
    }
    return this.#native.run(feeds, wanted, options)
  }

  async release(): Promise<void> {
    this.#native.dispose()
  }
}
