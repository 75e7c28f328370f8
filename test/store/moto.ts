// `npm run test:store`: a store in moto's bucket, another's reading of S3's language: two workers, of which one is
// killed, write what a folder holds.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { AwsClient } from 'aws4fetch'
import { openStore } from '../../lib/index.js'
import { BucketStorage } from '../../lib/store/bucket.js'
import { tasksOf } from '../../lib/store/tasks.js'
import { keys } from './bucket.js'
import { python } from './environment.js'
import { endAll, run, setting, start, until } from './processes.js'
import { freePort } from './redis.js'

const ends: (() => Promise<void>)[] = []
const path = 's3://store/some/K.zarr'

async function server(): Promise<string> {
  const port = await freePort()
  const program = join(dirname(python()), 'moto_server')
  const child = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  ends.push(async () => {
    child.kill('SIGKILL')
    await once(child, 'close')
  })
  const address = `http://127.0.0.1:${port}`
  const answers = () =>
    fetch(address).then(
      () => true,
      () => false,
    )
  await until(answers, 120)
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = keys
  const client = new AwsClient({ accessKeyId, secretAccessKey, region: 'us-east-1', service: 's3' })
  const made = await client.fetch(`${address}/store`, { method: 'PUT' })
  if (!made.ok) throw new Error(`moto makes no bucket: ${made.status}`)
  return address
}

/** Names are listed by pages of a thousand. */
async function manyNames(storage: BucketStorage): Promise<void> {
  const names = Array.from({ length: 1003 }, (_, k) => `many/${k}`)
  for (let first = 0; first < names.length; first += 50) {
    await Promise.all(names.slice(first, first + 50).map((key) => storage.put(key, Buffer.of(1))))
  }
  const found = await storage.list('many')
  if (found.length !== names.length) throw new Error(`${found.length} names of ${names.length}`)
}

try {
  Object.assign(process.env, keys, { AWS_ENDPOINT_URL_S3: await server() })
  const storage = new BucketStorage('s3://store/tried')
  const [one, two] = [Buffer.from('one'), Buffer.from('two')]
  const made = await Promise.all([one, two, one].map((bytes) => storage.create('a', bytes)))
  if (made.filter(Boolean).length !== 1) throw new Error('conditional puts: not one by one alone')
  await manyNames(storage)
  const whole = await setting({ teardown: (end) => void ends.push(end) })
  for (const args of [
    [...whole.command, whole.path],
    [...whole.command, path, '--plan'],
  ]) {
    const { code, stderr } = await run(args)
    if (code !== 0) throw new Error(stderr)
  }
  const store = await openStore(path)
  const workers = [0, 1].map(() => start(['worker', path, '--lease', '2', '--quiet']))
  await until(async () => (await store.status()).done > 3, 300)
  workers[0]?.child.kill('SIGKILL')
  const { code, stderr } = await (workers[1] as (typeof workers)[1]).ended
  if (code !== 0) throw new Error(stderr)
  const local = await openStore(whole.path)
  let chunks = 0
  for (const { places } of tasksOf(store.manifest.grid, store.manifest)) {
    for (const { row, column } of places) {
      const key = `c/${row}/${column}`
      const [a, b] = await Promise.all([store.storage.read(key), local.storage.read(key)])
      if (!a || !b || !Buffer.from(a).equals(b)) throw new Error(`other bits in ${key}`)
      chunks += 1
    }
  }
  process.stdout.write(`moto: ${chunks} tiles as in a folder; a worker was killed\n`)
} finally {
  endAll()
  for (const end of ends.reverse()) await end()
}
