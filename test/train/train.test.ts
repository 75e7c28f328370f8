// Training against PyTorch's numbers, closed forms, and itself.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { type NdArray, readSafetensors, type TrainOptions, train } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { checkResumed, checkSteps, digits, flat, settings } from './checks.js'

// A file for one sample at a time trains alike.
for (const batch of ['N', 1]) {
  test(`steps of every optimiser, model and loss are PyTorch’s: batch ${batch}`, (t) =>
    checkSteps(t, batch, 'cpu'))
}

test('a resumed training ends at the same bits', (t) => checkResumed(t, 'cpu'))

test('a linearised network under full gradient descent follows the closed form', async (t) => {
  const random = new Random(4)
  const network = await load(t, mlp(random, [4, 10, 1]))
  const x = samples(random, [6, 4])
  const y = samples(random, [6, 1])
  const rate = 0.02
  const steps = 50
  const { weights } = await train(
    network,
    { x, target: y },
    {
      model: 'fixed',
      loss: 'squared',
      optimizer: { kind: 'sgd', learningRate: rate },
      epochs: steps,
      batch: 6,
    },
  )
  const predicted = await network.linearize().predict(x, weights)
  // r ← (I − ηK/n) r.
  const { data: kernel } = await network.ntk(x)
  const base = await network.run(x)
  let residual = Array.from({ length: 6 }, (_, i) => Number(base.data[i]) - (y.data[i] as number))
  for (let step = 0; step < steps; step += 1) {
    residual = residual.map(
      (value, i) =>
        value -
        (rate / 6) * residual.reduce((sum, r, j) => sum + (kernel[i * 6 + j] as number) * r, 0),
    )
  }
  residual.forEach((value, i) => {
    const found = (predicted.data[i] as number) - (y.data[i] as number)
    near(t, found, value, { absolute: 1e-4 })
  })
})

test('momentum and the cosine schedule follow the closed form, too', async (t) => {
  const random = new Random(14)
  const network = await load(t, mlp(random, [4, 10, 1]))
  const x = samples(random, [6, 4])
  const y = samples(random, [6, 1])
  const [rate, momentum, steps] = [0.01, 0.8, 40]
  const { weights } = await train(
    network,
    { x, target: y },
    {
      ...{ model: 'fixed', loss: 'squared', epochs: steps, batch: 6, schedule: 'cosine' },
      optimizer: { kind: 'sgd', learningRate: rate, momentum },
    },
  )
  const predicted = await network.linearize().predict(x, weights)
  const { data: kernel } = await network.ntk(x)
  const base = await network.run(x)
  const residual = Array.from({ length: 6 }, (_, i) => Number(base.data[i]) - Number(y.data[i]))
  // v ← μv + Kr/n, r ← r − ηv, η = rate·(1 + cos(πs/S))/2.
  const velocity = new Float64Array(6)
  for (let step = 0; step < steps; step += 1) {
    const pull = residual.map((_, i) =>
      residual.reduce((sum, r, j) => sum + ((kernel[i * 6 + j] as number) * r) / 6, 0),
    )
    const now = rate * Math.cos((Math.PI * step) / (2 * steps)) ** 2
    pull.forEach((value, i) => {
      velocity[i] = momentum * (velocity[i] as number) + value
      residual[i] = (residual[i] as number) - now * (velocity[i] as number)
    })
  }
  residual.forEach((value, i) => {
    const found = (predicted.data[i] as number) - (y.data[i] as number)
    near(t, found, value, { absolute: 1e-4 })
  })
})

test('training goes down, is the same for the same seed, and tells its best epoch', async (t) => {
  const { network, x, target } = await digits(t, 5)
  for (const model of ['full', 'fixed', 'adaptive'] as const) {
    const epochs: number[] = []
    const run = () =>
      train(
        network,
        { x, target },
        {
          ...settings,
          model,
          epochs: 15,
          test: { x, target },
          onEpoch: ({ epoch }) => epochs.push(epoch),
        },
      )
    const first = await run()
    t.is(epochs.length, 15)
    t.true((first.history[14]?.testLoss as number) < 0.8 * (first.history[0]?.trainLoss as number))
    const best = Math.min(...first.history.map(({ testError }) => testError as number))
    t.is(first.best.testError, best)
    t.deepEqual(flat(await run()), flat(first))
    const other = await train(network, { x, target }, { ...settings, model, seed: 4 })
    t.notDeepEqual(flat(other), flat(first))
    t.is(first.factors !== undefined, model === 'adaptive')
  }
})

