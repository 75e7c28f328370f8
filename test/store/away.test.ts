// A store's place that is away for a while, and one that is another store's by now.
import { access, mkdir, rename } from 'node:fs/promises'
import test from 'ava'
import { createStore, type StoreRequest } from '../../lib/index.js'
import { BucketStorage } from '../../lib/store/bucket.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { keys, OwnBucket } from './bucket.js'
import { chunks, place, sameBits } from './folders.js'

const random = new Random(5)
const bytes = mlp(random, [5, 7, 3])
const x = samples(random, [23, 5])
const request: StoreRequest = { kind: 'ntk', kernel: 'trace', x }
const options = { tile: 4, group: 2 }

const opened = (t: Parameters<typeof load>[0]) => load(t, bytes, { threads: 1, memory: '100MB' })
const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

let bucket: OwnBucket
test.before(async () => {
  bucket = await OwnBucket.start()
  Object.assign(process.env, keys, { AWS_ENDPOINT_URL_S3: bucket.address })
})
test.after.always(() => bucket.end())

test('a folder that is away is waited for, and not made again in its place', async (t) => {
  const network = await opened(t)
  const [whole, path] = [await place(t), await place(t)]
  await (await createStore(whole, network, request, options)).work()
  const store = await createStore(path, network, request, options)
  const elsewhere = `${path}-elsewhere`
  await rename(path, elsewhere)
  const working = store.work()
  // However long it takes, nobody makes the folder.
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.false(await exists(path))
  await rename(elsewhere, path)
  const { tiles } = await working
  t.is((await store.status()).done, tiles)
  t.true(await sameBits(path, whole))
})

test('an empty folder in the place of the store is waited for, too', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  const store = await createStore(path, network, request, options)
  const elsewhere = `${path}-elsewhere`
  await rename(path, elsewhere)
  await mkdir(path)
  const stop = new AbortController()
  const working = store.work({ signal: stop.signal })
  await new Promise((resolve) => setTimeout(resolve, 300))
  stop.abort()
  await t.throwsAsync(working, { any: true, name: 'AbortError' })
  t.is((await chunks(path)).size, 0)
})

test('tiles never go into another store that was made in its place', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  const store = await createStore(path, network, request, options)
  await rename(path, `${path}-before`)
  await createStore(path, network, { ...request, outputs: [1] }, options)
  await t.throwsAsync(store.work(), {
    code: 'FAILED',
    message: /another has been made in its place/,
  })
  t.is((await chunks(path)).size, 0)
})

test.serial('a bucket that does not answer is waited for', async (t) => {
  const network = await opened(t)
  const store = await createStore('s3://store/away.zarr', network, request, options)
  // More than one call tries by itself.
  bucket.failing = 9
  const { tiles } = await store.work()
  t.is((await store.status()).done, tiles)
})

test.serial(
  'a clock that is an hour from the bucket’s is set right for its signatures',
  async (t) => {
    for (const hours of [-1, 1]) {
      bucket.ahead = hours * 3.6e6
      const storage = new BucketStorage('s3://store/clock')
      await storage.put(`${hours}`, Buffer.from('a'))
      t.is((await storage.read(`${hours}`))?.length, 1)
    }
    bucket.ahead = 0
  },
)
