// `npm run test:store`: a disk that is really full, a small one of its own (tmpfs in a mount namespace, Linux).
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sameBits } from './folders.js'
import { type Ended, run, setting } from './processes.js'

const own = fileURLToPath(import.meta.url)

function expected(ended: Ended, code: number, message: RegExp): void {
  const lines = ended.stderr.trim().split('\n').length
  if (ended.code === code && message.test(ended.stderr) && (code === 0 || lines === 1)) return
  throw new Error(`expected ${code} and ${message} but ${ended.code}: ${ended.stderr}`)
}

/** In a namespace where mounts are its own. */
async function inside(disk: string): Promise<void> {
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', disk])
  if (status !== 0) throw new Error('a small disk cannot be mounted here')
  const ends: (() => Promise<void>)[] = []
  try {
    const whole = await setting({ teardown: (end) => void ends.push(end) })
    expected(await run([...whole.command, whole.path]), 0, /^/)
    const path = join(disk, 'K.zarr')
    expected(await run([...whole.command, path, '--plan']), 0, /^/)
    const filler = join(disk, 'filler')
    const { bavail, bsize } = await statfs(disk)
    const leave = (pages: number) => writeFile(filler, Buffer.alloc((bavail - pages) * bsize))
    await leave(1)
    const refused = /The store .* still takes .* are free on its disk; make room/
    expected(await run([...whole.command, path]), 1, refused)
    // Files of some tiles fit, each takes a page.
    await leave(60)
    expected(
      await run(['worker', path, '--quiet']),
      1,
      /: the disk is full; what is written already/,
    )
    const { stdout } = await run(['worker', path, '--status', '--json'])
    const { done, tiles } = JSON.parse(stdout)
    if (!(done > 0 && done < tiles)) throw new Error(`${done} of ${tiles} tiles on the full disk`)
    await rm(filler)
    expected(await run(['worker', path, '--quiet']), 0, /^/)
    if (!(await sameBits(path, whole.path))) throw new Error('other bits after a full disk')
    process.stdout.write(
      `full disk: ended with ${done} of ${tiles} tiles, went on to the same bits\n`,
    )
  } finally {
    for (const end of ends) await end()
  }
}

const disk = process.argv[2]
if (disk !== undefined) await inside(disk)
else {
  const made = await mkdtemp(join(tmpdir(), 'disk-'))
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  const words = [...user, '--mount', process.execPath, own, made]
  const { status } = spawnSync('unshare', words, { stdio: 'inherit' })
  await rm(made, { recursive: true, force: true })
  process.exitCode = status ?? 1
}
