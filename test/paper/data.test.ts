// The data sets' files, made up in their formats.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import type { CurvePoint } from '../../examples/paper/curves.js'
import { readDataSet } from '../../examples/paper/data.js'
import { figure4 } from '../../examples/paper/figure4.js'
import { Store } from '../../examples/paper/store.js'

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'paper-data-'))
  t.teardown(() => rm(folder, { recursive: true }))
  return folder
}

/** An IDX file: two zero bytes, the type of bytes, a 32-bit size per axis, the numbers. */
function idx(sizes: number[], value: (place: number) => number): Buffer {
  const head = Buffer.alloc(4 + 4 * sizes.length)
  head[2] = 8
  head[3] = sizes.length
  for (const [axis, size] of sizes.entries()) head.writeUInt32BE(size, 4 + 4 * axis)
  const count = sizes.reduce((product, size) => product * size, 1)
  return Buffer.concat([head, Buffer.from(Array.from({ length: count }, (_, i) => value(i) % 256))])
}

test('Fashion-MNIST is read from IDX files, packed or not', async (t) => {
  const folder = await folderOf(t)
  const write = (name: string, bytes: Buffer, packed: boolean) =>
    writeFile(join(folder, packed ? `${name}.gz` : name), packed ? gzipSync(bytes) : bytes)
  await write(
    'train-images-idx3-ubyte',
    idx([3, 2, 4], (i) => 10 * i),
    true,
  )
  await write(
    'train-labels-idx1-ubyte',
    idx([3], (i) => 9 - i),
    false,
  )
  await write(
    't10k-images-idx3-ubyte',
    idx([1, 2, 4], () => 255),
    false,
  )
  await write(
    't10k-labels-idx1-ubyte',
    idx([1], () => 4),
    true,
  )
  const { name, train, test: held } = readDataSet('fashion', folder)
  t.is(name, 'Fashion-MNIST')
  t.deepEqual(train.shape, [3, 1, 2, 4])
  t.deepEqual([...train.labels], [9, 8, 7])
  t.is(train.data[9], Math.fround(90 / 255))
  t.deepEqual([...held.data], Array(8).fill(1))
  await write(
    't10k-labels-idx1-ubyte',
    idx([2], () => 4),
    true,
  )
  t.throws(() => readDataSet('fashion', folder), { message: /Expected 1 labels/ })
  await writeFile(join(folder, 't10k-images-idx3-ubyte'), 'no images')
  t.throws(() => readDataSet('fashion', folder), { message: /Expected bytes in IDX form/ })
  t.throws(() => readDataSet('fashion', join(folder, 'no')), { message: /dataset-fashion-mnist/ })
})

/** Records of a label and 3 × 32 × 32 bytes; every class is bright in a row and a colour of its own. */
function cifar(count: number, seed: number): Buffer {
  const file = Buffer.alloc(count * 3073)
  for (let i = 0; i < count; i += 1) {
    const label = (7 * i + seed) % 10
    const at = i * 3073
    file[at] = label
    for (let p = 0; p < 3072; p += 1) file[at + 1 + p] = ((i + seed) * 31 + p * 17) % 64
    const first = 1024 * (label % 3) + 96 * label
    file.fill(255, at + 1 + first, at + 1 + first + 96)
  }
  return file
}

test('the CNN’s curves on CIFAR-10’s binary files', async (t) => {
  const folder = await folderOf(t)
  await Promise.all(
    [1, 2, 3, 4, 5].map((k) => writeFile(join(folder, `data_batch_${k}.bin`), cifar(1040, k))),
  )
  await writeFile(join(folder, 'test_batch.bin'), cifar(200, 6))
  const data = readDataSet('cifar10', folder)
  t.deepEqual(data.train.shape, [5200, 3, 32, 32])
  t.deepEqual([...data.train.labels.subarray(1040, 1043)], [2, 9, 6])
  t.is(data.train.data[1040 * 3072 + 1024 * 2 + 96 * 2], 1)
  const out = join(folder, 'out')
  await mkdir(out)
  await figure4(
    data,
    { dataset: 'cifar10', folder, protocol: 'fixed-set', sizes: [125], solver: undefined },
    {
      out,
      store: new Store(join(out, 'results')),
      threads: 1,
      seeds: [1],
      scale: 'tiny',
      stored: false,
      say: () => {},
    },
  )
  const { points, caption } = JSON.parse(
    await readFile(join(out, 'fig4-fixed-set-cifar10.json'), 'utf8'),
  )
  t.regex(caption, /CNN of width 2, the same n samples in every epoch.*Adam/)
  const models = (points as CurvePoint[]).map(({ model }) => model).sort()
  t.deepEqual(models, ['adaptive', 'fixed', 'full', 'solver adaptive', 'solver fixed'])
  // Chance errs on nine tenths; features of two channels a layer do no better in these few steps.
  const learned = (points as CurvePoint[]).filter(({ model }) =>
    ['full', 'adaptive'].includes(model),
  )
  for (const { model, errors } of learned) t.true((errors[0] as number) < 0.8, model)
  await writeFile(join(folder, 'test_batch.bin'), 'short')
  t.throws(() => readDataSet('cifar10', folder), { message: /Expected records of 3073 bytes/ })
  t.throws(() => readDataSet('cifar10'), { message: /Expected --data/ })
})