test('checkpoints are networks that withParameters takes', async (t) => {
  const { network, x, target } = await digits(t, 7)
  const folder = await mkdtemp(join(tmpdir(), 'training-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const checkpoints = { folder, every: 3 }
  const { weights } = await train(network, { x, target }, { ...settings, checkpoints })
  const last = join(folder, 'weights-6.safetensors')
  t.true((await readSafetensors(join(folder, 'weights-3.safetensors'))).tensors.size > 0)
  const trained = await network.withParameters(last)
  t.teardown(() => trained.dispose())
  for (const [name, { data }] of weights) t.deepEqual(trained.weight(name).data, data)
})

test('an epoch of fewer samples draws others every time, each once', async (t) => {
  const { network, x, target } = await digits(t, 8)
  const options = { ...settings, samplesPerEpoch: 16 }
  // Outputs are 0 and nothing moves: the loss tells which samples were drawn, a power of 4 each.
  const still = await network.withParameters(
    new Map(network.parameters.map(({ name, count }) => [name, new Float32Array(count)])),
  )
  t.teardown(() => still.dispose())
  const few = { data: x.data.slice(0, 10 * 5), shape: [10, 5] }
  const powers = Float32Array.from({ length: 30 }, (_, e) => (e % 3 === 0 ? 2 ** (e / 3) : 0))
  const drawn = async (samplesPerEpoch: number | undefined) => {
    const { history } = await train(
      still,
      { x: few, target: { data: powers, shape: [10, 3] } },
      {
        ...settings,
        loss: 'squared',
        batch: 2,
        samplesPerEpoch,
        optimizer: { kind: 'sgd', learningRate: 0 },
      },
    )
    const count = samplesPerEpoch ?? 10
    return history.map(({ trainLoss }) => {
      const digits = Math.round(2 * count * trainLoss).toString(4)
      return digits.padStart(10, '0')
    })
  }
  t.deepEqual(new Set(await drawn(undefined)), new Set(['1111111111']))
  const draws = await drawn(4)
  for (const draw of draws) t.is([...draw].sort().join(''), '0000001111')
  t.true(new Set(draws).size > 3, draws.join())
  await t.throwsAsync(train(network, { x, target }, { ...options, samplesPerEpoch: 41 }), {
    message: /samplesPerEpoch/,
  })
})

test('kept forward runs and new ones give the same', async (t) => {
  const { network, x, target } = await digits(t, 10)
  // As many draws as there are samples, or more, and the runs are kept.
  for (const model of ['fixed', 'adaptive'] as const) {
    const options = { ...settings, model, schedule: 'constant' as const, samplesPerEpoch: 32 }
    const again = await train(network, { x, target }, { ...options, epochs: 1 })
    const kept = await train(network, { x, target }, { ...options, epochs: 2 })
    const [first, second] = [again.history[0]?.trainLoss, kept.history[0]?.trainLoss] as number[]
    near(t, first, second, { absolute: 1e-5 })
  }
})

test('the test set is evaluated as often as asked', async (t) => {
  const { network, x, target } = await digits(t, 11)
  for (const model of ['full', 'fixed', 'adaptive'] as const) {
    const options = { ...settings, model, epochs: 5, test: { x, target } }
    const every = await train(network, { x, target }, options)
    const some = await train(network, { x, target }, { ...options, evaluateEvery: 2 })
    t.deepEqual(
      some.history.map(({ testLoss }) => testLoss),
      every.history.map(({ epoch, testLoss }) =>
        epoch % 2 === 0 || epoch === 5 ? testLoss : null,
      ),
    )
    t.true([2, 4, 5].includes(some.best.epoch))
    t.deepEqual(flat(some), flat(every))
    // The model's own loss of the same samples, by what it predicts.
    const predicted =
      model === 'full'
        ? await (await network.withParameters(every.weights)).run(x)
        : await network.linearize().predict(x, every.weights)
    const loss = Array.from(target.data).reduce((sum, label, i) => {
      const f = Array.from({ length: 3 }, (_, o) => Number(predicted.data[3 * i + o]))
      const total = f.reduce((all, value) => all + Math.exp(value), 0)
      return sum + (Math.log(total) - (f[label] as number)) / 40
    }, 0)
    near(t, loss, every.history[4]?.testLoss, { absolute: 1e-5 })
  }
})

test('a batch beyond the memory budget is refused', async (t) => {
  const { network, x, target } = await digits(t, 12)
  for (const model of ['full', 'fixed', 'adaptive'] as const) {
    const calls = train(network, { x, target }, { ...settings, model, memory: 700 })
    await t.throwsAsync(calls, { code: 'MEMORY_BUDGET' })
  }
})

test('wrong calls are refused', async (t) => {
  const { network, x, target } = await digits(t, 9)
  const refused = async (options: Partial<TrainOptions>, labels: NdArray, message: RegExp) => {
    await t.throwsAsync(train(network, { x, target: labels }, { ...settings, ...options }), {
      message,
    })
  }
  await refused({}, { data: Int32Array.from({ length: 40 }, () => 3), shape: [40] }, /classes/)
  await refused({}, { data: new Int32Array(39), shape: [39] }, /40 classes/)
  await refused({ loss: 'squared' }, { data: new Float32Array(40), shape: [40] }, /\(40, 3\)/)
  await refused({}, { data: new Int32Array(40), shape: [41] }, /shape \(41\) for target/)
  await refused({}, undefined as never, /for target/)
  await refused({ schedule: 'linear' as 'cosine' }, target, /constant or cosine/)
  await refused({ seed: Number.NaN }, target, /options\.seed/)
  await refused({ optimizer: undefined as never }, target, /options\.optimizer/)
  await refused({ checkpoints: {} as never }, target, /checkpoints\.folder/)
  const folder = join(tmpdir(), 'never')
  await refused({ checkpoints: { folder, every: 0 } }, target, /checkpoints\.every/)
  await refused({ checkpoints: { folder, at: [0.5] } }, target, /checkpoints\.at/)
  // A file is where the folder would be.
  await refused({ checkpoints: { folder: process.execPath } }, target, /Cannot make the folder/)
  await refused({ batch: 41 }, target, /batch/)
  await refused({ epochs: 0 }, target, /epochs/)
  await refused({ evaluateEvery: 0.5 }, target, /evaluateEvery/)
  await refused({ optimizer: { kind: 'sgd', learningRate: -1 } }, target, /learningRate/)
  await refused({ optimizer: { kind: 'sgd', learningRate: 1e30 }, epochs: 50 }, target, /diverged/)
})
