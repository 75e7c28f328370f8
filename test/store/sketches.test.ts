// Sketches and Nyström features in stores: heads of each sample, landmarks, many workers, and their errors.
import { execFile } from 'node:child_process'
import { rm, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  createStore,
  type NdArray,
  nystrom,
  openStore,
  readArray,
  type StoreRequest,
  sketch,
  writeNpy,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { chunks, place, sameBits } from './folders.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))
const random = new Random(5)
const bytes = mlp(random, [5, 9, 3])
const x = samples(random, [14, 5])
const heads = samples(random, [14, 3, 2])
const opened = (t: Parameters<typeof load>[0]) => load(t, bytes, { threads: 1, memory: '100MB' })

function cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

test('Nyström features are those in memory, of one landmark kernel for all workers', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  const request: StoreRequest = { kind: 'nystrom', x, landmarks: 5, seed: 3, outputs: [2, 0] }
  const store = await createStore(path, network, request, { tile: 4 })
  const { missing, disk, seconds } = await store.estimate()
  t.is(missing, 4 * (4 * 4 * 2 * 10 + 4))
  t.true(disk > missing && seconds > 0)
  t.is((await store.work()).computed, 4)
  const truth = await nystrom(network, x, { landmarks: 5, seed: 3, outputs: [2, 0] })
  // Signs and order are those of the root, which is one matrix; float32 rounds.
  near(t, await readArray(path), truth.parts.get('total') as NdArray, 1e-5)
  // A worker that comes later takes what is written.
  const before = await chunks(path)
  await rm(join(path, 'c/1'), { recursive: true })
  await truncate(join(path, [...before.keys()][0] as string), 20)
  const again = await openStore(path)
  await again.use(network, x)
  t.is((await again.work()).computed, 2)
  const after = await chunks(path)
  t.deepEqual([...after], [...before])
})

test('landmarks that are others, or damaged, end the work with a sentence', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  const request: StoreRequest = { kind: 'nystrom', x, landmarks: [0, 2, 13] }
  const store = await createStore(path, network, request, { tile: 7 })
  await store.work()
  await rm(join(path, 'c'), { recursive: true })
  const others = {
    ...x,
    data: Float32Array.from(x.data, (value, e) => (e < 5 ? 0 : Number(value))),
  }
  const again = await openStore(path)
  await again.use(network, others)
  await t.throwsAsync(again.work(), { code: 'BAD_INPUT', message: /landmarks are others/ })
  const kernel = join(path, 'landmarks/kernel')
  await truncate(kernel, (await stat(kernel)).size - 1)
  const damaged = await openStore(path)
  await damaged.use(network, x)
  await t.throwsAsync(damaged.work(), { code: 'BAD_FILE', message: /damaged; begin another store/ })
  await t.throwsAsync(createStore(await place(t), network, { kind: 'nystrom', x, landmarks: 15 }), {
    code: 'BAD_ARGUMENT',
  })
})

test('heads of each sample come along with it', async (t) => {
  const network = await opened(t)
  const call = { size: 64, seed: 2 }
  const truth = await sketch(network, x, { ...call, heads, check: 0 })
  const paths = [await place(t), await place(t)]
  for (const [k, path] of paths.entries()) {
    const request: StoreRequest = { kind: 'sketch', x, heads, ...call }
    const store = await createStore(path, network, request, { tile: k === 0 ? 4 : 14 })
    await store.work()
    near(t, await readArray(path), truth.parts.get('total') as NdArray, 1e-6)
  }
  // Others are another job.
  const request: StoreRequest = {
    kind: 'sketch',
    x,
    heads: samples(new Random(6), [14, 3, 2]),
    ...call,
  }
  await t.throwsAsync(createStore(paths[0] as string, network, request), {
    code: 'BAD_ARGUMENT',
    message: /there are other samples in x/,
  })
})

test('the commands: restart, workers, and the error against the exact kernel', async (t) => {
  const path = await place(t)
  const at = (name: string) => join(dirname(path), name)
  await writeFile(at('m.onnx'), bytes)
  await writeNpy(at('x.npy'), x)
  await writeNpy(at('h.npy'), heads)
  const same = ['sketch', at('m.onnx'), '--input', at('x.npy'), '--tile', '4', '--json', '--store']
  const kinds = [
    ['--kind', 'nystrom', '--dim', '6'],
    ['--dim', '128', '--head', at('h.npy')],
  ]
  for (const [k, kind] of kinds.entries()) {
    const store = at(`${k}.zarr`)
    const whole = await cli(...same, store, ...kind)
    t.is(whole.code, 0, whole.stderr)
    const told = JSON.parse(whole.stdout)
    t.is(told.done, 4)
    t.true(told.relative_error > 0 && told.relative_error < 0.6)
    // Planned by one, filled by another.
    const shared = at(`${k}-shared.zarr`)
    t.is((await cli(...same, shared, ...kind, '--plan')).code, 0)
    const worker = await cli('worker', shared, '--quiet')
    t.is(worker.code, 0, worker.stderr)
    t.true(await sameBits(store, shared))
  }
})
