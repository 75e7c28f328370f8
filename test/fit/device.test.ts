// Fits on the emulated device: what they share with the processor's, and what they refuse.
import test from 'ava'
import { type AdaptiveOptions, fitFeatures } from '../../lib/fit/adaptive.js'
import { TangentFeatures } from '../../lib/fit/features.js'
import { fitAdaptive, fitFixed } from '../../lib/fit/network.js'
import { fitPath } from '../../lib/fit/path.js'
import {
  buildMlp,
  fitCoordinates,
  KernelFactor,
  KernelPosterior,
  KernelSpectrum,
  measureKernel,
  Network,
  solveKernel,
  solveSoftmax,
  TangentError,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const device = 'emulated'
const n = 24

/** Wide and narrow factors, features in float, and some that stay as they are. */
function features(samples = n): Promise<TangentFeatures> {
  const f32 = Float32Array.from(gaussians(samples * 2 * 40 * 3, 3))
  return TangentFeatures.from(samples, 2, [
    {
      name: 'wide',
      m: 36,
      k: 50,
      delta: gaussians(samples * 2 * 36, 1),
      h: gaussians(samples * 50, 2),
    },
    { name: 'narrow', m: 40, k: 3, x: f32 },
    { name: 'fixed', m: 2, k: 3, x: gaussians(samples * 2 * 6, 4) },
  ])
}
const y = gaussians(2 * n, 5).map((value) => 30 * value)
const common: AdaptiveOptions = { ridge: 0.5, perBlock: { fixed: { structure: 'fixed' } } }

test('what is kept between kernels changes nothing, and the same fit gives the same bits', async (t) => {
  const x = await features()
  const host = await fitFeatures(x, y, common)
  t.true(host.largestStretch > 1.1)
  const model = await fitFeatures(x, y, { ...common, device })
  near(t, model.objective, host.objective, 1e-10)
  near(t, model.coefficients(), host.coefficients(), 1e-5)
  const states: Float64Array[] = []
  const cut = { ...common, device, maxIterations: 3 } as const
  await fitFeatures(x, y, { ...cut, onCheckpoint: (state) => void states.push(state) })
  const resumed = await fitFeatures(x, y, { ...common, device, resume: states.at(-1) })
  t.deepEqual(resumed.coefficients(), model.coefficients())
})

/** Whose kernel is larger than they are. */
const thin = () =>
  TangentFeatures.from(100, 1, [
    { name: 'factors', m: 40, k: 1, delta: gaussians(100 * 40, 8), h: gaussians(100, 9) },
    { name: 'dense', m: 5, k: 4, x: gaussians(100 * 20, 10) },
  ])
const few = gaussians(100, 11).map((value) => 10 * value)

test('little memory of the device keeps less between kernels', async (t) => {
  const x = await thin()
  const host = await fitFeatures(x, few, { ridge: 1 })
  t.true(host.largestStretch > 1.1)
  for (const memory of ['256KiB', '4MiB']) {
    const model = await fitFeatures(x, few, { ridge: 1, device, memory })
    near(t, model.objective, host.objective, 1e-10, memory)
    near(t, model.coefficients(), host.coefficients(), 1e-5, memory)
  }
})

test('a path of ridges shares its work on a device', async (t) => {
  const x = await features()
  const settings = [{ ridge: 5 }, { ridge: 0.5 }]
  const [hosts, models] = [
    await fitPath(x, y, settings, common),
    await fitPath(x, y, settings, { ...common, device }),
  ]
  for (const [i, model] of models.entries()) near(t, model.objective, hosts[i]?.objective, 1e-9)
})

test('a fit of a network on its device', async (t) => {
  const model = await buildMlp({ inputs: 2, hidden: [6], outputs: 2 })
  const network = await Network.load(model, { device })
  t.teardown(() => network.dispose())
  const data = Float32Array.from(gaussians(40, 6))
  const x = { data, shape: [20, 2] }
  const target = { data: Float32Array.from(gaussians(40, 7)), shape: [20, 2] }
  const fitted = await fitAdaptive(network, x, target, { ridge: 0.1 })
  t.deepEqual(fitted.model.device, { name: device, why: 'it was asked for' })
  const host = await fitAdaptive(network, x, target, { ridge: 0.1, device: 'cpu' })
  t.is(host.model.device?.name, 'cpu')
  near(t, fitted.model.objective, host.model.objective, 1e-10)
  // The ridge is chosen on the device, too.
  const auto = await fitFixed(network, x, target, { ridge: 'auto' })
  const same = await fitFixed(network, x, target, { ridge: 'auto', device: 'cpu' })
  near(t, auto.model.ridge, same.model.ridge, 1e-8)
})

test('kernels in memory are solved on a device', async (t) => {
  const x = await features()
  const kernel = { data: await x.kernel(), shape: [n, 2, n, 2] }
  for (const ridge of [1, 'loo'] as const) {
    const host = await solveKernel(kernel, y, { ridge })
    const found = await solveKernel(kernel, y, { ridge, device })
    near(t, found.alpha, host.alpha, 1e-8)
    near(t, found.condition, host.condition, 1e-8)
  }
  const posterior = await KernelPosterior.of(kernel, y, { ridge: 1, device })
  const host = await KernelPosterior.of(kernel, y, { ridge: 1 })
  near(t, posterior.alpha, host.alpha, 1e-10)
})

test('spectra of kernels are found on a device', async (t) => {
  const network = await Network.load(await buildMlp({ inputs: 2, hidden: [6], outputs: 2 }))
  t.teardown(() => network.dispose())
  const x = { data: Float32Array.from(gaussians(20, 12)), shape: [10, 2] }
  const [kernel, same] = [await network.ntk(x), await network.ntk(x)]
  const largest = (await kernel.eigenvalues())[0] as number
  const found = await same.eigenvalues(undefined, { device })
  near(t, found, await kernel.eigenvalues(), { absolute: 1e-13 * largest })
  const target = { data: Int32Array.from({ length: 10 }, (_, i) => i % 2), shape: [10] }
  const measures = await measureKernel(kernel, { target, device })
  const host = await measureKernel(kernel, { target })
  near(t, measures.effectiveRank, host.effectiveRank, 1e-12)
  near(t, measures.labels?.energy, host.labels?.energy, { absolute: 1e-10 })
  t.deepEqual(
    [kernel, same, measures].map((each) => each.device?.name),
    ['cpu', device, device],
  )
})

test('softmax regression on a device is that of the processor', async (t) => {
  const x = await features()
  const kernel = { data: await x.kernel(), shape: [n, 2, n, 2] }
  const classes = Float64Array.from({ length: 2 * n }, (_, r) =>
    ((r >> 1) % 3 === 0) === (r % 2 === 0) ? 1 : 0,
  )
  for (const ridge of [0.5, 1e-4]) {
    const host = await solveSoftmax(kernel, classes, { ridge })
    const found = await solveSoftmax(kernel, classes, { ridge, device })
    near(t, found.alpha, host.alpha, 1e-8)
    t.is(found.iterations, host.iterations)
    t.is(found.device.name, device)
  }
  await t.throwsAsync(solveSoftmax(kernel, classes, { device, memory: '20KiB' }), {
    code: 'MEMORY_BUDGET',
    message: /^Softmax regression on .* rows .* on a device needs at least /,
  })
})

test('what holds memory gives it back; later calls that need it are refused', async (t) => {
  const gone = { instanceOf: TangentError, code: 'DISPOSED' }
  const x = await features()
  const kernel = await x.kernel()
  const spectrum = await KernelSpectrum.of(kernel, { device })
  const root = spectrum.factor(1)
  const answer = await root.solve(y)
  spectrum.free()
  near(t, await root.solve(y), answer, 1e-15)
  await t.throwsAsync(spectrum.coefficients(y, 1), gone)
  t.throws(() => spectrum.factor(1), gone)
  t.throws(() => spectrum.vectors(), gone)
  t.throws(() => spectrum.rank, gone)
  root.free()
  t.throws(() => root.condition, gone)
  for (const ridge of [1, 'loo'] as const) {
    const posterior = await KernelPosterior.of(kernel, y, { ridge, device })
    const cross = { data: kernel, shape: [2 * n, 2 * n] }
    const under = posterior.variance(cross, new Float64Array(2 * n).fill(1e6))
    posterior.free()
    t.true(
      (await under).data.every((value) => value > 0),
      'what is under way is answered',
    )
    await t.throwsAsync(posterior.leaveOneOut(), gone)
    t.throws(() => posterior.evidence(), gone)
    posterior.free()
  }
  t.true(x.bytes > 0)
  x.free()
  t.is(x.bytes, 0)
  await t.throwsAsync(x.kernel(), gone)
  await t.throwsAsync(x.select([0]), gone)
  await t.throwsAsync(fitFeatures(x, y, common), gone)
})

test('a call that may choose tells what it chose', async (t) => {
  const x = await features()
  const kernel = await x.kernel()
  const auto = { device: 'auto' } as const
  const classes = Float64Array.from({ length: 2 * n }, (_, r) => (r % 2 === 0 ? 1 : 0))
  const found = [
    await KernelFactor.of(kernel, 1, auto),
    await KernelSpectrum.of(kernel, auto),
    await KernelPosterior.of(kernel, y, { ...auto, ridge: 1 }),
    await solveKernel(kernel, y, auto),
    await solveSoftmax(kernel, classes, { ...auto, outputs: 2 }),
    await fitFeatures(x, y, { ...common, ...auto, maxIterations: 1 }),
    await fitCoordinates({ data: Float64Array.of(1, -1), shape: [2, 1] }, [1], [1, -1], {
      ...auto,
      time: 1,
      depth: 'fixed',
    }),
  ]
  for (const { device: chosen } of found) {
    t.is(chosen?.name, 'cpu')
    t.regex(chosen?.why ?? '', /card|compiled|driver/)
  }
})

test('what has no code for devices is refused by name', async (t) => {
  const x = await features()
  const refused = { code: 'UNSUPPORTED', message: /device/ }
  await t.throwsAsync(fitFeatures(x, y, { ...common, device, solver: 'products' }), refused)
  const free = await fitFeatures(x, y, {
    ...common,
    device: 'auto',
    solver: 'products',
    maxIterations: 1,
  })
  t.deepEqual(free.device, {
    name: 'cpu',
    why: 'there is no code for devices in fits by products',
  })
  const twice = await x.select([0, 1, 0])
  const again = [1, 2, 3, 4, 1, 2]
  await t.throwsAsync(fitFeatures(twice, again, { ridge: 0, device }), refused)
  await t.throwsAsync(fitFeatures(x, y, { ...common, device: 'cuda:999' }), { code: 'NO_DEVICE' })
})

test('too little memory of the device is one sentence, and the next fit works', async (t) => {
  const small = await thin()
  const error = await t.throwsAsync(fitFeatures(small, few, { device, memory: '120KiB' }), {
    code: 'MEMORY_BUDGET',
    message: /^A fit of 100 rows on a device needs at least /,
  })
  t.false(error.message.includes('\n'))
  const x = await features()
  const controller = new AbortController()
  const cut = { signal: controller.signal, onIteration: () => controller.abort() }
  await t.throwsAsync(fitFeatures(x, y, { ...common, device, ...cut }), {
    any: true,
    name: 'AbortError',
  })
  const bad = y.map((value, r) => (r === 3 ? Number.NaN : value))
  await t.throwsAsync(fitFeatures(x, bad, { ...common, device }), { code: 'BAD_INPUT' })
  t.is((await fitFeatures(x, y, { ...common, device })).status.name, 'converged')
})
