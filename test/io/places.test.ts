// What --out and the writers may name other than a regular file: devices, FIFOs, descriptors, links,
// folders that cannot be made.
import { execFile, execFileSync, spawn } from 'node:child_process'
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { TangentError } from '../../lib/core/errors.js'
import {
  decodeNpy,
  encodeNpy,
  makeFolder,
  writeFileAtomic,
  writeNpy,
  writeRows,
  writeSafetensors,
  writeTensor,
} from '../../lib/io/index.js'

const folder = () => mkdtemp(join(tmpdir(), 'places-'))
const array = { data: Float32Array.of(1, 2, 3), shape: [3] }
const bytes = Buffer.concat(encodeNpy(array))

function fifo(path: string): string {
  execFileSync('mkfifo', [path])
  return path
}

/** What a process reads from a path until its end. */
async function readerOf(path: string): Promise<Buffer> {
  const { stdout } = await promisify(execFile)('cat', [path], {
    encoding: 'buffer',
    maxBuffer: 2 ** 30,
  })
  return stdout
}

test('every writer writes into a FIFO, which stays one', async (t) => {
  const at = await folder()
  const path = fifo(join(at, 'pipe'))
  await symlink('pipe', join(at, 'link'))
  const writers: (() => Promise<void>)[] = [
    () => writeNpy(path, array),
    () => writeNpy(join(at, 'link'), array),
    () => writeTensor(path, array),
    () => writeSafetensors(path, new Map([['x', array]])),
    () => writeFileAtomic(path, ['abc', new Uint8Array(3 << 20)]),
  ]
  for (const write of writers) {
    const [read] = await Promise.all([readerOf(path), write()])
    t.true(read.length > 12)
    t.true((await stat(path)).isFIFO())
  }
  t.true((await lstat(join(at, 'link'))).isSymbolicLink())
  t.deepEqual((await readdir(at)).sort(), ['link', 'pipe'])
})

test('the bytes of a FIFO are the file’s, in order, whichever end comes first', async (t) => {
  const path = fifo(join(await folder(), 'pipe'))
  const large = Uint8Array.from({ length: 5 << 20 }, (_, e) => (e * 2654435761) >>> 24)
  const writing = writeFileAtomic(path, ['head', large])
  const read = await readerOf(path)
  await writing
  t.true(read.equals(Buffer.concat([Buffer.from('head'), large])))
})

test('nobody reads a FIFO, or nobody reads it to the end', async (t) => {
  const path = fifo(join(await folder(), 'pipe'))
  const control = new AbortController()
  const waiting = writeFileAtomic(path, 'x', { signal: control.signal })
  setTimeout(() => control.abort(), 100)
  await t.throwsAsync(waiting, { any: true, name: 'AbortError' })
  const writing = writeFileAtomic(path, new Uint8Array(1 << 24))
  execFile('head', ['-c', '10', path])
  await t.throwsAsync(writing, { instanceOf: TangentError, message: /has closed it/ })
  t.true((await stat(path)).isFIFO())
})

test('devices', async (t) => {
  await writeNpy('/dev/null', array)
  const error = await t.throwsAsync(writeNpy('/dev/full', array), { instanceOf: TangentError })
  t.regex(error?.message ?? '', /^Cannot write \/dev\/full: the disk is full\.$/)
  for (const path of ['/dev/null', '/dev/full']) t.true((await stat(path)).isCharacterDevice())
})

test('descriptors: a file goes on where it stands', async (t) => {
  const at = await folder()
  const handle = await open(join(at, 'file'), 'w')
  await handle.write('before ')
  for (const name of [`/dev/fd/${handle.fd}`, `/proc/self/fd/${handle.fd}`]) {
    await writeFileAtomic(name, 'x')
  }
  await handle.write(' after')
  await handle.close()
  t.is(await readFile(join(at, 'file'), 'utf8'), 'before xx after')
})

test('standard output of a process: a pipe, a file, a closed pipe', async (t) => {
  const at = await folder()
  const module = new URL('../../lib/io/index.js', import.meta.url).href
  const script = `
    import { writeNpy } from ${JSON.stringify(module)}
    await writeNpy(process.argv[1], { data: Float32Array.of(1, 2, 3), shape: [3] })`
  await symlink('/dev/stdout', join(at, 'link'))
  await writeFile(join(at, 'script.mjs'), script.replace('argv[1]', 'argv[2]'))
  const command = (path: string) => `"${process.execPath}" "${at}/script.mjs" "${path}"`
  for (const path of ['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1', join(at, 'link')]) {
    const run = (shell: string) => execFileSync('bash', ['-c', shell], { encoding: 'buffer' })
    t.true(run(`${command(path)} | cat`).equals(bytes), path)
    run(`(echo -n before; ${command(path)}; echo -n after) > "${at}/out"`)
    const whole = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')])
    t.true((await readFile(join(at, 'out'))).equals(whole), path)
    if (path === '/dev/fd/1') continue
    const { stderr } = await promisify(execFile)('bash', [
      '-c',
      `(sleep 1; ${command(path)} || true) | true`,
    ])
    t.regex(stderr, /whoever read it has closed it/)
  }
  t.is(await readlink(join(at, 'link')), '/dev/stdout')
})

