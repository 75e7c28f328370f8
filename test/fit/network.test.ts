import { readFileSync } from 'node:fs'
import test from 'ava'
import { fitAdaptive, fitFixed } from '../../lib/fit/network.js'
import { fitByProducts } from '../../lib/fit/products.js'
import { type NdArray, Network, type NetworkFitOptions, readTensor } from '../../lib/index.js'
import { near } from '../support/near.js'

const folder = 'test/fixtures/adaptive/mlp_small'

async function data() {
  const x = await readTensor(`${folder}/input_0.pb`)
  const y = await readTensor(`${folder}/target.pb`)
  const size = x.data.length / 160
  const part = (first: number) => ({
    data: (x.data as Float32Array).slice(first * size, (first + 80) * size),
    shape: [80, ...x.shape.slice(1)],
  })
  const train = { data: Float64Array.from(y.data.slice(0, 80) as Float32Array), shape: [80] }
  return { x: part(0), y: train, x2: part(80) }
}

interface Reference {
  left: number | null
  right: number | null
  ridge: number
  blocks: 'layer' | 'parameter'
  objective: number
  predictions: number[]
  singular_values: Record<string, number[]>
  adapted_kernel_trace: number
}

for (const blocks of ['layer', 'parameter']) {
  for (const setting of [
    'left_2_right_1_ridge_0.01',
    'left_2_right_2_ridge_0.001',
    'left_None_right_None_ridge_0.001',
  ]) {
    test(`mlp_small by ${blocks}, ${setting}`, async (t) => {
      const name = `${folder}/${blocks}_${setting}.json`
      const expected: Reference = JSON.parse(readFileSync(name, 'utf8'))
      const { x, y, x2 } = await data()
      await using network = await Network.load(`${folder}/model.onnx`)
      const fitted = await fitAdaptive(network, x, y, {
        outputs: [0],
        blocks: expected.blocks,
        ridge: expected.ridge,
        price: { absolute: 1 },
        left: expected.left ?? 'none',
        right: expected.right ?? 'none',
      })
      const { model } = fitted
      t.is(model.status.name, 'converged')
      t.log(model.iterations.length, model.objective / expected.objective - 1)
      t.true(model.objective <= expected.objective * (1 + 1e-4))
      t.true(model.objective >= expected.objective * (1 - 1e-4))
      t.deepEqual(
        new Set(model.blocks.map((block) => block.name)),
        new Set(Object.keys(expected.singular_values)),
      )
      const features = await fitted.features(network, x2)
      const change = await model.predict(features)
      const base = (await network.run(x2)).data as Float32Array
      const jvp = await fitted.predict(network, x2)
      t.deepEqual(jvp.shape, [80, 1])
      const width = base.length / 80
      expected.predictions.forEach((value, i) => {
        const own = (base[i * width] as number) + (change[i] as number)
        near(t, own, value, { absolute: 1e-3 })
        near(t, jvp.data[i], value, { absolute: 1e-3 })
      })
      const kernel = await fitted.kernel(network, x)
      near(t, kernel.trace(), expected.adapted_kernel_trace, 1e-3)
    })
  }
}

test('toDelta is the first-order model: the derivative along it is the fit', async (t) => {
  const { x, y } = await data()
  await using network = await Network.load(`${folder}/model.onnx`)
  for (const blocks of ['layer', 'parameter'] as const) {
    const fitted = await fitAdaptive(network, x, y, { ridge: 1, blocks })
    const delta = fitted.toDelta()
    t.deepEqual(new Set(delta.keys()), new Set(network.parameters.map(({ name }) => name)))
    for (const [name, { shape }] of delta) t.deepEqual(shape, network.weight(name).shape)
    const change = await network.jvp(x, delta)
    near(t, fitted.model.fit, change.data, { absolute: 1e-4 })
  }
})

test('the exported file holds the weights θ0 + Δ', async (t) => {
  const { x, y } = await data()
  await using network = await Network.load(`${folder}/model.onnx`)
  const fitted = await fitFixed(network, x, y, { outputs: [0], ridge: 1, blocks: 'parameter' })
  const path = `${t.title.length}-export.onnx`
  const { mkdtemp, rm } = await import('node:fs/promises')
  const { tmpdir } = await import('node:os')
  const dir = await mkdtemp(`${tmpdir()}/at-`)
  try {
    await fitted.exportOnnx(network, `${dir}/${path}`, { form: 'weights' })
    await using opened = await Network.load(`${dir}/${path}`)
    await using direct = await network.withParameters(await fitted.weights(network))
    for (const { name } of network.parameters) {
      t.deepEqual(opened.weight(name).data, direct.weight(name).data, name)
    }
    // One has its weights inside its session, which sums in another order.
    near(t, (await opened.run(x)).data, (await direct.run(x)).data, { absolute: 1e-5 })
  } finally {
    await rm(dir, { recursive: true })
  }
})

