// Rows of a caller's source on their way to the worker, which asks for those that it runs.
import { isRead } from './loaded.js'
import type { Feed, FeedArray, FromWorker, RowsMessage, ToWorker } from './protocol.js'

type Read = NonNullable<FeedArray['read']>

/** The main thread's side: arrays that workers read by the number of their source. */
export class LentSources {
  readonly #read = new Map<number, Read>()
  #next = 1

  /** The same request with numbers in place of readers, until it is released. */
  lend<T extends object>(request: T): { request: T; release: () => void } {
    const ids: number[] = []
    const lent = (feed: Feed): Feed => {
      const arrays = feed.arrays.map(({ read, ...array }): FeedArray => {
        if (!read) return array
        const source = this.#next++
        this.#read.set(source, read)
        ids.push(source)
        return { ...array, source }
      })
      return { ...feed, arrays }
    }
    const own: { x?: Feed; x2?: Feed } = { ...request }
    for (const side of ['x', 'x2'] as const) {
      const feed = own[side]
      if (feed && isRead(feed)) own[side] = lent(feed)
    }
    const release = () => {
      for (const id of ids) this.#read.delete(id)
    }
    return { request: own as T, release }
  }

  /** Numbers that are the worker's own. */
  async rows({ source, first, count }: RowsMessage): Promise<FeedArray['data']> {
    const read = this.#read.get(source)
    if (!read) throw new Error(`There is no source ${source}`)
    return (await read(first, count)).slice()
  }
}

/** The worker's side. */
export class RowRequests {
  readonly #post: (message: FromWorker) => void
  readonly #waiting = new Map<number, (data: FeedArray['data'] | undefined) => void>()
  #next = 1
  /** Of the request that runs. */
  request = -1

  constructor(post: (message: FromWorker) => void) {
    this.#post = post
  }

  /** A feed that reads what the main thread has lent. */
  reading(feed: Feed): Feed {
    const arrays = feed.arrays.map((array): FeedArray => {
      const { source } = array
      if (source === undefined) return array
      return { ...array, read: (first, count) => this.#ask(source, first, count) }
    })
    return { ...feed, arrays }
  }

  received({ ticket, data }: ToWorker & { type: 'rows' }): void {
    this.#waiting.get(ticket)?.(data)
    this.#waiting.delete(ticket)
  }

  async #ask(source: number, first: number, count: number): Promise<FeedArray['data']> {
    const ticket = this.#next++
    const data = await new Promise<FeedArray['data'] | undefined>((resolve) => {
      this.#waiting.set(ticket, resolve)
      this.#post({ id: this.request, rows: { ticket, source, first, count } })
    })
    // The main thread knows why; nothing is tried in another way.
    if (!data) throw Object.assign(new Error('rows were not read'), { code: 'ROWS' })
    return data
  }
}
