// What a sample is, and what makes it more than that: docs/batches.md.
import test from 'ava'
import type { NdArray } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, samples } from '../support/networks.js'
import { floats, ints } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { counted, dense, network, node, type Spec, weight } from '../support/small.js'

/** By what is wrong with it a network and the node that must be named. */
const dependent: Record<string, [Spec, node: string]> = {
  'an output divided by the number of samples': [
    { nodes: [...counted, dense, node('Div', ['h', 'm'], 'y')] },
    'n_y',
  ],
  'a loss of each sample divided by their number': [
    {
      nodes: [...counted, dense, node('Mul', ['h', 'h'], 'e'), node('Div', ['e', 'm'], 'y')],
    },
    'n_y',
  ],
  'a bias times one less than the number of samples, 0 at the start': [
    {
      nodes: [
        ...counted,
        node('Sub', ['m', 'unit'], 'k'),
        node('Mul', ['b', 'k'], 'c'),
        dense,
        node('Add', ['h', 'c'], 'y'),
      ],
      initializers: { b: floats([2], [0, 0]), unit: floats([], [1]) },
    },
    'n_c',
  ],
  'the place of a sample in its batch': [
    {
      nodes: [
        ...counted,
        node('Range', ['zero', 'n', 'one'], 'r'),
        node('Gather', ['table', 'r'], 'p'),
        dense,
        node('Add', ['h', 'p'], 'y'),
      ],
      // Rows of one number hide it.
      initializers: { table: floats([9, 2], new Float32Array(18)) },
    },
    'n_p',
  ],
  'only the derivative': [
    {
      // h + b (n − 1) − c (n − 1) with b = c: the value is h.
      nodes: [
        ...counted,
        node('Sub', ['m', 'unit'], 'k'),
        node('Mul', ['b', 'k'], 'p'),
        node('Constant', [], 'c', { value: { t: floats([2], [0.25, 0.5]) } }),
        node('Mul', ['c', 'k'], 'q'),
        node('Sub', ['p', 'q'], 'none'),
        dense,
        node('Add', ['h', 'none'], 'y'),
      ],
      initializers: { b: floats([2], [0.25, 0.5]), unit: floats([], [1]) },
    },
    'n_p',
  ],
  'a running sum over the samples after weights that start at 0': [
    {
      nodes: [dense, node('CumSum', ['h', 'zero'], 'c'), node('Relu', ['c'], 'y')],
      initializers: { w: floats([3, 2], new Float32Array(6)) },
    },
    'n_c',
  ],
  'the last sample': [
    {
      nodes: [
        dense,
        node('Slice', ['h', 'last', 'end', 'axis'], 'l'),
        node('Sub', ['h', 'l'], 'y'),
      ],
      initializers: { last: ints([-1]), end: ints([1000]), axis: ints([0]) },
    },
    'n_l',
  ],
  'a mean of the inputs': [
    {
      nodes: [
        node('ReduceMean', ['x'], 'mean', { axes: [0] }),
        node('Sub', ['x', 'mean'], 'c'),
        node('MatMul', ['c', 'w'], 'y'),
      ],
    },
    'mean',
  ],
}

for (const [what, [spec, name]] of Object.entries(dependent)) {
  test(`refused, naming the node: ${what}`, async (t) => {
    for (const n of [1, 2, 5]) {
      const own = await load(t, network(spec), { unsupported: 'defer' })
      const x = samples(new Random(n), [n, 3])
      const calls = [
        () => own.ntk(x, { block: 1 }),
        () => own.ntk(x, { kernel: 'trace', block: 2 }),
        () => own.jacobian(x),
        () => own.vjp(x, samples(new Random(2), [n, 2])),
        () => own.ntkProduct(x, samples(new Random(2), [n, 2])),
      ]
      for (const call of calls) {
        const error = await t.throwsAsync(call)
        t.is((error as { code?: string }).code, 'UNSUPPORTED')
        t.regex(error?.message ?? '', new RegExp(`\\b${name}\\b`), `${n} samples`)
      }
    }
  })
}

const cancelling = weight([512, 2], 4)
const columnSum = (data: ArrayLike<number>, o: number) =>
  Array.from(data).reduce((sum, value, e) => {
    const row = Math.floor(e / 2)
    return e % 2 === o ? sum + (300 + (row % 4)) * value : sum
  }, 0)

