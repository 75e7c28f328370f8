import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { TangentError } from '../../lib/core/errors.js'
import {
  type NdArray,
  readArray,
  readSafetensors,
  toFloat32,
  toFloat64,
  writeFileAtomic,
  writeNpy,
  writeSafetensors,
  writeTensor,
} from '../../lib/io/index.js'

const folder = () => mkdtemp(join(tmpdir(), 'arrays-'))

test('arrays go through files unchanged, views of larger buffers too', async (t) => {
  const at = await folder()
  const data = new Float64Array([9, 1.5, -2, 3, 9]).subarray(1, 4)
  const array: NdArray = { data, shape: [3, 1] }
  await writeNpy(join(at, 'a.npy'), array)
  await writeTensor(join(at, 'a.pb'), array, { name: 'a' })
  await writeSafetensors(join(at, 'a.safetensors'), new Map([['x', array]]), {
    metadata: { k: 'v' },
  })
  for (const name of ['a.npy', 'a.pb']) {
    const read = await readArray(join(at, name))
    t.deepEqual([...read.data], [1.5, -2, 3])
    t.deepEqual(read.shape, [3, 1])
  }
  const { tensors, metadata } = await readSafetensors(join(at, 'a.safetensors'))
  t.deepEqual([...tensors.get('x')!.data], [1.5, -2, 3])
  t.deepEqual(metadata, { k: 'v' })
  t.deepEqual((await readdir(at)).sort(), ['a.npy', 'a.pb', 'a.safetensors'])
})

test('an array whose shape lies is not written', async (t) => {
  const at = await folder()
  const wrong = { data: new Float32Array(3), shape: [2, 2] }
  const error = await t.throwsAsync(writeNpy(join(at, 'a.npy'), wrong), {
    instanceOf: TangentError,
  })
  t.is((error as TangentError).code, 'BAD_ARGUMENT')
  await t.throwsAsync(writeNpy(join(at, 'a.npy'), { data: [1] as never, shape: [1] }))
  t.deepEqual(await readdir(at), [])
})

test('float widths', (t) => {
  const wide = { data: new Float64Array([0.1, 1e300]), shape: [2] }
  t.deepEqual([...toFloat32(wide).data], [Math.fround(0.1), Infinity])
  t.deepEqual([...toFloat64(toFloat32(wide)).data], [Math.fround(0.1), Infinity])
  t.throws(() => toFloat32({ data: new Int32Array(1), shape: [1] }), { instanceOf: TangentError })
})

test('what cannot be read is said in one sentence', async (t) => {
  const at = await folder()
  await writeFile(join(at, 'x.txt'), 'hello')
  for (const [path, message] of [
    [join(at, 'none.npy'), /no such file/],
    [at, /is not a file|it is a folder/],
    [join(at, 'x.txt'), /\.npy or \.pb/],
    ['/dev/zero', /is not a file/],
  ] as const) {
    const error = await t.throwsAsync(readArray(path), { instanceOf: TangentError, message })
    t.is((error as TangentError).code, 'BAD_FILE')
  }
})

test('a failed or aborted write leaves the old file and nothing else', async (t) => {
  const at = await folder()
  const path = join(at, 'out.bin')
  await writeFileAtomic(path, 'old')
  const parts = [new Uint8Array(10), { length: 5 } as Uint8Array]
  await t.throwsAsync(writeFileAtomic(path, parts))
  const control = new AbortController()
  const writing = writeFileAtomic(path, new Uint8Array(1 << 28), { signal: control.signal })
  setImmediate(() => control.abort())
  await t.throwsAsync(writing, { any: true, name: 'AbortError' })
  await t.throwsAsync(writeFileAtomic(join(at, 'none', 'x'), 'x'), {
    instanceOf: TangentError,
    message: /no such file or folder/,
  })
  t.is(await readFile(path, 'utf8'), 'old')
  t.deepEqual(await readdir(at), ['out.bin'])
})

test('a link stays a link, and concurrent writers each write a whole file', async (t) => {
  const at = await folder()
  await writeFile(join(at, 'real'), 'old')
  await symlink(join(at, 'real'), join(at, 'link'))
  await writeFileAtomic(join(at, 'link'), 'new')
  t.is(await readFile(join(at, 'real'), 'utf8'), 'new')
  const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(100_000))
  await Promise.all(texts.map((text) => writeFileAtomic(join(at, 'real'), text)))
  t.true(texts.includes(await readFile(join(at, 'link'), 'utf8')))
  t.deepEqual((await readdir(at)).sort(), ['link', 'real'])
})

test('a process that exits while it writes leaves nothing behind', async (t) => {
  const at = await folder()
  await chmod(at, 0o700)
  const module = new URL('../../lib/io/write.js', import.meta.url).href
  const script = `
    import { writeFileAtomic } from ${JSON.stringify(module)}
    import { readdirSync } from 'node:fs'
    const path = process.argv[1]
    writeFileAtomic(path + '/out', new Uint8Array(1 << 29))
    setInterval(() => { if (readdirSync(path).length > 0) process.exit(3) }, 1)`
  const child = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, at])
  const error = await t.throwsAsync(child)
  t.is((error as unknown as { code: number }).code, 3)
  t.deepEqual(await readdir(at), [])
})
