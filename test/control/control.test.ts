// If, Loop and Scan written out, against float64 references made apart from this project (make.py).
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { fitFixed, type NdArray, type Network, train } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load } from '../support/networks.js'
import { floats, ints, model, type NodeSpec, type Tensor } from '../support/onnx.js'

const folder = fileURLToPath(new URL('../../../test/control/networks', import.meta.url))

interface Stored {
  weights: Record<string, number[]>
  cases: {
    inputs: Record<string, { shape: number[]; data: number[] }>
    outputs: { shape: [number, number]; data: number[] }
    jacobian: Record<string, number[]>
  }[]
}

const read = (name: string): Stored => JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'))

const inputsOf = ({ inputs }: Stored['cases'][0]): Record<string, NdArray> =>
  Object.fromEntries(
    Object.entries(inputs).map(([key, { shape, data }]) => [
      key,
      { shape, data: Float32Array.from(data) },
    ]),
  )

/** Parameters by what the reference calls them, told by their numbers. */
function keysOf(network: Network, weights: Stored['weights']): Map<string, string> {
  const text = (data: ArrayLike<number>) => Array.from(data).join()
  const byNumbers = new Map(
    network.parameters.map(({ name }) => [text(network.weight(name).data), name]),
  )
  return new Map(
    Object.entries(weights).map(([key, data]) => [key, byNumbers.get(text(data)) ?? '']),
  )
}

const largest = (data: ArrayLike<number>) =>
  Array.from(data).reduce((most, value) => Math.max(most, Math.abs(value)), 0)

for (const name of [
  'constant_if',
  'squeeze_if',
  'length_if',
  'rate_if',
  'loop_fixed',
  'loop_length',
  'loop_early',
  'scan_cell',
]) {
  test(`${name}: outputs and Jacobians as in float64`, async (t) => {
    const stored = read(name)
    const network = await load(t, `${folder}/${name}.onnx`)
    const keys = keysOf(network, stored.weights)
    for (const entry of stored.cases) {
      const x = inputsOf(entry)
      const outputs = await network.run(x)
      const jacobian = await network.jacobian(x)
      const scale = largest(Object.values(entry.jacobian).flat())
      near(t, outputs.data, entry.outputs.data, 2e-6, 'outputs')
      for (const [key, reference] of Object.entries(entry.jacobian)) {
        const own = jacobian.get(keys.get(key) ?? '')
        // Weights of a branch that is not taken are no part of the result.
        if (own) near(t, own.data, reference, { absolute: 2e-6 * scale }, key)
        else t.is(largest(reference), 0, key)
      }
      t.true(jacobian.size > 0)
    }
  })
}

const array = (shape: number[], data: number[]): NdArray => ({
  shape,
  data: Float32Array.from(data),
})

/** y = then(x) or else(x) by a truth value `c` that the given nodes compute. */
function choice(
  nodes: readonly NodeSpec[],
  initializers: Record<string, Tensor> = {},
  branches: { yes?: NodeSpec[]; no?: NodeSpec[]; sr?: boolean } = {},
): Uint8Array {
  const body = (own: readonly NodeSpec[], stored: Record<string, Tensor>) => ({
    g: { nodes: own, initializers: stored, outputs: [{ name: 'b', shape: ['N', 2] }] },
  })
  const yes = branches.yes ?? [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['b'] }]
  const no = branches.no ?? [{ op: 'Mul', inputs: ['x', 'w'], outputs: ['b'] }]
  return model({
    nodes: [
      ...nodes,
      {
        op: 'If',
        name: 'way',
        inputs: ['c'],
        outputs: ['y'],
        attributes: {
          then_branch: body(yes, { w: floats([2, 2], [1, 2, 3, 4]) }),
          else_branch: body(no, { w: floats([2], [5, 6]) }),
        },
      },
    ],
    initializers,
    inputs: [
      { name: 'x', shape: ['N', 2] },
      ...(branches.sr ? [{ name: 'sr', type: 'int64', shape: [] } as const] : []),
    ],
    outputs: [{ name: 'y', shape: ['N', 2] }],
  })
}

/** c: is the sum of all numbers of the batch positive? */
const positive: NodeSpec[] = [
  { op: 'ReduceSum', inputs: ['x'], outputs: ['s'], attributes: { keepdims: 0 } },
  { op: 'Greater', inputs: ['s', 'zero'], outputs: ['c'] },
]
const zero = { zero: floats([], [0]) }