/** Networks that look as if samples met, or whose numbers are hard to compare. */
const independent: Record<string, Spec & { x?: (n: number) => Record<string, NdArray> }> = {
  'a shape made of the number of samples': {
    nodes: [
      ...counted,
      node('Unsqueeze', ['n', 'axis'], 'n1'),
      node('Concat', ['n1', 'minus'], 'shape', { axis: 0 }),
      node('Reshape', ['x', 'shape'], 'r'),
      node('MatMul', ['r', 'w'], 'y'),
    ],
    initializers: { axis: ints([0]), minus: ints([-1]) },
  },
  'a row of each sample picked by its place': {
    // As the end of a text is picked: hidden[arange(N), end].
    nodes: [
      node('Shape', ['end'], 's'),
      node('Gather', ['s', 'zero'], 'n'),
      node('Range', ['zero', 'n', 'one'], 'r'),
      node('Unsqueeze', ['r', 'axis'], 'a'),
      node('Unsqueeze', ['end', 'axis'], 'b'),
      node('Concat', ['a', 'b'], 'place', { axis: 1 }),
      node('Gather', ['table', 'ids'], 'h'),
      node('GatherND', ['h', 'place'], 'g'),
      node('MatMul', ['g', 'w'], 'y'),
    ],
    initializers: { table: weight([7, 3], 3), axis: ints([1]) },
    inputs: [
      { name: 'ids', type: 'int64', shape: ['N', 4] },
      { name: 'end', type: 'int64', shape: ['N'] },
    ],
    x: (n) => ({
      ids: { data: BigInt64Array.from({ length: 4 * n }, (_, e) => BigInt(e % 7)), shape: [n, 4] },
      end: { data: BigInt64Array.from({ length: n }, (_, e) => BigInt(e % 4)), shape: [n] },
    }),
  },
  'numbers that cancel': {
    // What is left after the large part has gone is mostly rounding, which differs with the batch.
    nodes: [
      node('MatMul', ['x', 'w'], 'h0'),
      node('Add', ['h0', 'large'], 'a'),
      node('MatMul', ['a', 'v'], 'b'),
      node('Sub', ['b', 'far'], 'c'),
      node('Tanh', ['c'], 'y'),
    ],
    initializers: {
      w: floats(
        [3, 512],
        Float32Array.from(weight([3, 512]).data, (value) => value / 30),
      ),
      large: floats(
        [512],
        Float32Array.from({ length: 512 }, (_, e) => 300 + (e % 4)),
      ),
      v: cancelling,
      far: floats(
        [2],
        [0, 1].map((o) => columnSum(cancelling.data, o)),
      ),
    },
  },
  'numbers that are not finite': {
    nodes: [
      node('Log', ['x'], 'l'),
      node('IsNaN', ['l'], 'bad'),
      node('Where', ['bad', 'nothing', 'l'], 'f'),
      node('MatMul', ['f', 'w'], 'y'),
    ],
    initializers: { nothing: floats([], [0]) },
  },
  'a squeeze of all axes of size 1': {
    nodes: [
      node('Unsqueeze', ['x', 'axis'], 'u'),
      node('MatMul', ['u', 'w'], 'v'),
      node('Squeeze', ['v'], 'q'),
      node('Tanh', ['q'], 'y'),
    ],
    initializers: { axis: ints([1]) },
  },
}

for (const [what, { x: made, ...spec }] of Object.entries(independent)) {
  test(`not refused: ${what}`, async (t) => {
    const own = await load(t, network(spec))
    for (const n of [1, 2, 5]) {
      const x = made ? made(n) : samples(new Random(n), [n, 3])
      const kernel = await own.ntk(x)
      t.is(kernel.shape[0], n)
      for (const block of [1, 2]) near(t, await own.ntk(x, { block }), kernel, 5e-2, `${block}`)
    }
  })
}

test('random numbers are refused', async (t) => {
  const own = await load(
    t,
    network({ nodes: [dense, node('RandomNormalLike', ['h'], 'r'), node('Mul', ['h', 'r'], 'y')] }),
  )
  const message = /from run to run.*n_r|n_r.*from run to run/
  await t.throwsAsync(own.ntk(samples(new Random(1), [4, 3])), { code: 'UNSUPPORTED', message })
})
