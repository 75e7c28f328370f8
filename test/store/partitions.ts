// `npm run test:store`: workers that lose the folder, the bucket or Redis for longer than their lease and come back;
// some whose folder or Redis does not come back.
import { rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openStore } from '../../lib/index.js'
import { tasksOf } from '../../lib/store/tasks.js'
import { keys, OwnBucket } from './bucket.js'
import { chunks, place, sameBits } from './folders.js'
import { Link } from './link.js'
import {
  endAll,
  holder,
  type Running,
  run,
  type Setting,
  setting,
  start,
  until,
} from './processes.js'
import { OwnRedis, password } from './redis.js'

const ends: (() => Promise<void>)[] = []
const teardown = { teardown: (end: () => Promise<void>) => void ends.push(end) }
const lease = ['--lease', '1', '--quiet']
const away = 3000
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const say = (text: string) => process.stdout.write(`${text}\n`)

async function planned({ command }: Setting, path: string, env = {}): Promise<void> {
  const { code, stderr } = await run([...command, path, '--plan'], env)
  if (code !== 0) throw new Error(stderr)
}

async function wellEnded(...all: Running[]): Promise<void> {
  for (const { ended } of all) {
    const { code, stderr } = await ended
    if (code !== 0) throw new Error(`${code}: ${stderr}`)
  }
}

/** Calls of the file system hang, those of the thread that touches leases, too. */
async function folder(whole: Setting): Promise<void> {
  const path = await place(teardown)
  await planned(whole, path)
  const marker = join(dirname(path), 'away')
  const lost = start(['worker', path, ...lease], { STORE_FAULT: `hang ${marker}` })
  await until(async () => (await holder(path, [lost.child.pid as number])) !== undefined)
  await writeFile(marker, '')
  const other = start(['worker', path, ...lease])
  await wellEnded(other)
  const early = await sameBits(path, whole.path)
  await rm(marker)
  await wellEnded(lost)
  if (!early || !(await sameBits(path, whole.path))) throw new Error('folder: other bits')
  say('folder that hangs for one of two: the other went on, both ended, the same bits')
}

async function goneForGood(whole: Setting): Promise<void> {
  const path = await place(teardown)
  await planned(whole, path)
  const lost = start(['worker', path, ...lease])
  await until(async () => (await chunks(path)).size > 3)
  await rename(path, `${path}-gone`)
  const { code, stderr } = await lost.ended
  const sentence =
    /^adaptive-tangent: Cannot .* for 60 s; what is written already stays, and the same command goes on\n$/
  if (code !== 1 || !sentence.test(stderr)) throw new Error(`${code}: ${stderr}`)
  await rename(`${path}-gone`, path)
  await wellEnded(start(['worker', path, ...lease]))
  if (!(await sameBits(path, whole.path))) throw new Error('folder that was gone: other bits')
  say('folder that is gone: one sentence after a minute, and the next worker went on')
}

async function bucket(whole: Setting, silent: boolean): Promise<void> {
  const service = await OwnBucket.start()
  ends.push(() => service.end())
  const link = await Link.to(Number(new URL(service.address).port))
  ends.push(() => link.end())
  const env = { ...keys, AWS_ENDPOINT_URL_S3: service.address }
  const path = 's3://store/K.zarr'
  await planned(whole, path, env)
  const lost = start(['worker', path, ...lease], {
    ...env,
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${link.port}`,
  })
  await until(async () => [...service.objects.keys()].some((key) => key.includes('/c/')))
  const other = start(['worker', path, ...lease], env)
  link.interrupt(silent)
  await wait(away)
  link.restore()
  await wellEnded(lost, other)
  Object.assign(process.env, env)
  const [store, local] = [await openStore(path), await openStore(whole.path)]
  for (const { places } of tasksOf(store.manifest.grid, store.manifest)) {
    for (const { row, column } of places) {
      const [a, b] = await Promise.all(
        [store, local].map(({ storage }) => storage.read(`c/${row}/${column}`)),
      )
      if (!a || !b || !Buffer.from(a).equals(b)) throw new Error('bucket: other bits')
    }
  }
  say(`bucket that ${silent ? 'is silent' : 'refuses'} for one of two: both ended, the same bits`)
}

async function queue(whole: Setting, silent: boolean): Promise<void> {
  const redis = await OwnRedis.start()
  ends.push(() => redis.end())
  const link = await Link.to(redis.port)
  ends.push(() => link.end())
  const path = await place(teardown)
  await planned(whole, path)
  const at = (port: number) => {
    return { ADAPTIVE_TANGENT_QUEUE: `redis://:${password}@127.0.0.1:${port}` }
  }
  const lost = start(['worker', path, ...lease], at(link.port))
  await until(async () => (await chunks(path)).size > 3)
  const other = start(['worker', path, ...lease], at(redis.port))
  link.interrupt(silent)
  await wait(away)
  link.restore()
  await wellEnded(lost, other)
  if (!(await sameBits(path, whole.path))) throw new Error('Redis: other bits')
  say(`Redis that ${silent ? 'is silent' : 'refuses'} for one of two: both ended, the same bits`)
}

async function queueGone(whole: Setting): Promise<void> {
  const redis = await OwnRedis.start()
  ends.push(() => redis.end())
  const path = await place(teardown)
  await planned(whole, path)
  const lost = start(['worker', path, ...lease], { ADAPTIVE_TANGENT_QUEUE: redis.address })
  await until(async () => (await chunks(path)).size > 3)
  await redis.end()
  const { code, stderr } = await lost.ended
  const sentence =
    /^adaptive-tangent: Redis at .* has been away for 60 s; .* and the same command goes on\n$/
  if (code !== 1 || !sentence.test(stderr) || stderr.includes(password)) {
    throw new Error(`${code}: ${stderr}`)
  }
  await wellEnded(start(['worker', path, ...lease]))
  if (!(await sameBits(path, whole.path))) throw new Error('Redis that was gone: other bits')
  say('Redis that is gone: one sentence after a minute, and a worker without it went on')
}

try {
  const whole = await setting(teardown, { count: 64 })
  await wellEnded(start([...whole.command, whole.path]))
  await folder(whole)
  await goneForGood(whole)
  await queueGone(whole)
  for (const silent of [false, true]) {
    await bucket(whole, silent)
    await queue(whole, silent)
  }
} finally {
  endAll()
  for (const end of ends.reverse()) await end()
}
