// Sessions that hold the weights of one network inside, as constants: onnxruntime folds, lays out and
// packs them beforehand, and they need not be fed. They are a second copy of the weights, made where a
// network is run again and again and as far as the memory budget allows.

import { heightAxis } from '../onnx/planes.js'
import { field, fields, fieldsOf, graphOf, message, textIn, withGraph } from '../onnx/wire.js'
import { linesInPlanes } from './lines.js'
import type { Weights } from './tensors.js'

/** TensorProto.DataType.FLOAT. */
const float32 = 1

/** What a session is for: plain runs, or the values that derivatives read. */
export type Use = 'run' | 'compute'

/** The call of a network that makes one; the network that its file holds is run so from the first on. */
const fromCall: Readonly<Record<Use, number>> = { run: 4, compute: 16 }
/** A copy passes through a message, which takes no more than twice this many bytes. */
const mostAlone = 2 ** 30
/** Copies for derivatives, whose own work weighs more, take no more than this many bytes. */
const mostBeside = 32 * 2 ** 20

/** The model with weights that are inputs as stored numbers in their place. */
export function withWeightsInside(model: Uint8Array, { messages }: Weights): Uint8Array {
  const weights = [...messages.values()]
  const inside = new Set(weights.map(({ name }) => name))
  const { initializer, input } = fields.graph
  const entries = fieldsOf(graphOf(model))
  const planes = linesInPlanes(model, entries, weights)
  const kept = entries.flatMap(({ number, content, whole }) => {
    if (number === input && inside.has(textIn(content, fields.value.name))) return []
    return planes.nodes.get(content) ?? [whole]
  })
  const { tensor } = fields
  const stored = weights.flatMap(({ name, shape, data: { buffer, byteOffset, byteLength } }) => {
    const sizes = planes.weights.has(name) ? shape.toSpliced(heightAxis, 0, 1) : shape
    const dims = sizes.map((size) => [tensor.dims, size] as const)
    const about = message(...dims, [tensor.dataType, float32], [tensor.name, name])
    const numbers = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)
    return field(initializer, [about, ...field(tensor.rawData, [numbers])])
  })
  return withGraph(model, [...kept, ...stored, ...planes.added])
}

/** A session of onnxruntime, or what holds one. */
interface Releasable {
  release(): Promise<void>
}

interface Known<S> {
  /** Of the weights; without end where no copy can be made. */
  bytes: number
  /** So far. */
  calls: Record<Use, number>
  /** Is it the network that the file holds? */
  first: boolean
  sessions: Map<string, Promise<S>>
}

/** Which networks have such sessions, and what they take. */
export class Packed<S extends Releasable> {
  /** The one that was used last comes last. */
  readonly #known = new Map<Weights, Known<S>>()
  #any = false
  /** Of the request that runs. */
  #allowed: Known<S> | undefined

  /** Weights that do not change until they are forgotten. */
  know(weights: Weights): void {
    let bytes = 0
    for (const { data } of weights.messages.values()) bytes += data.byteLength
    const calls = { run: 0, compute: 0 }
    this.#known.set(weights, { bytes, calls, first: !this.#any, sessions: new Map() })
    this.#any = true
  }

  /** Another request begins: until `begin` says so, its weights are fed. */
  none(): void {
    this.#allowed = undefined
  }

  /**
   * A request begins that may use a copy of its weights.
   * @param memory its budget in bytes.
   * @returns what all copies take of it.
   */
  begin(weights: Weights, use: Use, memory: number): number {
    const known = this.#known.get(weights)
    if (!known) return this.#shrink(memory / 4)
    this.#known.delete(weights)
    this.#known.set(weights, known)
    known.calls[use] += 1
    const often = (use === 'run' && known.first) || known.calls[use] >= fromCall[use]
    const room = use === 'run' ? Math.min(memory / 8, mostAlone) : Math.min(memory / 16, mostBeside)
    this.#allowed = often && known.bytes <= room ? known : undefined
    const bytes = this.#allowed ? known.bytes : 0
    return bytes + this.#shrink(memory / 4 - bytes)
  }

  /** The session with these weights inside; undefined where the request has to feed them. */
  get(weights: Weights, key: string, make: () => Promise<S>): Promise<S> | undefined {
    const known = this.#known.get(weights)
    if (!known || known !== this.#allowed) return undefined
    let session = known.sessions.get(key)
    if (!session) {
      session = make()
      known.sessions.set(key, session)
      session.catch(() => {
        known.sessions.delete(key)
        known.bytes = Infinity
      })
    }
    return session
  }

  forget(weights: Weights): void {
    const known = this.#known.get(weights)
    if (known) this.#release(known)
    this.#known.delete(weights)
  }

  /** Releases those that were not used for longest until all take no more than `most` bytes. */
  #shrink(most: number): number {
    let held = 0
    for (const { bytes, sessions } of this.#known.values()) {
      if (sessions.size > 0) held += bytes * sessions.size
    }
    for (const known of this.#known.values()) {
      if (held <= most) break
      if (known.sessions.size === 0) continue
      held -= known.bytes * known.sessions.size
      this.#release(known)
    }
    return held
  }

  #release({ sessions }: Known<S>): void {
    for (const session of sessions.values()) {
      session.then(
        (own) => own.release(),
        () => {},
      )
    }
    sessions.clear()
  }
}
