// What the graph tells of samples that keep apart, against numbers: nothing that meets is ever said to
// keep apart, and of what is common everything that does.
import test from 'ava'
import { skeleton } from '../../lib/graph/skeleton.js'
import { Architecture } from '../../lib/model/architecture.js'
import { openModel } from '../../lib/onnx/index.js'
import { Alone } from '../../lib/runtime/apart/check.js'
import { Proof } from '../../lib/runtime/apart/proof.js'
import { stack } from '../../lib/runtime/feeds.js'
import { outputOfPairs } from '../../lib/runtime/independence.js'
import { infer } from '../../lib/runtime/inferred.js'
import type { Feed, WorkerInit } from '../../lib/runtime/protocol.js'
import type { Outcome } from '../../lib/runtime/session.js'
import { Sessions } from '../../lib/runtime/sessions.js'
import type { Weights } from '../../lib/runtime/tensors.js'
import { floats, ints, model, type NodeSpec, type Tensor } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { node, weight } from '../support/small.js'

const sizes = [4, 6]
const constants: Record<string, Tensor> = {
  w: weight([6, 5]),
  square: weight([6, 6], 2),
  batched: weight([4, 6, 5], 3),
  row: weight([6], 4),
  column: weight([4, 1], 5),
  kernel: weight([3, 4, 3], 6),
  gate: weight([1, 20, 6], 7),
  state: weight([1, 20, 5], 8),
  one: floats([1], [1]),
  n0: ints([0]),
  n1: ints([1]),
  n2: ints([2]),
  m1: ints([-1]),
  at0: ints([0], []),
  at1: ints([1], []),
  two: ints([2, 0]),
  far: ints([2147483647]),
  pads: ints([0, 1, 0, 0, 0, 2]),
  padsOfBatch: ints([1, 0, 0, -1, 0, 0]),
  flat: ints([0, -1]),
  merged: ints([-1, 6]),
  copied: ints([0, 2, 2, -1]),
  left: ints([-1, 4, 3, 2]),
  swapped: ints([4, -1, 6]),
  twice: ints([1, 2, 1]),
  scales: floats([3], [1, 1, 2]),
  three: weight([3], 9),
  long: weight([24, 6], 10),
  five: ints([5]),
  four: ints([4]),
  least: ints([-2147483648]),
  back: ints([-1, 4, 5]),
  whole: ints([-1, 4, 6]),
  none: ints([]),
}

const shape = node('Shape', ['x'], 's')
const size = node('Gather', ['s', 'n0'], 'n')

