// Checkpoints in order, the next one being read while the present one is measured.
import { basename, extname } from 'node:path'
import { badArgument } from '../core/errors.js'
import { cores } from '../model/core.js'
import type { WeightSource } from '../model/weights.js'
import type { Network } from '../network/network.js'
import { type CheckpointUnit, stepOf, unitOf } from './checkpoint-files.js'
import type { Checkpoint } from './types.js'

export type AnyCheckpoint = Checkpoint | Checkpoint['source']
export type Checkpoints = Iterable<AnyCheckpoint> | AsyncIterable<AnyCheckpoint>

export interface Loaded {
  name: string
  step: number | null
  unit: CheckpointUnit
  network: Network
  /** Made here, so disposed of here. */
  own: boolean
}

export class CheckpointReader {
  readonly #network: Network
  readonly #iterator: Iterator<AnyCheckpoint> | AsyncIterator<AnyCheckpoint>
  #upcoming: Promise<Loaded | null> | undefined
  #count = 0

  constructor(network: Network, checkpoints: Checkpoints) {
    this.#network = network
    const iterable = typeof checkpoints === 'object' ? checkpoints : undefined
    if (iterable && Symbol.asyncIterator in iterable) {
      this.#iterator = iterable[Symbol.asyncIterator]()
    } else if (iterable && Symbol.iterator in iterable) {
      this.#iterator = iterable[Symbol.iterator]()
    } else {
      throw badArgument('checkpoints', 'an iterable of files, networks or arrays', checkpoints)
    }
  }

  /** The next checkpoint, and the one after it starts being read; null at the end. */
  async next(): Promise<Loaded | null> {
    const present = await (this.#upcoming ?? this.#load())
    if (!present) return null
    this.#upcoming = this.#load()
    // Whoever asks for it hears of an error; until then it is not an unhandled one.
    this.#upcoming.catch(() => {})
    return present
  }

  async #load(): Promise<Loaded | null> {
    const { done, value } = await this.#iterator.next()
    if (done) return null
    const index = this.#count++
    const { source, ...given } = described(value, index)
    const core = typeof source === 'object' ? cores.get(source) : undefined
    const path = typeof source === 'string' ? source : undefined
    const name =
      given.name ?? (path === undefined ? `checkpoint ${index}` : basename(path, extname(path)))
    const step = given.step ?? (path === undefined ? null : stepOf(path))
    const unit = given.unit ?? (path === undefined ? 'step' : unitOf(path))
    if (!core) {
      const network = await this.#network.withParameters(source as WeightSource)
      return { name, step, unit, network, own: true }
    }
    if (core.architecture !== cores.get(this.#network)?.architecture) {
      throw badArgument(
        `checkpoints[${index}]`,
        'a network made by withParameters from the first argument',
        'a network of its own',
      )
    }
    return { name, step, unit, network: source as Network, own: false }
  }

  /** Lets go of what was read ahead. */
  async close(): Promise<void> {
    const ahead = await this.#upcoming?.catch(() => null)
    if (ahead?.own) await ahead.network.dispose()
    await this.#iterator.return?.()
  }
}

function described(given: AnyCheckpoint, index: number): Checkpoint {
  if (typeof given === 'string' || given instanceof Map) return { source: given }
  if (typeof given === 'object' && given !== null) {
    if (cores.has(given)) return { source: given as Network }
    if ('source' in given) return given
  }
  throw badArgument(
    `checkpoints[${index}]`,
    "the path of a '.onnx' or '.safetensors' file, a Map of arrays, a network, or { source, name, step }",
    given,
  )
}
