// A store in a folder of this machine or of a network file system.
import type { StatsFs } from 'node:fs'
import * as nodeFiles from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TangentError } from '../core/errors.js'
import { reason } from '../io/reasons.js'
import { clearLeftOver, isTemporary, settled, temporaryFor } from '../io/unfinished.js'
import { type Room, type Storage, StorageAway, type Touching } from './storage.js'

/** Those calls of `node:fs/promises` that are made; a test of power cuts has others. */
export type FileCalls = Pick<
  typeof nodeFiles,
  'link' | 'mkdir' | 'open' | 'readdir' | 'readFile' | 'rename' | 'stat' | 'statfs' | 'unlink'
>

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? ''
/** What a file system says that knows no second names of a file. */
const linkless = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])
/** What it says when a network or its server is away; ENOENT of what is written: its folder is. */
const away = new Set([
  ...['EIO', 'ESTALE', 'ETIMEDOUT', 'ENOTCONN', 'ECONNREFUSED', 'ECONNRESET'],
  ...['EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH'],
])

/** Blocks above this are what a network or pool transfers at once, not what a file takes. */
const mostBlock = 65_536
const usualBlock = 4096

function roomIn({ bavail, bsize, files, ffree }: StatsFs): Room {
  const block = bsize <= mostBlock ? bsize : usualBlock
  return { free: bavail * bsize, block, files: files > 0 ? ffree : Number.POSITIVE_INFINITY }
}

export class FolderStorage implements Storage {
  readonly name: string
  readonly #files: FileCalls
  /** Folders that are known to be there, and to stay. */
  readonly #made = new Map<string, Promise<void>>()

  constructor(path: string, files: FileCalls = nodeFiles) {
    this.name = path
    this.#files = files
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#files.readFile(this.#at(key))
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
      throw this.#failure('read', key, error)
    }
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#place(key, bytes, (temporary, path) => this.#files.rename(temporary, path))
  }

  async create(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.#place(key, bytes, async (temporary, path) => {
      try {
        await this.#files.link(temporary, path)
      } catch (error) {
        if (!linkless.has(codeOf(error))) throw error
        // Not whole at once, but by one alone.
        await this.#written(path, bytes)
      }
      await this.#files.unlink(temporary)
    })
  }

  async any(): Promise<string | undefined> {
    try {
      const names = await this.#files.readdir(this.name)
      return names.find((name) => !isTemporary(name))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      if (codeOf(error) !== 'ENOTDIR') throw this.#failure('read', '', error)
      throw new TangentError(
        'BAD_ARGUMENT',
        `Expected a folder or a new place for --store but ${this.name} is a file`,
        { cause: error },
      )
    }
  }

  async list(folder: string): Promise<string[]> {
    try {
      const entries = await this.#files.readdir(this.#at(folder), { withFileTypes: true })
      const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
      return names.filter((name) => !name.startsWith('.'))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw this.#failure('read', folder, error)
    }
  }

  async mark(key: string): Promise<string | undefined> {
    try {
      // Opened: what a network file system knows of a file's times may be old otherwise.
      const handle = await this.#files.open(this.#at(key), 'r')
      try {
        const { ino, mtimeMs } = await handle.stat()
        return `${ino} ${mtimeMs}`
      } finally {
        await handle.close()
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw this.#failure('read', key, error)
    }
  }

  async remove(key: string): Promise<void> {
    try {
      await this.#files.unlink(this.#at(key))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw this.#failure('remove', key, error)
    }
  }

  async free(): Promise<Room | undefined> {
    // The folder may not be there yet.
    for (let path = this.name; ; path = dirname(path)) {
      const found = await this.#files.statfs(path).catch(() => undefined)
      if (found) return roomIn(found)
      if (dirname(path) === path) return undefined
    }
  }

  touching(key: string): Touching {
    return { kind: 'file', path: this.#at(key) }
  }

  #at(key: string): string {
    return key === '' ? this.name : join(this.name, key)
  }

  /** @returns false where `settle` says that something is there (EEXIST). */
  async #place(
    key: string,
    bytes: Uint8Array,
    settle: (temporary: string, path: string) => Promise<void>,
  ): Promise<boolean> {
    const path = this.#at(key)
    const folder = dirname(path)
    let temporary: string | undefined
    try {
      await this.#folder(folder)
      temporary = temporaryFor(path)
      await this.#written(temporary, bytes)
      await settle(temporary, path)
      await this.#synced(folder)
      return true
    } catch (error) {
      if (temporary !== undefined) await this.#files.unlink(temporary).catch(() => {})
      if (codeOf(error) === 'EEXIST') return false
      this.#made.delete(folder)
      throw this.#failure('write', key, error)
    } finally {
      if (temporary !== undefined) settled(temporary)
    }
  }

  async #written(path: string, bytes: Uint8Array): Promise<void> {
    const handle = await this.#files.open(path, 'wx')
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  /** Makes a folder and those above it, each of which its own parent knows for good. */
  #folder(path: string): Promise<void> {
    let made = this.#made.get(path)
    if (!made) {
      made = this.#makeFolder(path)
      this.#made.set(path, made)
      made.catch(() => this.#made.delete(path))
    }
    return made
  }

  async #makeFolder(path: string): Promise<void> {
    // What lies directly in a store makes it. What lies deeper must not make it again in the place of
    // one that is away.
    if (path !== this.name) await this.#files.stat(this.name)
    const first = await this.#files.mkdir(path, { recursive: true })
    if (first === undefined) {
      await clearLeftOver(path)
      return
    }
    for (let made = path; made.length >= first.length; made = dirname(made)) {
      await this.#synced(dirname(made))
    }
  }

  async #synced(folder: string): Promise<void> {
    const handle = await this.#files.open(folder, 'r')
    try {
      await handle.sync()
    } catch (error) {
      // Some network file systems have no such call for folders, and need none.
      if (codeOf(error) !== 'EINVAL') throw error
    } finally {
      await handle.close()
    }
  }

  #failure(what: string, key: string, cause: unknown): TangentError {
    const kept = what === 'write' ? '; what is written already stays' : ''
    const message = `Cannot ${what} ${this.#at(key)}: ${reason(cause)}${kept}.`
    const code = codeOf(cause)
    const mayReturn = away.has(code) || (what === 'write' && code === 'ENOENT')
    return mayReturn
      ? new StorageAway(message, { cause })
      : new TangentError('FAILED', message, { cause })
  }
}
