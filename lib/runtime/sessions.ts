// onnxruntime sessions of one architecture, one per set of values that are wanted.
import { availableParallelism, loadavg } from 'node:os'
import { TangentError } from '../core/errors.js'
import { anyTensorType } from '../io/element-types.js'
import type { NativeData } from '../native/index.js'
import * as ort from '../native/onnxruntime.js'
import { isMember } from '../onnx/names.js'
import { fields, joined, message, node } from '../onnx/wire.js'
import { openFailure } from './failures.js'
import { type Inferred, infer } from './inferred.js'
import { type Optimisation, optimised } from './optimised.js'
import { Packed, withWeightsInside } from './packed.js'
import { endName, endNode } from './placed.js'
import type { WeightMessage, WorkerInit } from './protocol.js'
import { Session, shapePrefix, type Wanted } from './session.js'
import type { Weights } from './tensors.js'

const copyPrefix = 'adaptive_tangent_copy:'
const unoptimised: Optimisation = { level: 'disabled', without: '' }

/** Types that come back as numbers; of 4-bit integers onnxruntime-node asks for memory without end. */
const returned = new Set(
  'float32 float64 float16 int64 int32 int16 int8 uint64 uint32 uint16 uint8 bool'.split(' '),
)

export class Sessions {
  readonly #init: WorkerInit
  readonly #open = new Map<string, Promise<Session>>()
  #inferred: Promise<Inferred> | undefined
  #double: Promise<Uint8Array> | undefined
  /** Sessions with the weights of one network inside. */
  readonly packed = new Packed<Session>()

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

  /** Closes one that is not likely to be needed again. */
  async close(key: string, threads: number): Promise<void> {
    const full = `${threads} ${key}`
    const session = this.#open.get(full)
    this.#open.delete(full)
    await (await session)?.release()
  }

