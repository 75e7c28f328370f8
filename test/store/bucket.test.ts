// Stores in a bucket: conditional puts, leases, several processes, and secrets that stay secret.
import test from 'ava'
import { createStore, KernelFactor, openKernel, openStore, targetKernel } from '../../lib/index.js'
import { BucketStorage } from '../../lib/store/bucket.js'
import { Leases } from '../../lib/store/leases.js'
import { tasksOf } from '../../lib/store/tasks.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { keys, OwnBucket } from './bucket.js'
import { endAll, run, setting, start } from './processes.js'

let bucket: OwnBucket
test.before(async () => {
  bucket = await OwnBucket.start()
  Object.assign(process.env, keys, { AWS_ENDPOINT_URL_S3: bucket.address })
})
test.after.always(async () => {
  endAll()
  await bucket.end()
})

test.serial('files are made once, put in place of damaged ones, listed by pages', async (t) => {
  const storage = new BucketStorage('s3://store/some/K.zarr')
  const [one, other] = [Buffer.from('one'), Buffer.from('other')]
  const made = await Promise.all([1, 2, 3].map(() => storage.create('a', one)))
  t.is(made.filter(Boolean).length, 1)
  t.deepEqual(Buffer.from((await storage.read('a')) ?? ''), one)
  const before = await storage.mark('a')
  await storage.put('a', one)
  t.is(await storage.mark('a'), before)
  await storage.put('a', other)
  t.not(await storage.mark('a'), before)
  for (let k = 0; k < 8; k += 1) await storage.put(`leases/${k}.1`, one)
  t.is((await storage.list('leases')).length, 8)
  t.deepEqual(await storage.list(''), ['a'])
  await storage.remove('a')
  t.is(await storage.read('a'), undefined)
  t.is(await storage.mark('a'), undefined)
})

test.serial('a service that is away for a moment is asked again', async (t) => {
  const storage = new BucketStorage('s3://store/again')
  bucket.failing = 2
  await storage.put('a', Buffer.from('a'))
  t.is((await storage.read('a'))?.length, 1)
})

test.serial(
  'leases are touched by another object each time, and pass on when nobody does',
  async (t) => {
    const storage = new BucketStorage('s3://store/held')
    const [a, b] = [new Leases(storage, 4000), new Leases(storage, 4000)]
    t.teardown(async () => {
      await a.close()
      await b.close()
    })
    t.truthy(await a.claim(1))
    for (let k = 0; k < 14; k += 1) {
      await b.refresh()
      t.is(await b.claim(1), undefined, `look ${k}`)
      await new Promise((resolve) => setTimeout(resolve, 400))
    }
    await a.close()
    await b.refresh()
    await new Promise((resolve) => setTimeout(resolve, 4200))
    await b.refresh()
    t.truthy(await b.claim(1))
  },
)

test.serial('a kernel in a bucket is the kernel, by two processes at once', async (t) => {
  const own = await setting(t, { count: 16 })
  const path = 's3://store/K.zarr'
  const plan = await run([...own.command, path, '--plan'])
  t.is(plan.code, 0, plan.stderr)
  const two = [0, 1].map(() => start(['worker', path, '--lease', '5', '--quiet']))
  for (const { ended } of two) {
    const { code, stderr } = await ended
    t.is(code, 0, stderr)
  }
  t.is((await run([...own.command, own.path])).code, 0)
  const store = await openStore(path)
  const { done, tiles } = await store.status()
  t.is(done, tiles)
  const local = await openStore(own.path)
  for (const task of tasksOf(store.manifest.grid, store.manifest)) {
    for (const { row, column } of task.places) {
      const key = `c/${row}/${column}`
      t.deepEqual(
        await store.storage.read(key),
        new Uint8Array((await local.storage.read(key)) ?? []),
      )
    }
  }
  for (const text of bucket.objects.values()) t.false(text.includes(keys.AWS_SECRET_ACCESS_KEY))
})

test.serial('a kernel in a bucket is known by its tiles, as one on disk', async (t) => {
  const path = 's3://store/read.zarr'
  const random = new Random(7)
  const network = await load(t, mlp(random, [5, 9, 3]), { threads: 1, memory: '100MB' })
  const x = samples(random, [19, 5])
  const request = { kind: 'ntk', kernel: 'trace', by: 'layer', x } as const
  const store = await createStore(path, network, request, { tile: 4 })
  await t.throwsAsync(openKernel(`${path}#l.0`), { message: /0 of 15 tiles are there/ })
  await store.work()
  const y = samples(random, [19, 3])
  for (const [name, whole] of await network.ntk(x, { kernel: 'trace', by: 'layer' })) {
    const kernel = await openKernel(`${path}#${name}`)
    const truth = await whole.eigenvalues()
    const { values } = await kernel.topEigenvalues({ count: 3 })
    near(t, values, truth.slice(0, 3), 1e-5)
    const ridge = whole.trace() / 100
    const target = Float64Array.from(y.data.subarray(0, 19))
    const { alpha } = await kernel.solve(target, { ridge })
    near(t, alpha, await (await KernelFactor.of(whole, ridge)).solve(target), 1e-5)
    near(t, await kernel.alignment(whole, { centred: true }), 1, 1e-6)
    near(t, await kernel.targetAlignment(y), await whole.alignment(targetKernel(y)), 1e-5)
  }
  await t.throwsAsync(openKernel(path), { message: /^Expected one of the arrays of .*#NAME/ })
  const chunk = bucket.objects.get('read.zarr/l.0/c/2/1') as Buffer
  const kernel = await openKernel(`${path}#l.0`)
  bucket.objects.set('read.zarr/l.0/c/2/1', Buffer.concat([Buffer.of(1), chunk.subarray(1)]))
  await t.throwsAsync(kernel.norm(), { code: 'BAD_FILE', message: /l\.0\/c\/2\/1$/ })
  await t.throwsAsync(openKernel('s3://store/none.zarr'), { message: /found none in s3:/ })
})

test.serial('mistakes are a sentence each, without secrets', async (t) => {
  const random = new Random(2)
  const network = await load(t, mlp(random, [3, 4, 2]))
  const request = { kind: 'ntk', x: samples(random, [4, 3]) } as const
  const none = await t.throwsAsync(createStore('s3://nowhere/K.zarr', network, request))
  t.regex(none?.message ?? '', /^Cannot (list|read|write) s3:\/\/nowhere\/K\.zarr/)
  const { AWS_SECRET_ACCESS_KEY: secret } = process.env
  process.env.AWS_SECRET_ACCESS_KEY = 'wrong-word'
  const wrong = await t.throwsAsync(openStore('s3://store/K.zarr'))
  t.regex(wrong?.message ?? '', /403 SignatureDoesNotMatch\.$/)
  t.false(wrong?.message.includes('wrong-word'))
  delete process.env.AWS_SECRET_ACCESS_KEY
  await t.throwsAsync(openStore('s3://store/K.zarr'), {
    message: /AWS_SECRET_ACCESS_KEY in the env/,
  })
  process.env.AWS_SECRET_ACCESS_KEY = secret
})
