// Orders of samples and new weights from a seed, the same on every machine.
import { mulberry } from '../linear/gradients.js'

/** A generator of its own for each stream of a seed. */
export function stream(seed: number, index: number): () => number {
  // Two rounds of the finaliser of MurmurHash3 (Appleby, public domain) part neighbouring streams.
  let h = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) | 0
  for (let round = 0; round < 2; round += 1) {
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    h ^= h >>> 16
  }
  return mulberry(h >>> 0)
}

/** 0 … count − 1 in random order (Fisher & Yates). */
export function permutation(count: number, uniform: () => number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i -= 1) {
    const j = Math.floor(uniform() * (i + 1))
    const other = order[j] as number
    order[j] = order[i] as number
    order[i] = other
  }
  return order
}

/** A standard normal number. */
export function normal(uniform: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}