test('targets of another shape are refused', async (t) => {
  const { x, y } = await data()
  await using network = await Network.load(`${folder}/model.onnx`)
  const wide = { data: new Float64Array(160), shape: [80, 2] }
  await t.throwsAsync(fitAdaptive(network, x, wide), { code: 'BAD_ARGUMENT' })
  await t.throwsAsync(fitAdaptive(network, x, y, { outputs: [1] }), { code: 'BAD_ARGUMENT' })
  const wrong = { data: new Float64Array(79), shape: [79] }
  await t.throwsAsync(fitAdaptive(network, x, wrong, { outputs: [0] }), { code: 'BAD_ARGUMENT' })
  const nan = { data: y.data.map((v, i) => (i === 5 ? Number.NaN : v)), shape: [80] }
  const error = await t.throwsAsync(fitAdaptive(network, x, nan, { outputs: [0] }), {
    code: 'BAD_INPUT',
  })
  t.regex(error?.message ?? '', /row 5/)
})

test('what is wrong is told before any features are computed, and of the right array', async (t) => {
  const { x, y } = await data()
  await using network = await Network.load(`${folder}/model.onnx`)
  const refused = async (target: NdArray, options: NetworkFitOptions, code: string) => {
    const onProgress = () => t.fail('features were computed')
    const error = await t.throwsAsync(
      fitAdaptive(network, x, target, { outputs: [0], onProgress, ...options }),
      { code },
    )
    return error?.message ?? ''
  }
  const short = { data: y.data.slice(1), shape: [79] }
  t.regex(await refused(short, {}, 'BAD_ARGUMENT'), /\(80\) or \(80, 1\) for y.*an array \(79\)$/)
  const torn = { data: y.data.slice(1), shape: [80] }
  t.regex(await refused(torn, {}, 'BAD_ARGUMENT'), /^Expected .*y/)
  t.regex(await refused(y, { ridge: -1 }, 'BAD_ARGUMENT'), /options.ridge/)
  t.regex(await refused(y, { left: (z) => z }, 'BAD_ARGUMENT'), /ω\(1\) = 1$/)
  t.regex(await refused(y, { perBlock: { 'net.1': { power: -2 } } }, 'BAD_ARGUMENT'), /power/)
  t.regex(await refused(y, { outputs: [3] }, 'BAD_ARGUMENT'), /indices from 0 to 0/)
  // Signs as 64-bit integers are targets like any others.
  const signs = Array.from(y.data, (value) => Math.sign(value))
  const few = { outputs: [0], maxIterations: 2 } as const
  const floats = { data: Float64Array.from(signs), shape: [80] }
  const longs = { data: BigInt64Array.from(signs, BigInt), shape: [80] }
  const [a, b] = [
    await fitAdaptive(network, x, floats, few),
    await fitAdaptive(network, x, longs, few),
  ]
  t.is(a.model.objective, b.model.objective)
  // A network that is not finite itself is not the targets' fault.
  const weights = new Map(
    network.parameters.map(({ name }) => {
      const { data, shape } = network.weight(name)
      return [name, { data: data.map(() => 1e38), shape: [...shape] }]
    }),
  )
  await using broken = await network.withParameters(weights)
  const error = await t.throwsAsync(fitAdaptive(broken, x, y), { code: 'NUMERICAL' })
  t.regex(error?.message ?? '', /network's own output 0 of sample \d+ is (NaN|-?Infinity)/)
})

test('the fixed model by products agrees with the kernel that it never forms', async (t) => {
  const { x, y, x2 } = await data()
  await using network = await Network.load(`${folder}/model.onnx`)
  const direct = await fitFixed(network, x, y, { ridge: 0.1, blocks: 'parameter' })
  const seen: number[] = []
  const fitted = await fitByProducts(network, x, y, {
    ridge: 0.1,
    onIteration: ({ iteration }) => seen.push(iteration),
  })
  t.is(fitted.model.status.name, 'converged')
  t.true(seen.length > 0)
  near(t, fitted.model.objective, direct.model.objective, 1e-3)
  const [a, b] = [await fitted.predict(network, x2), await direct.predict(network, x2)]
  near(t, a.data, b.data, { absolute: 1e-3 })
})

test('a fit that cannot fit the budget is refused before any sample is run', async (t) => {
  const network = await Network.load('test/fixtures/mlp_init/model.onnx')
  t.teardown(() => network.dispose())
  const samples = { data: new Float32Array(400 * 784), shape: [400, 1, 28, 28] }
  const targets = { data: new Float32Array(4000), shape: [400, 10] }
  network.run = () => t.fail('the samples were run') as never
  const error = await t.throwsAsync(fitAdaptive(network, samples, targets, { memory: '100MiB' }), {
    code: 'MEMORY_BUDGET',
  })
  // 4000² doubles are 122 MiB.
  t.regex(error?.message ?? '', /4000 rows .* need at least 1\d\d MiB but the budget is 100 MiB/)
  // A wrong target, too.
  const wide = { data: new Float32Array(1200), shape: [400, 3] }
  await t.throwsAsync(fitAdaptive(network, samples, wide), { code: 'BAD_ARGUMENT' })
})
