// Every wrong input is one typed error with one sentence.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { type Inputs, type NdArray, Network, TangentError } from '../../lib/index.js'
import {
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
} from '../../lib/protobuf/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { floats, ints, model, type NodeSpec, type Tensor } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { fixture } from '../support/reference.js'

const random = new Random(1)
const bytes = mlp(random, [3, 4, 2])

test('files that are not sound ONNX models', async (t) => {
  const good = await readFile(fixture('mlp_init', 'model.onnx'))
  const sources: [string, string | Uint8Array][] = [
    ['text', new TextEncoder().encode('not a model at all')],
    ['empty', new Uint8Array()],
    ['truncated', good.subarray(0, 3000)],
    ['another file', fixture('mlp_init', 'oracle.json')],
    ['no file', fixture('mlp_init', 'nothing.onnx')],
    ['a folder', fixture('mlp_init', '')],
  ]
  for (const [what, source] of sources) {
    await t.throwsAsync(Network.load(source), { instanceOf: TangentError, code: 'BAD_FILE' }, what)
  }
  await t.throwsAsync(Network.load(7 as never), { code: 'BAD_ARGUMENT' })
})

test('all unsupported operators are named at once', async (t) => {
  const source = model({
    nodes: [
      { op: 'Mul', inputs: ['x', 'w'], outputs: ['a'], name: 'scale' },
      { op: 'Mystery', inputs: ['a'], outputs: ['b'], name: 'first one', domain: 'custom' },
      {
        op: 'BatchNormalization',
        inputs: ['b', 's', 's', 's', 's'],
        outputs: ['c', 'm', 'v'],
        attributes: { training_mode: 1 },
        name: 'norm',
      },
      { op: 'Enigma', inputs: ['c'], outputs: ['y'], name: 'second one', domain: 'custom' },
    ],
    initializers: { w: floats([3], [1, 2, 3]), s: floats([3], [1, 1, 1]) },
    inputs: [{ name: 'x', shape: ['N', 3] }],
    outputs: [{ name: 'y', shape: ['N', 3] }],
    domains: { custom: 1 },
  })
  const error = await t.throwsAsync(Network.load(source), { code: 'UNSUPPORTED' })
  for (const word of ['first one', 'Mystery', 'norm', 'training', 'second one', 'Enigma']) {
    t.true(error?.message.includes(word), word)
  }
  const network = await load(t, source, { unsupported: 'defer' })
  t.deepEqual(
    network.refusals.map(({ node }) => node),
    ['first one', 'norm', 'second one'],
  )
  await t.throwsAsync(network.ntk(samples(random, [2, 3])), { code: 'UNSUPPORTED' })
})

test('a network without parameters', async (t) => {
  const source = model({
    nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }],
    inputs: [{ name: 'x', shape: ['N', 3] }],
    outputs: [{ name: 'y', shape: ['N', 3] }],
  })
  await t.throwsAsync(Network.load(source), { code: 'UNSUPPORTED', message: /parameter/ })
  await t.throwsAsync(Network.load(bytes, { frozen: /./ }), {
    code: 'UNSUPPORTED',
    message: /frozen/,
  })
})

test('unknown names', async (t) => {
  const cases = [
    { parameters: 'nobody' },
    { parameters: ['l.0.weight', 'nobody'] },
    { frozen: 'nobody' },
    { output: 'nothing' },
    { tied: ['nobody'] },
    { untied: ['nobody'] },
    { constants: ['nobody'] },
  ]
  for (const options of cases) {
    const pattern = { code: 'BAD_ARGUMENT', message: /nobody|nothing/ }
    await t.throwsAsync(Network.load(bytes, options), pattern, JSON.stringify(options))
  }
  const network = await load(t, bytes)
  await t.throwsAsync(network.run(samples(random, [2, 3]), { output: 'z' }), {
    code: 'BAD_ARGUMENT',
  })
  t.throws(() => network.weight('z'), { code: 'BAD_ARGUMENT' })
})

