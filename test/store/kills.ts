// `npm run test:store`: many workers on one store, killed again and again at random moments, some of them while they
// rename a tile, some stopped past their lease and continued, with clocks an hour apart: the store ends in the same
// bits. `--kills N` (default 200), `--queue` with a Redis that is restarted now and then.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Random } from '../support/random.js'
import { otherClock } from './clocks.js'
import { sameBits } from './folders.js'
import { endAll, isAlive, type Running, run, type Setting, setting, start } from './processes.js'
import { OwnRedis } from './redis.js'

const { values } = parseArgs({
  options: { kills: { type: 'string' }, queue: { type: 'boolean' }, seed: { type: 'string' } },
})
const kills = Number(values.kills ?? 200)
const random = new Random(Number(values.seed ?? 1))
const workers = 4
/** The lease of all, and how long one is stopped, in seconds. */
const lease = 1
const stop = 2.5

const ends: (() => Promise<void>)[] = []
const counts = { killed: 0, renaming: 0, unfinished: 0, stopped: 0, restarts: 0, rounds: 0 }
const wait = (seconds: number) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds))
const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random.uniform() * list.length)] as T

/** Temporary files that nobody will rename, which the next worker in their folder removes. */
async function leftOver(path: string): Promise<number> {
  const names = await readdir(path, { recursive: true })
  return names.filter((name) => /\.tmp$/.test(name)).length
}

/** Half of them end while they rename a tile, unless something ends them before; each has another clock. */
function begin(path: string, env: NodeJS.ProcessEnv, all: Running[]): void {
  const renames = random.uniform() < 0.5
  const fault = `rename ${1 + Math.floor(3 * random.uniform())} ${oneOf(['before', 'begins', 'after'])}`
  const own = start(['worker', path, '--lease', String(lease), '--quiet'], {
    ...env,
    ...otherClock(oneOf([-1, 0, 1])),
    ...(renames ? { STORE_FAULT: fault } : {}),
  })
  all.push(own)
  if (!renames) return
  own.child.once('exit', (_, signal) => {
    if (signal !== 'SIGKILL' || own.killed) return
    counts.killed += 1
    counts.renaming += 1
  })
}

/** Files of tiles that are there; few look at what is in them. */
async function written(path: string): Promise<number> {
  const names = await readdir(join(path, 'c'), { recursive: true }).catch(() => [])
  return names.filter((name) => /^\d+\/\d+$/.test(name)).length
}

/** Waits until somebody writes or has ended, and a little longer: those who work are hit at any moment. */
async function someTime(path: string, all: readonly Running[]): Promise<void> {
  const before = await written(path)
  const alive = all.filter(isAlive).length
  const latest = performance.now() + 20_000
  while (
    performance.now() < latest &&
    all.filter(isAlive).length === alive &&
    (await written(path)) === before
  ) {
    await wait(0.01)
  }
  await wait(0.2 * random.uniform())
}

async function disturb(one: Running, path: string): Promise<void> {
  if (random.uniform() < 0.15) {
    one.child.kill('SIGSTOP')
    counts.stopped += 1
    setTimeout(() => one.child.kill('SIGCONT'), 1000 * stop)
    return
  }
  const before = await leftOver(path)
  one.killed = true
  one.child.kill('SIGKILL')
  // It may have ended by itself a moment ago.
  if ((await one.ended).signal !== 'SIGKILL') return
  counts.killed += 1
  if ((await leftOver(path)) > before) counts.unfinished += 1
}

async function round(own: Setting, path: string, redis: OwnRedis | undefined): Promise<void> {
  const env = redis ? { ADAPTIVE_TANGENT_QUEUE: redis.address } : {}
  await run([...own.command, path, '--plan'])
  const all: Running[] = []
  const wanted = await written(own.path)
  while (counts.killed < kills && (await written(path)) < wanted) {
    while (all.filter(isAlive).length < workers) begin(path, env, all)
    await someTime(path, all)
    const alive = all.filter(isAlive)
    // The older ones rather: the youngest have not begun.
    const one = alive[Math.floor(random.uniform() ** 2 * alive.length)]
    if (one) await disturb(one, path)
    if (!redis || random.uniform() > 0.05) continue
    await redis.end()
    await redis.begin()
    counts.restarts += 1
  }
  const last = await run(['worker', path, '--lease', String(lease), '--quiet'], env)
  endAll()
  if (last.code !== 0) throw new Error(`round ${counts.rounds}: ${last.stderr}`)
  for (const { child, ended } of all) {
    const { code, stderr } = await ended
    if (code !== null && code !== 0) throw new Error(`worker ${child.pid}: ${stderr}`)
  }
}

try {
  const own = await setting({ teardown: (end) => void ends.push(end) }, { count: 96 })
  const complete = await run([...own.command, own.path])
  if (complete.code !== 0) throw new Error(complete.stderr)
  const redis = values.queue ? await OwnRedis.start() : undefined
  if (redis) ends.push(() => redis.end())
  while (counts.killed < kills) {
    const folder = await mkdtemp(join(tmpdir(), 'kills-'))
    ends.push(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'K.zarr')
    await round(own, path, redis)
    counts.rounds += 1
    if (!(await sameBits(path, own.path)))
      throw new Error(`round ${counts.rounds}: other bits in ${path}`)
    const { killed, renaming, unfinished, stopped, restarts, rounds } = counts
    process.stdout.write(
      `${killed} killed (${renaming} while they renamed, ${unfinished} with a file unfinished), ${stopped} stopped, ${restarts} restarts of Redis, ${rounds} stores whole\n`,
    )
  }
} finally {
  endAll()
  for (const end of ends) await end()
}
