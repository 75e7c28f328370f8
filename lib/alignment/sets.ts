// Memory for the kernels of three checkpoints, used over and over.
import type { SharedArray } from '../model/core.js'
import { native } from '../native/index.js'

/** The kernels of the first checkpoint, of the one before, and of the present one. */
export class KernelSets {
  readonly #sets: SharedArray[][] = []
  readonly #length: number
  readonly #kernels: number

  /** @param length numbers of one kernel; `kernels` of them make a set. */
  constructor(kernels: number, length: number) {
    this.#kernels = kernels
    this.#length = length
  }

  /** Bytes of three sets. */
  static bytes(kernels: number, length: number): number {
    return 3 * kernels * 4 * length
  }

  /** The set of a checkpoint: the first keeps its own, the others take turns. */
  at(index: number): SharedArray[] {
    const place = index === 0 ? 0 : 1 + ((index - 1) % 2)
    let set = this.#sets[place]
    if (!set) {
      set = []
      this.#sets[place] = set
      for (let k = 0; k < this.#kernels; k += 1) {
        const { buffer, id } = native.allocateShared(4 * this.#length)
        set.push({ id, data: new Float32Array(buffer, 0, this.#length) })
      }
    }
    return set
  }

  /** Gives the memory back: what was read from it is lost. */
  dispose(): void {
    for (const { id } of this.#sets.flat()) native.discardShared(id)
    this.#sets.length = 0
  }
}
