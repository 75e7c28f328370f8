import test from 'ava'
import { type AdaptiveOptions, fitFeatures } from '../../lib/fit/adaptive.js'
import { TangentFeatures } from '../../lib/fit/features.js'
import { fitAdaptive } from '../../lib/fit/network.js'
import { Network, readTensor } from '../../lib/index.js'
import { gaussians } from '../support/random.js'
import { load, optionsOf, reference, targets } from './synthetic.js'

/** Runs a fit that is aborted after `stop` iterations; gives the state it left. */
async function cutOff(
  begin: (options: AdaptiveOptions) => Promise<unknown>,
  stop: number,
): Promise<{ error: Error; state: Float64Array }> {
  const controller = new AbortController()
  let state: Float64Array | undefined
  const error = await begin({
    signal: controller.signal,
    onIteration: ({ iteration }) => {
      if (iteration === stop) controller.abort()
    },
    onCheckpoint: (checkpoint) => {
      state = checkpoint
    },
  }).then(
    () => new Error('not aborted'),
    (reason: Error) => reason,
  )
  return { error, state: state as Float64Array }
}

/** Convolution features in factors next to dense ones, some rows picked by number. */
function mixed(): Promise<TangentFeatures> {
  const picked = Int32Array.from({ length: 40 * 3 }, (_, i) => (i * 7) % 11)
  return TangentFeatures.from(40, 2, [
    { name: 'w', m: 6, k: 9, delta: gaussians(80 * 6, 60), h: gaussians(40 * 9, 61) },
    { name: 'c', m: 4, k: 6, columns: [3, 2], x: gaussians(80 * 24, 62) },
    { name: 'e', m: 5, k: 11, delta: gaussians(80 * 3 * 5, 63), h: picked, positions: 3 },
  ])
}

const cases: [string, AdaptiveOptions][] = [
  ['by the kernel, ridge 0.05', { ridge: 0.05 }],
  ['by the kernel, one side', { ridge: 0.05, left: 'none', right: 1 }],
  ['by the kernel, plain alternation', { ridge: 0.05, depth: 0, maxIterations: 25 }],
  ['by the kernel, a fixed block', { ridge: 0.05, perBlock: { w: { structure: 'fixed' } } }],
  ['by products', { ridge: 0.05, solver: 'products' }],
  ['by products, one side', { ridge: 0.05, left: 1, right: 'none', solver: 'products' }],
  ['by products, flat', { ridge: 0.05, structure: 'flat', power: 1, solver: 'products' }],
  ['by products, diagonal', { ridge: 0.05, structure: 'diagonal', solver: 'products' }],
  ['a function as penalty', { ridge: 0.05, left: (z) => (z - 1) ** 2, right: 'none' }],
]

for (const [name, options] of cases) {
  test(`an aborted fit resumes to the same bits: ${name}`, async (t) => {
    const y = gaussians(80, 64).map((value) => 3 * value)
    const whole = await fitFeatures(await mixed(), y, options)
    for (const stop of [1, 3]) {
      const { error, state } = await cutOff(
        async (more) => fitFeatures(await mixed(), y, { ...options, ...more }),
        stop,
      )
      t.is(error.name, 'AbortError')
      const resumed = await fitFeatures(await mixed(), y, { ...options, resume: state })
      t.is(resumed.iterations.length, whole.iterations.length - stop)
      t.deepEqual(resumed.coefficients(), whole.coefficients())
      t.deepEqual(resumed.fit, whole.fit)
      t.deepEqual(resumed.dual, whole.dual)
      t.deepEqual(resumed.blocks, whole.blocks)
      t.is(resumed.objective, whole.objective)
    }
  })
}

for (const solver of ['kernel', 'products'] as const) {
  test(`through a network, by ${solver}`, async (t) => {
    const folder = 'test/fixtures/adaptive/mlp_small'
    const x = await readTensor(`${folder}/input_0.pb`)
    const y = await readTensor(`${folder}/target.pb`)
    await using network = await Network.load(`${folder}/model.onnx`)
    const options = { ridge: 0.01, right: 1, solver, maxIterations: 12 }
    const { model: whole } = await fitAdaptive(network, x, y, options)
    const { error, state } = await cutOff(
      (more) => fitAdaptive(network, x, y, { ...options, ...more }),
      5,
    )
    t.is(error.name, 'AbortError')
    const { model } = await fitAdaptive(network, x, y, { ...options, resume: state })
    t.is(model.iterations[0]?.iteration, 6)
    t.deepEqual(model.coefficients(), whole.coefficients())
    t.is(model.objective, whole.objective)
  })
}

test('aborted in the middle of an iteration: the state is that of the one before', async (t) => {
  const y = gaussians(80, 64)
  const features = await mixed()
  for (const solver of ['kernel', 'products'] as const) {
    const options: AdaptiveOptions = { ridge: 0.01, solver }
    const whole = await fitFeatures(features, y, options)
    const controller = new AbortController()
    let state: Float64Array | undefined
    const fit = fitFeatures(features, y, {
      ...options,
      signal: controller.signal,
      // Let the next iteration begin first.
      onIteration: ({ iteration }) => {
        if (iteration === 4) setImmediate(() => controller.abort())
      },
      onCheckpoint: (checkpoint) => {
        state = checkpoint
      },
    })
    t.is((await fit.catch((reason) => reason)).name, 'AbortError')
    const resumed = await fitFeatures(features, y, { ...options, resume: state })
    t.deepEqual(resumed.coefficients(), whole.coefficients())
  }
})

