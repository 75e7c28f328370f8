// Arrays read by rows from files of every kind, as numpy and zarr-python wrote them, and arrays written.
import { execFileSync } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  type ArraySource,
  encodeNpy,
  isSource,
  type NdArray,
  openArray,
  readArray,
  wholeOf,
  writeArray,
  writeArrays,
  writeNpy,
  writeRows,
  writeSafetensors,
} from '../../lib/io/index.js'
import { streamedNpy } from '../../lib/io/sources/npy.js'
import { OpenFile, storedSource } from '../../lib/io/sources/stored.js'

const written = fileURLToPath(new URL('../../../test/io/written/', import.meta.url))
const entry = (e: number) => e / 8
const all = Float32Array.from({ length: 42 }, (_, e) => entry(e))
const labels = [3, 1, 2, 3, 1, 2, 3]

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

/** Every run of rows is what it should be, also going back, and at once. */
async function check(t: ExecutionContext, source: ArraySource, name: string) {
  t.true(isSource(source))
  t.is(source.length, 7, name)
  const size = 42 / 7
  const runs = [
    [0, 7],
    [2, 3],
    [0, 1],
    [6, 1],
    [3, 0],
    [1, 6],
  ] as const
  const found = await Promise.all(runs.map(([first, count]) => source.rows(first, count)))
  found.forEach(({ data, shape }, k) => {
    const [first, count] = runs[k] as readonly [number, number]
    t.deepEqual(shape, [count, ...source.shape.slice(1)], name)
    t.deepEqual(
      Array.from(data as Float32Array, Number),
      Array.from(all.slice(first * size, (first + count) * size)),
      `${name} ${first} ${count}`,
    )
  })
  for (const [first, count] of [
    [-1, 1],
    [5, 3],
    [0, 0.5],
  ] as const) {
    await t.throwsAsync(async () => source.rows(first, count), { code: 'BAD_ARGUMENT' })
  }
  await source.close?.()
}

const files = [
  'stored.npz#rows',
  'stored.npz#fortran',
  'packed.npz#rows',
  'packed.npz#fortran',
  'alone.npz',
  'plain.csv',
  'v2.zarr',
  'v3.zarr',
  'plain.zarr',
  'sharded.zarr',
]

for (const name of files) {
  test(`rows of ${name}`, async (t) => {
    await check(t, await openArray(`${written}${name}`), name)
    const whole = await readArray(`${written}${name}`)
    t.deepEqual(Array.from(whole.data as Float32Array), Array.from(all))
  })
}

test('rows of .npy in both orders and both byte orders, of .safetensors and of .pb', async (t) => {
  const at = await folder(t)
  const rows = { data: all, shape: [7, 3, 2] }
  await writeNpy(join(at, 'c.npy'), rows)
  await check(t, await openArray(join(at, 'c.npy')), 'c.npy')
  await writeSafetensors(join(at, 'one.safetensors'), new Map([['rows', rows]]))
  await check(t, await openArray(join(at, 'one.safetensors')), 'safetensors')
  await check(t, await openArray(join(at, 'one.safetensors#rows')), 'safetensors')
  // Columns of 7 that lie together, the first of the other axes fastest.
  const turned = Buffer.alloc(4 * 42)
  for (let e = 0; e < 42; e += 1) {
    const [i, j, k] = [Math.floor(e / 6), Math.floor(e / 2) % 3, e % 2]
    turned.writeFloatBE(entry(e), 4 * (i + 7 * (j + 3 * k)))
  }
  await writeFile(join(at, 'raw'), Buffer.concat([Buffer.alloc(5), turned]))
  const layout = { type: 'float32', shape: [7, 3, 2], fortran: true, bigEndian: true } as const
  const file = await OpenFile.open(join(at, 'raw'))
  await check(t, storedSource(file, 5, { ...layout, shape: [7, 3, 2] }), 'Fortran')
})

