// Last affine layers as exporters write them, and what is none.
import test from 'ava'
import { adapt, type LoadOptions, type TangentError } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load } from '../support/networks.js'
import { floats, ints, model, type NodeSpec, type Tensor } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { clouds } from './data.js'

/** x (N, 3) → Gemm → Relu → h (N, 4) → the given nodes → y. */
function network(
  nodes: NodeSpec[],
  more: Record<string, Tensor> = {},
  outputs: Record<string, (number | string)[]> = { y: ['N', 2] },
) {
  const random = new Random(7)
  return model({
    nodes: [
      { op: 'Gemm', inputs: ['x', 'w', 'b'], outputs: ['g'], attributes: { transB: 1 } },
      { op: 'Relu', inputs: ['g'], outputs: ['h'] },
      ...nodes,
    ],
    initializers: {
      w: floats([4, 3], random.normals(12)),
      b: floats([4], random.normals(4)),
      v: floats([4, 2], random.normals(8)),
      c: floats([2], random.normals(2)),
      ...more,
    },
    inputs: [{ name: 'x', shape: ['N', 3] }],
    outputs: Object.entries(outputs).map(([name, shape]) => ({ name, shape })),
  })
}

const node = (op: string, inputs: string[], output: string, attributes = {}): NodeSpec => ({
  op,
  inputs,
  outputs: [output],
  attributes,
})

const product = node('MatMul', ['h', 'v'], 'p')
const forms: Record<string, [Uint8Array, LoadOptions?]> = {
  'MatMul and Add': [network([product, node('Add', ['p', 'c'], 'y')])],
  'Add the other way round': [network([product, node('Add', ['c', 'p'], 'y')])],
  'MatMul alone': [network([node('MatMul', ['h', 'v'], 'y')])],
  'Gemm without a bias': [network([node('Gemm', ['h', 'v'], 'y')])],
  'a transposed weight': [
    network(
      [
        node('Transpose', ['t'], 'tt', { perm: [1, 0] }),
        node('Gemm', ['h', 'tt', 'c'], 'q'),
        node('Identity', ['q'], 'y'),
      ],
      { t: floats([2, 4], new Random(2).normals(8)) },
    ),
  ],
  'a bias that another node reads': [
    network(
      [node('Gemm', ['h', 'v', 'c'], 'y'), node('Mul', ['c', 'c'], 'z')],
      {},
      { y: ['N', 2], z: [2] },
    ),
  ],
  'logits before a Softmax': [
    network([node('Gemm', ['h', 'v', 'c'], 'logits'), node('Softmax', ['logits'], 'y')]),
    { output: 'logits' },
  ],
}

for (const [name, [bytes, options]] of Object.entries(forms)) {
  test(`a new head in place of ${name}`, async (t) => {
    const { x, labels } = clouds(15, 3)
    const given = await load(t, bytes, options)
    const before = given.parameters.map((one) => one.name)
    const found = await adapt(given, x, labels, {
      structure: 'fixed',
      ridge: 1,
      selection: { folds: 3, repeats: 1 },
    })
    t.teardown(() => found.dispose())
    const { network: own } = found
    const head = own.parameters.filter(({ shape }) => shape[0] === 3)
    t.deepEqual(
      head.map(({ shape }) => shape.join()),
      ['3,4', '3'],
    )
    t.true(before.includes('w') && own.parameters.some((one) => one.name === 'w'))
    // f(x; θ0) is W h + b, and h is as it was.
    const [weight, bias] = head.map((one) => own.weight(one.name))
    const h = await given.run(x, { output: 'h' })
    const expected = Float64Array.from({ length: 45 }, (_, e) => {
      const [i, c] = [Math.floor(e / 3), e % 3]
      let sum = bias?.data[c] as number
      for (let k = 0; k < 4; k += 1) {
        sum += (weight?.data[4 * c + k] as number) * Number(h.data[4 * i + k])
      }
      return sum
    })
    near(t, (await own.run(x)).data as Float32Array, expected, 1e-5)
  })
}

const others: Record<string, [Uint8Array, RegExp]> = {
  'a Softmax': [
    network([node('Gemm', ['h', 'v', 'c'], 'logits'), node('Softmax', ['logits'], 'y')]),
    /"y" is made by Softmax; take "logits" as its output \(.*--output\), or keep/,
  ],
  'a product of activations': [
    network([node('Gemm', ['h', 'v', 'c'], 'q'), node('Mul', ['q', 'q'], 'y')]),
    /"y" is made by Mul; keep the head/,
  ],
  'a layer on several vectors': [
    network(
      [node('Reshape', ['h', 'shape'], 'r'), node('MatMul', ['r', 'u'], 'y')],
      { shape: ints([-1, 2, 2]), u: floats([2, 1], [1, 2]) },
      { y: ['N', 2, 1] },
    ),
    /several vectors for each sample, \(.*, 2, 2\)/,
  ],
}

for (const [name, [bytes, words]] of Object.entries(others)) {
  test(`no new head after ${name}`, async (t) => {
    const { x, labels } = clouds(15, 3)
    const given = await load(t, bytes)
    const error = (await t.throwsAsync(adapt(given, x, labels))) as TangentError
    t.is(error.code, 'UNSUPPORTED', error.message)
    t.regex(error.message, words)
  })
}

test('parameters that were frozen stay so, and the head is fitted around them', async (t) => {
  const { x, labels } = clouds(15, 3)
  const given = await load(t, network([node('Gemm', ['h', 'v', 'c'], 'y')]), { frozen: ['w'] })
  const found = await adapt(given, x, labels, {
    structure: 'fixed',
    ridge: 1,
    selection: { folds: 3, repeats: 1 },
  })
  t.teardown(() => found.dispose())
  const state = Object.fromEntries(found.network.parameters.map((p) => [p.name, p.frozen]))
  t.deepEqual(state, { w: true, b: false, v: false, c: false })
})

test('a value before the last layer that is the same for all: no new head, and no probe', async (t) => {
  const { x, labels } = clouds(12, 3)
  const dead = { w: floats([4, 3], new Float32Array(12)), b: floats([4], [1, 1, -1, 2]) }
  const given = await load(t, network([node('Gemm', ['h', 'v', 'c'], 'y')], dead))
  const options = { structure: 'fixed', selection: { folds: 3, repeats: 1 } } as const
  await t.throwsAsync(adapt(given, x, labels, options), { message: /the same for all of them/ })
  const two = { data: labels.data.map((label) => label % 2), shape: [12] }
  t.is((await adapt(given, x, two, options)).probe, null)
})
