// What is exported of networks with branches, of B in thin factors, and what is refused before a fit.
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { byElimination, fromSingular } from '../../lib/export/thin.js'
import { exportFitted } from '../../lib/fit/export.js'
import { checkExport, exportJvp, fitAdaptive, type NdArray } from '../../lib/index.js'
import { decodeModel } from '../../lib/onnx/decode.js'
import { near } from '../support/near.js'
import { load, mlp } from '../support/networks.js'
import { floats, ints, model, type NodeSpec } from '../support/onnx.js'
import { Random } from '../support/random.js'

const branching = fileURLToPath(
  new URL('../../../test/control/networks/length_if.onnx', import.meta.url),
)

test('of a network with branches the form that the given samples take', async (t) => {
  const network = await load(t, branching)
  const random = new Random(2)
  const direction = new Map(
    network.parameters.map(({ name, shape, count }): [string, NdArray] => [
      name,
      { data: random.normals(count), shape: [...shape] },
    ]),
  )
  await t.throwsAsync(exportJvp(network, direction), { code: 'UNSUPPORTED', message: /options\.x/ })
  for (const length of [5, 3]) {
    const x = { data: random.normals(4 * length), shape: [2, length, 2] }
    const bytes = await exportJvp(network, direction, { x })
    const session = await InferenceSession.create(bytes)
    const { tangent } = await session.run({ x: new Tensor('float32', x.data, x.shape) })
    const truth = await network.jvp(x, direction)
    near(t, tangent?.data, truth.data, 1e-5)
  }
})

test('outputs whose samples lie on another axis come out as (N, O)', async (t) => {
  const random = new Random(9)
  const bytes = (name: string) =>
    model({
      nodes: [
        { op: 'MatMul', inputs: ['t', 'w'], outputs: ['h'] },
        { op: 'Tanh', inputs: ['h'], outputs: ['y'] },
      ],
      initializers: { w: floats([3, 2], random.normals(6)) },
      inputs: [{ name: 't', shape: [4, name, 3] }],
      outputs: [{ name: 'y', shape: [4, name, 2] }],
    })
  for (const name of ['N', '?']) {
    const network = await load(t, bytes(name), { batchAxis: { t: 1 } })
    const x = { data: random.normals(36), shape: [4, 3, 3] }
    const direction = new Map([['w', { data: random.normals(6), shape: [3, 2] }]])
    const session = await InferenceSession.create(await exportJvp(network, direction))
    const { tangent } = await session.run({ t: new Tensor('float32', x.data, x.shape) })
    const truth = await network.jvp(x, direction)
    t.deepEqual(tangent?.dims, [3, 8])
    near(t, tangent?.data, truth.data, 1e-6, name)
  }
})