test('columns of a CSV file, whose text has no type', async (t) => {
  const table = `${written}table.csv`
  const two = await readArray(`${table}#a,b`)
  t.deepEqual(two.shape, [7, 2])
  t.is(two.data[2], entry(6))
  const classes = await readArray(`${table}#label`)
  t.deepEqual(classes, { data: BigInt64Array.from(labels, BigInt), shape: [7] })
  const floats = await readArray(`${table}#label`, { numbers: 'float' })
  t.deepEqual(floats, { data: Float64Array.from(labels), shape: [7] })
  t.deepEqual((await readArray(table)).shape, [7, 3])
  await t.throwsAsync(readArray(`${table}#c`), { message: /\(a, b, label\).*"c"/ })
  await t.throwsAsync(readArray(table, { numbers: 'integer' }), { message: /whole numbers/ })
  const at = await folder(t)
  const bad: [string, RegExp][] = [
    ['1,2\n3,\n', /record 2, column 2 .* received ""/],
    ['1,2\n3\n', /not a valid CSV/],
    ['a,b\n', /no row of numbers/],
    ['', /no row of numbers/],
    ['1,2\n3,x\n', /record 2, column 2 .* received "x"/],
  ]
  for (const [text, message] of bad) {
    await writeFile(join(at, 'bad.csv'), text)
    await t.throwsAsync(readArray(join(at, 'bad.csv')), { code: 'BAD_FILE', message })
  }
  await writeFile(join(at, 'odd.csv'), '\ufeffx\n 1e-3 \n\n-inf\nNaN\n')
  const odd = await readArray(join(at, 'odd.csv'))
  t.deepEqual(Array.from(odd.data as Float64Array), [1e-3, Number.NEGATIVE_INFINITY, Number.NaN])
})

test('arrays of a group, and names that tell which', async (t) => {
  const group = `${written}group.zarr`
  const own = { data: BigInt64Array.from(labels, BigInt), shape: [7] }
  t.deepEqual(await readArray(`${group}#labels`), own)
  t.deepEqual(await readArray(`${group}/labels`), own)
  const truth = { data: Uint8Array.of(1, 0, 0, 1, 0, 0, 1), shape: [7], boolean: true as const }
  t.deepEqual(await readArray(`${group}#truth`), truth)
  t.deepEqual(await readArray(`${written}packed.npz#labels`), own)
  const of = { code: 'BAD_ARGUMENT' }
  await t.throwsAsync(readArray(group), { ...of, message: /is a group/ })
  await t.throwsAsync(readArray(`${written}stored.npz`), {
    ...of,
    message: /rows, labels, fortran/,
  })
  await t.throwsAsync(readArray(`${written}stored.npz#x`), { ...of, message: /there is no "x"/ })
  await t.throwsAsync(readArray(`${group}#none`), { code: 'BAD_FILE' })
  // A file may have the sign in its own name.
  const at = await folder(t)
  await writeNpy(join(at, 'a#b.npy'), { data: Int8Array.of(1), shape: [1] })
  t.deepEqual((await readArray(join(at, 'a#b.npy'))).shape, [1])
})

test('damaged files are refused, never read as zeros', async (t) => {
  const at = await folder(t)
  await cp(written, at, { recursive: true })
  const cut = async (name: string, size: number) => {
    await truncate(join(at, name), size)
  }
  const bad = { code: 'BAD_FILE' }
  await cut('plain.zarr/c/1/0/0', 20)
  await t.throwsAsync(readArray(join(at, 'plain.zarr')), { ...bad, message: /truncated: 20 bytes/ })
  await cut('v3.zarr/c/0/0/0', 20)
  await t.throwsAsync(readArray(join(at, 'v3.zarr')), bad)
  await cut('sharded.zarr/c/0/0/0', 60)
  await t.throwsAsync(readArray(join(at, 'sharded.zarr')), bad)
  await cut('stored.npz', 200)
  await t.throwsAsync(readArray(join(at, 'stored.npz#rows')), bad)
  const packed = await readFile(join(at, 'packed.npz'))
  for (let e = 60; e < 90; e += 1) packed[e] = (packed[e] as number) ^ 0x55
  await writeFile(join(at, 'packed.npz'), packed)
  await t.throwsAsync(readArray(join(at, 'packed.npz#rows')), bad)
  await writeFile(join(at, 'x.npz'), 'no zip')
  await t.throwsAsync(readArray(join(at, 'x.npz')), bad)
})

/** Bytes in pieces of odd sizes. */
async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
}

test('a .npy file through a pipe: its rows once, in order', async (t) => {
  const bytes = Buffer.concat(encodeNpy({ data: all, shape: [7, 3, 2] }))
  const source = await streamedNpy(pieces(bytes), 'the pipe')
  t.deepEqual(source.shape, [7, 3, 2])
  t.is((await source.rows(0, 2)).data[11], entry(11))
  t.is((await source.rows(3, 4)).data[0], entry(18))
  await t.throwsAsync(source.rows(0, 1), { message: /once only/ })
  const short = await streamedNpy(pieces(bytes.subarray(0, bytes.length - 1)), 'the pipe')
  await t.throwsAsync(wholeOf(short), { code: 'BAD_FILE', message: /ended before/ })
  const long = await streamedNpy(pieces(Buffer.concat([bytes, Buffer.from('x')])), 'the pipe')
  await t.throwsAsync(wholeOf(long), { code: 'BAD_FILE', message: /goes on/ })
  await t.throwsAsync(streamedNpy(pieces(bytes.subarray(0, 40)), 'it'), { message: /truncated/ })
})