/** By what they do nodes that keep samples apart, and say so. */
const apart: Record<string, NodeSpec[]> = {
  'a dense layer': [node('MatMul', ['x', 'w'], 'h'), node('Relu', ['h'], 'y')],
  'a product for each row': [
    node('Unsqueeze', ['x', 'n2'], 'u'),
    node('MatMul', ['u', 'batched'], 'y'),
  ],
  'a product of two values': [
    node('Transpose', ['x'], 't', { perm: [0, 2, 1] }),
    node('MatMul', ['x', 't'], 'y'),
  ],
  'weights for each place': [node('Mul', ['x', 'row'], 'h'), node('Add', ['column', 'h'], 'y')],
  'a convolution, normalised': [
    node('Conv', ['x', 'kernel'], 'h'),
    node('InstanceNormalization', ['h', 'three', 'three'], 'y'),
  ],
  'a product of matrices as they are': [
    node('Flatten', ['x'], 'h'),
    node('Gemm', ['h', 'long', 'row'], 'y'),
  ],
  'softmax over places': [node('Softmax', ['x'], 'y', { axis: -1 })],
  'means over places': [node('ReduceMean', ['x'], 'y', { axes: [1, -1], keepdims: 0 })],
  'an axis before the samples': [
    node('Transpose', ['x'], 't', { perm: [1, 0, 2] }),
    node('LSTM', ['t', 'gate', 'state'], ['', 'h'], { hidden_size: 5 }),
    node('Squeeze', ['h', 'n0'], 'y'),
  ],
  'a state of zeros, as many as samples': [
    shape,
    size,
    node('Concat', ['n1', 'n', 'five'], 'of', { axis: 0 }),
    node('ConstantOfShape', ['of'], 'begin'),
    node('Transpose', ['x'], 't', { perm: [1, 0, 2] }),
    node('LSTM', ['t', 'gate', 'state', '', '', 'begin', 'begin'], ['', 'h'], { hidden_size: 5 }),
    node('Transpose', ['h'], 'y', { perm: [1, 0, 2] }),
  ],
  'shapes with a copy': [node('Reshape', ['x', 'copied'], 'y')],
  'shapes with what is left': [node('Reshape', ['x', 'left'], 'y')],
  'shapes of the number of samples': [
    shape,
    size,
    node('Concat', ['n', 'm1'], 'of', { axis: 0 }),
    node('Reshape', ['x', 'of'], 'y'),
  ],
  'shapes of another value': [
    node('Reshape', ['x', 'left'], 'h'),
    node('Tanh', ['h'], 'v'),
    shape,
    node('Reshape', ['v', 's'], 'y'),
  ],
  'a stretch of a size': [
    shape,
    node('Slice', ['s', 'n0', 'n1'], 'n'),
    node('Unsqueeze', ['x', 'n1'], 'u'),
    node('Concat', ['n', 'm1'], 'of', { axis: 0 }),
    node('Reshape', ['u', 'of'], 'y'),
  ],
  'a width that is computed': [
    shape,
    node('Gather', ['s', 'n2'], 'l'),
    node('Mod', ['l', 'four'], 'r'),
    node('Concat', ['n0', 'n0', 'n0', 'n0', 'n0', 'r'], 'p', { axis: 0 }),
    node('Pad', ['x', 'p'], 'y'),
  ],
  'stretches, joined': [
    node('Slice', ['x', 'n0', 'n2', 'n2'], 'a'),
    node('Slice', ['x', 'n0', 'far', 'n0'], 'b'),
    node('Concat', ['a', 'b'], 'h', { axis: 2 }),
    node('Split', ['h'], ['y', 'z'], { axis: 2 }),
  ],
  'rows that are picked': [node('Gather', ['x', 'two'], 'y', { axis: 1 })],
  'a row that is picked': [node('Gather', ['x', 'at1'], 'y', { axis: 2 })],
  'a border': [node('Pad', ['x', 'pads'], 'y')],
  copies: [
    node('Tile', ['x', 'twice'], 'h'),
    node('Unsqueeze', ['h', 'n1'], 'u'),
    node('Squeeze', ['u', 'n1'], 'y'),
  ],
  'an enlarged picture': [node('Resize', ['x', '', 'scales'], 'y', { mode: 'nearest' })],
  'the same for every sample': [
    shape,
    size,
    node('Concat', ['n', 'n1', 'n1'], 'of', { axis: 0 }),
    node('Expand', ['one', 'of'], 'e'),
    node('Add', ['x', 'e'], 'y'),
  ],
}

/** The same for nodes through which samples meet, or that give other numbers of samples. */
const meeting: Record<string, NodeSpec[]> = {
  'softmax over samples': [node('Softmax', ['x'], 'y', { axis: 0 })],
  'the mean of samples': [
    node('ReduceMean', ['x'], 'm', { axes: [0] }),
    node('Sub', ['x', 'm'], 'y'),
  ],
  'means over all': [node('ReduceMean', ['x'], 'm'), node('Sub', ['x', 'm'], 'y')],
  'normalised over samples': [node('LpNormalization', ['x'], 'y', { axis: 0 })],
  'a sum over samples before': [node('CumSum', ['x', 'at0'], 'y')],
  'the largest of all samples': [
    node('TopK', ['x', 'n1'], ['t', 'i'], { axis: 0 }),
    node('Sub', ['x', 't'], 'y'),
  ],
  'places of the largest': [
    node('MaxPool', ['x'], ['p', 'i'], { kernel_shape: [2] }),
    node('Cast', ['i'], 'y', { to: 1 }),
  ],
  'products of samples': [
    node('Transpose', ['x'], 'a', { perm: [1, 0, 2] }),
    node('Transpose', ['x'], 'b', { perm: [1, 2, 0] }),
    node('MatMul', ['a', 'b'], 'c'),
    node('MatMul', ['c', 'a'], 'd'),
    node('Transpose', ['d'], 'y', { perm: [1, 0, 2] }),
  ],
  'other samples at an axis of places': [
    node('Transpose', ['x'], 't', { perm: [2, 1, 0] }),
    node('ReduceMean', ['t'], 'm', { axes: [2] }),
    node('Transpose', ['m'], 'u', { perm: [2, 1, 0] }),
    node('Sub', ['x', 'u'], 'y'),
  ],
  'the sample before': [node('Pad', ['x', 'padsOfBatch'], 'y')],
  'samples in another order': [
    node('Slice', ['x', 'm1', 'least', 'n0', 'm1'], 'r'),
    node('Add', ['x', 'r'], 'y'),
  ],
  'another shape across the batch': [
    node('Reshape', ['x', 'swapped'], 'h'),
    node('Softmax', ['h'], 'p', { axis: 1 }),
    node('Reshape', ['p', 'whole'], 'y'),
  ],
  'the number of samples': [
    shape,
    size,
    node('Cast', ['n'], 'm', { to: 1 }),
    node('Div', ['x', 'm'], 'y'),
  ],
  'sizes with one of samples': [
    shape,
    node('Cast', ['s'], 'f', { to: 1 }),
    node('ReduceSum', ['f'], 'm', { keepdims: 0 }),
    node('Div', ['x', 'm'], 'y'),
  ],
  'a row for each place in the batch': [
    shape,
    node('Gather', ['s', 'at0'], 'n'),
    node('Range', ['at0', 'n', 'at1'], 'r'),
    node('Gather', ['square', 'r'], 'p'),
    node('Unsqueeze', ['p', 'n1'], 'u'),
    node('Add', ['x', 'u'], 'y'),
  ],
}

