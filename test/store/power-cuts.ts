// The power goes while a store is filled: what had reached the disk is there, of the rest any part; work goes on.
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createStore, type Network, type StoreRequest } from '../../lib/index.js'
import { FolderStorage } from '../../lib/store/folder.js'
import { Store } from '../../lib/store/store.js'
import type { Random } from '../support/random.js'
import { chunks } from './folders.js'
import { Disk } from './lost.js'

const options = { tile: 4, group: 2 }

/** What was not synced is gone, empty, cut short or, by luck, whole. */
function remainder(bytes: Buffer, random: Random): Buffer | undefined {
  const fate = random.uniform()
  if (fate < 0.4) return undefined
  if (fate < 0.6) return Buffer.alloc(0)
  return bytes.subarray(0, fate < 0.8 ? Math.floor(bytes.length / 2) : bytes.length)
}

/** The disk as the next start finds it, in another folder. */
async function after(path: string, disk: Disk, to: string, random: Random): Promise<void> {
  const kept = disk.survivors(path)
  // What was there when the work began.
  const before = new Set((await readdir(to)).map((name) => join(to, name)))
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = join(entry.parentPath, entry.name)
    const own = join(to, file.slice(path.length))
    if (before.has(own)) continue
    const bytes = kept.get(file) ?? remainder(await readFile(file), random)
    if (!bytes) continue
    await mkdir(dirname(own), { recursive: true })
    await writeFile(own, bytes)
  }
}

interface Cut {
  /** Tiles there when work goes on, and computed then. */
  found: number
  computed: number
  tiles: number
  /** Chunks at the end. */
  chunks: Map<string, Buffer>
}

/** Fills a store at `path` until the power goes after so many calls, and goes on in `to`. */
export async function cutAndGoOn(
  network: Network,
  request: StoreRequest,
  { path, to, calls, random }: { path: string; to: string; calls: number; random: Random },
): Promise<Cut> {
  const made = await createStore(path, network, request, options)
  await cp(path, to, { recursive: true })
  const disk = new Disk()
  const storage = new FolderStorage(path, disk.calls())
  const store = new Store(path, storage, made.manifest, undefined)
  await store.use(network, request.x)
  disk.left = calls
  await store.work().catch(() => {})
  await after(path, disk, to, random)
  const again = await createStore(to, network, request, options)
  const { done, tiles } = await again.status()
  const { computed } = await again.work()
  return { found: done, computed, tiles, chunks: await chunks(to) }
}
