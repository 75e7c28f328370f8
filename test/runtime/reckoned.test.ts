// Shapes and sizes that are reckoned without a run, against those of onnxruntime's own run.
import test, { type ExecutionContext } from 'ava'
import { skeleton } from '../../lib/graph/skeleton.js'
import { Architecture } from '../../lib/model/architecture.js'
import { openModel } from '../../lib/onnx/index.js'
import { writtenOut } from '../../lib/runtime/apart/proof.js'
import { reckon } from '../../lib/runtime/apart/reckoned.js'
import type { Feed } from '../../lib/runtime/protocol.js'
import { Sessions } from '../../lib/runtime/sessions.js'
import { arrayOf, bundles, samples } from '../cases/check.js'
import { type Draw, joined } from '../cases/draw.js'
import { opCases } from '../cases/ops.js'
import { floats, ints, type ModelSpec, model, type NodeSpec } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { node, weight } from '../support/small.js'

interface Told {
  /** Operators of values of which something is told, and of those of which nothing is. */
  shapes: string[]
  silent: string[]
  /** Names of values whose numbers are told. */
  numbers: string[]
}

/** What is told of all values of a network, which has to be so. */
async function told(t: ExecutionContext, spec: ModelSpec, x: Feed, what: string): Promise<Told> {
  const file = await openModel(model(spec))
  const architecture = new Architecture(file, {})
  const { graph } = architecture
  const init = {
    skeleton: skeleton(file, graph, []),
    graph: graph.native,
    inputs: graph.inputs.map((name) => ({ name, id: graph.ids.get(name) as number })),
    ...{ free: false, double: false, outputs: spec.outputs.map(({ name }) => name) },
  }
  const sessions = new Sessions(init)
  const { values: inferred } = await sessions.inferred()
  const small = new Map((await architecture.plan()).small.map(({ id, numbers }) => [id, numbers]))
  const { nodes, values } = graph.native
  const nameOf = (id: number) => values[id]?.name ?? ''
  const isWhole = (id: number) => inferred.get(nameOf(id))?.type === 'int64'
  const fed = new Map(x.arrays.map(({ name, shape }) => [graph.ids.get(name) as number, shape]))
  const known = reckon(nodes, {
    shape: (id) => values[id]?.shape ?? fed.get(id),
    numbers: (id) => small.get(id),
    isWhole,
    admits: ({ op }) => !writtenOut.has(op),
  })
  const made = nodes.flatMap(({ op, outputs }) => outputs.map((id) => ({ op, id })))
  const present = made.filter(({ id }) => nameOf(id) !== '')
  const withNumbers = present.filter(({ id }) => known.numbers(id))
  const session = await sessions.get('all', 1, {
    values: withNumbers.map(({ id }) => nameOf(id)),
    shapes: present.map(({ id }) => nameOf(id)),
  })
  const ran = await session.run(x, 0, x.samples, new Map())
  const found: Told = { shapes: [], silent: [], numbers: [] }
  for (const { op, id } of present) {
    const shape = known.shape(id)
    if (shape) t.deepEqual(shape, ran.shapes.get(nameOf(id)), `${what}: ${op} ${nameOf(id)}`)
    found[shape ? 'shapes' : 'silent'].push(op)
  }
  for (const { op, id } of withNumbers) {
    const numbers = Array.from(ran.values.get(nameOf(id))?.data as BigInt64Array, Number)
    t.deepEqual(known.numbers(id), numbers, `${what}: numbers of ${op} ${nameOf(id)}`)
    found.numbers.push(nameOf(id))
  }
  return found
}

const feedOf = (draws: readonly Draw[]): Feed => ({
  samples,
  arrays: draws.flatMap(({ feeds }) =>
    Object.entries(feeds).map(([name, { type, shape, data }]) => ({
      ...{ name, type, shape: [...shape], data: arrayOf(type, data) },
    })),
  ) as Feed['arrays'],
})

/** Of these something has to be told in the draws of the table. */
const expected =
  `Add Cast Clip Concat Conv ConvTranspose Div Erf Expand Flatten Gather Gemm GlobalAveragePool
  InstanceNormalization LayerNormalization MatMul Mul Pad ReduceMean ReduceSum Relu Reshape Slice Softmax Split
  Squeeze Sub Tanh Transpose Unsqueeze Where`.split(/\s+/)