test('links: to a file, through folders, to nothing yet, in a circle', async (t) => {
  const at = await folder()
  await mkdir(join(at, 'deep', 'er'), { recursive: true })
  await writeFile(join(at, 'real'), 'old', { mode: 0o600 })
  await chmod(join(at, 'real'), 0o640)
  await symlink('real', join(at, 'link'))
  await symlink('link', join(at, 'second'))
  await symlink(join(at, 'deep', 'er'), join(at, 'short'))
  await symlink('../new', join(at, 'deep', 'er', 'dangling'))
  await symlink('two', join(at, 'one'))
  await symlink('one', join(at, 'two'))
  await writeFileAtomic(join(at, 'second'), 'new')
  t.is(await readFile(join(at, 'real'), 'utf8'), 'new')
  t.is((await stat(join(at, 'real'))).mode & 0o777, 0o640)
  await writeFileAtomic(join(at, 'short', 'dangling'), 'newer')
  t.is(await readFile(join(at, 'deep', 'new'), 'utf8'), 'newer')
  for (const name of ['link', 'second', 'short', 'deep/er/dangling']) {
    t.true((await lstat(join(at, name))).isSymbolicLink(), name)
  }
  await t.throwsAsync(writeFileAtomic(join(at, 'one'), 'x'), { message: /links go in a circle/ })
  await t.throwsAsync(writeFileAtomic(at, 'x'), { message: /it is a folder/ })
})

test('folders that cannot be made are refused at once', async (t) => {
  const at = await folder()
  await makeFolder(join(at, 'a', 'b', 'c'))
  await makeFolder(join(at, 'a', 'b'))
  t.true((await stat(join(at, 'a', 'b', 'c'))).isDirectory())
  await Promise.all([1, 2, 3].map(() => makeFolder(join(at, 'x', 'y'))))
  for (const [path, message] of [
    ['/proc/a/b', /Cannot make the folder \/proc\/a\/b: no such file or folder\.$/],
    [join(process.execPath, 'a'), /a part of the path is not a folder\.$/],
  ] as const) {
    const error = await t.throwsAsync(makeFolder(path), { instanceOf: TangentError, message })
    t.is((error as TangentError).code, 'FAILED')
  }
})

test('what a killed process left goes with the next write; what another writes stays', async (t) => {
  const at = await folder()
  const module = new URL('../../lib/io/index.js', import.meta.url).href
  const script = `
    import { writeFileAtomic } from ${JSON.stringify(module)}
    writeFileAtomic(process.argv[1] + '/' + process.argv[2], new Uint8Array(2 ** 31))`
  const start = (name: string) =>
    spawn(process.execPath, ['--input-type=module', '-e', script, at, name])
  const until = async (count: number) => {
    while ((await readdir(at)).length < count) await new Promise((next) => setTimeout(next, 5))
  }
  const alive = start('alive')
  await until(1)
  alive.kill('SIGSTOP')
  t.teardown(() => alive.kill('SIGKILL'))
  const killed = start('killed')
  await until(2)
  killed.kill('SIGKILL')
  await new Promise((done) => killed.once('exit', done))
  t.is((await readdir(at)).length, 2)
  await writeFileAtomic(join(at, 'mine'), 'x')
  const names = await readdir(at)
  t.is(names.length, 2)
  t.true(names.includes('mine'))
  t.true(names.some((name) => name.includes(`-${alive.pid}-`)))
})

test('a name as long as the file system takes', async (t) => {
  const at = await folder()
  const name = `${'n'.repeat(251)}.npy`
  await writeNpy(join(at, name), array)
  t.deepEqual(decodeNpy(await readFile(join(at, name))).shape, [3])
  await t.throwsAsync(writeNpy(join(at, `${name}n`), array), { message: /the name is too long/ })
  t.deepEqual(await readdir(at), [name])
})

test('what the disk has no room for is refused before any of it is made', async (t) => {
  const at = await folder()
  let asked = 0
  const blocks = () => ({
    [Symbol.iterator]: () => ({
      next: () => {
        asked++
        return { done: true as const, value: undefined }
      },
    }),
  })
  const header = { dtype: 'float32' as const, shape: [2 ** 20, 2 ** 26] }
  for (const name of ['large.npy', 'large.npz']) {
    await t.throwsAsync(writeRows(join(at, name), header, blocks()), {
      code: 'FAILED',
      message: /^Expected room for 256 TiB in .* but only .* free there$/,
    })
  }
  t.is(asked, 0)
  t.deepEqual(await readdir(at), [])
})
