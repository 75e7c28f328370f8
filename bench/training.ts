// Seconds per epoch of the three trained models and PyTorch's (full) and JAX's (fixed, adaptive):
// `npm run bench:training`. Peers are measured where their Python is found (bench/peers/setup.sh, or
// TORCH_PYTHON and JAX_PYTHON).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Network, type TrainOptions, train } from '../lib/index.js'
import { native } from '../lib/native/index.js'
import { Random } from '../test/support/random.js'
import { mlp } from './models.js'

const sizes = [784, 128, 128, 128, 128, 10]
const threads = 2
const spec = {
  sizes,
  threads,
  samples: 1000,
  test: 10_000,
  batch: 50,
  rate: 0.01,
  momentum: 0.9,
  warm: 5,
  epochs: 30,
}
const root = fileURLToPath(new URL('../../', import.meta.url))
const print = (line = '') => process.stdout.write(`${line}\n`)

function peer(side: 'torch' | 'jax', file: string): Record<string, number> {
  const python =
    process.env[`${side.toUpperCase()}_PYTHON`] ?? join(root, `out/peers/venv-${side}/bin/python`)
  if (!existsSync(python)) {
    print(`${side}: no Python at ${python}`)
    return {}
  }
  const script = join(root, `bench/peers/python/training_${side}.py`)
  const { stdout, stderr, status } = spawnSync(python, [script, file], { encoding: 'utf8' })
  if (status === 0) return JSON.parse(stdout) as Record<string, number>
  print(`${side}: ${stderr.trim().split('\n').at(-1)}`)
  return {}
}

function data(samples: number, seed: number) {
  const random = new Random(seed)
  const [inputs = 0] = sizes
  const outputs = sizes.at(-1) as number
  const x = Float32Array.from({ length: samples * inputs }, () => random.uniform())
  const labels = Int32Array.from({ length: samples }, () => random.integer(0, outputs - 1))
  return { x: { data: x, shape: [samples, inputs] }, target: { data: labels, shape: [samples] } }
}

const median = (values: number[]) =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number

/** Seconds of an epoch, and of one that evaluates a test set. */
async function seconds(model: TrainOptions['model'], tested: boolean): Promise<number> {
  await using network = await Network.load(mlp(sizes).bytes, { threads })
  const times: number[] = []
  let before = 0
  await train(network, data(spec.samples, 1), {
    model,
    optimizer: { kind: 'sgd', learningRate: spec.rate, momentum: spec.momentum },
    epochs: spec.warm + spec.epochs,
    batch: spec.batch,
    test: tested ? data(spec.test, 2) : undefined,
    onEpoch: ({ epoch }) => {
      const now = performance.now()
      if (epoch > spec.warm) times.push((now - before) / 1000)
      before = now
    },
  })
  return median(times)
}

function row(what: string, own: number, others: [name: string, time: number | undefined][]): void {
  const told = others
    .filter(([, time]) => time !== undefined)
    .map(([name, time]) => {
      const ratio = own / (time as number)
      return `${name} ${(1000 * (time as number)).toFixed(1)} ms (ours / theirs ${ratio.toFixed(2)})`
    })
  print([`${what}: ${(1000 * own).toFixed(1)} ms`, ...told].join('; '))
}

const folder = mkdtempSync(join(tmpdir(), 'training-'))
try {
  const file = join(folder, 'spec.json')
  writeFileSync(file, JSON.stringify(spec))
  const torch = peer('torch', file)
  const jax = peer('jax', file)
  print(`${cpus()[0]?.model}, ${threads} threads, Node ${process.version}, BLAS ${native.blas}`)
  print(`MLP ${sizes.join('→')}, ${spec.samples} samples, batches of ${spec.batch}, SGD`)
  for (const model of ['full', 'fixed', 'adaptive'] as const) {
    const own = await seconds(model, false)
    row(`${model}, an epoch`, own, [
      ['PyTorch', torch[model]],
      ['JAX, a call per step', jax[`${model} step`]],
      ['JAX, a call per epoch', jax[`${model} scan`]],
    ])
    row(`${model}, ${spec.test} test samples`, (await seconds(model, true)) - own, [
      ['PyTorch', torch[`${model} test`]],
      ['JAX', jax[`${model} test`]],
    ])
  }
} finally {
  rmSync(folder, { recursive: true })
}
