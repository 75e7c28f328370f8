// Initializers whose numbers lie in the typed fields of their message (what onnx.helper.make_tensor
// writes), of every element type, with so many raw weights that these move to memory of their own.
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { Network } from '../../lib/index.js'
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as T,
  type TensorProto,
  TensorProtoSchema,
} from '../../lib/protobuf/index.js'
import { near } from '../support/near.js'
import { floats, model, type NodeSpec } from '../support/onnx.js'
import { Random } from '../support/random.js'

interface Typed {
  dataType: number
  fields: MessageInitShape<typeof TensorProtoSchema>
  numbers: readonly number[]
}

const integers = [1, 0, 3]
/** Of every element type that onnxruntime casts to float32: the field that ONNX lays down for it. */
const types: Record<string, Typed> = {
  float: { dataType: T.FLOAT, fields: { floatData: [0.5, -2, 4] }, numbers: [0.5, -2, 4] },
  double: { dataType: T.DOUBLE, fields: { doubleData: [0.25, -1, 8] }, numbers: [0.25, -1, 8] },
  uint8: { dataType: T.UINT8, fields: { int32Data: [1, 0, 255] }, numbers: [1, 0, 255] },
  int8: { dataType: T.INT8, fields: { int32Data: [1, -128, 3] }, numbers: [1, -128, 3] },
  uint16: { dataType: T.UINT16, fields: { int32Data: [1, 0, 65535] }, numbers: [1, 0, 65535] },
  int16: { dataType: T.INT16, fields: { int32Data: [-7, 0, 3] }, numbers: [-7, 0, 3] },
  int32: { dataType: T.INT32, fields: { int32Data: [-7, 0, 70000] }, numbers: [-7, 0, 70000] },
  int64: { dataType: T.INT64, fields: { int64Data: [-7n, 0n, 3n] }, numbers: [-7, 0, 3] },
  uint32: { dataType: T.UINT32, fields: { uint64Data: [7n, 0n, 9n] }, numbers: [7, 0, 9] },
  uint64: { dataType: T.UINT64, fields: { uint64Data: [7n, 0n, 9n] }, numbers: [7, 0, 9] },
  bool: { dataType: T.BOOL, fields: { int32Data: [1, 0, 1] }, numbers: [1, 0, 1] },
  // Bits of 1, −2 and 0.5.
  float16: {
    dataType: T.FLOAT16,
    fields: { int32Data: [0x3c00, 0xc000, 0x3800] },
    numbers: [1, -2, 0.5],
  },
  bfloat16: {
    dataType: T.BFLOAT16,
    fields: { int32Data: [0x3f80, 0xc000, 0x3f00] },
    numbers: [1, -2, 0.5],
  },
  float8: {
    dataType: T.FLOAT8E4M3FN,
    fields: { int32Data: [0x38, 0xc0, 0x30] },
    numbers: [1, -2, 0.5],
  },
  // Two in each number, the first in the lower bits.
  uint4: { dataType: T.UINT4, fields: { int32Data: [0x01, 0x03] }, numbers: integers },
  int4: { dataType: T.INT4, fields: { int32Data: [0x0f, 0x03] }, numbers: [-1, 0, 3] },
  string: {
    dataType: T.STRING,
    fields: { stringData: ['1', '0', '3'].map((text) => new TextEncoder().encode(text)) },
    numbers: integers,
  },
}

const names = Object.keys(types)
const tensorOf = (name: string, { dataType, fields }: Typed) =>
  create(TensorProtoSchema, { ...fields, name, dataType, dims: [3n] })

const width = 600
const hidden = 500
const random = new Random(3)
const w = random.normals(width * hidden)
const v = random.normals(hidden * 3)

/** y = x·w·v + b + Σ of all typed tensors, `bias` in its typed field as well. */
function file(place: 'initializer' | 'Constant'): Uint8Array {
  const sum: NodeSpec[] = names.flatMap((name, k) => [
    { op: 'Cast', inputs: [name], outputs: [`${name} as float`], attributes: { to: T.FLOAT } },
    { op: 'Add', inputs: [`h${k}`, `${name} as float`], outputs: [`h${k + 1}`] },
  ])
  const bytes = model({
    opset: 21,
    inputs: [{ name: 'x', shape: ['N', width] }],
    outputs: [{ name: 'y', shape: ['N', 3] }],
    initializers: { w: floats([width, hidden], w), v: floats([hidden, 3], v) },
    nodes: [
      { op: 'MatMul', inputs: ['x', 'w'], outputs: ['xw'] },
      { op: 'MatMul', inputs: ['xw', 'v'], outputs: ['xwv'] },
      { op: 'Add', inputs: ['xwv', 'bias'], outputs: ['h0'] },
      ...sum,
      { op: 'Identity', inputs: [`h${names.length}`], outputs: ['y'] },
    ],
  })
  const proto = fromBinary(ModelProtoSchema, bytes)
  const graph = proto.graph as GraphProto
  graph.initializer.push(tensorOf('bias', types.float as Typed))
  for (const [name, typed] of Object.entries(types)) {
    const tensor = tensorOf(name, typed)
    if (place === 'initializer') graph.initializer.push(tensor)
    else graph.node.unshift(constant(tensor))
  }
  return toBinary(ModelProtoSchema, proto)
}

function constant(t: TensorProto) {
  const attribute = create(AttributeProtoSchema, {
    name: 'value',
    type: AttributeProto_AttributeType.TENSOR,
    t,
  })
  return create(NodeProtoSchema, {
    name: `Constant ${t.name}`,
    opType: 'Constant',
    output: [t.name],
    attribute: [attribute],
  })
}

/** In float64. */
function truth(x: Float32Array): Float64Array {
  const added = [types.float as Typed, ...Object.values(types)].map(({ numbers }) => numbers)
  return Float64Array.from({ length: (x.length / width) * 3 }, (_, e) => {
    const [i, o] = [Math.floor(e / 3), e % 3]
    let y = added.reduce((sum, numbers) => sum + (numbers[o] as number), 0)
    for (let k = 0; k < hidden; k += 1) {
      let h = 0
      for (let j = 0; j < width; j += 1) {
        h += (x[i * width + j] as number) * (w[j * hidden + k] as number)
      }
      y += h * (v[k * 3 + o] as number)
    }
    return y
  })
}

for (const place of ['initializer', 'Constant'] as const) {
  test(`typed fields of every element type, as ${place}`, async (t) => {
    const network = await Network.load(file(place))
    t.teardown(() => network.dispose())
    const x = { data: random.normals(2 * width), shape: [2, width] }
    const y = await network.run(x)
    near(t, y, { data: truth(x.data), shape: [2, 3] }, 1e-5)
    t.true(network.parameters.some(({ name }) => name === 'bias'))
    t.deepEqual([...network.weight('bias').data], [0.5, -2, 4])
    const J = await network.jacobian(x, { outputs: [1] })
    t.deepEqual([...(J.get('bias')?.data ?? [])], [0, 1, 0, 0, 1, 0])
    const again = await Network.load(await network.toOnnx())
    t.teardown(() => again.dispose())
    t.deepEqual(await again.run(x), y)
  })
}
