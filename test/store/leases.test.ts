// Leases: one holder at a time, whatever the clocks say; those of the dead pass on.
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ownProcess } from '../../lib/io/unfinished.js'
import { FolderStorage } from '../../lib/store/folder.js'
import { Leases } from '../../lib/store/leases.js'
import { place } from './folders.js'

type Teardown = Parameters<typeof place>[0]

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A place where a store is. */
async function store(t: Teardown): Promise<string> {
  const path = await place(t)
  await mkdir(path)
  return path
}

function leasesAt(t: Teardown, path: string, expiry: number): Leases {
  const leases = new Leases(new FolderStorage(path), expiry)
  t.teardown(() => leases.close())
  return leases
}

test('a task is one worker’s until it lets go', async (t) => {
  const path = await store(t)
  const [a, b] = [leasesAt(t, path, 60_000), leasesAt(t, path, 60_000)]
  const first = await a.claim(3)
  t.is(first?.task, 3)
  await b.refresh()
  t.true(b.isHeld(3))
  t.is(await b.claim(3), undefined)
  t.truthy(await b.claim(4))
  await first?.release()
  await b.refresh()
  t.truthy(await b.claim(3))
  // Many at once: one has it.
  const many = Array.from({ length: 8 }, () => leasesAt(t, path, 60_000))
  const won = await Promise.all(many.map((one) => one.claim(9)))
  t.is(won.filter(Boolean).length, 1)
})

test('a lease that is touched lasts longer than its expiry', async (t) => {
  const path = await store(t)
  // Long enough for the thread that touches to get its turn on a busy machine.
  const [a, b] = [leasesAt(t, path, 4000), leasesAt(t, path, 4000)]
  t.truthy(await a.claim(1))
  for (let k = 0; k < 14; k += 1) {
    await b.refresh()
    t.is(await b.claim(1), undefined, `after ${400 * k} ms`)
    await wait(400)
  }
  // The thread that touches ends with its process; here it is ended.
  await a.close()
  await b.refresh()
  await wait(4200)
  await b.refresh()
  t.truthy(await b.claim(1))
  t.deepEqual(await readdir(join(path, 'leases')), ['1.2'])
})

test('of other machines: clocks an hour apart change nothing', async (t) => {
  for (const hours of [-1, 0, 1]) {
    const path = await store(t)
    const storage = new FolderStorage(path)
    const elsewhere = { ...ownProcess(), place: 'ffffffff', pid: 1 }
    await storage.create('leases/5.7', Buffer.from(JSON.stringify(elsewhere)))
    const touched = async (beat: number) => {
      const time = Date.now() / 1000 + 3600 * hours + beat
      await utimes(join(path, 'leases/5.7'), time, time)
    }
    const b = leasesAt(t, path, 1000)
    for (let beat = 0; beat < 12; beat += 1) {
      await touched(beat)
      await b.refresh()
      t.is(await b.claim(5), undefined)
      await wait(100)
    }
    await wait(1200)
    await b.refresh()
    t.truthy(await b.claim(5), `${hours} hours`)
    t.deepEqual(await readdir(join(path, 'leases')), ['5.8'])
  }
})

test('a process of this machine that has ended holds nothing; what is no lease is left alone', async (t) => {
  const path = await store(t)
  const storage = new FolderStorage(path)
  const ended = { ...ownProcess(), pid: 2 ** 22 + 1, beginning: '1' }
  const again = { ...ownProcess(), beginning: '1' }
  await storage.create('leases/1.1', Buffer.from(JSON.stringify(ended)))
  await storage.create('leases/2.4', Buffer.from(JSON.stringify(again)))
  await storage.create('leases/3.1', Buffer.from('no JSON'))
  await writeFile(join(path, 'leases/notes'), hostname())
  const b = leasesAt(t, path, 60_000)
  await b.refresh()
  t.truthy(await b.claim(1))
  t.truthy(await b.claim(2))
  t.is(await b.claim(3), undefined)
  t.deepEqual((await readdir(join(path, 'leases'))).sort(), ['1.2', '2.5', '3.1', 'notes'])
})