test('inputs of the wrong shape, rank, type or content', async (t) => {
  const network = await load(t, bytes)
  const x = samples(random, [4, 3])
  const spoilt = (value: number) => {
    const data = x.data.slice()
    data[7] = value
    return { data, shape: x.shape }
  }
  const cases: [string, Inputs, RegExp][] = [
    ['a wrong size', samples(random, [4, 5]), /\(N, 3\).*\(4, 5\)/],
    ['a rank too many', samples(random, [4, 3, 1]), /\(N, 3\).*\(4, 3, 1\)/],
    ['a rank too few', samples(random, [3]), /\(N, 3\).*\(3\)/],
    ['no samples', { data: new Float32Array(), shape: [0, 3] }, /at least one sample/],
    ['integers', { data: new Int32Array(12), shape: [4, 3] }, /float32.*int32/],
    ['NaN', spoilt(Number.NaN), /NaN at \[2, 1\]/],
    ['infinity', spoilt(Number.NEGATIVE_INFINITY), /-Infinity at \[2, 1\]/],
    ['another input', { z: x }, /"x".*"z"/],
    ['no input', {}, /"x"/],
  ]
  for (const [what, input, message] of cases) {
    for (const call of [
      network.run(input),
      network.ntk(input, undefined),
      network.ntk(x, input, {}),
    ]) {
      await t.throwsAsync(call, { instanceOf: TangentError, code: 'BAD_INPUT', message }, what)
    }
  }
  const torn = { data: x.data, shape: [5, 3] } as NdArray
  await t.throwsAsync(network.run(torn), { code: 'BAD_ARGUMENT', message: /15/ })
  await t.throwsAsync(network.run(null as never), { code: 'BAD_ARGUMENT' })
  await t.throwsAsync(network.run([1, 2, 3] as never), { instanceOf: TangentError })
  // Another width of floats is converted.
  const wide = { data: Float64Array.from(x.data), shape: x.shape }
  t.deepEqual((await network.run(wide)).data, (await network.run(x)).data)
})

test('several inputs, integers among them', async (t) => {
  const source = model({
    nodes: [
      { op: 'Gather', inputs: ['table', 'ids'], outputs: ['rows'] },
      { op: 'Add', inputs: ['rows', 'x'], outputs: ['sum'] },
      { op: 'Mul', inputs: ['sum', 'w'], outputs: ['y'] },
    ],
    initializers: { table: floats([5, 3], random.normals(15)), w: floats([3], [1, 2, 3]) },
    inputs: [
      { name: 'ids', type: 'int64', shape: ['N'] },
      { name: 'x', shape: ['N', 3] },
    ],
    outputs: [{ name: 'y', shape: ['N', 3] }],
  })
  const network = await load(t, source, { parameters: 'w', unsupported: 'defer' })
  const x = samples(random, [2, 3])
  const ids = (...values: number[]): NdArray => ({ data: Int32Array.from(values), shape: [2] })
  t.deepEqual((await network.run({ ids: ids(4, 1), x })).shape, [2, 3])
  await t.throwsAsync(network.run(x), { code: 'BAD_INPUT', message: /by name.*"ids", "x"/ })
  await t.throwsAsync(network.run({ x }), { code: 'BAD_INPUT', message: /"ids"/ })
  const three = { data: new Int32Array(3), shape: [3] }
  await t.throwsAsync(network.run({ ids: three, x }), { code: 'BAD_INPUT', message: /3 samples/ })
  await t.throwsAsync(network.run({ ids: { data: new Float32Array(2), shape: [2] }, x }), {
    code: 'BAD_INPUT',
    message: /int64.*float32/,
  })
  // An index outside the table is onnxruntime's to find.
  for (const call of [network.run({ ids: ids(4, 9), x }), network.ntk({ ids: ids(4, 9), x })]) {
    const bounds = { instanceOf: TangentError, code: 'BAD_INPUT', message: /Gather.*idx=9/ }
    await t.throwsAsync(call, bounds)
  }
  t.deepEqual((await network.run({ ids: ids(4, 1), x })).shape, [2, 3])
})