test('Clip behind a convolution: derivatives at its bounds, and within one operator', async (t) => {
  // The convolution passes x through, so that what is clipped is at and next to the bounds.
  const up = Math.fround(6 + 2 ** -21)
  const values = [-1, -0, 0, 1e-30, 1, 5.999999, 6, up, 7, -3, 3, Math.fround(-1 - 2 ** -23)]
  const x = { data: Float32Array.from(values), shape: [1, 1, 3, 4] }
  const forms: { nodes: NodeSpec[]; operators: string[]; bounds: number[] }[] = [
    // A Relu and a Clip are one; what is 0 does not move, as of a Relu.
    {
      nodes: [
        { op: 'Relu', inputs: ['c'], outputs: ['r'] },
        { op: 'Clip', inputs: ['r', 'low', 'high'], outputs: ['y'] },
        { op: 'Conv', inputs: ['y', 'v'], outputs: ['z'] },
      ],
      operators: ['Clip'],
      bounds: [0, 6],
    },
    {
      nodes: [
        { op: 'Clip', inputs: ['c', 'low', 'high'], outputs: ['y'] },
        { op: 'Conv', inputs: ['y', 'v'], outputs: ['z'] },
      ],
      operators: ['Clip'],
      bounds: [-1, 6],
    },
    {
      nodes: [
        { op: 'Clip', inputs: ['c', 'low', 'high'], outputs: ['y'] },
        { op: 'Sqrt', inputs: ['y'], outputs: ['z'] },
      ],
      operators: ['Clip', 'Sqrt'],
      bounds: [0.5, 6],
    },
  ]
  for (const { nodes, operators, bounds } of forms) {
    const bytes = model({
      nodes: [{ op: 'Conv', inputs: ['x', 'w', 'b'], outputs: ['c'] }, ...nodes],
      initializers: {
        w: floats([1, 1, 1, 1], [1]),
        b: floats([1], [0]),
        v: floats([1, 1, 1, 1], [2]),
        low: floats([], bounds.slice(0, 1)),
        high: floats([], bounds.slice(1)),
      },
      inputs: [{ name: 'x', shape: ['N', 1, 3, 4] }],
      outputs: [{ name: 'z', shape: ['N', 1, 3, 4] }],
    })
    const network = await load(t, bytes)
    const direction = new Map([['b', { data: Float32Array.of(1), shape: [1] }]])
    const file = await exportJvp(network, direction)
    const session = await InferenceSession.create(file)
    const found = await session.run({ x: new Tensor('float32', x.data, x.shape) })
    const truth = await network.jvp(x, direction)
    t.deepEqual(Array.from(found.tangent?.data as Float32Array), Array.from(truth.data))
    near(t, found.value?.data as Float32Array, (await network.run(x)).data, 1e-6)
    const types = decodeModel(file).graph.node.map(({ opType }) => opType)
    t.deepEqual(
      types.filter((type) => ['Relu', 'Clip', 'Sqrt'].includes(type)),
      operators,
    )
  }
})

test('few samples make thin factors and a small file', async (t) => {
  const random = new Random(6)
  const bytes = mlp(random, [40, 200, 200, 2])
  const network = await load(t, bytes)
  const x = { data: random.normals(120), shape: [3, 40] }
  const y = { data: random.normals(6), shape: [3, 2] }
  for (const structure of ['fixed', 'matrix'] as const) {
    const fitted = await fitAdaptive(network, x, y, { structure, ridge: 0.1, maxIterations: 20 })
    const file = await exportFitted(fitted, network)
    t.true(file.length < 1.15 * bytes.length, `${file.length} of ${bytes.length}`)
    const session = await InferenceSession.create(file)
    const { prediction } = await session.run({ x: new Tensor('float32', x.data, x.shape) })
    const truth = await fitted.predict(network, x)
    near(t, prediction?.data, truth.data, 1e-5)
  }
})

test('a matrix of low rank comes back from its factors, and others have none', async (t) => {
  const random = new Random(8)
  const [m, k, rank] = [30, 50, 4]
  const [a, b] = [random.normals(m * rank), random.normals(rank * k)]
  const product = (left: ArrayLike<number>, right: ArrayLike<number>, r: number) =>
    Float64Array.from({ length: m * k }, (_, e) => {
      const [i, j] = [Math.floor(e / k), e % k]
      let sum = 0
      for (let l = 0; l < r; l += 1)
        sum += (left[i * r + l] as number) * (right[l * k + j] as number)
      return sum
    })
  const matrix = product(a, b, rank)
  const thin = await byElimination(matrix, m, k)
  t.deepEqual(thin?.left.shape, [m, rank])
  t.deepEqual(thin?.right.shape, [rank, k])
  near(t, product(thin?.left.data ?? [], thin?.right.data ?? [], rank), matrix, 1e-6)
  const full = Float64Array.from(random.normals(m * k))
  t.is(await byElimination(full, m, k), undefined)
  t.is(await byElimination(new Float64Array(m * k), m, k), undefined)
  // Singular values that float32 does not see go.
  const tall = {
    u: new Float64Array(2 * m),
    vt: new Float64Array(2 * k),
    singularValues: Float64Array.of(3, 1e-9),
  }
  tall.u[0] = 1
  tall.vt[0] = 1
  t.deepEqual(fromSingular(tall, m, k)?.left.shape, [m, 1])
})

