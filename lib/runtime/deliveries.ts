// Tiles on their way to the main thread.
import { native } from '../native/index.js'
import type { FromWorker, Request, TileMessage, ToWorker } from './protocol.js'
import { checkStop } from './stop.js'

/** Tiles that may wait to be written while the next one is computed. */
const most = 2

export class Deliveries {
  readonly #post: (message: FromWorker) => void
  #request = -1
  #waiting = 0
  #failed = false
  #wake: (() => void) | undefined

  constructor(post: (message: FromWorker) => void) {
    this.#post = post
  }

  /** How tiles of a request are delivered. */
  of(request: Request): (tile: TileMessage) => Promise<void> {
    this.#request = request.id
    this.#waiting = 0
    this.#failed = false
    return async (tile) => {
      await this.#room(most - 1).catch((error) => {
        for (const id of tile.blocks) native.releaseShared(id)
        throw error
      })
      checkStop(request)
      this.#waiting += 1
      this.#post({ id: request.id, tile })
    }
  }

  /** Resolves when all are written. */
  all(): Promise<void> {
    return this.#room(0)
  }

  written({ id, failed }: ToWorker & { type: 'written' }): void {
    if (id !== this.#request) return
    this.#waiting -= 1
    this.#failed ||= failed
    this.#wake?.()
  }

  async #room(at: number): Promise<void> {
    while (this.#waiting > at && !this.#failed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    // The main thread knows why.
    if (this.#failed) throw Object.assign(new Error('a tile was not written'), { code: 'FAILED' })
  }
}
