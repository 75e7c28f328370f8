// Folders of images, Parquet columns and what numbers stand for, against Pillow, pyarrow and numpy
// (make-pictures.py).
import { copyFile, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { type NdArray, normalized, openArray, openImages, readArray } from '../../lib/index.js'

const folder = 'test/io/pictures'
const all = async (source: Awaited<ReturnType<typeof openImages>>) =>
  (await source.rows(0, source.length)).data

for (const [name, size] of [
  ['11', undefined],
  ['4', [4, 5]],
  ['20', [20, 16]],
] as const) {
  for (const [mode, channels] of [
    ['L', 1],
    ['RGB', 3],
  ] as const) {
    test(`${mode}, ${name} rows: images are Pillow's, in both layouts`, async (t) => {
      const images = await openImages(folder, { size, channels, layout: 'NHWC' })
      const { data, shape } = await readArray(`test/io/pictures.npz#${mode}${name}`)
      t.deepEqual(images.shape, shape)
      t.is(images.dtype, 'uint8')
      const found = await all(images)
      const off = Array.from(found as Uint8Array, (value, e) => Math.abs(value - Number(data[e])))
      const each = off.length / 5
      // PNG to the last bit; another decoder of JPEG rounds otherwise.
      t.is(Math.max(...off.slice(0, 4 * each)), 0)
      t.true(Math.max(...off.slice(4 * each)) <= 2)
      const planes = await openImages(folder, { size, channels })
      const [n = 0, h = 0, w = 0, c = 0] = shape
      t.deepEqual(planes.shape, [n, c, h, w])
      const second = (await planes.rows(1, 1)).data
      t.is(second[w + 2], found[(h * w + w + 2) * c] as number)
    })
  }
}

test('images in other kinds of numbers, and what is refused', async (t) => {
  const images = await openImages(folder, {
    ...{ size: [2, 2], channels: 3, scale: 1 / 255, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] },
  })
  t.is(images.dtype, 'float32')
  const bytes = await openImages(folder, { size: [2, 2], channels: 3 })
  const [floats, plain] = [await all(images), await all(bytes)]
  t.true(Math.abs(Number(floats[5]) - (Number(plain[5]) / 255 - 0.4) / 0.3) < 1e-6)
  t.is((await openArray(folder)).dtype, 'uint8')
  const own = await mkdtemp(join(tmpdir(), 'images-'))
  await t.throwsAsync(openImages(own), { code: 'BAD_FILE', message: /holds no .png or .jpg file/ })
  await copyFile(`${folder}/a/grey.png`, join(own, 'a.png'))
  await writeFile(join(own, 'b.png'), Buffer.from([0x89, 1, 2, 3]))
  await t.throwsAsync(openImages(own).then(all), {
    code: 'BAD_FILE',
    message: /b.png is not a PNG or JPEG image/,
  })
  await mkdir(join(own, 'c'))
  await copyFile(`${folder}/b/photo.jpg`, join(own, 'c/c.jpg'))
  const tall = await openImages(join(own, 'c'), { size: [30, 3] })
  t.deepEqual(tall.shape, [1, 3, 30, 3])
  for (const options of [{ size: 3 }, { size: [0, 1] }, { channels: 2 }, { layout: 'CHW' }]) {
    await t.throwsAsync(openImages(folder, options as never), { code: 'BAD_ARGUMENT' })
  }
})

test('columns of a Parquet file, across its row groups', async (t) => {
  const path = 'test/io/numbers.parquet'
  const rows = Array.from({ length: 50 }, (_, k) => k)
  const cases: [string, string, number[], (k: number) => number[]][] = [
    ['f', 'float32', [50], (k) => [k * 0.5 - 3]],
    ['d', 'float64', [50], (k) => [Math.sqrt(k)]],
    ['i', 'int64', [50], (k) => [(k * 7) % 11]],
    ['u', 'uint8', [50], (k) => [(k * 5) % 256]],
    ['b', 'bool', [50], (k) => [Number(k % 3 === 0)]],
    ['v', 'float32', [50, 3], (k) => [k, k / 2, -1]],
    ['i,u', 'int64', [50, 2], (k) => [(k * 7) % 11, (k * 5) % 256]],
    ['v,f', 'float32', [50, 4], (k) => [k, k / 2, -1, k * 0.5 - 3]],
    ['u,d', 'float64', [50, 2], (k) => [(k * 5) % 256, Math.sqrt(k)]],
  ]
  for (const [columns, dtype, shape, truth] of cases) {
    const source = await openArray(`${path}#${columns}`)
    t.is(source.dtype, dtype as typeof source.dtype, columns)
    t.deepEqual(source.shape, shape)
    const { data } = await source.rows(0, 50)
    t.deepEqual(Array.from(data, Number), rows.flatMap(truth), columns)
    const part = await source.rows(18, 25)
    t.deepEqual(Array.from(part.data, Number), rows.slice(18, 43).flatMap(truth), columns)
    await source.close?.()
  }
  const bad: [string, RegExp][] = [
    ['#name', /numbers in column "name".* of numbers are f, d, i, u, b, v, hole, ragged/],
    ['#nothing', /columns of .*\(f, d, /],
    ['#hole', /a number in row 33, column "hole" .* is null/],
    ['#ragged', /lists of 1 numbers in column "ragged" .* row 30 holds 2/],
  ]
  for (const [member, message] of bad) {
    await t.throwsAsync(readArray(path + member), { message }, member)
  }
})

test('what numbers stand for is computed as numpy does', async (t) => {
  const bytes: NdArray = {
    data: Uint8Array.from({ length: 24 }, (_, e) => e * 10),
    shape: [2, 3, 4],
  }
  const [mean, std] = [
    [0.1, 0.2, 0.3],
    [2, 4, 8],
  ]
  const first = normalized(bytes, { scale: 1 / 255, mean, std })
  const last = normalized({ ...bytes, shape: [2, 4, 3] }, { scale: 1 / 255, mean, std, axis: -1 })
  for (const [source, channel] of [
    [first, (e: number) => Math.floor(e / 4) % 3],
    [last, (e: number) => e % 3],
  ] as const) {
    const { data } = await source.rows(1, 1)
    data.forEach((value, k) => {
      const e = k + 12
      const c = channel(e)
      const truth = ((e * 10) / 255 - (mean[c] as number)) / (std[c] as number)
      t.true(Math.abs(Number(value) - truth) < 1e-7)
    })
  }
  t.throws(() => normalized(bytes, { mean: [1, 2] }), { message: /one number, or 3 along axis 1/ })
  t.throws(() => normalized(bytes, { std: 0 }), { message: /other than 0 for options.std/ })
})
