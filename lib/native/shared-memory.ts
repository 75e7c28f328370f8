// Memory that the main thread and a worker both see.
import { native } from './index.js'

/** Ids of the memory that this thread shares, by the buffer that shows them here. */
const ids = new WeakMap<ArrayBufferLike, number>()

/** Lets a block go when the buffer that showed it here is gone; the worker's own keeps it, too. */
const registry = new FinalizationRegistry((id: number) => native.releaseShared(id))

/** A block that lives as long as its buffer is in use, here or in a worker. */
export function sharedBuffer(bytes: number): ArrayBuffer {
  const { buffer, id } = native.allocateShared(bytes)
  ids.set(buffer, id)
  registry.register(buffer, id)
  return buffer
}

/** The number of the block that a buffer shows; undefined for other memory. */
export function sharedIdOf(buffer: ArrayBufferLike): number | undefined {
  return ids.get(buffer)
}

/** Arrays of these lengths in bytes in one block: where each begins, and the bytes of all. */
export function layOut(lengths: readonly number[]): { bytes: number; starts: number[] } {
  let bytes = 0
  const starts = lengths.map((length) => {
    const start = bytes
    // Whole cache lines.
    bytes += Math.ceil(length / 64) * 64
    return start
  })
  return { bytes, starts }
}

/** Memory for arrays of these lengths in bytes, one block for all: where each begins. */
export function sharedRoom(lengths: readonly number[]): { buffer: ArrayBuffer; starts: number[] } {
  const { bytes, starts } = layOut(lengths)
  return { buffer: sharedBuffer(bytes), starts }
}
