// A disk of which only what was synced survives when the power goes.
import * as files from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { FileCalls } from '../../lib/store/folder.js'

export class Disk {
  /** Of each name in a folder: contents that survive under it. */
  readonly durable = new Map<string, Buffer>()
  /** Folders whose own name survives. */
  readonly #folders = new Set<string>()
  readonly #contents = new Map<string, Buffer>()
  /** Calls until the power goes. */
  left = Number.POSITIVE_INFINITY

  calls(): FileCalls {
    const step = () => {
      this.left -= 1
      if (this.left < 0) throw Object.assign(new Error('no power'), { code: 'ENODEV' })
    }
    const open = async (path: string, flags: string) => {
      step()
      const handle = await files.open(path, flags)
      return new Proxy(handle, {
        get: (own, name) => {
          if (name === 'sync') {
            return async () => {
              step()
              if (flags === 'r') await this.#folderSynced(path)
              else this.#contents.set(path, await files.readFile(path))
            }
          }
          const value = Reflect.get(own, name)
          return typeof value === 'function' ? value.bind(own) : value
        },
      })
    }
    const rename = async (from: string, to: string) => {
      step()
      await files.rename(from, to)
      const synced = this.#contents.get(from)
      this.#contents.delete(from)
      if (synced) this.#contents.set(to, synced)
      else this.#contents.delete(to)
    }
    const link = async (from: string, to: string) => {
      step()
      await files.link(from, to)
      const synced = this.#contents.get(from)
      if (synced) this.#contents.set(to, synced)
    }
    return { ...files, open, rename, link } as unknown as FileCalls
  }

  /** Files below a folder that was there before, with what survives of each. */
  survivors(root: string): Map<string, Buffer> {
    const reached = (path: string): boolean =>
      path === root || (this.#folders.has(path) && reached(dirname(path)))
    return new Map([...this.durable].filter(([path]) => reached(dirname(path))))
  }

  /** Names in a folder survive from now on, each with what of its contents does. */
  async #folderSynced(folder: string): Promise<void> {
    for (const path of this.durable.keys()) if (dirname(path) === folder) this.durable.delete(path)
    for (const entry of await files.readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) this.#folders.add(path)
      if (entry.isFile()) this.durable.set(path, this.#contents.get(path) ?? Buffer.alloc(0))
    }
  }
}