test('a condition on numbers is asked of every sample, and one that differs is refused', async (t) => {
  const network = await load(t, choice(positive, zero))
  t.deepEqual(network.notes, ['If "way" is decided by the samples of each call'])
  t.is(network.problem, null)
  t.deepEqual(
    network.parameters.map(({ name, shape }) => [name, shape.join()]),
    [
      ['w', '2,2'],
      ['w_1', '2'],
    ],
  )
  const up = await network.ntk(array([2, 2], [1, 2, 3, 4]), { kernel: 'trace' })
  t.deepEqual([...up.data], [10, 22, 22, 50])
  const down = await network.jacobian(array([1, 2], [-1, -2]))
  t.deepEqual([...down.keys()], ['w_1'])
  t.deepEqual([...(down.get('w_1')?.data ?? [])], [-1, 0, 0, -2])
  // The sum over the batch is positive, that of one sample is not.
  const mixed = array([3, 2], [1, 2, 3, 4, -1, -1])
  await t.throwsAsync(network.ntk(mixed), {
    code: 'UNSUPPORTED',
    message: /"way": its condition differs between samples 0 and 2/,
  })
  await t.throwsAsync(network.run(mixed), { code: 'UNSUPPORTED' })
  await t.throwsAsync(network.ntk(array([1, 2], [1, 2]), array([1, 2], [-1, -2])), {
    message: /samples that take the branches that x takes/,
  })
})

test('directions of either branch are known; those of the other count for nothing', async (t) => {
  const network = await load(t, choice(positive, zero))
  const direction = new Map([
    ['w', array([2, 2], [1, 0, 0, 1])],
    ['w_1', array([2], [1, 10])],
  ])
  const up = await network.jvp(array([1, 2], [1, 2]), direction)
  t.deepEqual([...up.data], [1, 2])
  const down = await network.jvp(array([1, 2], [-1, -2]), direction)
  t.deepEqual([...down.data], [-1, -20])
  await t.throwsAsync(network.jvp(array([1, 2], [1, 2]), new Map([['q', array([1], [1])]])), {
    code: 'BAD_ARGUMENT',
  })
})

test('a number that all samples share chooses the branch', async (t) => {
  const fast: NodeSpec[] = [{ op: 'Equal', inputs: ['sr', 'rate'], outputs: ['c'] }]
  const bytes = choice(fast, { rate: ints([16000], []) }, { sr: true })
  const network = await load(t, bytes)
  const x = array([3, 2], [1, 2, 3, 4, -1, -1])
  const up = await network.jacobian({ x, sr: 16000 })
  t.deepEqual([...up.keys()], ['w'])
  const down = await network.jacobian({ x, sr: 8000 })
  t.deepEqual([...down.keys()], ['w_1'])
  const both = await network.ntk({ x, sr: 8000 }, { kernel: 'trace' })
  t.deepEqual([...both.data], [5, 11, -3, 11, 25, -7, -3, -7, 2])
})

test('other weights and frozen ones hold in every branch', async (t) => {
  const network = await load(t, choice(positive, zero), { frozen: 'w_1' })
  const other = await network.withParameters(new Map([['w_1', array([2], [1, 1])]]))
  t.teardown(() => other.dispose())
  t.deepEqual([...(await other.run(array([1, 2], [-3, -4]))).data].map(Number), [-3, -4])
  await t.throwsAsync(other.ntk(array([1, 2], [-3, -4])), { message: /all are frozen/ })
  await network.dispose()
  t.deepEqual([...(await other.run(array([1, 2], [1, 1]))).data].map(Number), [4, 6])
})

test('a model fits and trains through the branch that its samples take', async (t) => {
  const network = await load(t, choice(positive, zero))
  const x = array([2, 2], [1, 2, 2, 1])
  const y = array([2, 2], [1, 0, 0, 1])
  const fitted = await fitFixed(network, x, y, { ridge: 1e-9 })
  // Two samples in general position: x W passes through any targets.
  const { data } = await fitted.predict(network, x)
  t.true(largest(data.map((value, e) => value - Number(y.data[e]))) < 1e-4)
  const trained = await train(
    network,
    { x, target: y },
    { optimizer: { kind: 'sgd', learningRate: 0.1 }, epochs: 1, batch: 2, loss: 'squared' },
  )
  t.deepEqual([...trained.weights.keys()], ['w'])
})

test('what no sample can decide is refused before anything runs', async (t) => {
  const batch: NodeSpec[] = [
    { op: 'Shape', inputs: ['x'], outputs: ['s'] },
    { op: 'Gather', inputs: ['s', 'first'], outputs: ['n'] },
    { op: 'Equal', inputs: ['n', 'one'], outputs: ['c'] },
  ]
  const stored = { first: ints([0], []), one: ints([1], []) }
  await t.throwsAsync(load(t, choice(batch, stored)), {
    code: 'UNSUPPORTED',
    message: /If \(node "way"\): its condition depends on the number of samples in a batch; export/,
  })
  const chance: NodeSpec[] = [
    { op: 'RandomUniform', inputs: [], outputs: ['r'], attributes: { shape: [1] } },
    { op: 'Greater', inputs: ['r', 'half'], outputs: ['c'] },
  ]
  const drawn = choice(chance, { half: floats([1], [0.5]) })
  await t.throwsAsync(load(t, drawn), { message: /its condition depends on random numbers/ })
  const inspected = await load(t, drawn, { unsupported: 'defer' })
  t.is(inspected.refusals[0]?.node, 'way')
})

