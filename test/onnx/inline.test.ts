// Local functions written out; checked through onnxruntime, which has its own inliner.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import test from 'ava'
import ort from 'onnxruntime-node'
import { Network, TangentError } from '../../lib/index.js'
import { decodeModel, inlineFunctions, makeNode, openModel } from '../../lib/onnx/index.js'
import {
  AttributeProtoSchema,
  type FunctionProto,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  ValueInfoProtoSchema,
} from '../../lib/protobuf/index.js'
import { floats, model } from '../support/onnx.js'

const opset = create(OperatorSetIdProtoSchema, { domain: '', version: 17n })
const mine = create(OperatorSetIdProtoSchema, { domain: 'mine', version: 1n })

function call(name: string, input: string[], output: string[], label = ''): NodeProto {
  return Object.assign(makeNode(name, input, output, label), { domain: 'mine' })
}

function define(name: string, input: string[], output: string[], node: NodeProto[]): FunctionProto {
  return create(FunctionProtoSchema, {
    name,
    domain: 'mine',
    input,
    output,
    node,
    opsetImport: [opset, mine],
  })
}

/** y = nodes(x), with x (N, 2) and a weight w (2). */
function withFunctions(nodes: NodeProto[], functions: FunctionProto[]): Uint8Array {
  const bytes = model({
    inputs: [{ name: 'x', shape: ['N', 2] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
    initializers: { w: floats([2], [2, -3]) },
    nodes: [{ op: 'Identity', inputs: ['x'], outputs: ['y'] }],
    domains: { mine: 1 },
  })
  const proto = fromBinary(ModelProtoSchema, bytes)
  proto.graph!.node = nodes
  proto.functions = functions
  return toBinary(ModelProtoSchema, proto)
}

async function run(bytes: Uint8Array): Promise<number[]> {
  const session = await ort.InferenceSession.create(bytes)
  const x = new ort.Tensor('float32', Float32Array.from([1, -2, 3, 0.5]), [2, 2])
  return [...((await session.run({ x })).y!.data as Float32Array)]
}

/** The model's own result by onnxruntime, and that of the written-out one. */
async function both(bytes: Uint8Array): Promise<[number[], number[], NodeProto[]]> {
  const inlined = await openModel(bytes)
  const out = toBinary(ModelProtoSchema, inlined.proto)
  return [await run(bytes), await run(out), inlined.graph.node]
}

test('values inside two calls stay apart', async (t) => {
  const twice = define(
    'Scaled',
    ['a', 'b'],
    ['c'],
    [makeNode('Mul', ['a', 'b'], ['h'], 'm'), makeNode('Add', ['h', 'a'], ['c'], 'n')],
  )
  const nodes = [call('Scaled', ['x', 'w'], ['h'], 'first'), call('Scaled', ['h', 'w'], ['y'])]
  const [expected, found, inlined] = await both(withFunctions(nodes, [twice]))
  t.deepEqual(found, expected)
  t.deepEqual(
    inlined.map(({ name }) => name),
    ['first/m', 'first/n', 'Scaled/m', 'Scaled/n'],
  )
})

test('inner calls, absent outputs, an input handed through', async (t) => {
  const inner = define(
    'Inner',
    ['a'],
    ['b', 'c'],
    [makeNode('Relu', ['a'], ['b']), makeNode('Neg', ['a'], ['c'])],
  )
  const outer = define('Outer', ['a'], ['a', 'b'], [call('Inner', ['a'], ['b', ''])])
  const nodes = [call('Outer', ['x'], ['same', 'r']), makeNode('Add', ['same', 'r'], ['y'])]
  const inlined = inlineFunctions(decodeModel(withFunctions(nodes, [inner, outer])))
  t.deepEqual(await run(toBinary(ModelProtoSchema, inlined.proto)), [2, -2, 6, 1])
  t.is(inlined.proto.functions.length, 0)
})

test('attributes: handed in, by default, or absent', async (t) => {
  const alpha = (fields: object) =>
    create(AttributeProtoSchema, { name: 'alpha', type: Kind.FLOAT, ...fields })
  const leaky = Object.assign(makeNode('LeakyRelu', ['a'], ['b']), {
    attribute: [alpha({ refAttrName: 'slope' })],
  })
  const slope = (f: number) => create(AttributeProtoSchema, { name: 'slope', type: Kind.FLOAT, f })
  for (const [given, preset, expected] of [
    [[slope(0.5)], [], [1, -1, 3, 0.5]],
    [[], [slope(0.25)], [1, -0.5, 3, 0.5]],
    [[slope(0.5)], [slope(0.25)], [1, -1, 3, 0.5]],
    [[], [], [1, Math.fround(-0.02), 3, 0.5]],
  ] as const) {
    const entry = define('Leaky', ['a'], ['b'], [leaky])
    entry.attributeProto = [...preset]
    if (preset.length === 0) entry.attribute = ['slope']
    const node = Object.assign(call('Leaky', ['x'], ['y']), { attribute: [...given] })
    const inlined = inlineFunctions(decodeModel(withFunctions([node], [entry])))
    t.deepEqual(await run(toBinary(ModelProtoSchema, inlined.proto)), [...expected])
  }
})

test('a function that calls itself, in a circle or grows without bound is refused', (t) => {
  const circle = [
    define('A', ['a'], ['b'], [call('B', ['a'], ['b'])]),
    define('B', ['a'], ['b'], [call('A', ['a'], ['b'])]),
  ]
  t.throws(() => inlineFunctions(decodeModel(withFunctions([call('A', ['x'], ['y'])], circle))), {
    instanceOf: TangentError,
    message: /"A", which calls itself/,
  })
  const levels = Array.from({ length: 40 }, (_, k) =>
    define(
      `F${k}`,
      ['a'],
      ['b'],
      [call(`F${k + 1}`, ['a'], ['h']), call(`F${k + 1}`, ['h'], ['b'])],
    ),
  )
  levels.push(define('F40', ['a'], ['b'], [makeNode('Relu', ['a'], ['b'])]))
  t.throws(() => inlineFunctions(decodeModel(withFunctions([call('F0', ['x'], ['y'])], levels))), {
    instanceOf: TangentError,
    message: /more than 200000 nodes/,
  })
})

test('a fault in a function is found once it is written out', (t) => {
  const entry = define('Bad', ['a'], ['b'], [makeNode('Relu', ['nowhere'], ['b'])])
  t.throws(
    () => inlineFunctions(decodeModel(withFunctions([call('Bad', ['x'], ['y'])], [entry]))),
    {
      message: /"nowhere", which nothing defines/,
    },
  )
  const many = withFunctions([call('Bad', ['x', 'x', 'x'], ['y'])], [entry])
  t.throws(() => inlineFunctions(decodeModel(many)), { message: /too many values/ })
})

test('functions 5000 deep', async (t) => {
  const depth = 5000
  const functions = Array.from({ length: depth }, (_, k) =>
    define(
      `F${k}`,
      ['a', 'w'],
      ['b'],
      k + 1 < depth
        ? [call(`F${k + 1}`, ['a', 'w'], ['b'])]
        : [makeNode('Mul', ['a', 'w'], ['b'], 'm')],
    ),
  )
  const network = await Network.load(withFunctions([call('F0', ['x', 'w'], ['y'])], functions))
  const x = { data: Float32Array.from([1, -2, 3, 0.5]), shape: [2, 2] }
  t.deepEqual([...(await network.run(x)).data], [2, 6, 6, -1.5])
  // J of sample i is diag(x_i).
  t.deepEqual([...(await network.ntk(x, { kernel: 'trace' })).data], [5, 2, 2, 9.25])
  await network.dispose()
})

test('a circle of 5000 functions is refused', (t) => {
  const functions = Array.from({ length: 5000 }, (_, k) =>
    define(`F${k}`, ['a'], ['b'], [call(`F${(k + 1) % 5000}`, ['a'], ['b'])]),
  )
  const bytes = withFunctions([call('F0', ['x'], ['y'])], functions)
  t.throws(() => inlineFunctions(decodeModel(bytes)), {
    instanceOf: TangentError,
    message: /"F0", which calls itself/,
  })
})

/** A message with one more field, which is a message as well. */
function extended(message: Uint8Array, field: number, inner: Uint8Array): Uint8Array {
  const head = new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(inner.length)
  return Buffer.concat([message, head.finish(), inner])
}

test('branches 5000 deep are refused', async (t) => {
  const graph = (node: NodeProto[]) =>
    create(GraphProtoSchema, {
      name: 'g',
      node,
      output: [create(ValueInfoProtoSchema, { name: 'y' })],
    })
  const branch = (name: string, g?: GraphProto) =>
    create(AttributeProtoSchema, { name, type: Kind.GRAPH, ...(g ? { g } : {}) })
  const other = branch('else_branch', graph([makeNode('Identity', ['x'], ['y'])]))
  const node = Object.assign(makeNode('If', ['yes'], ['y']), { attribute: [other] })
  const [outside, attribute, inside] = [
    toBinary(NodeProtoSchema, node),
    toBinary(AttributeProtoSchema, branch('then_branch')),
    toBinary(GraphProtoSchema, graph([])),
  ]
  let bytes: Uint8Array = toBinary(NodeProtoSchema, makeNode('Mul', ['x', 'w'], ['y']))
  for (let k = 0; k < 5000; k += 1)
    bytes = extended(outside, 5, extended(attribute, 6, extended(inside, 1, bytes)))
  const whole = extended(withFunctions([], []), 7, extended(new Uint8Array(), 1, bytes))
  const error = await t.throwsAsync(Network.load(whole), { instanceOf: TangentError })
  t.is((error as TangentError).code, 'BAD_FILE')
})
