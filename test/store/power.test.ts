// A power cut: what had not reached the disk is gone, what had is there whole.
import * as files from 'node:fs/promises'
import { basename, join } from 'node:path'
import test from 'ava'
import { createStore, type StoreRequest } from '../../lib/index.js'
import { type FileCalls, FolderStorage } from '../../lib/store/folder.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { chunks, place } from './folders.js'
import { Disk } from './lost.js'
import { cutAndGoOn } from './power-cuts.js'

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

test('a store whose power goes is gone on with to the same bits', async (t) => {
  const random = new Random(8)
  const network = await load(t, mlp(random, [5, 7, 3]), { threads: 1, memory: '100MB' })
  const request: StoreRequest = { kind: 'ntk', kernel: 'trace', x: samples(random, [15, 5]) }
  const whole = await place(t)
  await (await createStore(whole, network, request, { tile: 4, group: 2 })).work()
  const truth = await chunks(whole)
  for (const calls of [9, 40, 71]) {
    const [path, to] = [await place(t), await place(t)]
    const cut = await cutAndGoOn(network, request, { path, to, calls, random })
    t.is(cut.found + cut.computed, cut.tiles)
    t.deepEqual(cut.chunks, truth, `after ${calls} calls`)
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