/** The same where what is said of one sample looks right: it is the shape that is another for more. */
const misleading: Record<string, NodeSpec[]> = {
  'all axes of one entry squeezed': [
    node('ReduceMean', ['x'], 'm', { axes: [2] }),
    node('Transpose', ['m'], 't', { perm: [2, 0, 1] }),
    node('Squeeze', ['t', 'none'], 'q'),
    node('Softmax', ['q'], 'p', { axis: 0 }),
    node('Add', ['p', 't'], 'y'),
  ],
  'the number of samples as a truth value': [
    shape,
    size,
    node('Cast', ['n'], 'is', { to: 9 }),
    node('Cast', ['is'], 'b', { to: 7 }),
    node('Concat', ['b', 'm1'], 'of', { axis: 0 }),
    node('Reshape', ['x', 'of'], 'h'),
    node('Softmax', ['h'], 'p', { axis: 1 }),
    node('Reshape', ['p', 'whole'], 'y'),
  ],
  'the number of samples on two axes': [
    shape,
    size,
    node('Concat', ['n0', 'n', 'm1'], 'of', { axis: 0 }),
    node('Reshape', ['x', 'of'], 'h'),
    node('Softmax', ['h'], 'p', { axis: 2 }),
    node('Reshape', ['p', 'whole'], 'y'),
  ],
  'a function in pieces that adds an axis': [
    node('Constant', [], 'c', { value: { t: floats([1, 1, 1, 1], [1.5]) } }),
    node('Mul', ['c', 'x'], 'a'),
    node('Sigmoid', ['a'], 'b'),
    node('Mul', ['x', 'b'], 'h'),
    node('Softmax', ['h'], 'p', { axis: 1 }),
    node('Unsqueeze', ['x', 'n0'], 'u'),
    node('Add', ['u', 'p'], 'y'),
  ],
}

/** Keep apart, and are left to numbers. */
const unsaid: Record<string, NodeSpec[]> = {
  'samples merged with places': [
    node('Reshape', ['x', 'merged'], 'h'),
    node('MatMul', ['h', 'w'], 'v'),
    node('Reshape', ['v', 'back'], 'y'),
  ],
  'a squeeze of all axes': [node('Unsqueeze', ['x', 'n1'], 'u'), node('Squeeze', ['u'], 'y')],
  'an operator without a rule': [node('Einsum', ['x', 'w'], 'y', { equation: 'nij,jk->nik' })],
}

/** Everything about a network that a worker knows. */
async function opened(nodes: NodeSpec[]) {
  const read = new Set(nodes.flatMap(({ inputs }) => inputs))
  const initializers = Object.fromEntries(
    Object.entries(constants).filter(([name]) => read.has(name)),
  )
  const inputs = [{ name: 'x', shape: ['N', ...sizes] }]
  const outputs = [{ name: 'y', shape: ['N', 'O'] }]
  const file = await openModel(model({ nodes, initializers, inputs, outputs }))
  const architecture = new Architecture(file, {})
  const { graph } = architecture
  const init = {
    skeleton: skeleton(file, graph, []),
    graph: graph.native,
    inputs: [{ name: 'x', id: graph.ids.get('x') as number }],
    free: false,
    double: false,
    outputs: ['y'],
  }
  return { init, output: graph.ids.get('y') as number, plan: await architecture.plan() }
}

