// Many processes on one store: killed, stopped past their lease and continued, it ends in the same bits.
import { cp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readArray } from '../../lib/index.js'
import { place, sameBits } from './folders.js'
import { endAll, holder, run, type Setting, setting, start, until } from './processes.js'

let whole: Setting
const ends: (() => Promise<void>)[] = []

test.before(async (t) => {
  whole = await setting({ teardown: (end) => void ends.push(end) })
  const { code, stderr } = await run([...whole.command, whole.path])
  t.is(code, 0, stderr)
})
test.after.always(async () => {
  endAll()
  for (const end of ends) await end()
})

const pidsOf = (...all: { child: { pid?: number | undefined } }[]) =>
  all.map(({ child }) => child.pid as number)

test('one that is killed: the same command, or a worker, goes on to the same bits', async (t) => {
  const path = await place(t)
  const first = start([...whole.command, path])
  await until(async () => (await holder(path, pidsOf(first))) !== undefined)
  first.child.kill('SIGKILL')
  t.is((await first.ended).signal, 'SIGKILL')
  const status = await run(
    [...whole.command, path, '--status', '--json'].filter((a) => a !== '--quiet'),
  )
  const { done, tiles } = JSON.parse(status.stdout)
  t.is(tiles, 78)
  t.true(done < tiles)
  // Its lease does not hold anybody up: the time would be too short.
  const second = await run(['worker', path, '--lease', '600', '--json'])
  t.is(second.code, 0, second.stderr)
  t.is(JSON.parse(second.stdout).computed, tiles - done)
  t.true(await sameBits(path, whole.path))
})

test('one that is stopped past its lease, and goes on: nothing is lost, nothing waits', async (t) => {
  const path = await place(t)
  t.is((await run([...whole.command, path, '--plan'])).code, 0)
  const worker = () => start(['worker', path, '--lease', '1', '--quiet'])
  const a = worker()
  await until(async () => (await holder(path, pidsOf(a))) !== undefined)
  a.child.kill('SIGSTOP')
  const b = worker()
  const { code, stderr } = await b.ended
  t.is(code, 0, stderr)
  t.true(await sameBits(path, whole.path))
  a.child.kill('SIGCONT')
  t.is((await a.ended).code, 0)
  t.true(await sameBits(path, whole.path))
})

test('a store that moved along with its files, and one whose files are elsewhere', async (t) => {
  const own = await setting(t, { count: 12 })
  t.is((await run([...own.command, own.path, '--plan'])).code, 0)
  const moved = `${own.folder}-moved`
  t.teardown(() => rm(moved, { recursive: true, force: true }))
  await cp(own.folder, moved, { recursive: true })
  await rename(join(own.folder, 'x.npy'), join(own.folder, 'y.npy'))
  const path = join(moved, 'K.zarr')
  t.is((await run(['worker', path, '--quiet'])).code, 0)
  t.deepEqual((await readArray(path)).shape, [12, 12])
  const lost = await run(['worker', own.path])
  t.is(lost.code, 2)
  t.regex(lost.stderr, /x\.npy/)
  const told = await run(['worker', own.path, '--quiet', '--input', join(own.folder, 'y.npy')])
  t.is(told.code, 0, told.stderr)
  t.true(await sameBits(path, own.path))
  const budget = await run(['worker', own.path, '--memory', '1GB'])
  t.is(budget.code, 2)
  t.regex(budget.stderr, /no --memory other than 191 MiB, which the store .* was begun with/)
})

test('what makes no sense is refused in a sentence', async (t) => {
  const { command, path } = whole
  const wrong = async (args: string[], message: RegExp) => {
    const { code, stderr } = await run(args)
    t.is(code, 2, stderr)
    t.regex(stderr, message)
    t.is(stderr.trim().split('\n').length, 1)
  }
  const bare = command.filter((word) => word !== '--store')
  await wrong(bare, /Expected --store together with --tile/)
  await wrong([...command, path, '--out', 'k.npy'], /one of --out and --store/)
  await wrong([...command, path, '--kernel', 'full'], /another place for --store/)
  await wrong(['worker', `${path}x`], /Expected a store that ntk --store made/)
  await wrong(['worker', path, '--lease', '0'], /number of seconds/)
})
