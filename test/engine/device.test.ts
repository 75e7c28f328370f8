// Kernels on the emulated device against stored float64 references, and what is refused.
import test from 'ava'
import { buildMlp, type DeviceName, Network } from '../../lib/index.js'
import { native } from '../../lib/native/index.js'
import { testDevice } from '../support/device.js'
import { near } from '../support/near.js'
import { kernelOnDevice, operatorOf, tangentOnDevice } from '../support/on-device.js'
import { Random } from '../support/random.js'
import { reference } from '../support/reference.js'

const device = testDevice
const x = { data: Float32Array.of(1, 0, 0, 1, 0.5, -1), shape: [3, 2] }

/** Operators of which the processor serves nodes: rows picked by number. */
const left: Record<string, string[]> = { text: ['Gather'] }

for (const name of ['cnn', 'mobilenet', 'resnet8_bn', 'text', 'vit']) {
  test(`${name}: passes back and forward stay on the device`, async (t) => {
    const truth = await reference(name)
    const network = await Network.load(truth.model)
    t.teardown(() => network.dispose())
    const { data, onHost } = await kernelOnDevice(network, truth.input)
    t.deepEqual([...new Set(onHost.map(operatorOf))], left[name] ?? [])
    near(t, data, truth.ntk, 1e-4, 'the kernel')
    const random = new Random(1)
    const direction = new Map(
      network.parameters
        .filter(({ frozen }) => !frozen)
        .map((one) => [one.name, { data: random.normals(one.count), shape: [...one.shape] }]),
    )
    const forward = await tangentOnDevice(network, truth.input, direction)
    t.deepEqual(forward.onHost, [])
    near(t, forward.data, (await network.jvp(truth.input, direction)).data, 1e-5, 'J·Δ')
  })
}

for (const name of ['mlp_trained', 'cnn', 'text']) {
  test(`${name}: kernels by every method are those of the references`, async (t) => {
    const truth = await reference(name)
    const network = await Network.load(truth.model, { device })
    t.teardown(() => network.dispose())
    for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const) {
      const kernel = await network.ntk(truth.input, { method })
      near(t, kernel, truth.ntk, 1e-4, `the kernel, ${method}`)
    }
    // The same of blocks of samples and of outputs, which meet each other.
    const cut = await network.ntk(truth.input, { block: 2, outputBlock: 3 })
    near(t, cut, truth.ntk, 1e-4, 'the kernel in blocks')
    const parts = await network.ntk(truth.input, { by: 'parameter', kernel: 'trace' })
    const total = Object.values(truth.oracle.ntk_trace_by_parameter).reduce((a, b) => a + b, 0)
    const sum = [...parts.values()].reduce((all, part) => all + part.trace(), 0)
    near(t, sum, total, { absolute: 1e-4 * total }, 'the sum of the traces')
  })
}

test('little memory means smaller blocks, then one sentence', async (t) => {
  const network = await Network.load(await buildMlp({ inputs: 2, hidden: [64], outputs: 2 }), {
    device,
  })
  t.teardown(() => network.dispose())
  const data = Float32Array.from({ length: 120 }, (_, e) => Math.sin(e))
  const many = { data, shape: [60, 2] }
  const whole = await network.ntk(many)
  near(t, await network.ntk(many, { memory: '400KiB' }), whole, 1e-5, 'in little memory')
  const error = await t.throwsAsync(network.ntk(many, { memory: '70KiB' }), {
    code: 'MEMORY_BUDGET',
  })
  t.false(error.message.includes('\n'))
  near(t, await network.ntk(many), whole, 1e-5, 'after the failure')
})

test('a device is refused where it is named in vain', async (t) => {
  const model = await buildMlp({ inputs: 2, hidden: [4], outputs: 1 })
  const unknown = { device: 'gpu' as DeviceName }
  await t.throwsAsync(Network.load(model, unknown), {
    code: 'BAD_ARGUMENT',
    message: /^Expected cpu, cuda, cuda:N, emulated or auto for options\.device but received "gpu"/,
  })
  await t.throwsAsync(Network.load(model, { device: 'cuda:999' }), {
    code: 'NO_DEVICE',
    message: /^The device cuda:999 cannot be used: /,
  })
  const network = await Network.load(model)
  t.teardown(() => network.dispose())
  t.is(network.device.name, 'cpu')
  await t.throwsAsync(network.ntk(x, { device: 'cuda:999' }), { code: 'NO_DEVICE' })
})

test('auto says what it chose and why', async (t) => {
  const model = await buildMlp({ inputs: 2, hidden: [4], outputs: 1 })
  const network = await Network.load(model, { device: 'auto' })
  t.teardown(() => network.dispose())
  const [card] = native.cards()
  const works = card?.whyNot === ''
  t.deepEqual(network.device, {
    name: works ? card.name : 'cpu',
    why: works ? `${card.what} can be used` : card?.whyNot,
  })
  // Calls without code for devices use the processor.
  t.is((await network.jacobian(x)).size, 4)
})
