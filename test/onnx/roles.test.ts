// Which initializers count as constants, and the widening of floats.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import {
  constantInitializers,
  decodeModel,
  initializerData,
  openModel,
} from '../../lib/onnx/index.js'
import { ModelProtoSchema, StringStringEntryProtoSchema } from '../../lib/protobuf/index.js'
import { floats, type ModelSpec, model } from '../support/onnx.js'

const spec: ModelSpec = {
  inputs: [{ name: 'x', shape: ['N', 2] }],
  outputs: [{ name: 'y', shape: ['N', 2] }],
  initializers: {
    weight: floats([2, 2], [1, 2, 3, 4]),
    scale: floats([], [2]),
    mask: floats([2], [0, 1]),
    one: floats([1], [1]),
  },
  nodes: [
    { op: 'MatMul', inputs: ['x', 'weight'], outputs: ['h'] },
    { op: 'Mul', inputs: ['h', 'scale'], outputs: ['i'] },
    { op: 'Mul', inputs: ['i', 'mask'], outputs: ['j'] },
    { op: 'Mul', inputs: ['j', 'one'], outputs: ['y'] },
  ],
}

/** The constants of the model above as if `producer` had written it, with torch.export's signature. */
function constants(producer: string, signature?: string[], from = spec): string[] {
  const proto = fromBinary(ModelProtoSchema, model(from))
  proto.producerName = producer
  if (signature) {
    const key = 'pkg.torch.export.ExportedProgram.graph_signature'
    const value = `\n# inputs\n${signature.join('\n')}\nx: USER_INPUT\n`
    proto.graph!.metadataProps.push(create(StringStringEntryProtoSchema, { key, value }))
  }
  return [...constantInitializers(decodeModel(toBinary(ModelProtoSchema, proto))).keys()]
}

test('by exporter', (t) => {
  t.deepEqual(constants('pytorch'), [])
  t.deepEqual(constants('tf2onnx'), ['scale'])
})

test('by the signature of torch.export', (t) => {
  const weight = "p_weight: PARAMETER target='weight'"
  const scale = "p_scale: PARAMETER target='scale'"
  const mask = "b_mask: BUFFER target='mask' persistent=True"
  t.deepEqual(constants('pytorch', [weight, scale, mask]), ['mask', 'one'])
  t.deepEqual(constants('pytorch', [weight]), ['scale', 'mask', 'one'])
  // A parameter is not there under its name: what else is large enough may hold it.
  t.deepEqual(constants('pytorch', [weight, "p_q: PARAMETER target='q'"]), ['scale', 'one'])
})

test('matrices that torch.export stored transposed, tied weights that it stored twice', (t) => {
  const initializers: ModelSpec['initializers'] = {
    weight: floats([2, 2], [1, 2, 3, 4]),
    val_1: floats([2, 2], [5, 6, 7, 8]),
    cos: floats([1, 2], [0.5, 1]),
    zeros: floats([2], [0, 0]),
  }
  const nodes: ModelSpec['nodes'] = [
    { op: 'MatMul', inputs: ['x', 'weight'], outputs: ['h'] },
    { op: 'Mul', inputs: ['h', 'cos'], outputs: ['i'] },
    { op: 'MatMul', inputs: ['i', 'val_1'], outputs: ['j'] },
    { op: 'Shape', inputs: ['x'], outputs: ['at'] },
    { op: 'ScatterND', inputs: ['j', 'at', 'zeros'], outputs: ['y'] },
  ]
  const weight = "p_weight: PARAMETER target='weight'"
  const q = "p_q: PARAMETER target='q'"
  const table = "p_t: PARAMETER target='table'"
  const found = (signature: string[], more: ModelSpec['initializers'] = {}) =>
    constants('pytorch', signature, { ...spec, nodes, initializers: { ...initializers, ...more } })
  // val_1 is q: cos stands for no parameter. With a table missing, too, it may.
  t.deepEqual(found([weight, q]), ['cos', 'zeros'])
  t.deepEqual(found([weight, q, table]), ['zeros'])
  // No parameter is missing: val_1 is a constant, unless it is the weight once more.
  t.deepEqual(found([weight]), ['val_1', 'cos', 'zeros'])
  const twin = { val_1: floats([2, 2], [1, 3, 2, 4]) }
  t.deepEqual(found([weight], twin), ['cos', 'zeros'])
  t.deepEqual(found([weight, table], twin), ['zeros'])
})

test('an optimiser that moves Constant nodes into initializers', (t) => {
  const proto = fromBinary(ModelProtoSchema, model(spec))
  proto.producerName = 'pytorch'
  proto.graph!.initializer[1]!.name = '/Constant_output_0'
  proto.graph!.node[1]!.input = ['h', '/Constant_output_0']
  const names = constantInitializers(decodeModel(toBinary(ModelProtoSchema, proto))).keys()
  t.deepEqual([...names], ['/Constant_output_0'])
})

test('float64 beyond float32 stays finite, and float64 detours stay', async (t) => {
  const wide = await openModel(
    model({
      inputs: [{ name: 'x', type: 'float64', shape: ['N', 2] }],
      outputs: [{ name: 'y', type: 'float64', shape: ['N', 2] }],
      initializers: { w: { type: 'float64', shape: [2], data: [-1.7e308, 0.1] } },
      nodes: [{ op: 'Max', inputs: ['x', 'w'], outputs: ['y'] }],
    }),
  )
  const { data } = await initializerData(wide, wide.initializers.get('w')!)
  t.deepEqual([...data], [-3.4028234663852886e38, Math.fround(0.1)])
  t.regex(wide.notes.join(), /double are computed in float32/)
  const narrow = model({
    inputs: [{ name: 'x', shape: ['N', 2] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
    nodes: [
      { op: 'Cast', inputs: ['x'], outputs: ['h'], attributes: { to: 11 } },
      { op: 'Cast', inputs: ['h'], outputs: ['y'], attributes: { to: 1 } },
    ],
  })
  t.deepEqual((await openModel(narrow)).notes, [])
})
