// A power cut: what had not reached the disk is gone, what had is there whole.
import * as files from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import test from 'ava'
import { type FileCalls, FolderStorage } from '../../lib/store/folder.js'
import { place } from './folders.js'

/** A disk of which only what was synced survives: contents by file, names by folder. */
class Disk {
  /** Of each name in a folder: contents that survive under it. */
  readonly durable = new Map<string, Buffer>()
  readonly #contents = new Map<string, Buffer>()
  /** Calls until the power goes. */
  left = Number.POSITIVE_INFINITY

  calls(): FileCalls {
    const step = () => {
      this.left -= 1
      if (this.left < 0) throw Object.assign(new Error('no power'), { code: 'EIO' })
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

  /** Names in a folder survive from now on, each with what of its contents does. */
  async #folderSynced(folder: string): Promise<void> {
    for (const path of this.durable.keys()) if (dirname(path) === folder) this.durable.delete(path)
    for (const entry of await files.readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isFile()) this.durable.set(path, this.#contents.get(path) ?? Buffer.alloc(0))
    }
  }
}

const content = (k: number) => Buffer.alloc(50, k + 1)

test('whenever the power goes, a file is there whole or not at all, and what was told is there', async (t) => {
  for (let power = 0; power < 60; power += 1) {
    const disk = new Disk()
    const path = await place(t)
    const storage = new FolderStorage(path, disk.calls())
    disk.left = power
    const told = new Set<string>()
    for (let k = 0; k < 6; k += 1) {
      // The first one makes the store, as its manifest does.
      const key = k === 0 ? '0' : `c/${k % 2}/${k}`
      const made = k % 3 === 0 ? storage.create(key, content(k)) : storage.put(key, content(k))
      await made.then(
        () => told.add(key),
        () => {},
      )
    }
    for (const [file, bytes] of disk.durable) {
      const name = basename(file)
      // Names of unfinished files are removed by the next process.
      if (name.startsWith('.')) continue
      t.true(bytes.equals(content(Number(name))), `${file} after ${power} calls`)
    }
    for (const key of told) t.true(disk.durable.has(join(path, key)), `${key} after ${power} calls`)
    if (power === 59) t.is(told.size, 6)
  }
})

test('a full disk is one sentence, and leaves nothing behind', async (t) => {
  const path = await place(t)
  const full = async () => {
    throw Object.assign(new Error('write'), { code: 'ENOSPC' })
  }
  const open = async (file: string, flags: string) => {
    const handle = await files.open(file, flags)
    if (flags === 'wx') handle.writeFile = full
    return handle
  }
  const storage = new FolderStorage(path, { ...files, open } as unknown as FileCalls)
  await files.mkdir(path)
  const error = await t.throwsAsync(storage.put('c/0/0', content(0)))
  t.is(
    error?.message,
    `Cannot write ${path}/c/0/0: the disk is full; what is written already stays.`,
  )
  t.deepEqual(await files.readdir(join(path, 'c/0')), [])
})

test('a file that is there is not made again', async (t) => {
  const path = await place(t)
  const linkless = async () => {
    throw Object.assign(new Error('link'), { code: 'EPERM' })
  }
  for (const calls of [files, { ...files, link: linkless }]) {
    const storage = new FolderStorage(path, calls as FileCalls)
    const key = calls === files ? 'a' : 'b'
    const made = await Promise.all([0, 1, 2].map((k) => storage.create(key, content(k))))
    t.deepEqual(made.filter(Boolean).length, 1)
    t.deepEqual(await storage.read(key), content(made.indexOf(true)))
  }
  t.deepEqual((await files.readdir(path)).sort(), ['a', 'b'])
})
