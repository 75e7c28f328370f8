// A store's place as a worker sees it: away for a while, back again, or another store's by now.
import { TangentError } from '../core/errors.js'
import { type Manifest, manifestKey, readManifest } from './manifest.js'
import { pause } from './pause.js'
import { type Room, type Storage, StorageAway } from './storage.js'

/** Seconds for which a worker waits for a file system or a service that is away. */
const longestAway = 60
/** Between two tries, at most. */
const patience = 2

export class WatchedStorage implements Storage {
  readonly name: string
  readonly #storage: Storage
  readonly #id: string
  readonly #signal: AbortSignal | undefined
  /** Of the manifest when it was last read. */
  #mark: string | undefined

  constructor(storage: Storage, { id }: Pick<Manifest, 'id'>, signal?: AbortSignal) {
    this.name = storage.name
    this.#storage = storage
    this.#id = id
    this.#signal = signal
  }

  read(key: string): Promise<Uint8Array | undefined> {
    return this.#patiently(() => this.#storage.read(key))
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#patiently(async () => {
      await this.#checkSame()
      return this.#storage.put(key, bytes)
    })
  }

  create(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.#patiently(async () => {
      await this.#checkSame()
      return this.#storage.create(key, bytes)
    })
  }

  any(): Promise<string | undefined> {
    return this.#storage.any()
  }

  list(folder: string): Promise<string[]> {
    return this.#patiently(() => this.#storage.list(folder))
  }

  remove(key: string): Promise<void> {
    return this.#patiently(() => this.#storage.remove(key))
  }

  mark(key: string): Promise<string | undefined> {
    return this.#patiently(() => this.#storage.mark(key))
  }

  free(): Promise<Room | undefined> {
    return this.#storage.free()
  }

  touching(key: string): ReturnType<Storage['touching']> {
    return this.#storage.touching(key)
  }

  /** Tries again for a minute: time in which the process itself was stopped does not count. */
  async #patiently<T>(call: () => Promise<T>): Promise<T> {
    let waited = 0
    for (let next = 0.1; ; next = Math.min(patience, 2 * next)) {
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof StorageAway)) throw error
        if (waited >= longestAway) throw gone(error)
      }
      await pause(next, this.#signal)
      waited += next
    }
  }

  /** Tiles of one job never go into another's store that was made in its place. */
  async #checkSame(): Promise<void> {
    const mark = await this.#storage.mark(manifestKey)
    if (mark !== undefined && mark === this.#mark) return
    const manifest = mark === undefined ? undefined : await readManifest(this.#storage)
    if (!manifest) throw new StorageAway(`Cannot find the store ${this.name} any more`)
    if (manifest.id !== this.#id) {
      throw new TangentError(
        'FAILED',
        `Expected the store ${this.name} on which this work began but another has been made in its place; nothing of this work was written there`,
      )
    }
    this.#mark = mark
  }
}

function gone(error: StorageAway): TangentError {
  const what = error.message.replace(/\.$/, '')
  return new TangentError(
    'FAILED',
    `${what} for ${longestAway} s; what is written already stays, and the same command goes on`,
    { cause: error },
  )
}