test('what is told of operators is so', async (t) => {
  t.timeout(300_000)
  const counts = new Map<string, number>()
  for (const row of opCases) {
    for (const [opset, draws] of bundles(row, 11)) {
      const what = `${row.op}, opset ${opset}`
      const { shapes } = await told(t, joined(draws, opset), feedOf(draws), what)
      for (const op of shapes) counts.set(op, (counts.get(op) ?? 0) + 1)
    }
  }
  for (const op of expected) t.true((counts.get(op) ?? 0) > 4, `${op}: ${counts.get(op)}`)
})

/** As exporters write padding to a multiple of 4 and cutting to the length of another value. */
function padded(fill: number): NodeSpec[] {
  return [
    node('Conv', ['x', 'kernel'], 'a', { strides: [2], pads: [1, 1] }),
    node('ConvTranspose', ['a', 'up'], 'b', { strides: [2], output_padding: [1] }),
    node('Shape', ['b'], 's'),
    node('Gather', ['s', 'last'], 'n', { axis: 0 }),
    node('Mod', ['n', 'four'], 'm', { fmod: 0 }),
    node('Sub', ['four', 'm'], 'r'),
    node('Unsqueeze', ['r', 'first'], 'u'),
    node('Concat', ['none', 'u'], 'p', { axis: 0 }),
    node('Shape', ['p'], 'q'),
    node('Gather', ['q', 'zero'], 'l', { axis: 0 }),
    node('Sub', ['six', 'l'], 'k'),
    node('ConstantOfShape', ['k'], 'c', { value: { t: ints([fill], [1]) } }),
    node('Concat', ['p', 'c'], 'd', { axis: 0 }),
    node('Reshape', ['d', 'pairs'], 'e'),
    node('Slice', ['e', 'm1', 'least', 'first', 'm1'], 'f'),
    node('Transpose', ['f'], 'g', { perm: [1, 0] }),
    node('Reshape', ['g', 'm1'], 'h'),
    node('Cast', ['h'], 'i', { to: 7 }),
    node('Pad', ['b', 'i'], 'v'),
    node('Div', ['n', 'four'], 'w'),
    node('Mul', ['w', 'four'], 'j'),
    node('Unsqueeze', ['j', 'first'], 'o'),
    node('Slice', ['v', 'first', 'o', 'axis'], 'y'),
  ]
}

for (const fill of [0, 1]) {
  for (const length of [13, 16, 18]) {
    test(`sizes that a network computes: ${length} padded by ${fill}`, async (t) => {
      const spec: ModelSpec = {
        nodes: padded(fill),
        initializers: {
          kernel: weight([3, 2, 3]),
          up: weight([3, 2, 4], 2),
          last: ints([2], []),
          axis: ints([2]),
          first: ints([0]),
          zero: ints([0], []),
          four: ints([4], []),
          six: ints([6]),
          none: ints([0]),
          m1: ints([-1]),
          least: ints([-9007199254740991]),
          pairs: ints([-1, 2]),
        },
        inputs: [{ name: 'x', shape: ['N', 2, length] }],
        outputs: [{ name: 'y', shape: ['N', 2, 'L'] }],
      }
      const data = new Random(3).normals(2 * 2 * length)
      const x: Feed = {
        samples: 2,
        arrays: [{ name: 'x', type: 'float32', shape: [2, 2, length], data }],
      }
      const { silent, numbers } = await told(t, spec, x, `${length}`)
      t.deepEqual(silent, [])
      t.deepEqual(numbers, [...'snmrupqlkcdefghiwjo'])
    })
  }
}

test('numbers that are cut off are not told', async (t) => {
  const spec: ModelSpec = {
    nodes: [node('Cast', ['half'], 'h', { to: 7 }), node('Expand', ['x', 'h'], 'y')],
    initializers: { half: floats([2], [2.5, 3.5]) },
    inputs: [{ name: 'x', shape: ['N', 3] }],
    outputs: [{ name: 'y', shape: ['N', 3] }],
  }
  const x: Feed = {
    samples: 2,
    arrays: [{ name: 'x', type: 'float32', shape: [2, 3], data: new Random(4).normals(6) }],
  }
  const { numbers, silent } = await told(t, spec, x, 'halves')
  t.deepEqual(numbers, [])
  t.deepEqual(silent, ['Expand'])
})