test('a branch without a derivative stands in the way only of those who take it', async (t) => {
  const no: NodeSpec[] = [
    { op: 'Mul', inputs: ['x', 'w'], outputs: ['m'] },
    { op: 'Det', name: 'hard', inputs: ['m'], outputs: ['b'] },
  ]
  const network = await load(t, choice(positive, zero, { no }))
  t.is((await network.ntk(array([1, 2], [1, 2]), { kernel: 'trace' })).data[0], 10)
  await t.throwsAsync(network.ntk(array([1, 2], [-1, -2])), {
    code: 'UNSUPPORTED',
    message: /Det \(node "way\/hard"\)/,
  })
})

function repeated(times: number): Uint8Array {
  const body = {
    nodes: [
      { op: 'Tanh', inputs: ['h'], outputs: ['u'] },
      { op: 'Mul', inputs: ['u', 'w'], outputs: ['h_out'] },
      { op: 'Identity', inputs: ['go'], outputs: ['go_out'] },
    ],
    inputs: [
      { name: 't', type: 'int64', shape: [] },
      { name: 'go', type: 'bool', shape: [] },
      { name: 'h', shape: ['N', 2] },
    ],
    outputs: [
      { name: 'go_out', type: 'bool', shape: [] },
      { name: 'h_out', shape: ['N', 2] },
    ],
  } as const
  return model({
    nodes: [
      {
        op: 'Loop',
        name: 'steps',
        inputs: ['most', '', 'x'],
        outputs: ['y'],
        attributes: { body: { g: body } },
      },
    ],
    initializers: { most: ints([times], []), w: floats([2], [0.5, 2]) },
    inputs: [{ name: 'x', shape: ['N', 2] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
  })
}

test('loops are written out up to ten thousand nodes', async (t) => {
  const few = await load(t, repeated(3))
  t.deepEqual(few.notes, ['Loop "steps" is written out, 3 iterations'])
  const [w0, w1] = [0.5, 2]
  const step = (h: number, w: number) => Math.tanh(h) * w
  const { data } = await few.run(array([1, 2], [1, -1]))
  const steps = [step(step(step(1, w0), w0), w0), step(step(step(-1, w1), w1), w1)]
  near(t, data, steps, { absolute: 1e-6 })
  await t.throwsAsync(load(t, repeated(20_000)), {
    message: /Loop \(node "steps"\): its more than 10000 iterations would be written out as more/,
  })
  await t.throwsAsync(load(t, repeated(5000)), { message: /its 5000 iterations would be/ })
})

test('info tells what was written out, and what stops a file', async (t) => {
  const run = promisify(execFile)
  const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))
  const told = await run('node', [main, 'info', `${folder}/squeeze_if.onnx`])
  t.regex(told.stdout, /If "squeeze" takes its else branch|If "squeeze" takes its then branch/)
  const waiting = await run('node', [main, 'info', `${folder}/length_if.onnx`])
  t.regex(waiting.stdout, /If "length" is decided by the samples of each call/)
})

test('weights that a branch holds in Constant nodes are parameters', async (t) => {
  const branch = (numbers: number[]) => ({
    nodes: [
      {
        op: 'Constant',
        inputs: [],
        outputs: ['w'],
        attributes: { value: { t: floats([2, 2], numbers) } },
      },
      { op: 'MatMul', inputs: ['x', 'w'], outputs: ['z'] },
    ],
    outputs: [{ name: 'z', shape: ['N', 2] }],
  })
  const network = await load(
    t,
    model({
      nodes: [
        { op: 'Equal', inputs: ['rate', 'known'], outputs: ['same'] },
        {
          op: 'If',
          name: 'rate',
          inputs: ['same'],
          outputs: ['y'],
          attributes: {
            then_branch: { g: branch([1, 2, 3, 4]) },
            else_branch: { g: branch([5, 6, 7, 8]) },
          },
        },
      ],
      initializers: { known: ints([16000], []) },
      inputs: [
        { name: 'x', shape: ['N', 2] },
        { name: 'rate', type: 'int64', shape: [] },
      ],
      outputs: [{ name: 'y', shape: ['N', 2] }],
    }),
  )
  t.is(network.parameters.length, 2)
  // f = xW: the kernel is x·x' for equal outputs and 0 for others.
  const { data } = await network.ntk({ x: array([2, 2], [1, 2, 3, -1]), rate: 16000 })
  const gram = [5, 1, 1, 10]
  const truth = data.map((_, e) => {
    const [i, o, j, p] = [e >> 3, (e >> 2) & 1, (e >> 1) & 1, e & 1]
    return o === p ? (gram[2 * i + j] as number) : 0
  })
  near(t, data, truth, { absolute: 1e-5 })
})
