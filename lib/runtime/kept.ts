// Forward runs kept for the next pass or call over the same samples, as far as memory allows.
import type { NativeWant } from '../native/index.js'
import type { Run } from './plan.js'

export class KeptFrames {
  /** Whose calls may use them; undefined: this call's only. */
  readonly owner: number | undefined
  readonly #limit: number
  readonly #runs = new Map<string, Run>()
  #bytes = 0

  /** @param limit bytes of values to keep at most. */
  constructor(owner: number | undefined, limit: number) {
    this.owner = owner
    this.#limit = limit
  }

  find({ first, count }: NativeWant): Run | undefined {
    return this.#runs.get(`${first} ${count}`)
  }

  /** Keeps a run if there is room; else whoever made it releases it. */
  take({ first, count }: NativeWant, run: Run): boolean {
    if (this.#bytes + run.bytes > this.#limit) return false
    this.#bytes += run.bytes
    this.#runs.set(`${first} ${count}`, run)
    return true
  }

  release(): void {
    for (const run of this.#runs.values()) run.release()
    this.#runs.clear()
    this.#bytes = 0
  }
}
