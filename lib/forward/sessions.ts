// onnxruntime sessions of one architecture, one per set of values that are wanted.
import * as ort from 'onnxruntime-node'
import { TangentError } from '../errors.js'
import type { NativeData } from '../native.js'
import { appendToModel, makeNode } from '../onnx/index.js'
import type { Feed, FeedArray, WeightMessage, WorkerInit } from './protocol.js'

/** Values that a session gives back beside the graph's own outputs. */
export interface Wanted {
  /** Values whose numbers are wanted. */
  values: readonly string[]
  /** Values whose shapes are wanted: computed by Shape nodes, so that no numbers are copied. */
  shapes: readonly string[]
}

// What fails is told by errors, not on the terminal.
ort.env.logLevel = 'fatal'

const shapePrefix = 'adaptive_tangent_shape:'

export class Sessions {
  readonly #init: WorkerInit
  readonly #open = new Map<string, Promise<Session>>()

  constructor(init: WorkerInit) {
    this.#init = init
  }

  /** The session that gives the wanted values; opened once. */
  get(key: string, threads: number, wanted: Wanted): Promise<Session> {
    const full = `${threads} ${key}`
    let session = this.#open.get(full)
    if (!session) {
      session = this.#create(threads, wanted)
      this.#open.set(full, session)
      session.catch(() => this.#open.delete(full))
    }
    return session
  }

  async #create(threads: number, wanted: Wanted): Promise<Session> {
    const bytes = appendToModel(this.#init.skeleton, {
      nodes: wanted.shapes.map((name) => makeNode('Shape', [name], [shapePrefix + name])),
      outputs: [
        ...wanted.values.filter((name) => !this.#init.outputs.includes(name)),
        ...wanted.shapes.map((name) => shapePrefix + name),
      ],
    })
    try {
      const session = await ort.InferenceSession.create(bytes, {
        intraOpNumThreads: threads,
        logSeverityLevel: 4,
        // Optimised, a Shape node gives what onnxruntime infers, which is wrong for some pooling
        // with ceil_mode; shapes are measured once, so that the time does not count.
        graphOptimizationLevel: wanted.shapes.length > 0 ? 'disabled' : 'all',
        // Threads that wait must not take the cores from the addon's.
        extra: {
          // This one drops a Transpose before a Gemm even if its result is wanted, and crashes.
          optimization: { disable_specified_optimizers: 'GemmTransposeFusion' },
          session: {
            intra_op: { allow_spinning: '0' },
            ...(this.#init.folder === undefined
              ? {}
              : { model_external_initializers_file_folder_path: this.#init.folder }),
          },
        },
      })
      return new Session(session, wanted)
    } catch (cause) {
      throw new TangentError('BAD_FILE', `onnxruntime cannot open the network: ${told(cause)}`, {
        cause,
      })
    }
  }
}

/** onnxruntime's message on one line. */
function told(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, ' ').trim()
}

export interface Outcome {
  values: Map<string, ort.Tensor>
  shapes: Map<string, number[]>
}

export class Session {
  readonly #session: ort.InferenceSession
  readonly #wanted: Wanted

  constructor(session: ort.InferenceSession, wanted: Wanted) {
    this.#session = session
    this.#wanted = wanted
  }

  async run(
    feed: Feed,
    first: number,
    count: number,
    weights: ReadonlyMap<string, ort.Tensor>,
  ): Promise<Outcome> {
    const feeds: Record<string, ort.Tensor> = Object.create(null)
    for (const array of feed.arrays) feeds[array.name] = rows(array, first, count)
    for (const name of this.#session.inputNames) {
      const weight = weights.get(name)
      if (weight) feeds[name] = weight
    }
    const fetches = [
      ...this.#wanted.values,
      ...this.#wanted.shapes.map((name) => shapePrefix + name),
    ]
    let results: ort.InferenceSession.OnnxValueMapType
    try {
      results = await this.#session.run(feeds, fetches, { logSeverityLevel: 4 })
    } catch (cause) {
      throw new TangentError('FAILED', `onnxruntime cannot run the network: ${told(cause)}`, {
        cause,
      })
    }
    const outcome: Outcome = { values: new Map(), shapes: new Map() }
    for (const name of this.#wanted.values) {
      outcome.values.set(name, results[name] as ort.Tensor)
    }
    for (const name of this.#wanted.shapes) {
      const { data } = results[shapePrefix + name] as ort.Tensor
      outcome.shapes.set(name, Array.from(data as BigInt64Array, Number))
    }
    return outcome
  }
}

/** Samples [first, first + count) of an input, sharing its memory. */
export function rows(array: FeedArray, first: number, count: number): ort.Tensor {
  const [samples = 1, ...rest] = array.shape
  const size = samples === 0 ? 0 : array.data.length / samples
  const part = array.data.subarray(first * size, (first + count) * size)
  return new ort.Tensor(array.type, part as never, [count, ...rest])
}

export function weightTensors(weights: readonly WeightMessage[]): Map<string, ort.Tensor> {
  return new Map(
    weights.map(({ name, data, shape }) => [name, new ort.Tensor('float32', data, shape)]),
  )
}

/** The numbers of a run's value as the addon takes them, or undefined for another type. */
export function nativeData(tensor: ort.Tensor): NativeData | undefined {
  const { data } = tensor
  if (data instanceof Float32Array || data instanceof BigInt64Array) return data
  if (data instanceof Int32Array) return data
  if (tensor.type === 'bool') return data as Uint8Array
  return undefined
}
