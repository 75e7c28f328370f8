// Trainings that go on after a kill, and files that no training goes on from.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  type NdArray,
  type OptimizerOptions,
  readSafetensors,
  type TrainOptions,
  train,
  writeSafetensors,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp } from '../support/networks.js'
import { Random } from '../support/random.js'
import { classes } from './sets.js'

async function scratch(t: { teardown(fn: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'resume-'))
  t.teardown(() => rm(folder, { recursive: true }))
  return folder
}

for (const [model, optimizer] of [
  ['full', { kind: 'adamw', learningRate: 0.01 }],
  ['fixed', { kind: 'adam', learningRate: 0.01 }],
  ['adaptive', { kind: 'sgd', learningRate: 0.02, momentum: 0.9 }],
] as [TrainOptions['model'], OptimizerOptions][]) {
  test(`${model}, ${optimizer.kind}: a killed training goes on to the same bits`, async (t) => {
    const folder = await scratch(t)
    const bytes = mlp(new Random(62), [5, 12, 3])
    const path = join(folder, 'model.onnx')
    await writeFile(path, bytes)
    const options: TrainOptions = {
      ...{ model, optimizer, epochs: 300, batch: 8, schedule: 'cosine', seed: 5 },
      samplesPerEpoch: 32,
    }
    const steps = join(folder, 'steps')
    const trainee = new URL('trainee.js', import.meta.url).pathname
    const child = spawn(process.execPath, [trainee, path, JSON.stringify(options), steps])
    const ended = once(child, 'exit')
    child.stdout.on('data', (text) => {
      if (/epoch 5\b/.test(String(text))) child.kill('SIGKILL')
    })
    t.deepEqual(await ended, [null, 'SIGKILL'])
    const network = await load(t, bytes)
    const whole = await train(network, classes(), options)
    const resume = join(steps, 'state.safetensors')
    const resumed = await train(network, classes(), { ...options, resume })
    t.deepEqual(resumed.history, whole.history)
    t.deepEqual(resumed.weights, whole.weights)
    t.deepEqual(resumed.factors, whole.factors)
  })
}

const settings: TrainOptions = {
  ...{ epochs: 3, batch: 8 },
  optimizer: { kind: 'sgd', learningRate: 0.05 },
}

test('checkpoints at chosen steps are those of trainings that end there', async (t) => {
  const folder = await scratch(t)
  const network = await load(t, mlp(new Random(63), [5, 6, 3]))
  for (const model of ['full', 'fixed', 'adaptive'] as const) {
    const options = { ...settings, model }
    const plain = await train(network, classes(), options)
    const checkpoints = { folder: join(folder, model), at: [0, 2, 5, 7, 15, 99] }
    const { weights, history } = await train(network, classes(), { ...options, checkpoints })
    t.deepEqual(weights, plain.weights)
    history.forEach(({ trainLoss }, e) => {
      near(t, trainLoss, plain.history[e]?.trainLoss, { absolute: 1e-12 })
    })
    const names = [0, 2, 5, 7, 15].map((step) => `step-${step}.safetensors`)
    const found = await readdir(checkpoints.folder)
    t.deepEqual(found.sort(), [...names, 'state.safetensors'].sort())
    const read = async (step: number) =>
      (await readSafetensors(join(checkpoints.folder, `step-${step}.safetensors`))).tensors
    // Five steps are an epoch.
    const first = await train(network, classes(), { ...options, epochs: 1 })
    for (const [step, change] of [
      [0, undefined],
      [5, first],
      [15, plain],
    ] as const) {
      for (const [name, { data }] of await read(step)) {
        const own = network.weight(name).data
        const moved = change?.weights.get(name)?.data
        const truth = model === 'full' ? (moved ?? own) : own.map((w, e) => w + (moved?.[e] ?? 0))
        t.deepEqual(data, truth, `${model} ${step} ${name}`)
      }
    }
    t.notDeepEqual(await read(5), await read(7))
  }
})

test('a file that is no state of this training is refused, whatever is wrong with it', async (t) => {
  const folder = await scratch(t)
  const network = await load(t, mlp(new Random(64), [5, 6, 3]))
  const smaller = await load(t, mlp(new Random(64), [5, 4, 3]))
  const resume = join(folder, 'state.safetensors')
  const refused = (message: RegExp, options: Partial<TrainOptions> = {}) =>
    t.throwsAsync(train(network, classes(), { ...settings, ...options, resume }), {
      name: 'TangentError',
      message,
    })
  await refused(/Cannot read .*state/)
  // The same names, fewer numbers.
  await train(smaller, classes(), { ...settings, checkpoints: { folder } })
  await refused(/30 float32 numbers named value:l\.0\.weight/)
  await train(network, classes(), { ...settings, checkpoints: { folder } })
  await refused(/at least the 3 already made/, { epochs: 2 })
  await refused(/^Expected the state of a training with the same model in .*state/, {
    model: 'fixed',
  })
  await refused(/same optimizer in/, { optimizer: { kind: 'sgd', learningRate: 0.1 } })
  await refused(/same schedule, epochs in/, { schedule: 'cosine' })
  await refused(/same batch, samplesPerEpoch, seed in/, { batch: 4, samplesPerEpoch: 24, seed: 2 })
  const { tensors, metadata } = await readSafetensors(resume)
  for (const [change, message] of [
    [{ training: '{' }, /state of a training in/],
    [{ history: '{' }, /history/],
    [{ history: '[]' }, /history/],
    [{ history: '[null]' }, /history/],
    [{ steps: 'many' }, /number of steps/],
  ] as [Record<string, string>, RegExp][]) {
    await writeSafetensors(resume, tensors as Map<string, NdArray>, {
      metadata: { ...metadata, ...change },
    })
    await refused(message)
  }
})

test('a state goes on with the samples, targets and starting weights that it came from', async (t) => {
  const folder = await scratch(t)
  const network = await load(t, mlp(new Random(65), [5, 6, 3]))
  const resume = join(folder, 'state.safetensors')
  const { x, target } = classes()
  const changed = (array: NdArray, at: number): NdArray => {
    const data = array.data.slice() as Float32Array
    data[at] = data[at] === 0 ? 1 : 0
    return { ...array, data }
  }
  const moved = await network.withParameters(
    new Map(network.parameters.map(({ name, count }) => [name, new Float32Array(count).fill(0.1)])),
  )
  t.teardown(() => moved.dispose())
  for (const model of ['full', 'fixed', 'adaptive'] as const) {
    const options = { ...settings, model }
    await train(network, { x, target }, { ...options, checkpoints: { folder } })
    const onward = { ...options, epochs: 5, resume }
    const refused = { code: 'BAD_FILE', message: /the same samples and targets in/ }
    const last = 40 * 5 - 1
    await t.throwsAsync(train(network, { x: changed(x as NdArray, last), target }, onward), refused)
    await t.throwsAsync(train(network, { x, target: changed(target, 39) }, onward), refused)
    const { history, weights } = await train(network, { x, target }, onward)
    t.is(history.length, 5)
    const other = train(moved, { x, target }, onward)
    if (model === 'full') {
      // All weights come from the state.
      t.deepEqual((await other).weights, weights)
    } else {
      await t.throwsAsync(other, { code: 'BAD_FILE', message: /the same weights at the start in/ })
    }
    // The same optimiser in other words.
    const { kind, learningRate } = settings.optimizer
    const optimizer = { momentum: 0, learningRate, kind } as OptimizerOptions
    t.deepEqual((await train(network, { x, target }, { ...onward, optimizer })).weights, weights)
  }
})
