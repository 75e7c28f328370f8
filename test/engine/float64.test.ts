// Networks in float64: the references to their own precision.
import test from 'ava'
import { Network, precisionOf } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, samples } from '../support/networks.js'
import { floats, model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { reference } from '../support/reference.js'

// The others hold constants that their exporter rounded to float32.
for (const name of ['mlp_init', 'mlp_trained', 'cnn', 'resnet8']) {
  test(`${name} in float64 is the reference to 1e-12, in every method and block size`, async (t) => {
    const truth = await reference(name)
    const network = await Network.load(truth.model, { float64: true })
    t.teardown(() => network.dispose())
    near(t, await network.run(truth.input), truth.output, 1e-12, 'output')
    for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const) {
      for (const block of [1, 3, truth.input.shape[0] ?? 0]) {
        const kernel = await network.ntk(truth.input, { method, block })
        t.true(kernel.data instanceof Float64Array)
        near(t, kernel, truth.ntk, 1e-12, `${method}, ${block}`)
      }
    }
    for (const [parameter, value] of await network.jacobian(truth.input)) {
      const stored = await truth.jacobian(parameter)
      if (stored && stored.shape.join() === value.shape.join())
        near(t, value, stored, 1e-12, parameter)
    }
  })
}

test('products, operators and spectra in float64 agree with the kernel', async (t) => {
  const truth = await reference('cnn')
  const network = await Network.load(truth.model, { float64: true })
  t.teardown(() => network.dispose())
  const kernel = await network.ntk(truth.input)
  const [n = 0, o = 0] = kernel.shape
  const v = Float64Array.from({ length: n * o }, (_, e) => Math.sin(1 + 7 * e))
  const product = await network.ntkProduct(truth.input, { data: v, shape: [n, o] })
  const expected = new Float64Array(n * o)
  for (let r = 0; r < n * o; r += 1)
    for (let c = 0; c < n * o; c += 1)
      expected[r] =
        (expected[r] as number) + (kernel.data[r * n * o + c] as number) * (v[c] as number)
  near(t, product, { data: expected, shape: [n, o] }, 1e-12, 'K·v')
  const all = await kernel.eigenvalues()
  const operator = await network.kernelOperator(truth.input)
  const { values } = await operator.topEigenvalues({ count: 3 })
  const top = { data: all.slice(0, 3), shape: [3] }
  near(t, { data: Float64Array.from(values), shape: [3] }, top, 1e-9, 'eigenvalues')
})

test('float32 and float64 inputs are taken; weights keep their float64 numbers', async (t) => {
  const truth = await reference('mlp_init')
  const network = await Network.load(truth.model, { float64: true })
  t.teardown(() => network.dispose())
  const wide = { data: Float64Array.from(truth.input.data, Number), shape: truth.input.shape }
  near(t, await network.run(wide), await network.run(truth.input), 0, 'output')
  const [{ name, shape, count } = { name: '', shape: [], count: 0 }] = network.parameters
  const data = Float64Array.from({ length: count }, (_, e) => 1 + 1e-12 * e)
  const other = await network.withParameters(new Map([[name, { data, shape: [...shape] }]]))
  t.deepEqual(other.weight(name).data, data)
  await other.dispose()
})

test('what is made of float32 alone is refused in one sentence', async (t) => {
  const truth = await reference('mlp_init')
  const network = await Network.load(truth.model, { float64: true })
  t.teardown(() => network.dispose())
  const { averageKernel } = await import('../../lib/index.js')
  const same = network as unknown as Network
  await t.throwsAsync(averageKernel(same, same, truth.input), {
    code: 'UNSUPPORTED',
    message: /float32 for averages along a path/,
  })
})

test('precisionOf tells how far float32 is off', async (t) => {
  const truth = await reference('cnn')
  const network = await load(t, truth.model)
  const { output, kernel, sufficient } = await precisionOf(network, truth.input)
  t.true(output > 0 && output < 1e-5)
  t.true(kernel > 0 && kernel < 1e-5)
  t.true(sufficient)
})

test('images are resized in float64 as in float32', async (t) => {
  const random = new Random(3)
  const bytes = model({
    nodes: [
      { op: 'Mul', inputs: ['x', 'w'], outputs: ['h'] },
      { op: 'Resize', inputs: ['h', '', 'scales'], outputs: ['y'], attributes: { mode: 'linear' } },
    ],
    initializers: { w: floats([2, 1, 1], [0.5, 2]), scales: floats([4], [1, 1, 2, 3]) },
    inputs: [{ name: 'x', shape: ['N', 2, 3, 4] }],
    outputs: [{ name: 'y', shape: ['N', 2, 6, 12] }],
  })
  const x = samples(random, [3, 2, 3, 4])
  const [single, double] = [await load(t, bytes), await Network.load(bytes, { float64: true })]
  t.teardown(() => double.dispose())
  near(t, await double.run(x), await single.run(x), 1e-6, 'output')
  near(t, await double.ntk(x), await single.ntk(x), 1e-6, 'kernel')
})
