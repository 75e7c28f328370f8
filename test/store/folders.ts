// Stores in folders of their own, and what lies in them.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Teardown {
  teardown(end: () => Promise<void>): void
}

/** A place for a store, where nothing is. */
export async function place(t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'store-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'K.zarr')
}

/** All chunks of a store by name. */
export async function chunks(path: string): Promise<Map<string, Buffer>> {
  const names = await readdir(path, { recursive: true, withFileTypes: true })
  const found = new Map<string, Buffer>()
  for (const entry of names) {
    const file = join(entry.parentPath, entry.name)
    const name = file.slice(path.length + 1)
    if (entry.name.startsWith('.') || !entry.isFile() || !/(^|\/)c\//.test(name)) continue
    found.set(name, await readFile(file))
  }
  return found
}

/** Are the chunks of two stores the same, to the last bit? */
export async function sameBits(one: string, other: string): Promise<boolean> {
  const [a, b] = [await chunks(one), await chunks(other)]
  return a.size === b.size && [...a].every(([name, bytes]) => b.get(name)?.equals(bytes))
}