const samples: Feed = {
  samples: 3,
  arrays: [
    { name: 'x', type: 'float32', shape: [3, ...sizes], data: new Random(11).normals(72), axis: 0 },
  ],
}

/** What the graph tells of the output, and what numbers do. */
async function told(nodes: NodeSpec[]) {
  const { init, output, plan } = await opened(nodes)
  const sessions = new Sessions(init)
  const { values: inferred } = await sessions.inferred()
  const { small } = plan
  const proof = Proof.of({ init, inferred, small, fed: new Map(), ids: [output], x: samples })
  const weights: Weights = { tensors: new Map(), messages: new Map() }
  const numbers = await outputOfPairs(sessions, 'y', samples, weights, 1)
  if (!proof) return { numbers }
  const wanted = { values: ['y', ...proof.numbers], shapes: proof.shapes.filter((n) => n !== 'y') }
  const session = await sessions.get('trial', 1, wanted)
  const one = stack(samples, [1])
  const outcome = await session.run(one, 0, 1, new Map())
  const part = proof.parts(one, outcome)?.get(output)
  if (!part) return { numbers }
  const alone = new Alone(one, weights, outcome, new Map([['y', part]]))
  const { values } = await session.run(samples, 0, 3, new Map())
  const another = await session.run(samples, 2, 1, new Map())
  return { numbers, part, alone, values, weights, another }
}

for (const [what, nodes] of Object.entries(apart)) {
  test(`kept apart: ${what}`, async (t) => {
    const { numbers, part, alone, values, weights, another } = await told(nodes)
    t.false(numbers.meet)
    t.is(part?.kind, 'samples')
    t.is(part?.kind === 'samples' ? part.axis : -1, numbers.axis)
    t.true(alone?.is(samples, 1, weights as Weights))
    t.false(alone?.is(samples, 2, weights as Weights), 'another sample')
    t.false(alone?.is(samples, 1, { tensors: new Map(), messages: new Map() }), 'other weights')
    t.false(alone?.differs(values as Outcome['values'], 3, 1))
    const other = alone?.of(stack(samples, [2]), weights as Weights, another as Outcome)
    t.false(other?.differs(values as Outcome['values'], 3, 2))
    t.true(other?.differs(values as Outcome['values'], 3, 1))
  })
}

for (const [what, nodes] of Object.entries({ ...meeting, ...misleading })) {
  test(`meet: ${what}`, async (t) => {
    const { numbers, part } = await told(nodes)
    t.true(numbers.meet)
    t.is(part, undefined)
  })
}

for (const [what, nodes] of Object.entries(unsaid)) {
  test(`left to numbers: ${what}`, async (t) => {
    const { numbers, part } = await told(nodes)
    t.false(numbers.meet)
    t.is(part, undefined)
  })
}

test('what a file says of the sizes of an output is not taken for granted', async (t) => {
  const bytes = model({
    nodes: [
      node('Reshape', ['x', 'merged'], 'h'),
      node('Tanh', ['h'], 'v'),
      node('Reshape', ['v', 'whole'], 'y'),
    ],
    initializers: { merged: ints([-1, 6]), whole: ints([-1, 4, 6]) },
    inputs: [{ name: 'x', shape: ['N', ...sizes] }],
    // N·4 rows.
    outputs: [
      { name: 'y', shape: ['N', ...sizes] },
      { name: 'h', shape: ['N', 6] },
    ],
  })
  const { values } = await infer({ skeleton: bytes } as WorkerInit)
  for (const name of ['h', 'v']) {
    const { shape: [rows, ...more] = [] } = values.get(name) ?? {}
    t.is(typeof rows, 'string')
    t.not(rows, 'N')
    t.deepEqual(more, [6])
  }
})

test('a run without a value that was seen is not the one to compare', async (t) => {
  const { alone, values } = await told([node('MatMul', ['x', 'w'], 'y')])
  t.true(alone?.sees(values as Outcome['values']))
  t.false(alone?.sees(new Map()))
})

test('numbers that are others among others', async (t) => {
  const { alone, values } = await told([node('MatMul', ['x', 'w'], 'y')])
  const y = values?.get('y')
  if (!y || !alone) throw new Error('not told')
  const data = y.data as Float32Array
  const at = data.length / 3 + 7
  data[at] = (data[at] as number) + 0.01
  t.true(alone.differs(new Map([['y', y]]), 3, 1))
})
