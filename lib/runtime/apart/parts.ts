// What is known of a network's values however many samples a batch has.
import { shapeSize } from '../../core/shape.js'
import type { NativeNode } from '../../native/index.js'

export type Part =
  /** The same numbers whatever the batch. */
  | { kind: 'same' }
  /**
   * As long along the axis as there are samples, and entry i depends on sample i alone. No other size
   * changes with the batch.
   */
  | Samples
  /** Sizes in a list, or one alone: each is the number of samples or the same for every batch. */
  | { kind: 'sizes'; samples: readonly boolean[]; scalar: boolean }

export interface Samples {
  kind: 'samples'
  axis: number
  rank: number
}

export const same: Part = { kind: 'same' }

export const along = (axis: number, rank: number): Part | undefined =>
  axis >= 0 && axis < rank ? { kind: 'samples', axis, rank } : undefined

export const sizes = (samples: readonly boolean[], scalar = false): Part =>
  samples.includes(true) ? { kind: 'sizes', samples, scalar } : same

/** What one run of one sample tells. */
export interface Known {
  /** Of a value; undefined where nobody asked. */
  shape(id: number): readonly number[] | undefined
  /** Whole numbers for one sample; undefined where nobody asked. */
  numbers(id: number): readonly number[] | undefined
}

/** A node whose inputs are known. */
export class At {
  readonly node: NativeNode
  readonly #parts: ReadonlyMap<number, Part>
  readonly #known: Known

  constructor(node: NativeNode, parts: ReadonlyMap<number, Part>, known: Known) {
    this.node = node
    this.#parts = parts
    this.#known = known
  }

  #id(k: number): number {
    return this.node.inputs[k] ?? -1
  }

  has(k: number): boolean {
    return this.#id(k) >= 0
  }

  part(k: number): Part | undefined {
    return this.#parts.get(this.#id(k))
  }

  /** Parts of all inputs that are there; undefined where one is not known. */
  get parts(): readonly Part[] | undefined {
    const parts = this.node.inputs.filter((id) => id >= 0).map((id) => this.#parts.get(id))
    return parts.every((part) => part !== undefined) ? (parts as Part[]) : undefined
  }

  /** An input that holds samples. */
  samples(k: number): Samples | undefined {
    const part = this.part(k)
    return part?.kind === 'samples' ? part : undefined
  }

  /** Are these inputs the same for every batch, where they are there? */
  same(from: number, to = this.node.inputs.length): boolean {
    for (let k = from; k < to; k += 1) {
      if (this.has(k) && this.part(k)?.kind !== 'same') return false
    }
    return true
  }

  /** Shape of an input for one sample. */
  shape(k: number): readonly number[] | undefined {
    return this.#known.shape(this.#id(k))
  }

  /** Shape of the first output for one sample. */
  get made(): readonly number[] | undefined {
    return this.#known.shape(this.node.outputs[0] ?? -1)
  }

  /** Whole numbers of an input that is the same for every batch. */
  numbers(k: number): readonly number[] | undefined {
    return this.part(k)?.kind === 'same' ? this.#known.numbers(this.#id(k)) : undefined
  }

  /** Whole numbers of an input for one sample. */
  numbersOfOne(k: number): readonly number[] | undefined {
    return this.#known.numbers(this.#id(k))
  }

  int(name: string, otherwise: number): number {
    const value = this.node.attributes[name]
    return value && 'i' in value ? value.i : otherwise
  }

  text(name: string, otherwise = ''): string {
    const value = this.node.attributes[name]
    return value && 's' in value ? value.s : otherwise
  }

  ints(name: string): readonly number[] | undefined {
    const value = this.node.attributes[name]
    return value && 'ints' in value ? value.ints : undefined
  }

  /** A list that is an attribute in older versions and input k in newer ones; undefined where it is not known. */
  list(name: string, k: number): readonly number[] | undefined {
    return this.has(k) ? this.numbers(k) : this.ints(name)
  }

  /** The same for one sample. */
  listOfOne(name: string, k: number): readonly number[] | undefined {
    return this.has(k) ? this.numbersOfOne(k) : this.ints(name)
  }

  /** An attribute that names an axis. */
  axis(name: string, otherwise: number, rank: number): number {
    return counted(this.int(name, otherwise), rank)
  }
}

/** An axis counted from the front. */
export const counted = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

/** Parts of a node's outputs: one for all of them, or of each; undefined: samples may meet. */
export type Rule = (at: At) => Part | readonly (Part | undefined)[] | undefined

/** Where the samples of operands are that are broadcast together. */
export function broadcast(at: At, inputs = [...at.node.inputs.keys()]): Part | undefined {
  let fromEnd = 0
  let rank = 0
  for (const k of inputs) {
    const part = at.part(k)
    if (part?.kind === 'samples') {
      const own = part.rank - part.axis
      if (fromEnd > 0 && own !== fromEnd) return undefined
      fromEnd = own
      rank = Math.max(rank, part.rank)
    } else if (part?.kind !== 'same') return undefined
  }
  if (fromEnd === 0) return undefined
  for (const k of inputs) {
    const part = at.part(k)
    if (part?.kind === 'samples') continue
    const shape = at.shape(k)
    if (!shape) return undefined
    rank = Math.max(rank, shape.length)
    // Of as many entries it would be of another sample each.
    if (shape.length >= fromEnd && shape[shape.length - fromEnd] !== 1) return undefined
  }
  return along(rank - fromEnd, rank)
}

/** Numbers before an axis. */
export const before = (shape: readonly number[], axis: number) => shapeSize(shape.slice(0, axis))
