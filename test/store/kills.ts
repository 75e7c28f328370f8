// `npm run test:full`: many workers on one store, killed again and again at random moments, some stopped past their
// lease and continued, with clocks that differ: the store ends in the same bits. `--kills N` (default 200),
// `--queue` with a Redis that is restarted now and then.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Random } from '../support/random.js'
import { chunks, sameBits } from './folders.js'
import { endAll, type Running, run, setting, start } from './processes.js'
import { OwnRedis } from './redis.js'

const { values } = parseArgs({
  options: { kills: { type: 'string' }, queue: { type: 'boolean' }, seed: { type: 'string' } },
})
const kills = Number(values.kills ?? 200)
const random = new Random(Number(values.seed ?? 1))
const workers = 4

const ends: (() => Promise<void>)[] = []
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** What killed workers left, which the next one in the folder removes. */
async function leftOver(path: string): Promise<string[]> {
  const names = await readdir(path, { recursive: true })
  return names.filter((name) => /\.tmp$/.test(name))
}

async function main(): Promise<void> {
  const own = await setting({ teardown: (end) => void ends.push(end) }, { count: 96 })
  const complete = await run([...own.command, own.path])
  if (complete.code !== 0) throw new Error(complete.stderr)
  const redis = values.queue ? await OwnRedis.start() : undefined
  if (redis) ends.push(() => redis.end())
  const env = redis ? { ADAPTIVE_TANGENT_QUEUE: redis.address } : {}
  let killed = 0
  let stopped = 0
  let rounds = 0
  let restarts = 0
  while (killed < kills) {
    const folder = await mkdtemp(join(tmpdir(), 'kills-'))
    ends.push(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'K.zarr')
    await run([...own.command, path, '--plan'])
    rounds += 1
    const all: Running[] = []
    const begin = () => all.push(start(['worker', path, '--lease', '1', '--quiet'], env))
    for (let k = 0; k < workers; k += 1) begin()
    const wanted = (await chunks(own.path)).size
    while (killed < kills && (await chunks(path)).size < wanted) {
      await wait(1500 * random.uniform())
      const alive = all.filter(({ child }) => child.exitCode === null && child.signalCode === null)
      const one = alive[Math.floor(random.uniform() * alive.length)]
      if (!one) break
      if (random.uniform() < 0.2) {
        one.child.kill('SIGSTOP')
        stopped += 1
        setTimeout(() => one.child.kill('SIGCONT'), 2500)
      } else {
        one.child.kill('SIGKILL')
        killed += 1
        begin()
      }
      if (!redis || random.uniform() > 0.05) continue
      await redis.end()
      await redis.begin()
      restarts += 1
    }
    const last = await run(['worker', path, '--lease', '1', '--quiet'], env)
    endAll()
    if (last.code !== 0) throw new Error(`round ${rounds}: ${last.stderr}`)
    if (!(await sameBits(path, own.path))) throw new Error(`round ${rounds}: other bits in ${path}`)
    process.stdout.write(
      `${killed} killed, ${stopped} stopped, ${restarts} restarts of Redis, ${rounds} stores whole; ${(await leftOver(path)).length} temporary files left\n`,
    )
  }
}

try {
  await main()
} finally {
  endAll()
  for (const end of ends) await end()
}