  /** The same for runs with these weights: with them inside where the request allows it. */
  of(weights: Weights, key: string, threads: number, wanted: Wanted): Promise<Session> {
    const fed = () => this.get(key, threads, wanted)
    // In float64 all is written out as it stands.
    if (this.#init.double) return fed()
    const make = () => this.#create(threads, wanted, weights)
    const packed = this.packed.get(weights, `${threads} ${key}`, make)
    return packed ? packed.catch(fed) : fed()
  }

  /** What onnxruntime tells of the network without running it; asked for once. */
  inferred(): Promise<Inferred> {
    this.#inferred ??= infer(this.#init)
    return this.#inferred
  }

  /** @param inside weights that the session holds; others are fed. */
  async #create(threads: number, wanted: Wanted, inside?: Weights): Promise<Session> {
    const { values: inferred } = await this.inferred()
    const values = [...wanted.values, ...(wanted.more ?? [])]
    for (const name of values) checkReturned(name, inferred.get(name)?.type ?? 'float32')
    // A copy of what is no float32 (indices, masks, sizes: small) is safe from any optimiser that
    // thinks its source is not needed.
    const copied = new Set(
      values.filter(
        (name) => isMember(name) || (inferred.get(name)?.type ?? 'float32') !== 'float32',
      ),
    )
    const fetched = new Map(
      values.map((name) => [name, copied.has(name) ? copyPrefix + name : name]),
    )
    const placed = wanted.placed === true && endNode(this.#init.graph)
    const nodes = [
      ...(placed ? [placed] : []),
      ...[...copied].map((name) => node('Identity', name, copyPrefix + name)),
      ...wanted.shapes.map((name) => node('Shape', name, shapePrefix + name)),
    ]
    // The end before what is to have a place.
    const outputs = [
      ...(placed ? [endName] : []),
      ...[...fetched.values()].filter((name) => !this.#init.outputs.includes(name)),
      ...wanted.shapes.map((name) => shapePrefix + name),
    ]
    // Optimised, a Shape node gives what onnxruntime infers, which is wrong for some pooling
    // with ceil_mode; shapes are measured once, so that the time does not count. Some optimisers
    // take every number for a float32.
    const fed = await this.#model(addition(nodes, outputs))
    const model = inside ? withWeightsInside(fed, inside) : fed
    const spinning = this.#isPlain(wanted) && isQuiet(threads)
    let session: ort.InferenceSession
    try {
      session =
        wanted.shapes.length > 0 || this.#init.double
          ? await this.#start(model, threads, unoptimised, { once: wanted.shapes.length > 0 })
          : await optimised((how) => this.#start(model, threads, how, { spinning }), model.length)
    } catch (cause) {
      throw openFailure(cause)
    }
    const types = new Map(
      [...session.outputTypes].map(([name, type]) => [
        name,
        type ? anyTensorType(type) : 'no tensor',
      ]),
    )
    for (const [name, output] of fetched) checkReturned(name, types.get(output) ?? 'nothing')
    const given = { ...wanted, fetched, types: placed ? types : undefined }
    return new Session(session, given, this.#init.free)
  }

  /** One of the network's outputs and nothing else: no derivatives follow. */
  #isPlain({ values: [output = '', ...others], shapes }: Wanted): boolean {
    return others.length === 0 && shapes.length === 0 && this.#init.outputs.includes(output)
  }

  /** The network that runs, the skeleton or the same in float64, with what is wanted. */
  async #model(added: Uint8Array): Promise<Uint8Array> {
    const { double, skeleton, folder } = this.#init
    if (!double) return joined([skeleton, added])
    this.#double ??= import('../graph/double/index.js').then(({ inDoubleBytes }) =>
      inDoubleBytes(skeleton, folder),
    )
    return joined([await this.#double, added])
  }

  #start(
    model: Uint8Array,
    threads: number,
    { level, without, path }: Optimisation,
    { once = false, spinning = false } = {},
  ): Promise<ort.InferenceSession> {
    return ort.InferenceSession.create(model, {
      intraOpNumThreads: threads,
      logSeverityLevel: 4,
      graphOptimizationLevel: level,
      // What one run needed would be kept for the next: a session for shapes has none.
      enableCpuMemArena: !once,
      ...(path === undefined ? {} : { optimizedModelFilePath: path }),
      extra: {
        optimization: { disable_specified_optimizers: without },
        session: {
          // After a run no thread may take a core from the addon's.
          ...(spinning ? { force_spinning_stop: '1' } : { intra_op: { allow_spinning: '0' } }),
          // A product with quantised weights would quantise the activations, too: 2e-3 off.
          disable_quant_qdq: '1',
          ...(this.#init.folder === undefined
            ? {}
            : { model_external_initializers_file_folder_path: this.#init.folder }),
        },
      },
    })
  }
}

/**
 * Threads that watch for the next node take less than threads that are woken for it (a fifth of a run of 3 ms)
 * but, where others want the cores, take them from the very thread that they wait for: then twice as much.
 */
function isQuiet(threads: number): boolean {
  const cores = availableParallelism()
  const [load = 0] = loadavg()
  return threads <= cores && load < 1.5 * cores
}

/** Nodes and outputs as a model by itself: appended to a model's bytes it becomes part of that. */
function addition(nodes: readonly Uint8Array[], outputs: readonly string[]): Uint8Array {
  const { node: made, output } = fields.graph
  const graph = message(
    ...nodes.map((each) => [made, each] as const),
    ...outputs.map((name) => [output, message([fields.value.name, name])] as const),
  )
  return message([fields.model.graph, graph])
}

/** @throws TangentError UNSUPPORTED for a type that does not come back. */
function checkReturned(name: string, type: string): void {
  if (returned.has(type)) return
  throw new TangentError(
    'UNSUPPORTED',
    `Expected float32 numbers, integers or booleans in value ${JSON.stringify(name)} but the network computes ${type}`,
  )
}

export function weightTensors(weights: readonly WeightMessage[]): Map<string, ort.Tensor> {
  return new Map(
    weights.map(({ name, data, shape }) => [
      name,
      data instanceof Float64Array
        ? new ort.Tensor('float64', data, shape)
        : new ort.Tensor('float32', data, shape),
    ]),
  )
}

/** The numbers of a run's value as the addon takes them, or undefined for another type. */
export function nativeData(tensor: ort.Tensor): NativeData | undefined {
  const { data } = tensor
  if (data instanceof Float32Array || data instanceof Float64Array) return data
  if (data instanceof BigInt64Array) return data
  if (data instanceof Int32Array) return data
  if (tensor.type === 'bool') return data as Uint8Array
  return undefined
}
