// A posterior of sketches against that of the kernel that the same sketches make, factored whole.
import test from 'ava'
import { buildMlp, KernelPosterior, type NdArray, Network, sketch } from '../../lib/index.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const [samples, outputs] = [9, 2]
const inputs = (count: number, seed: number): NdArray<Float32Array> => ({
  data: Float32Array.from(gaussians(count * 3, seed)),
  shape: [count, 3],
})
const y = Float64Array.from(gaussians(samples * outputs, 3))
const base = Float64Array.from(gaussians(samples * outputs, 4))
const network = await Network.load(await buildMlp({ inputs: 3, hidden: [6], outputs, seed: 3 }))
test.after.always(() => network.dispose())

// Fewer numbers than rows, more, and several parts that add up.
for (const [size, by] of [
  [5, 'total'],
  [40, 'total'],
  [3, 'layer'],
] as const) {
  test(`sketches of ${size} numbers by ${by} say what their kernel says`, async (t) => {
    const train = await sketch(network, inputs(samples, 1), { size, by, check: 0 })
    const other = await sketch(network, inputs(3, 2), { like: train, by, check: 0 })
    const options = { ridge: 0.3, base }
    const found = await KernelPosterior.ofSketch(train, y, options)
    const truth = await KernelPosterior.of(await train.kernel(), y, options)
    near(t, found.alpha, truth.alpha, 1e-9)
    const [a, b] = [await found.leaveOneOut(), await truth.leaveOneOut()]
    for (const name of ['predictions', 'residuals', 'variance', 'leverage'] as const)
      near(t, a[name], b[name], 1e-8, name)
    near(t, found.evidence().log, truth.evidence().log, 1e-9)

    const cross = await other.kernel(train)
    const own = await other.kernel()
    const self = Array.from({ length: 3 * outputs }, (_, r) => own.data[r * (3 * outputs + 1)]!)
    near(t, await other.selfKernel(), { data: self, shape: [3, outputs] }, 1e-12)
    for (const name of ['predict', 'influence', 'representers'] as const)
      near(t, await found[name](cross), await truth[name](cross), 1e-8, name)
    near(t, await found.variance(cross, self), await truth.variance(cross, self), 1e-8)
    near(t, await found.without([1, 4], cross), await truth.without([1, 4], cross), 1e-8)
    near(t, await found.sample(cross, own, 2), await truth.sample(cross, own, 2), 1e-5)
  })
}

test('mistakes are named', async (t) => {
  const train = await sketch(network, inputs(samples, 1), { size: 8, check: 0 })
  const cases: [() => Promise<unknown>, RegExp][] = [
    [() => KernelPosterior.ofSketch(train, y, { ridge: 0 }), /options\.ridge/],
    [() => KernelPosterior.ofSketch(train, y.subarray(1), { ridge: 1 }), /y/],
    [() => KernelPosterior.ofSketch({} as never, y, { ridge: 1 }), /TangentSketch/],
    [() => KernelPosterior.ofSketch(train, y, { ridge: 1, memory: 100 }), /would|make room/],
  ]
  for (const [call, message] of cases) await t.throwsAsync(call, { message })
})
