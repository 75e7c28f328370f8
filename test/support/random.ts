// The numbers that tests draw: apart from the generators of the package, the same on every run.

/** A reproducible generator (mulberry32). */
export class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  /** Uniform in [0, 1). */
  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  /** Standard normal. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }
  /** Whole number in [low, high]. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1))
  }
  chance(probability = 0.5): boolean {
    return this.uniform() < probability
  }
  pick<T>(items: readonly T[]): T {
    const item = items[this.integer(0, items.length - 1)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }
  /** `count` standard normals. */
  normals(count: number): Float32Array {
    return Float32Array.from({ length: count }, () => this.normal())
  }
}

/** `count` standard normals in float64; other seeds than those of `Random` itself. */
export function gaussians(count: number, seed: number): Float64Array {
  const random = new Random(Math.imul(seed, 0x9e3779b1))
  return Float64Array.from({ length: count }, () => random.normal())
}
