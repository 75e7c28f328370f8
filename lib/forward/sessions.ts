// onnxruntime sessions of one architecture, one per set of values that are wanted.
import * as ort from 'onnxruntime-node'
import type { NativeData } from '../native.js'
import { appendToModel, makeNode } from '../onnx/index.js'
import { openFailure, runFailure } from './failures.js'
import type { Feed, WeightMessage, WorkerInit } from './protocol.js'
import { inputTensor } from './tensors.js'

/** Values that a session gives back beside the graph's own outputs. */
export interface Wanted {
  /** Values whose numbers are wanted. */
  values: readonly string[]
  /** Values whose shapes are wanted: computed by Shape nodes, so that no numbers are copied. */
  shapes: readonly string[]
}

/**
 * As onnxruntime infers it: names, or '', are sizes that it does not know; without dimensions where it
 * does not know the rank.
 */
export interface InferredShape {
  type: string
  shape: readonly (number | string)[]
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

  /** Types and shapes of values, and of the inputs, by name; nothing where it cannot tell. */
  async inferred(names: readonly string[]): Promise<Map<string, InferredShape>> {
    const outputs = names.filter((name) => !this.#init.outputs.includes(name))
    try {
      // Optimising computes what is constant, of whatever size.
      const session = await this.#start({ nodes: [], outputs }, 1, 'disabled')
      const { inputMetadata, outputMetadata } = session
      await session.release()
      return new Map(
        [...inputMetadata, ...outputMetadata].flatMap((value) =>
          value.isTensor ? [[value.name, value]] : [],
        ),
      )
    } catch {
      // The session that is to run tells what is wrong.
      return new Map()
    }
  }

  async #create(threads: number, wanted: Wanted): Promise<Session> {
    const added = {
      nodes: wanted.shapes.map((name) => makeNode('Shape', [name], [shapePrefix + name])),
      outputs: [
        ...wanted.values.filter((name) => !this.#init.outputs.includes(name)),
        ...wanted.shapes.map((name) => shapePrefix + name),
      ],
    }
    try {
      // Optimised, a Shape node gives what onnxruntime infers, which is wrong for some pooling
      // with ceil_mode; shapes are measured once, so that the time does not count.
      const level = wanted.shapes.length > 0 ? 'disabled' : 'all'
      return new Session(await this.#start(added, threads, level), wanted, this.#init.free)
    } catch (cause) {
      throw openFailure(cause)
    }
  }

  #start(
    added: Parameters<typeof appendToModel>[1],
    threads: number,
    level: 'disabled' | 'all',
  ): Promise<ort.InferenceSession> {
    return ort.InferenceSession.create(appendToModel(this.#init.skeleton, added), {
      intraOpNumThreads: threads,
      logSeverityLevel: 4,
      graphOptimizationLevel: level,
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
  }
}

/** Of all successful runs in this thread. */
export const timeInOnnxruntime = { milliseconds: 0 }

export interface Outcome {
  values: Map<string, ort.Tensor>
  shapes: Map<string, number[]>
}

export class Session {
  readonly #session: ort.InferenceSession
  readonly #wanted: Wanted
  readonly #free: boolean

  constructor(session: ort.InferenceSession, wanted: Wanted, free: boolean) {
    this.#session = session
    this.#wanted = wanted
    this.#free = free
  }

  async run(
    feed: Feed,
    first: number,
    count: number,
    weights: ReadonlyMap<string, ort.Tensor>,
  ): Promise<Outcome> {
    const feeds: Record<string, ort.Tensor> = Object.create(null)
    for (const name of this.#session.inputNames) {
      const tensor = weights.get(name) ?? inputTensor(feed, name, first, count)
      if (tensor) feeds[name] = tensor
    }
    const fetches = [
      ...this.#wanted.values,
      ...this.#wanted.shapes.map((name) => shapePrefix + name),
    ]
    let results: ort.InferenceSession.OnnxValueMapType
    const start = performance.now()
    try {
      results = await this.#session.run(feeds, fetches, { logSeverityLevel: 4 })
      timeInOnnxruntime.milliseconds += performance.now() - start
    } catch (cause) {
      throw runFailure(cause, feed, this.#free)
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
