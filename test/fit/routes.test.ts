// The adaptive model by products, and on a device, against the same by its kernel: one answer.
import test from 'ava'
import { type AdaptiveOptions, fitFeatures } from '../../lib/fit/adaptive.js'
import { TangentFeatures } from '../../lib/fit/features.js'
import { fitAdaptive } from '../../lib/fit/network.js'
import { Network, readTensor } from '../../lib/index.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const samples = 60
const outputs = 3
const rows = samples * outputs

/** A dense layer, a convolution in factors, one multiplied out, rows picked by number. */
function features(): Promise<TangentFeatures> {
  const picked = Int32Array.from({ length: samples * 2 }, (_, i) => (i * 5) % 13)
  return TangentFeatures.from(samples, outputs, [
    {
      name: 'dense',
      m: 12,
      k: 18,
      delta: gaussians(rows * 12, 70),
      h: gaussians(samples * 17, 71),
      ones: true,
    },
    {
      name: 'factored',
      m: 20,
      k: 24,
      delta: gaussians(rows * 2 * 20, 72),
      h: gaussians(samples * 2 * 24, 73),
      positions: 2,
      columns: [6, 4],
    },
    { name: 'multiplied', m: 4, k: 6, columns: [3, 2], x: gaussians(rows * 24, 74) },
    { name: 'picked', m: 6, k: 13, delta: gaussians(rows * 2 * 6, 75), h: picked, positions: 2 },
  ])
}

const cases: [string, AdaptiveOptions][] = [
  ['both sides', { left: 2, right: 2 }],
  ['left 2, right 1', { left: 2, right: 1 }],
  ['right only', { left: 'none', right: 1.5 }],
  ['flat', { structure: 'flat' }],
  ['diagonal', { structure: 'diagonal' }],
  ['modes', { structure: 'modes' }],
  ['fixed', { structure: 'fixed' }],
  [
    'a structure for every block',
    {
      perBlock: {
        dense: { left: 1, right: 'none' },
        factored: { structure: 'modes' },
        multiplied: { structure: 'diagonal', power: 1 },
        picked: { structure: 'fixed' },
      },
    },
  ],
]

for (const [name, options] of cases) {
  test(`by products as by the kernel: ${name}`, async (t) => {
    const x = await features()
    // Large, so that many directions are stretched.
    const y = gaussians(rows, 76).map((value) => 6 * value)
    for (const ridge of [1, 30]) {
      const common: AdaptiveOptions = { ...options, ridge, stationarity: 1e-7 }
      const kernel = await fitFeatures(x, y, common)
      const products = await fitFeatures(x, y, { ...common, solver: 'products' })
      const label = `ridge ${ridge}: ${kernel.status.name}, ${products.status.name}`
      near(t, products.objective, kernel.objective, 1e-10, label)
      near(t, products.penalty, kernel.penalty, 1e-6, label)
      near(t, products.coefficients(), kernel.coefficients(), 1e-5, `${label}: B`)
      near(t, products.fit, kernel.fit, { absolute: 1e-5 }, `${label}: fit`)
      // The dual variables are the misfit over the ridge, by either route.
      const misfit = y.map((value, r) => (value - (products.fit[r] as number)) / ridge)
      near(t, products.dual, misfit, { absolute: 1e-5 })
    }
  })

  test(`on a device as on the processor: ${name}`, async (t) => {
    const x = await features()
    const y = gaussians(rows, 76).map((value) => 6 * value)
    const common: AdaptiveOptions = { ...options, ridge: 1, stationarity: 1e-7 }
    const host = await fitFeatures(x, y, common)
    const device = await fitFeatures(x, y, { ...common, device: 'emulated' })
    const label = `${host.status.name}, ${device.status.name}`
    near(t, device.objective, host.objective, 1e-10, label)
    near(t, device.penalty, host.penalty, 1e-6, label)
    near(t, device.coefficients(), host.coefficients(), 1e-5, `${label}: B`)
    near(t, device.fit, host.fit, { absolute: 1e-5 }, `${label}: fit`)
    near(t, device.iterations[0]?.objective, host.iterations[0]?.objective, 1e-11, 'first kernel')
  })
}

test('by products, the bits do not depend on the number of threads', async (t) => {
  const x = await features()
  const y = gaussians(rows, 76)
  const by = (threads: number) =>
    fitFeatures(x, y, { ridge: 1, solver: 'products', maxIterations: 6, threads })
  const [one, two] = [await by(1), await by(2)]
  t.deepEqual(one.coefficients(), two.coefficients())
})

test('by products as by the kernel, through a network', async (t) => {
  const folder = 'test/fixtures/adaptive/mlp_small'
  const x = await readTensor(`${folder}/input_0.pb`)
  const y = await readTensor(`${folder}/target.pb`)
  await using network = await Network.load(`${folder}/model.onnx`)
  for (const options of [
    { ridge: 0.01, left: 2, right: 1 },
    { ridge: 0.01, structure: 'flat' },
    { ridge: 0.01, blocks: 'parameter' },
  ] as const) {
    const { model: kernel } = await fitAdaptive(network, x, y, options)
    const by = await fitAdaptive(network, x, y, { ...options, solver: 'products' })
    t.is(by.model.status.name, 'converged')
    near(t, by.model.objective, kernel.objective, 1e-8)
    near(t, by.model.fit, kernel.fit, { absolute: 1e-4 })
  }
})
