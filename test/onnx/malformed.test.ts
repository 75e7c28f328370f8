// What is refused before anything runs, and with which sentence.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import test, { type ExecutionContext } from 'ava'
import { TangentError } from '../../lib/core/errors.js'
import { decodeModel, makeNode, NEWEST_OPSET, openModel } from '../../lib/onnx/index.js'
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  SparseTensorProtoSchema,
  TensorProto_SegmentSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from '../../lib/protobuf/index.js'
import { floats, ints, model, tensorProto } from '../support/onnx.js'

const bytes = model({
  inputs: [{ name: 'x', shape: ['N', 3] }],
  outputs: [{ name: 'y', shape: ['N', 2] }],
  initializers: { w: floats([3, 2], [1, 2, 3, 4, 5, 6]), s: ints([-1, 2]) },
  nodes: [
    { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] },
    {
      op: 'Constant',
      inputs: [],
      outputs: ['c'],
      attributes: { value: { t: floats([2], [1, 2]) } },
    },
    { op: 'Add', inputs: ['h', 'c'], outputs: ['a'] },
    { op: 'Reshape', inputs: ['a', 's'], outputs: ['y'] },
  ],
})

/** Decodes the model above after a change to its message. */
function changed(change: (graph: GraphProto, proto: ModelProto) => void): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, bytes)
  change(proto.graph!, proto)
  return toBinary(ModelProtoSchema, proto)
}

function refused(t: ExecutionContext, file: Uint8Array, message: RegExp): void {
  const error = t.throws(() => decodeModel(file), { instanceOf: TangentError, message })
  t.is((error as TangentError | undefined)?.code, 'BAD_FILE')
  t.regex(error?.message ?? '', /^[^\n]{1,600}\.$/)
}

test('the model itself is fine', (t) => {
  const decoded = decodeModel(bytes)
  t.deepEqual([...decoded.initializers.keys()], ['w', 's'])
  t.is(decoded.opsets.get(''), 17)
})