test('wrong options', async (t) => {
  const network = await load(t, bytes)
  const x = samples(random, [2, 3])
  const cases: object[] = [
    { kernel: 'whole' },
    { by: 'node' },
    { method: 'magic' },
    { outputs: [] },
    { outputs: [2] },
    { outputs: [0, 0] },
    { outputs: [0.5] },
    { threads: 0 },
    { threads: 1.5 },
    { memory: 'much' },
    { memory: -1 },
    { mean: true },
    { block: -1 },
  ]
  for (const options of cases) {
    await t.throwsAsync(network.ntk(x, options), { code: 'BAD_ARGUMENT' }, JSON.stringify(options))
  }
  await t.throwsAsync(network.vjp(x, samples(random, [2, 3])), { code: 'BAD_ARGUMENT' })
  await t.throwsAsync(network.ntkProduct(x, samples(random, [3, 2])), { code: 'BAD_ARGUMENT' })
  const bad = { data: new Float32Array([1, Number.NaN, 1, 1]), shape: [2, 2] }
  await t.throwsAsync(network.vjp(x, bad), { code: 'BAD_ARGUMENT', message: /NaN/ })
})

test('a kernel that does not fit the budget says what would', async (t) => {
  const network = await load(t, bytes, { memory: '1MiB' })
  const x = samples(random, [400, 3])
  const error = await t.throwsAsync(network.ntk(x), { code: 'MEMORY_BUDGET' })
  t.regex(error?.message ?? '', /2\.44 MiB.*1\.00 MiB.*\d+ samples would fit/)
  const fits = Number(/(\d+) samples/.exec(error?.message ?? '')?.[1])
  t.deepEqual((await network.ntk(samples(random, [fits, 3]))).shape, [fits, 2, fits, 2])
  await t.throwsAsync(network.ntk(x, { memory: 20_000 }), { code: 'MEMORY_BUDGET' })
  await t.throwsAsync(network.jacobian(samples(random, [9000, 3])), { code: 'MEMORY_BUDGET' })
  t.deepEqual((await network.ntk(x, { memory: '1GiB' })).shape, [400, 2, 400, 2])
})

