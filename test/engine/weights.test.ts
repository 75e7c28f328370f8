// What is one weight and what is several, and other numbers for the same network.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type NdArray, type Network, writeSafetensors } from '../../lib/index.js'
import { near, relativeError } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { floats, type ModelSpec, model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { fixture, reference } from '../support/reference.js'

const rounding = 5e-6

/** y = x W W, from one initializer, or with an Identity copy of it. */
function squared(random: Random, copy: boolean): Uint8Array {
  const second = copy ? 'w.copy' : 'w'
  const spec: ModelSpec = {
    nodes: [
      ...(copy ? [{ op: 'Identity', inputs: ['w'], outputs: ['w.copy'] }] : []),
      { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'], name: 'first' },
      { op: 'MatMul', inputs: ['h', second], outputs: ['y'], name: 'second' },
    ],
    initializers: { w: floats([4, 4], random.normals(16)) },
    inputs: [{ name: 'x', shape: ['N', 4] }],
    outputs: [{ name: 'y', shape: ['N', 4] }],
  }
  return model(spec)
}

/** ∂y/∂w by central differences, exact up to rounding for a quadratic. */
async function differences(network: Network, x: NdArray, name: string): Promise<NdArray> {
  const { data, shape } = network.weight(name)
  const y = await network.run(x)
  const rows = y.data.length
  const jacobian = new Float64Array(rows * data.length)
  for (let p = 0; p < data.length; p += 1) {
    const at = async (step: number) => {
      const moved = data.slice()
      moved[p] = (moved[p] as number) + step
      await using other = await network.withParameters(new Map([[name, moved]]))
      return other.run(x)
    }
    const [up, down] = [await at(0.25), await at(-0.25)]
    for (let r = 0; r < rows; r += 1) {
      jacobian[r * data.length + p] = (Number(up.data[r]) - Number(down.data[r])) / 0.5
    }
  }
  return { data: jacobian, shape: [...y.shape, ...shape] }
}

test('a weight used twice is one weight with its cross terms', async (t) => {
  const random = new Random(1)
  const network = await load(t, squared(random, false))
  const x = samples(random, [3, 4])
  t.deepEqual(
    network.parameters.map(({ name }) => name),
    ['w'],
  )
  const truth = await differences(network, x, 'w')
  near(t, (await network.jacobian(x)).get('w') as NdArray, truth, 1e-5)
  const kernel = await network.ntk(x, { method: 'jacobian' })
  for (const method of ['auto', 'structured', 'mixed'] as const) {
    near(t, await network.ntk(x, { method }), kernel, rounding, method)
  }
})

test('an Identity copy is a weight of its own unless it is said to be tied', async (t) => {
  const random = new Random(2)
  const bytes = squared(random, true)
  const x = samples(random, [3, 4])
  const apart = await load(t, bytes)
  t.deepEqual(
    apart.parameters.map(({ name, source }) => [name, source]),
    [
      ['w', 'w'],
      ['w.copy', 'w'],
    ],
  )
  for (const name of ['w', 'w.copy']) {
    const truth = await differences(apart, x, name)
    near(t, (await apart.jacobian(x)).get(name) as NdArray, truth, 1e-5, name)
  }
  for (const tied of [true, ['w.copy']]) {
    const together = await load(t, bytes, { tied })
    const single = await load(t, squared(new Random(2), false))
    t.is(together.parameters.length, 1)
    near(t, await together.ntk(x), await single.ntk(x), rounding)
  }
  const untied = await load(t, squared(new Random(2), false), { untied: true })
  t.deepEqual(
    untied.parameters.map(({ name }) => name),
    ['w', 'w#2'],
  )
  near(t, await untied.ntk(x), await apart.ntk(x), rounding)
})

test('a Constant is no parameter unless it is said to be one', async (t) => {
  const random = new Random(3)
  const bytes = model({
    nodes: [
      {
        op: 'Constant',
        inputs: [],
        outputs: ['c'],
        attributes: { value: { t: floats([4], random.normals(4)) } },
      },
      { op: 'Mul', inputs: ['x', 'w'], outputs: ['h'] },
      { op: 'Add', inputs: ['h', 'c'], outputs: ['y'] },
    ],
    initializers: { w: floats([4], random.normals(4)) },
    inputs: [{ name: 'x', shape: ['N', 4] }],
    outputs: [{ name: 'y', shape: ['N', 4] }],
  })
  const names = async (options: object) =>
    (await load(t, bytes, options)).parameters.map(({ name }) => name)
  t.deepEqual(await names({}), ['w'])
  t.deepEqual(await names({ constants: ['c'] }), ['w', 'c'])
  const network = await load(t, bytes, { constants: true })
  const x = samples(random, [2, 4])
  const truth = await differences(network, x, 'c')
  near(t, (await network.jacobian(x)).get('c') as NdArray, truth, 1e-5)
})

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

test('another export gives its weights', async (t) => {
  const trained = await reference('mlp_trained')
  const network = await load(t, fixture('mlp_init', 'model.onnx'))
  const other = await network.withParameters(trained.model)
  t.teardown(() => other.dispose())
  near(t, await other.run(trained.input), trained.output, 1e-5)
  near(t, await other.ntk(trained.input), trained.ntk, 1e-5)
  const before = await reference('mlp_init')
  near(t, await network.ntk(before.input), before.ntk, 1e-5)
})

test('a checkpoint in safetensors gives its weights', async (t) => {
  const trained = await reference('mlp_trained')
  const source = await load(t, trained.model)
  const path = join(await folder(t), 'trained.safetensors')
  const tensors = new Map<string, NdArray>(
    source.parameters.map(({ name }) => [name, source.weight(name)]),
  )
  await writeSafetensors(path, tensors)
  const network = await load(t, fixture('mlp_init', 'model.onnx'))
  await using other = await network.withParameters(path)
  near(t, await other.ntk(trained.input), trained.ntk, 1e-5)

  tensors.delete('net.1.bias')
  await writeSafetensors(path, tensors)
  await t.throwsAsync(network.withParameters(path), { code: 'BAD_FILE', message: /net\.1\.bias/ })
  tensors.set('net.1.bias', source.weight('net.1.bias'))
  tensors.set('head.weight', source.weight('net.1.bias'))
  await writeSafetensors(path, tensors)
  await t.throwsAsync(network.withParameters(path), { code: 'BAD_FILE', message: /head\.weight/ })
})

test("a checkpoint by PyTorch's names fits weights that the exporter renamed and transposed", async (t) => {
  const { model: file, input, output } = await reference('text')
  const network = await load(t, file)
  const tensors = new Map<string, NdArray>()
  for (const { name, label } of network.parameters) {
    const { data, shape } = network.weight(name)
    const [rows = 0, columns = 0] = shape
    const renamed = label !== name
    const turned = data.map((_, e) => data[(e % rows) * columns + Math.floor(e / rows)] as number)
    tensors.set(label, renamed ? { data: turned, shape: [columns, rows] } : { data, shape })
  }
  const path = join(await folder(t), 'text.safetensors')
  await writeSafetensors(path, tensors)
  const zeros = network.parameters.map(
    ({ name, count }) => [name, new Float32Array(count)] as const,
  )
  await using blank = await network.withParameters(new Map(zeros))
  t.true(relativeError(await blank.run(input), output) > 0.1)
  await using other = await blank.withParameters(path)
  near(t, await other.run(input), output, 1e-5)
})

test('a Map may name some parameters, each of the right shape', async (t) => {
  const random = new Random(5)
  const network = await load(t, mlp(random, [3, 4, 2]))
  const x = samples(random, [2, 3])
  const bias = network.weight('l.1.bias')
  await using other = await network.withParameters(
    new Map([['l.1.bias', { data: bias.data.map((b) => b + 1), shape: [2] }]]),
  )
  const [before, after] = [await network.run(x), await other.run(x)]
  after.data.forEach((y, e) => {
    near(t, Number(y) - Number(before.data[e]), 1, { absolute: 1e-5 })
  })
  await t.throwsAsync(network.withParameters(new Map([['nobody', bias]])), {
    code: 'BAD_ARGUMENT',
    message: /nobody/,
  })
  const wrong = { data: new Float32Array(3), shape: [3] }
  await t.throwsAsync(network.withParameters(new Map([['l.1.bias', wrong]])), {
    code: 'BAD_ARGUMENT',
    message: /\(2\)/,
  })
})

test('another architecture is refused', async (t) => {
  const path = await folder(t)
  const network = await load(t, mlp(new Random(6), [3, 4, 2]))
  const save = async (name: string, bytes: Uint8Array) => {
    await writeFile(join(path, name), bytes)
    return join(path, name)
  }
  const deeper = await save('deeper.onnx', mlp(new Random(6), [3, 4, 4, 2]))
  await t.throwsAsync(network.withParameters(deeper), { code: 'BAD_FILE', message: /nodes/ })
  const wider = await save('wider.onnx', mlp(new Random(6), [3, 5, 2]))
  await t.throwsAsync(network.withParameters(wider), { code: 'BAD_ARGUMENT' })
  const linear = await save('linear.onnx', mlp(new Random(6), [3, 4, 2], { bias: false }))
  await t.throwsAsync(network.withParameters(linear), { code: 'BAD_FILE' })
})

test('a large network keeps its weights once, and nothing of the file', async (t) => {
  const random = new Random(12)
  const bytes = mlp(random, [30, 700, 500, 3])
  t.true(bytes.length > 2 ** 20)
  const x = samples(random, [4, 30])
  const small = async (network: Network) => {
    const [{ data: output }, { data: kernel }] = [await network.run(x), await network.ntk(x)]
    return { output, kernel }
  }
  const network = await load(t, bytes)
  const truth = await small(network)
  const file = await network.toOnnx()
  // Not even the file's own bytes are looked at any more.
  bytes.fill(0)
  t.deepEqual(await small(network), truth)
  t.deepEqual(await network.toOnnx(), file)
  t.deepEqual(await small(await load(t, file)), truth)
  // Some weights of its own, the others shared: each network with its numbers, whoever goes first.
  const name = network.parameters[0]?.name as string
  const twice = network.weight(name).data.map((value) => 2 * value)
  const other = await network.withParameters(new Map([[name, twice]]))
  const changed = await small(other)
  t.notDeepEqual(changed, truth)
  t.deepEqual(await small(network), truth)
  await network.dispose()
  t.deepEqual(await small(other), changed)
  t.deepEqual(other.weight(name).data, twice)
  await other.dispose()
})