const kinds = ['npy', 'npz', 'csv', 'zarr'] as const

test('arrays are written as the name says, and read back the same', async (t) => {
  const at = await folder(t)
  const arrays: NdArray[] = [
    { data: Float32Array.of(0.1, -1 / 3, 1e-40, 3e38, 5, -0), shape: [3, 2] },
    { data: Float64Array.of(0.1, -1 / 3, 1e-310, Number.POSITIVE_INFINITY), shape: [4] },
    { data: BigInt64Array.of(-5n, 2n ** 60n), shape: [2] },
    { data: Uint8Array.of(1, 0, 1), shape: [3], boolean: true },
    { data: Float32Array.from({ length: 24 }, (_, e) => e / 7), shape: [2, 3, 4] },
    { data: Float32Array.of(4), shape: [] },
    { data: new Float32Array(0), shape: [0, 3] },
  ]
  for (const array of arrays) {
    for (const kind of kinds) {
      if (kind === 'csv' && array.data.length === 0) continue
      const path = join(at, `a.${kind}`)
      await writeArray(path, array)
      const read = await readArray(path)
      const same = Array.from(read.data as Float32Array, Number)
      const own = Array.from(array.data as Float32Array, Number)
      const back = array.data instanceof Float32Array ? same.map(Math.fround) : same
      t.deepEqual(back, own, `${kind} of ${array.shape}`)
      if (kind !== 'csv') t.deepEqual(read.shape, array.shape)
    }
  }
  t.deepEqual((await readdir(at)).sort(), kinds.map((kind) => `a.${kind}`).sort())
  for (const name of ['a', 'a.bin', 'a.npy.gz', 'a.safetensors']) {
    const refused = { code: 'BAD_ARGUMENT', message: /\.npy, \.npz, \.csv or \.zarr/ }
    await t.throwsAsync(writeArray(join(at, name), arrays[0] as NdArray), refused)
  }
})

test('rows are written as they come, whole or not at all', async (t) => {
  const at = await folder(t)
  const header = { dtype: 'float32', shape: [7, 3, 2] } as const
  const blocks = async function* (last = 3) {
    yield { data: all.slice(0, 24), shape: [4, 3, 2] }
    yield { data: all.slice(24, 24 + 6 * last), shape: [last, 3, 2] }
  }
  const failing = async function* () {
    yield { data: all.slice(0, 24), shape: [4, 3, 2] }
    throw new Error('no more')
  }
  for (const kind of kinds) {
    const path = join(at, `r.${kind}`)
    await t.throwsAsync(writeRows(path, header, failing()), { message: /no more/ })
    await t.throwsAsync(writeRows(path, header, blocks(2)), { message: /number of rows/ })
    t.deepEqual(await readdir(at), [])
    await writeRows(path, header, blocks())
    t.deepEqual(Array.from((await readArray(path)).data as Float32Array, Math.fround), [...all])
    await t.throwsAsync(writeRows(path, header, failing()), { message: /no more/ })
    t.deepEqual(Array.from((await readArray(path)).data as Float32Array, Math.fround), [...all])
    await rm(path, { recursive: true })
  }
})

test('several arrays in one .npz or zarr group; other folders are left alone', async (t) => {
  const at = await folder(t)
  const own = { data: Float32Array.of(1, 2), shape: [2] }
  const arrays = new Map([
    ['a', own],
    ['b.c', own],
  ])
  for (const kind of ['npz', 'zarr']) {
    await writeArrays(join(at, `g.${kind}`), arrays)
    t.deepEqual(await readArray(join(at, `g.${kind}#b.c`)), own)
  }
  await writeFile(join(at, 'g.zarr/c.txt'), '')
  await rm(join(at, 'g.zarr/zarr.json'))
  await t.throwsAsync(writeArray(join(at, 'g.zarr'), own), { message: /something else/ })
  t.true((await readdir(join(at, 'g.zarr'))).includes('c.txt'))
  // The same arrays are the same bytes.
  const before = await readFile(join(at, 'g.npz'))
  await writeArrays(join(at, 'g.npz'), arrays)
  t.deepEqual(await readFile(join(at, 'g.npz')), before)
})

test('unzip takes a .npz file that was streamed', async (t) => {
  const at = await folder(t)
  await writeArray(join(at, 'x.npz'), { data: all, shape: [7, 6] })
  const python = 'import zipfile,sys; print(zipfile.ZipFile(sys.argv[1]).testzip())'
  try {
    const said = execFileSync('python3', ['-c', python, join(at, 'x.npz')]).toString()
    t.is(said.trim(), 'None')
  } catch {
    t.pass('there is no Python here')
  }
})
