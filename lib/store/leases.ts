// Who computes which task, without a service: a file for each task that somebody has. Tiles may be written
// twice to the same bits, so a lease saves work and nothing rests on it.
//
// A lease is made by one alone (Storage.create). Its holder's thread touches it again and again; who finds
// it untouched for longer than `expiry`, by his own clock alone, makes the next generation of it. A process of
// this machine that has ended holds nothing.
import { Worker } from 'node:worker_threads'
import { workerOptions } from '../core/threads.js'
import { hasEnded, ownProcess, type ProcessName } from '../io/unfinished.js'
import type { HeartbeatData, HeartbeatMessage } from './heartbeat.js'
import type { Storage } from './storage.js'

const folder = 'leases'
const pattern = /^(\d+)\.(\d+)$/

/** Touches within the time after which a lease is over. */
const touches = 5

interface Seen {
  mark: string
  /** When that mark was first seen, by this process's monotonic clock. */
  since: number
  holder: ProcessName | undefined
}

export interface Lease {
  readonly task: number
  /** Lets others have the task; it stays known that it is done by its tiles. */
  release(): Promise<void>
}

export class Leases {
  readonly #storage: Storage
  readonly #expiry: number
  readonly #thread: Worker
  /** The last generation of each task's lease. */
  readonly #last = new Map<number, number>()
  readonly #seen = new Map<string, Seen>()
  /** Leases that wait for their first touch. */
  readonly #beginning = new Map<string, () => void>()

  /** @param expiry milliseconds */
  constructor(storage: Storage, expiry: number) {
    this.#storage = storage
    this.#expiry = expiry
    const data: HeartbeatData = { every: expiry / touches }
    this.#thread = new Worker(new URL('./heartbeat.js', import.meta.url), {
      ...workerOptions,
      workerData: data,
    })
    this.#thread.unref()
    this.#thread.on('message', (key: string) => {
      this.#beginning.get(key)?.()
      this.#beginning.delete(key)
    })
  }

  /** Looks at all leases. */
  async refresh(): Promise<void> {
    const names = await this.#storage.list(folder)
    this.#last.clear()
    for (const name of names) {
      const [, task, generation] = pattern.exec(name) ?? []
      if (task === undefined) continue
      const before = this.#last.get(Number(task)) ?? 0
      this.#last.set(Number(task), Math.max(before, Number(generation)))
    }
    const present = new Set(names)
    for (const name of this.#seen.keys()) if (!present.has(name)) this.#seen.delete(name)
    for (const [task, generation] of this.#last) await this.#look(`${task}.${generation}`)
  }

  /** Has somebody else the task, as far as was seen? */
  isHeld(task: number): boolean {
    const generation = this.#last.get(task)
    if (generation === undefined) return false
    const seen = this.#seen.get(`${task}.${generation}`)
    return seen !== undefined && !this.#isOver(seen)
  }

  /** Takes a task unless another has it. */
  async claim(task: number): Promise<Lease | undefined> {
    if (this.isHeld(task)) return undefined
    const before = this.#last.get(task)
    const name = `${task}.${(before ?? 0) + 1}`
    const key = `${folder}/${name}`
    const body = Buffer.from(`${JSON.stringify(ownProcess())}\n`)
    if (!(await this.#storage.create(key, body))) return undefined
    await this.#touched(key)
    if (before !== undefined) await this.#storage.remove(`${folder}/${task}.${before}`)
    return {
      task,
      release: async () => {
        this.#post({ drop: key })
        await this.#storage.remove(key)
      },
    }
  }

  async close(): Promise<void> {
    await this.#thread.terminate()
  }

  /** The lease is worth its time from here on: the thread has it. */
  async #touched(key: string): Promise<void> {
    const begun = new Promise<void>((resolve) => this.#beginning.set(key, resolve))
    this.#thread.ref()
    this.#post({ hold: key, touching: this.#storage.touching(key) })
    await begun
    this.#thread.unref()
  }

  #post(message: HeartbeatMessage): void {
    this.#thread.postMessage(message)
  }

  async #look(name: string): Promise<void> {
    const key = `${folder}/${name}`
    const mark = await this.#storage.mark(key)
    const before = this.#seen.get(name)
    if (mark === undefined) this.#seen.delete(name)
    else if (before?.mark !== mark) {
      const holder = before?.holder ?? (await this.#holderOf(key))
      this.#seen.set(name, { mark, since: performance.now(), holder })
    }
  }

  async #holderOf(key: string): Promise<ProcessName | undefined> {
    const bytes = await this.#storage.read(key)
    try {
      return JSON.parse(Buffer.from(bytes ?? '').toString('utf8')) as ProcessName
    } catch {
      return undefined
    }
  }

  #isOver({ since, holder }: Seen): boolean {
    return (holder && hasEnded(holder)) || performance.now() - since > this.#expiry
  }
}
