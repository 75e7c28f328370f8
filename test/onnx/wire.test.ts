// Messages read and written field by field, against the schema's own reading and writing.
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { elementTypeNames } from '../../lib/io/element-types.js'
import { makeValueInfo, valueInfo } from '../../lib/onnx/values.js'
import {
  declared,
  declaredValue,
  field,
  fields,
  fieldsOf,
  graphOf,
  joined,
  message,
  node,
  numbersIn,
  parts,
  textIn,
  withGraph,
} from '../../lib/onnx/wire.js'
import {
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from '../../lib/protobuf/index.js'
import { floats, model } from '../support/onnx.js'

const bytes = model({
  nodes: [
    { op: 'Gemm', name: 'dense', inputs: ['x', 'w'], outputs: ['y'], attributes: { transB: 1 } },
  ],
  inputs: [{ name: 'x', shape: ['N', 300] }],
  outputs: [{ name: 'y', shape: ['N', 2] }],
  initializers: { w: floats([2, 300], new Float32Array(600).fill(0.5)) },
})

test('element types have the numbers of the schema', (t) => {
  for (const [number, name] of elementTypeNames.entries()) {
    // UINT2 and INT2 are newer than the schema.
    if (number < 25) t.is(DataType[number], name)
  }
  t.is(elementTypeNames[25], 'UINT2')
})

test('fields have the numbers of the schema', (t) => {
  const numberOf = (schema: typeof ModelProtoSchema, name: string) => schema.field[name as never]
  for (const [schema, named] of [
    [ModelProtoSchema, fields.model],
    [GraphProtoSchema, fields.graph],
    [NodeProtoSchema, fields.node],
    [TensorProtoSchema, fields.tensor],
  ] as const) {
    for (const [name, number] of Object.entries(named)) {
      const { number: own } = numberOf(schema as typeof ModelProtoSchema, name) as unknown as {
        number: number
      }
      t.is(own, number, name)
    }
  }
})

test('a copy field by field is the same message', (t) => {
  t.deepEqual(joined(fieldsOf(bytes).map(({ whole }) => whole)), bytes)
  const graph = fieldsOf(graphOf(bytes)).map(({ whole }) => whole)
  t.deepEqual(
    fromBinary(ModelProtoSchema, withGraph(bytes, graph)),
    fromBinary(ModelProtoSchema, bytes),
  )
})

test('a graph in two parts is read as one', (t) => {
  const extra = message([fields.model.graph, message([fields.graph.node, node('Relu', 'y', 'z')])])
  const graph = fromBinary(GraphProtoSchema, graphOf(joined([bytes, extra])))
  t.deepEqual(
    graph.node.map(({ opType }) => opType),
    ['Gemm', 'Relu'],
  )
})

test('names and sizes are read, packed or not', (t) => {
  const [tensor] = parts(graphOf(bytes), fields.graph.initializer) as [Uint8Array]
  t.is(textIn(tensor, fields.tensor.name), 'w')
  t.deepEqual(numbersIn(tensor, fields.tensor.dims), [2, 300])
  const packed = joined(field(fields.tensor.dims, [Uint8Array.of(2, 0xac, 2)]))
  t.deepEqual(numbersIn(packed, fields.tensor.dims), [2, 300])
})

test('what is written reads back by the schema', (t) => {
  const written = fromBinary(NodeProtoSchema, node('Shape', 'ä', 'b', 'n'))
  t.like(written, { opType: 'Shape', name: 'n', input: ['ä'], output: ['b'] })
  t.deepEqual(
    fromBinary(ValueInfoProtoSchema, declared('v', DataType.FLOAT, [3, 0, 70000])),
    fromBinary(
      ValueInfoProtoSchema,
      toBinary(ValueInfoProtoSchema, makeValueInfo('v', DataType.FLOAT, [3, 0, 70000])),
    ),
  )
})

test('declarations are read as the schema reads them', (t) => {
  for (const shape of [undefined, [], ['N', 3, null], [-1, 5]]) {
    for (const type of [DataType.FLOAT, DataType.BOOL, DataType.FLOAT16, DataType.STRING]) {
      const info = makeValueInfo('v', type, shape)
      const own = valueInfo(info)
      t.deepEqual(declaredValue(toBinary(ValueInfoProtoSchema, info)), {
        name: 'v',
        type: own.type ?? own.typeName.toLowerCase(),
        shape: (own.shape ?? []).map((size) => size ?? ''),
      })
    }
  }
  t.is(declaredValue(message([fields.value.name, 'v'])), undefined)
})

test('bytes that end within a field are refused', (t) => {
  t.throws(() => fieldsOf(bytes.subarray(0, bytes.length - 3)))
})