const cases: [string, RegExp, (graph: GraphProto, proto: ModelProto) => void][] = [
  [
    'no nodes',
    /empty/,
    (g) => {
      g.node = []
    },
  ],
  [
    'no outputs',
    /no outputs/,
    (g) => {
      g.output = []
    },
  ],
  ['no graph', /not an ONNX model/, (_, p) => void delete p.graph],
  [
    'no IR version',
    /not an ONNX model/,
    (_, p) => {
      p.irVersion = 0n
    },
  ],
  [
    'IR version 2',
    /IR version 2/,
    (_, p) => {
      p.irVersion = 2n
    },
  ],
  [
    'IR version 99',
    /IR version 99/,
    (_, p) => {
      p.irVersion = 99n
    },
  ],
  [
    'no opset',
    /which ONNX opset/,
    (_, p) => {
      p.opsetImport = []
    },
  ],
  [
    'opset 8',
    /opset 8/,
    (_, p) => {
      p.opsetImport[0]!.version = 8n
    },
  ],
  [
    'newer opset',
    /opset 27/,
    (_, p) => {
      p.opsetImport[0]!.version = BigInt(NEWEST_OPSET + 1)
    },
  ],
  [
    'opset below zero',
    /opset -/,
    (_, p) => {
      p.opsetImport[0]!.version = -1n
    },
  ],
  [
    'two opsets',
    /two versions/,
    (_, p) =>
      void p.opsetImport.push(
        create(OperatorSetIdProtoSchema, { domain: 'ai.onnx', version: 13n }),
      ),
  ],
  [
    'value twice',
    /"h" twice/,
    (g) => {
      g.node[2]!.output = ['h']
    },
  ],
  [
    'output over an input',
    /"x" twice/,
    (g) => {
      g.node[2]!.output = ['x']
    },
  ],
  [
    'output over a weight',
    /"w" twice/,
    (g) => {
      g.node[2]!.output = ['w']
    },
  ],
  ['weight twice', /"w" twice/, (g) => void g.initializer.push(g.initializer[0]!)],
  ['input twice', /"x" twice/, (g) => void g.input.push(g.input[0]!)],
  ['output twice', /output "y" twice/, (g) => void g.output.push(g.output[0]!)],
  [
    'unknown input',
    /"q", which nothing defines/,
    (g) => {
      g.node[0]!.input = ['q', 'w']
    },
  ],
  [
    'unknown output',
    /output "q"/,
    (g) => {
      g.output[0]!.name = 'q'
    },
  ],
  [
    'unnamed output',
    /output ""/,
    (g) => {
      g.output[0]!.name = ''
    },
  ],
  [
    'cycle',
    /not sorted, or form a cycle/,
    (g) => {
      g.node[0]!.input = ['y', 'w']
    },
  ],
  ['unsorted', /not sorted/, (g) => void g.node.reverse()],
  [
    'no operator',
    /no operator/,
    (g) => {
      g.node[0]!.opType = ''
    },
  ],
  [
    'unnamed input',
    /input without a name/,
    (g) => {
      g.input[0]!.name = ''
    },
  ],
  [
    'unnamed weight',
    /initializer without a name/,
    (g) => {
      g.initializer[0]!.name = ''
    },
  ],
  [
    'attribute twice',
    /attribute "value" twice/,
    (g) => void g.node[1]!.attribute.push(g.node[1]!.attribute[0]!),
  ],
  [
    'negative dimension',
    /negative/,
    (g) => {
      g.initializer[0]!.dims = [-3n, -2n]
    },
  ],
  [
    'dimensions that overflow',
    /impossible/,
    (g) => {
      g.initializer[0]!.dims = [2n ** 62n, 4n]
    },
  ],
  [
    'overflow to the right size',
    /impossible/,
    (g) => {
      g.initializer[0]!.dims = [2n ** 32n, 2n ** 32n + 6n]
    },
  ],
  [
    'overflow behind a zero',
    /impossible/,
    (g) => {
      g.initializer[0]!.dims = [2n ** 62n, 4n, 0n]
    },
  ],
  ['too few bytes', /needs 24 bytes.*but 20/, (g) => cut(g, 20)],
  ['odd bytes', /needs 24 bytes.*but 23/, (g) => cut(g, 23)],
  ['no data', /needs 6 numbers.*but 0/, (g) => cut(g, 0)],
  [
    'huge weight',
    /needs 4000000000 numbers.*but 0/,
    (g) => {
      cut(g, 0)
      g.initializer[0]!.dims = [2_000_000_000n, 2n]
    },
  ],
  [
    'unknown type',
    /unknown element type/,
    (g) => {
      g.initializer[0]!.dataType = 99
    },
  ],
  [
    'undefined type',
    /unknown element type/,
    (g) => {
      g.initializer[0]!.dataType = 0
    },
  ],
  [
    'constant too short',
    /attribute "value".*needs 8 bytes/,
    (g) => {
      g.node[1]!.attribute[0]!.t!.rawData = new Uint8Array(4)
    },
  ],
  [
    'segments',
    /segments/,
    (g) => {
      g.initializer[0]!.segment = create(TensorProto_SegmentSchema, { begin: 0n, end: 1n })
    },
  ],
  [
    'sparse weight without data',
    /incomplete/,
    (g) => {
      g.sparseInitializer.push(create(SparseTensorProtoSchema, { dims: [4n] }))
    },
  ],
  [
    'sparse weight with too few indices',
    /2 values, but 1 indices/,
    (g) => {
      const values = tensorProto('sp', floats([2], [1, 2]))
      const indices = tensorProto('', ints([0]))
      g.sparseInitializer.push(create(SparseTensorProtoSchema, { dims: [4n], values, indices }))
    },
  ],
  ['fault in a branch', /"nowhere", which nothing defines/, (g) => void branch(g, 'nowhere')],
]

function cut(graph: GraphProto, length: number): void {
  graph.initializer[0]!.rawData = graph.initializer[0]!.rawData.slice(0, length)
}

