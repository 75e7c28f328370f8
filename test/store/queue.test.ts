// Tasks as jobs on a real Redis: killed and stopped workers, a Redis that comes back empty.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { chunks, place, sameBits } from './folders.js'
import { endAll, run, type Setting, setting, start, until } from './processes.js'
import { freePort, OwnRedis, password } from './redis.js'

let whole: Setting
let redis: OwnRedis
const ends: (() => Promise<void>)[] = []

test.before(async (t) => {
  whole = await setting({ teardown: (end) => void ends.push(end) }, { count: 64 })
  redis = await OwnRedis.start()
  ends.push(() => redis.end())
  const { code, stderr } = await run([...whole.command, whole.path])
  t.is(code, 0, stderr)
})
test.after.always(async () => {
  endAll()
  for (const end of ends) await end()
})

test('workers that are killed and stopped, and a Redis that forgets: the same bits', async (t) => {
  const path = await place(t)
  const env = { ADAPTIVE_TANGENT_QUEUE: redis.address }
  t.is((await run([...whole.command, path, '--plan'])).code, 0)
  const worker = () => start(['worker', path, '--lease', '1', '--quiet'], env)
  const [killed, stopped, third] = [worker(), worker(), worker()]
  const written = (count: number) => until(async () => (await chunks(path)).size >= count)
  await written(3)
  killed.child.kill('SIGKILL')
  stopped.child.kill('SIGSTOP')
  await written(20)
  await redis.end()
  await redis.begin()
  const { code, stderr } = await third.ended
  t.is(code, 0, stderr)
  stopped.child.kill('SIGCONT')
  const late = await stopped.ended
  t.is(late.code, 0, late.stderr)
  t.true(await sameBits(path, whole.path))

  const told = await run(['worker', path, '--status', '--json'], env)
  const { done, tiles, queue } = JSON.parse(told.stdout)
  t.is(done, tiles)
  t.deepEqual([queue.waiting, queue.failed], [0, 0])
  t.false((await readFile(join(path, 'manifest.json'), 'utf8')).includes(password))
})

test('a server that hangs up once, as when it starts again, is asked once more', async (t) => {
  let connections = 0
  const proxy = createServer((socket) => {
    connections += 1
    if (connections === 1) return void socket.destroy()
    const redisSocket = connect(redis.port, '127.0.0.1')
    for (const each of [socket, redisSocket]) each.on('error', () => {})
    socket.pipe(redisSocket).pipe(socket)
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => proxy.close())
  const { port } = proxy.address() as AddressInfo
  const address = redis.address.replace(String(redis.port), String(port))
  const { code, stderr } = await run(['worker', whole.path, '--queue', address, '--quiet'])
  t.is(code, 0, stderr)
  t.true(connections > 1)
})

test('a Redis that cannot be reached is one sentence, without its password', async (t) => {
  const { path } = whole
  const told = async (address: string, message: RegExp, code = 1) => {
    const ended = await run(['worker', path, '--queue', address])
    t.is(ended.code, code)
    t.regex(ended.stderr, message)
    t.false(ended.stderr.includes('wrong-word'))
    t.is(ended.stderr.trim().split('\n').length, 1)
  }
  const { port } = redis
  await told(`redis://:wrong-word@127.0.0.1:${port}`, /Cannot reach Redis .*: WRONGPASS/)
  const none = await freePort()
  await told(`redis://:wrong-word@127.0.0.1:${none}`, /Cannot reach Redis .*ECONNREFUSED/)
  await told('http://u:wrong-word@127.0.0.1', /Expected an address redis:/, 2)
})
