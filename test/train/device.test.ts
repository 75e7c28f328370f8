// Trainings on a device: PyTorch's numbers and the processor's, what crosses, what is refused. The factors' gradients
// there are in factors.test.ts.
import test, { type ExecutionContext } from 'ava'
import {
  type DeviceName,
  type NdArray,
  type Network,
  type TrainOptions,
  train,
} from '../../lib/index.js'
import { cores } from '../../lib/model/core.js'
import type { NativeDeviceCounts } from '../../lib/native/counts.js'
import type { TrainingAction, TrainingReply } from '../../lib/train/protocol.js'
import { setupOf } from '../../lib/train/setup.js'
import { testDevice as device } from '../support/device.js'
import { near } from '../support/near.js'
import { load, mlp } from '../support/networks.js'
import { Random } from '../support/random.js'
import { reference } from '../support/reference.js'
import { checkResumed, checkSteps } from './checks.js'
import { classes } from './sets.js'

const models = ['full', 'fixed', 'adaptive'] as const
const settings: TrainOptions = {
  optimizer: { kind: 'sgd', learningRate: 0.05, momentum: 0.9 },
  ...{ epochs: 2, batch: 2, seed: 3 },
}

for (const batch of ['N', 1]) {
  test(`steps of every optimiser, model and loss are PyTorch’s: batch ${batch}`, (t) =>
    checkSteps(t, batch, device))
}

test('a resumed training ends at the same bits', (t) => checkResumed(t, device))

async function onBoth(
  t: ExecutionContext,
  network: Network,
  data: { x: NdArray; target: NdArray },
  options: TrainOptions,
): Promise<void> {
  const run = (where: DeviceName) => train(network, data, { ...options, test: data, device: where })
  const [there, here] = [await run(device), await run('cpu')]
  t.is(there.device.name, device)
  t.is(here.device.name, 'cpu')
  for (const [name, value] of here.weights)
    near(t, there.weights.get(name), value, 1e-4, `${options.model} ${name}`)
  for (const key of ['trainLoss', 'testLoss'] as const)
    near(
      t,
      there.history.at(-1)?.[key],
      here.history.at(-1)?.[key],
      1e-4,
      `${options.model} ${key}`,
    )
  const again = await run(device)
  t.deepEqual(again.weights, there.weights)
}

// Dense layers, windows, windows in groups, rows picked by number and attention.
for (const name of ['mlp_trained', 'cnn', 'mobilenet', 'text']) {
  test(`${name}: trains as on the processor, and to the same bits again`, async (t) => {
    const { model, input, oracle } = await reference(name)
    const network = await load(t, model)
    const n = input.shape[0] as number
    const target = {
      data: Int32Array.from({ length: n }, (_, i) => i % oracle.outputs),
      shape: [n],
    }
    const learningRate = 0.002
    for (const kind of models) {
      const optimizer = { kind: 'sgd', learningRate, momentum: 0.9 } as const
      await onBoth(t, network, { x: input, target }, { ...settings, model: kind, optimizer })
    }
  })
}

/** Sums of what the device was asked for after each of some steps. */
async function counted(
  network: Network,
  model: TrainOptions['model'],
  steps: number,
): Promise<NativeDeviceCounts[]> {
  const core = cores.get(network) as NonNullable<ReturnType<typeof cores.get>>
  const setup = await setupOf(core, classes(), { ...settings, batch: 8, model, device })
  const plan = await core.plan()
  const ask = (action: TrainingAction) => {
    const message = { training: 1e6, action }
    const request = { type: 'service', service: 'train', message } as const
    return core.ask<TrainingReply>(request, {}, plan).result
  }
  await ask({ do: 'start', setup, identify: false })
  const order = Uint32Array.from({ length: 8 }, (_, i) => i)
  const rates = Float64Array.of(0.01)
  const all: NativeDeviceCounts[] = []
  for (let step = 0; step < steps; step += 1) {
    const reply = await ask({ do: 'steps', order, size: 8, rates })
    all.push(reply.device as NativeDeviceCounts)
  }
  await ask({ do: 'end' })
  return all
}

test('weights go up once; a step sends its batch, and fetches weights where a forward run needs them', async (t) => {
  const [inputs, hidden, outputs] = [5, 6, 3]
  const network = await load(t, mlp(new Random(5), [inputs, hidden, outputs]))
  const parameters = network.parameters.reduce((sum, { count }) => sum + count, 0)
  for (const model of models) {
    const [first, second, third] = (await counted(network, model, 3)) as [
      NativeDeviceCounts,
      NativeDeviceCounts,
      NativeDeviceCounts,
    ]
    const up = second.bytesUp - first.bytesUp
    t.is(third.bytesUp - second.bytesUp, up)
    // What both layers and the activation read, and the loss's slope.
    t.is(up, 4 * 8 * (inputs + hidden + outputs), model)
    const down = model === 'full' ? parameters : 8 * outputs
    t.is(second.bytesDown - first.bytesDown, 4 * down, model)
    t.is(third.bytesDown - second.bytesDown, 4 * down, model)
    t.true(third.mostBytes === second.mostBytes, 'no step leaves anything behind')
  }
})

test('an abort, a loss that is not finite and little memory leave the device clean', async (t) => {
  const network = await load(t, mlp(new Random(63), [5, 12, 3]), { device })
  for (const model of models) {
    const options = { ...settings, model, batch: 8, epochs: 3 }
    const { weights } = await train(network, classes(), options)
    const controller = new AbortController()
    const aborted = train(network, classes(), {
      ...{ ...options, epochs: 1e6, signal: controller.signal },
      onEpoch: () => controller.abort(),
    })
    await t.throwsAsync(aborted, { name: 'AbortError', any: true })
    const optimizer = { kind: 'sgd', learningRate: 3e38 } as const
    const diverged = train(network, classes(), { ...options, epochs: 50, optimizer })
    await t.throwsAsync(diverged, { code: 'NUMERICAL' })
    // Of a card's memory what is free may be used.
    for (const memory of device === 'emulated' ? [700, 3000] : []) {
      const refused = train(network, classes(), { ...options, memory })
      const error = await t.throwsAsync(refused, { code: 'MEMORY_BUDGET' }, `${model} ${memory}`)
      t.false(error?.message.includes('\n'))
    }
    t.deepEqual((await train(network, classes(), options)).weights, weights)
  }
})

test('where a training runs is told; what it cannot do there is refused by name', async (t) => {
  const network = await load(t, mlp(new Random(2), [5, 6, 3]), { device })
  t.is((await train(network, classes(), settings)).device.name, device)
  const auto = await train(network, classes(), { ...settings, device: 'auto' })
  t.is(auto.device.name, 'cpu')
  t.regex(auto.device.why, /card|compiled|driver/)
  await t.throwsAsync(train(network, classes(), { ...settings, precision: 'tf32' }), {
    code: 'UNSUPPORTED',
    message: /^There is no code for TF32 in training/,
  })
  await t.throwsAsync(train(network, classes(), { ...settings, device: 'cuda:999' }), {
    code: 'NO_DEVICE',
  })
  await t.throwsAsync(train(network, classes(), { ...settings, device: 'gpu' as 'cuda' }), {
    code: 'BAD_ARGUMENT',
  })
})
