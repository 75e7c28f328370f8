// All random numbers of the package: streams of a seed, the same on every machine. A number is a
// function of the seed and its place in the stream alone, so any part of a stream can be drawn by
// itself.

/**
 * Uniform in [0, 1), from the given place of the stream on; a state of 32 bits (Tommy Ettinger's
 * uniforms32, public domain).
 */
export function uniforms(seed: number, first = 0): () => number {
  let state = (seed + Math.imul(first, increment)) >>> 0
  return () => {
    state = (state + increment) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const increment = 0x6d2b79f5

/** Uniform numbers of the `index`-th stream of a seed, independent of the others. */
export function stream(seed: number, index: number): () => number {
  // Two rounds of the finaliser of MurmurHash3 (Appleby, public domain) part neighbouring streams.
  let h = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) | 0
  for (let round = 0; round < 2; round += 1) {
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    h ^= h >>> 16
  }
  return uniforms(h >>> 0)
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

/** Two independent standard normal numbers (Box & Muller 1958). */
function pair(uniform: () => number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform()))
  const angle = 2 * Math.PI * uniform()
  return [radius * Math.cos(angle), radius * Math.sin(angle)]
}

/** A standard normal number. */
export function normal(uniform: () => number): number {
  return pair(uniform)[0]
}

/** Standard normal numbers of a seed, from an even place of the stream on. */
export function gaussians(count: number, seed = 1, first = 0): Float64Array {
  const out = new Float64Array(count)
  const uniform = uniforms(seed, first)
  for (let i = 0; i < count; i += 2) {
    const [one, other] = pair(uniform)
    out[i] = one
    if (i + 1 < count) out[i + 1] = other
  }
  return out
}

/** The same, other work of the thread getting its turn meanwhile. */
export async function manyGaussians(count: number, seed = 1): Promise<Float64Array> {
  const out = new Float64Array(count)
  for (let first = 0; first < count; first += breath) {
    if (first > 0) await new Promise((resolve) => setImmediate(resolve))
    out.set(gaussians(Math.min(breath, count - first), seed, first), first)
  }
  return out
}

/** An even number. */
const breath = 1 << 17

/** −1 and 1, each as likely (Rademacher). */
export function signs(count: number, uniform: () => number): Float64Array {
  return Float64Array.from({ length: count }, () => (uniform() < 0.5 ? -1 : 1))
}