test('a tangent of 0 stays 0 where a function is infinitely steep', async (t) => {
  const functions: [op: string, low: number, high: number][] = [
    ['Acos', -1, 1],
    ['Asin', -1, 1],
    ['Acosh', 1, 3],
    ['Sqrt', 0, 1],
  ]
  for (const [op, low, high] of functions) {
    const bytes = model({
      nodes: [
        { op: 'Add', inputs: ['x', 'p'], outputs: ['a'] },
        { op: 'Clip', inputs: ['a', 'low', 'high'], outputs: ['c'] },
        { op, inputs: ['c'], outputs: ['y'] },
      ],
      initializers: {
        p: floats([2], [0.25, 0.25]),
        low: floats([], [low]),
        high: floats([], [high]),
      },
      inputs: [{ name: 'x', shape: ['N', 2] }],
      outputs: [{ name: 'y', shape: ['N', 2] }],
    })
    const network = await load(t, bytes)
    const x = { data: Float32Array.of(-5, low + 0.5 * (high - low) - 0.25), shape: [1, 2] }
    const direction = new Map([['p', { data: Float32Array.of(1, 1), shape: [2] }]])
    const session = await InferenceSession.create(await exportJvp(network, direction))
    const { tangent } = await session.run({ x: new Tensor('float32', x.data, x.shape) })
    const truth = await network.jvp(x, direction)
    t.is(tangent?.data[0], 0, op)
    near(t, tangent?.data, truth.data, 1e-6, op)
  }
})

test('a quotient of what does not change stays, whatever it is divided by', async (t) => {
  const bytes = model({
    nodes: [
      { op: 'Add', inputs: ['x', 'p'], outputs: ['a'] },
      { op: 'Relu', inputs: ['a'], outputs: ['r'] },
      { op: 'Div', inputs: ['one', 'r'], outputs: ['d'] },
      { op: 'Neg', inputs: ['d'], outputs: ['n'] },
      { op: 'Exp', inputs: ['n'], outputs: ['y'] },
    ],
    initializers: { p: floats([2], [0.25, 0.25]), one: floats([1], [1]) },
    inputs: [{ name: 'x', shape: ['N', 2] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
  })
  const network = await load(t, bytes, { frozen: 'one' })
  const x = { data: Float32Array.of(-5, 0.5), shape: [1, 2] }
  const direction = new Map([['p', { data: Float32Array.of(1, 1), shape: [2] }]])
  const session = await InferenceSession.create(await exportJvp(network, direction))
  const { tangent } = await session.run({ x: new Tensor('float32', x.data, x.shape) })
  const [first, second] = (tangent as Tensor).data as Float32Array
  t.is(Math.abs(first as number), 0)
  // exp(−1/r)/r² at r = 0.75.
  near(t, second, Math.exp(-1 / 0.75) / 0.5625, { absolute: 1e-6 })
})

test('unusual recurrent layers are refused by name before anything is fitted', async (t) => {
  const layer = (attributes: NodeSpec['attributes']) =>
    model({
      nodes: [
        {
          op: 'RNN',
          name: 'first',
          inputs: ['t', 'w', 'r'],
          outputs: ['h'],
          attributes: { hidden_size: 2, ...attributes },
        },
        { op: 'Squeeze', inputs: ['h', 'axis'], outputs: ['s'] },
        { op: 'Transpose', inputs: ['s'], outputs: ['y'], attributes: { perm: [1, 0, 2] } },
      ],
      initializers: {
        w: floats([1, 2, 3], [1, 2, 3, 4, 5, 6]),
        r: floats([1, 2, 2], [1, 0, 0, 1]),
        axis: ints([1]),
      },
      inputs: [{ name: 't', shape: ['T', 'N', 3] }],
      outputs: [{ name: 'y', shape: ['N', 'T', 2] }],
    })
  const axes = { batchAxis: { t: 1 } }
  await t.notThrowsAsync(checkExport(await load(t, layer({}), axes)))
  await t.notThrowsAsync(checkExport(await load(t, layer({ activations: ['tanh'] }), axes)))
  const odd = await load(t, layer({ activations: ['Relu'] }), { ...axes, unsupported: 'defer' })
  await t.throwsAsync(checkExport(odd), { code: 'UNSUPPORTED', message: /first/ })
})