/** Adds a node with a subgraph that reads `name`. */
function branch(graph: GraphProto, name: string): void {
  const g = create(GraphProtoSchema, {
    node: [makeNode('Identity', [name], ['inner'])],
    output: [create(ValueInfoProtoSchema, { name: 'inner' })],
  })
  const { GRAPH } = AttributeProto_AttributeType
  const attribute = ['then_branch', 'else_branch'].map((key) =>
    create(AttributeProtoSchema, { name: key, type: GRAPH, g }),
  )
  graph.node.push(create(NodeProtoSchema, { opType: 'If', input: ['x'], output: ['o'], attribute }))
}

for (const [what, message, change] of cases) {
  test(what, (t) => refused(t, changed(change), message))
}

test('branches see the values around them', (t) => {
  t.notThrows(() => decodeModel(changed((g) => branch(g, 'h'))))
})

test('local functions and operators of unknown domains decode', (t) => {
  const file = changed((g, p) => {
    p.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: 'mine', version: 1n }))
    p.functions.push(
      create(FunctionProtoSchema, {
        name: 'Twice',
        domain: 'mine',
        input: ['a'],
        output: ['b'],
        node: [makeNode('Add', ['a', 'a'], ['b'])],
        opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: 17n })],
      }),
    )
    g.node.push({ ...makeNode('Twice', ['h'], ['t']), domain: 'mine' })
    g.node.push({ ...makeNode('Strange', ['t'], ['u']), domain: 'nobody' })
  })
  const decoded = decodeModel(file)
  t.is(decoded.proto.functions.length, 1)
  t.is(decoded.opsets.get('mine'), 1)
})

test('an old model lists its weights as inputs too', (t) => {
  const file = changed((g, p) => {
    p.irVersion = 3n
    g.input.push(create(ValueInfoProtoSchema, { name: 'w' }))
  })
  t.is(decodeModel(file).graph.input.length, 2)
})

test('names in messages are text of one line and of bounded length', (t) => {
  const name = `<img src=x onerror="alert(1)">\n\u001b[31m${'x'.repeat(10_000)}`
  refused(
    t,
    changed((g) => {
      g.node[0]!.input = [name, 'w']
    }),
    /which nothing defines/,
  )
})

test('other files are not ONNX', async (t) => {
  const text = new TextEncoder()
  for (const [file, message] of [
    [new Uint8Array(0), /empty/],
    [text.encode('hello, world\n'), /not an ONNX model/],
    [text.encode('\x89PNG\r\n\x1a\n'), /not an ONNX model/],
    [new Uint8Array(1000), /not an ONNX model/],
    [toBinary(TensorProtoSchema, tensorProto('w', floats([2], [1, 2]))), /not an ONNX model/],
  ] as const) {
    refused(t, file, message)
  }
  await t.throwsAsync(openModel('/nowhere/model.onnx'), { message: /no such file/ })
  await t.throwsAsync(openModel(7 as unknown as string), {
    message: /^Expected a path or a Uint8Array for model but received 7 of type number$/,
  })
})

test('truncated at every byte', (t) => {
  for (let length = 0; length < bytes.length; length++) {
    refused(t, bytes.subarray(0, length), /./)
  }
})

test('any byte changed: decoded or refused, quickly', (t) => {
  const file = bytes.slice()
  for (let at = 0; at < file.length; at++) {
    const before = file[at]!
    for (const value of [0, 255, before ^ 1, before ^ 8, before ^ 128, (before + 13) & 255]) {
      file[at] = value
      try {
        decodeModel(file)
      } catch (error) {
        t.true(error instanceof TangentError, (error as Error).stack)
      }
    }
    file[at] = before
  }
  t.pass()
})

test('deep nesting is refused, not followed', (t) => {
  const wire = (field: number, body: Uint8Array): Uint8Array => {
    const head = [(field << 3) | 2]
    let rest = body.length
    while (rest > 127) {
      head.push((rest & 127) | 128)
      rest >>>= 7
    }
    return Buffer.concat([Uint8Array.from([...head, rest]), body])
  }
  let graph: Uint8Array = new Uint8Array(0)
  for (let depth = 0; depth < 20_000; depth++) graph = wire(1, wire(5, wire(6, graph)))
  refused(t, Buffer.concat([Uint8Array.from([8, 8]), wire(7, graph)]), /not an ONNX model/)
})