test('sizes that the network leaves to the caller but cannot take', async (t) => {
  const source = model({
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
    initializers: { w: floats([3, 2], random.normals(6)) },
    inputs: [{ name: 'x', shape: ['N', 'width'] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
  })
  const network = await load(t, source)
  const x = samples(random, [2, 4])
  const wrong = { code: 'BAD_INPUT', message: /shape \(N, 4\).*MatMul/ }
  await t.throwsAsync(network.run(x), wrong)
  await t.throwsAsync(network.jacobian(x), wrong)
})

test('derivatives that are not finite', async (t) => {
  const source = model({
    nodes: [
      { op: 'Mul', inputs: ['x', 'w'], outputs: ['h'] },
      { op: 'Exp', inputs: ['h'], outputs: ['y'] },
    ],
    initializers: { w: floats([1], [1]) },
    inputs: [{ name: 'x', shape: ['N', 1] }],
    outputs: [{ name: 'y', shape: ['N', 1] }],
  })
  const network = await load(t, source)
  const x = { data: new Float32Array([1, 200, 2]), shape: [3, 1] }
  await t.throwsAsync(network.ntk(x), { code: 'NUMERICAL', message: /sample 1/ })
})

/** y = a − (something of all samples), a = x·w. */
const meetings: Record<string, { nodes: NodeSpec[]; initializers?: Record<string, Tensor> }> = {
  'a product over the samples': {
    nodes: [
      { op: 'Transpose', inputs: ['a'], outputs: ['at'], attributes: { perm: [1, 0] } },
      { op: 'MatMul', inputs: ['at', 'a'], outputs: ['gram'], name: 'meeting' },
      { op: 'MatMul', inputs: ['a', 'gram'], outputs: ['b'] },
    ],
  },
  'the first sample': {
    nodes: [{ op: 'Slice', inputs: ['a', 'zero', 'one', 'zero'], outputs: ['b'], name: 'meeting' }],
    initializers: { zero: ints([0]), one: ints([1]) },
  },
  'the reversed batch': {
    nodes: [
      {
        op: 'Slice',
        inputs: ['a', 'last', 'end', 'zero', 'back'],
        outputs: ['b'],
        name: 'meeting',
      },
    ],
    initializers: { zero: ints([0]), last: ints([-1]), end: ints([-1000]), back: ints([-1]) },
  },
  'a mean over the samples': {
    nodes: [
      {
        op: 'ReduceMean',
        inputs: ['a'],
        outputs: ['b'],
        attributes: { axes: [0] },
        name: 'meeting',
      },
    ],
  },
}

test('samples that meet are run together', async (t) => {
  const meeting = model({
    nodes: [
      { op: 'Mul', inputs: ['x', 'w'], outputs: ['a'] },
      { op: 'Slice', inputs: ['a', 'zero', 'one', 'zero'], outputs: ['b'] },
      { op: 'Sub', inputs: ['a', 'b'], outputs: ['y'] },
    ],
    initializers: { w: floats([2], [1, 2]), zero: ints([0]), one: ints([1]) },
    inputs: [{ name: 'x', shape: ['N', 2] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
  })
  const network = await load(t, meeting)
  const x = samples(new Random(1), [150, 2])
  const y = await network.run(x)
  const truth = x.data.map((value, e) => (value - (x.data[e % 2] as number)) * (1 + (e % 2)))
  near(t, y.data, truth, { absolute: 1e-5 })
})

for (const [what, { nodes, initializers }] of Object.entries(meetings)) {
  test(`samples that meet are refused, naming the node: ${what}`, async (t) => {
    const source = model({
      nodes: [
        { op: 'Mul', inputs: ['x', 'w'], outputs: ['a'], name: 'fine' },
        ...nodes,
        { op: 'Sub', inputs: ['a', 'b'], outputs: ['y'], name: 'after' },
      ],
      initializers: { w: floats([3], [1, 2, 3]), ...initializers },
      inputs: [{ name: 'x', shape: ['N', 3] }],
      outputs: [{ name: 'y', shape: ['N', 3] }],
    })
    const network = await load(t, source, { unsupported: 'defer' })
    if (network.refusals.length > 0) {
      return t.deepEqual(
        network.refusals.map(({ node }) => node),
        ['meeting'],
      )
    }
    for (const n of [4, 2, 1]) {
      const x = samples(new Random(n), [n, 3])
      const message = /"?meeting"?/
      await t.throwsAsync(network.ntk(x), { code: 'UNSUPPORTED', message }, `${n} samples`)
      await t.throwsAsync(network.jacobian(x), { code: 'UNSUPPORTED', message })
    }
  })
}

test('external weights stay within the folder of the model', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'inner'))
  const move = async (location: string) => {
    const proto = fromBinary(ModelProtoSchema, bytes)
    let offset = 0
    const parts: Uint8Array[] = []
    for (const tensor of proto.graph?.initializer ?? []) {
      const entry = (key: string, value: string) =>
        create(StringStringEntryProtoSchema, { key, value })
      tensor.dataLocation = TensorProto_DataLocation.EXTERNAL
      tensor.externalData = [
        entry('location', location),
        entry('offset', String(offset)),
        entry('length', String(tensor.rawData.length)),
      ]
      offset += tensor.rawData.length
      parts.push(tensor.rawData)
      tensor.rawData = new Uint8Array()
    }
    const path = join(folder, 'inner', 'model.onnx')
    await writeFile(path, toBinary(ModelProtoSchema, proto))
    return { path, data: Buffer.concat(parts) }
  }
  const inside = await move('weights.bin')
  await t.throwsAsync(Network.load(inside.path), { code: 'BAD_FILE', message: /weights\.bin/ })
  await writeFile(join(folder, 'inner', 'weights.bin'), inside.data)
  await writeFile(join(folder, 'weights.bin'), inside.data)
  const network = await load(t, inside.path)
  const x = samples(random, [4, 3])
  const plain = await load(t, bytes)
  t.deepEqual(await network.run(x), await plain.run(x))
  t.deepEqual((await network.ntk(x)).data, (await plain.ntk(x)).data)
  const outside = await move('../weights.bin')
  await t.throwsAsync(Network.load(outside.path), { code: 'BAD_FILE', message: /weights\.bin/ })
})