test('a fit at its limit of iterations goes on; one that ended stays', async (t) => {
  const y = gaussians(80, 64)
  const features = await mixed()
  const states: Float64Array[] = []
  const onCheckpoint = (state: Float64Array) => {
    states.push(state)
  }
  const whole = await fitFeatures(features, y, { ridge: 0.01 })
  const short = await fitFeatures(features, y, { ridge: 0.01, maxIterations: 7, onCheckpoint })
  t.is(short.status.name, 'iteration limit')
  t.is(states.length, 1)
  const more = await fitFeatures(features, y, {
    ridge: 0.01,
    resume: states[0],
    checkpointEvery: 1,
    onCheckpoint,
  })
  t.deepEqual(more.coefficients(), whole.coefficients())
  const ended = await fitFeatures(features, y, { ridge: 0.01, resume: states.at(-1) })
  t.is(ended.status.name, 'converged')
  t.deepEqual(ended.coefficients(), whole.coefficients())
  t.is(ended.iterations.length, 1)
  t.is(ended.iterations[0]?.iteration, whole.iterations.length)
})

test('a checkpoint of another fit is refused, saying what differs', async (t) => {
  const y = gaussians(80, 64)
  const features = await mixed()
  let state = new Float64Array(0)
  const onCheckpoint = (saved: Float64Array) => {
    state = saved as Float64Array<ArrayBuffer>
  }
  await fitFeatures(features, y, { ridge: 0.01, maxIterations: 4, onCheckpoint })
  const refused = async (
    message: RegExp,
    options: AdaptiveOptions,
    r = y,
    among: TangentFeatures = features,
  ) => {
    const error = await t.throwsAsync(
      fitFeatures(among, r, { ridge: 0.01, resume: state, ...options }),
      { code: 'BAD_FILE' },
    )
    t.regex(error?.message ?? '', message)
  }
  await refused(/another ridge/, { ridge: 0.02 })
  await refused(
    /other targets/,
    {},
    y.map((value) => value + 1e-9),
  )
  await refused(/other penalties or structures/, { right: 1 })
  await refused(/other penalties or structures/, { left: 1 })
  await refused(/other penalties or structures/, { left: (z) => (z - 1) ** 2.1 })
  await refused(/other penalties or structures/, { structure: 'flat' })
  await refused(/other penalties or structures/, { structure: 'modes' })
  await refused(/other penalties or structures/, { perBlock: { c: { structure: 'fixed' } } })
  await refused(/another depth/, { depth: 3 })
  const order = Array.from({ length: 40 }, (_, i) => (i + 1) % 40)
  await refused(/other features/, {}, y, await features.select(order))
  await refused(/damaged/, { resume: state.slice(0, -1) })
  await refused(/damaged/, { resume: Float64Array.of(3) })
})

test('an aborted fit resumes from its checkpoint to the same bits', async (t) => {
  const features = await load()
  const r = await targets()
  for (const name of ['left_2_right_1_ridge_0.01', 'flat_1_ridge_0.0', 'diagonal_1_ridge_0.1']) {
    const options = optionsOf(reference(name))
    const whole = await fitFeatures(features, r, options)
    const controller = new AbortController()
    let state: Float64Array | undefined
    const aborted = await fitFeatures(features, r, {
      ...options,
      signal: controller.signal,
      onIteration: ({ iteration }) => {
        if (iteration === 7) controller.abort()
      },
      onCheckpoint: (checkpoint) => {
        state = checkpoint
      },
    }).catch((error) => error)
    t.is(aborted.name, 'AbortError')
    const resumed = await fitFeatures(await load(), r, { ...options, resume: state })
    t.is(resumed.iterations.length, whole.iterations.length - 7)
    t.deepEqual(resumed.coefficients(), whole.coefficients())
    t.is(resumed.objective, whole.objective)
  }
  const modes = await TangentFeatures.from(14, 1, [
    { name: 'conv', m: 4, k: 6, columns: [3, 2], x: gaussians(14 * 24, 12) },
  ])
  const y = gaussians(14, 13)
  const options: AdaptiveOptions = { structure: 'modes', ridge: 0.05 }
  const states: Float64Array[] = []
  const whole = await fitFeatures(modes, y, {
    ...options,
    checkpointEvery: 3,
    onCheckpoint: (state) => {
      states.push(state)
    },
  })
  const resumed = await fitFeatures(modes, y, { ...options, resume: states[0] })
  t.deepEqual(resumed.coefficients(), whole.coefficients())
  const other = await TangentFeatures.from(5, 1, [{ name: 'a', m: 6, k: 5, x: gaussians(150, 8) }])
  await t.throwsAsync(fitFeatures(other, gaussians(5, 9), { resume: states[0] }), {
    code: 'BAD_FILE',
  })
  await t.throwsAsync(fitFeatures(modes, y, { ...options, resume: states[0]?.slice(0, 100) }), {
    code: 'BAD_FILE',
  })
})
