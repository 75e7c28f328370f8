// New weights: variances by the parameter's use, whichever way round it is stored.
import test from 'ava'
import { buildMlp, initialize } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load } from '../support/networks.js'
import { floats, ints, model, type NodeSpec, type Tensor } from '../support/onnx.js'
import { Random } from '../support/random.js'

const random = new Random(1)
const weight = (...shape: number[]) =>
  floats(shape, random.normals(shape.reduce((product, size) => product * size, 1)))

const moment = (data: ArrayLike<number>) =>
  Array.from(data).reduce((sum, value) => sum + value * value, 0) / data.length

/** Dense layers stored in all ways, a convolution, norms and an embedding; x (N, 40). */
function mixed(): Uint8Array {
  const initializers: Record<string, Tensor> = {
    gemmT: weight(90, 40),
    gemmTb: weight(90),
    gemm: weight(90, 60),
    matmul: weight(60, 120),
    matmulB: weight(120),
    turned: weight(48, 120),
    gamma: weight(48),
    beta: weight(48),
    conv: weight(30, 4, 3, 3),
    convB: weight(30),
    slope: weight(30, 1, 1),
    deconv: weight(30, 7, 2, 2),
    rows: weight(50, 28),
    last: weight(10, 28),
    grid: ints([0, 8, 4, 3]),
    flat: ints([0, -1, 28]),
    tokens: ints([0, 1, 2, 3, 4, 5, 6]),
  }
  const nodes: NodeSpec[] = [
    { op: 'Gemm', inputs: ['x', 'gemmT', 'gemmTb'], outputs: ['a'], attributes: { transB: 1 } },
    { op: 'Gemm', inputs: ['a', 'gemm'], outputs: ['b'] },
    { op: 'MatMul', inputs: ['b', 'matmul'], outputs: ['c0'] },
    { op: 'Add', inputs: ['c0', 'matmulB'], outputs: ['c'] },
    { op: 'Transpose', inputs: ['turned'], outputs: ['turnedT'], attributes: { perm: [1, 0] } },
    { op: 'MatMul', inputs: ['c', 'turnedT'], outputs: ['d'] },
    { op: 'LayerNormalization', inputs: ['d', 'gamma', 'beta'], outputs: ['e'] },
    { op: 'Reshape', inputs: ['e', 'grid2'], outputs: ['f'] },
    { op: 'Conv', inputs: ['f', 'conv', 'convB'], outputs: ['g'], attributes: { group: 2 } },
    { op: 'PRelu', inputs: ['g', 'slope'], outputs: ['h'] },
    { op: 'ConvTranspose', inputs: ['h', 'deconv'], outputs: ['i'] },
    { op: 'Reshape', inputs: ['i', 'flat'], outputs: ['j'] },
    { op: 'Gather', inputs: ['rows', 'tokens'], outputs: ['k'] },
    { op: 'ReduceMean', inputs: ['k'], outputs: ['l'], attributes: { axes: [0], keepdims: 1 } },
    { op: 'Mul', inputs: ['j', 'l'], outputs: ['m'] },
    { op: 'ReduceMean', inputs: ['m'], outputs: ['n'], attributes: { axes: [1], keepdims: 0 } },
    { op: 'Gemm', inputs: ['n', 'last'], outputs: ['y'], attributes: { transB: 1 } },
  ]
  delete initializers.grid
  initializers.grid2 = ints([0, 8, 3, 2])
  initializers.conv = weight(30, 4, 3, 2)
  initializers.deconv = weight(30, 7, 4, 1)
  return model({
    nodes,
    initializers,
    inputs: [{ name: 'x', shape: ['N', 40] }],
    outputs: [{ name: 'y', shape: ['N', 10] }],
  })
}

const fans: Record<string, [number, number]> = {
  gemmT: [40, 90],
  gemm: [90, 60],
  matmul: [60, 120],
  turned: [120, 48],
  conv: [24, 90],
  deconv: [120, 28],
  last: [28, 10],
}

test('variances follow the fan-in and fan-out of each use', async (t) => {
  const network = await load(t, mixed())
  const variance = {
    he: ([from]: [number, number]) => 2 / from,
    lecun: ([from]: [number, number]) => 1 / from,
    glorot: ([from, to]: [number, number]) => 2 / (from + to),
    ntk: () => 1,
  }
  for (const scheme of ['he', 'lecun', 'glorot', 'ntk'] as const) {
    for (const truncated of [false, true]) {
      for (const [name, pair] of Object.entries(fans)) {
        const ratios: number[] = []
        for (let seed = 0; seed < 12; seed += 1) {
          const data = (await initialize(network, { scheme, truncated, seed })).get(name)?.data
          const ratio = moment(data ?? []) / variance[scheme](pair)
          ratios.push(ratio)
          if (truncated) {
            const most = Math.max(...(data ?? []).map(Math.abs))
            t.true(most <= (2 / 0.879) * Math.sqrt(variance[scheme](pair)))
          }
        }
        // A mean of squares of n normal numbers has a deviation of √(2/n).
        const numbers = 12 * (network.parameters.find((entry) => entry.name === name)?.count ?? 0)
        const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / 12
        near(t, mean, 1, { absolute: 5 * Math.sqrt(2 / numbers) }, `${scheme} ${name}`)
      }
    }
  }
})

test('norms become ones and zeros, embeddings N(0, 1), slopes stay, biases as told', async (t) => {
  const network = await load(t, mixed())
  const weights = await initialize(network)
  t.true(weights.get('gamma')?.data.every((value) => value === 1))
  t.true(weights.get('beta')?.data.every((value) => value === 0))
  t.false(weights.has('slope'))
  near(t, moment(weights.get('rows')?.data ?? []), 1, { absolute: 0.2 })
  for (const name of ['gemmTb', 'matmulB', 'convB']) {
    t.true(
      weights.get(name)?.data.every((value) => value === 0),
      name,
    )
  }
  const uniform = await initialize(network, { biases: 'uniform' })
  for (const [name, fanIn] of [
    ['gemmTb', 40],
    ['matmulB', 60],
    ['convB', 24],
  ] as const) {
    const data = uniform.get(name)?.data ?? new Float32Array()
    const most = Math.max(...data.map(Math.abs)) * Math.sqrt(fanIn)
    t.true(most <= 1 + 1e-6 && most > 0.85, `${name} ${most}`)
  }
  const normal = await initialize(network, { biases: 'normal' })
  near(t, moment(normal.get('matmulB')?.data ?? []), 1, { absolute: 0.6 })
})

test('the same seed gives the same numbers, another one others, for every weight its own', async (t) => {
  const network = await load(t, await buildMlp({ inputs: 8, hidden: [8], outputs: 8, bias: false }))
  const draw = async (seed: number) => [...(await initialize(network, { seed })).values()]
  const [a, b, c] = [await draw(4), await draw(4), await draw(5)]
  t.deepEqual(a, b)
  t.notDeepEqual(a, c)
  t.notDeepEqual(a[0]?.data, a[1]?.data)
  const frozen = await load(
    t,
    await buildMlp({ inputs: 8, hidden: [8], outputs: 8, bias: false }),
    {
      frozen: 'dense1.weight',
    },
  )
  const rest = await initialize(frozen, { seed: 4 })
  t.deepEqual([...rest.keys()], ['dense2.weight'])
  t.deepEqual(rest.get('dense2.weight'), a[1])
})

test('what cannot be drawn is named in one sentence, and can be kept', async (t) => {
  const odd = model({
    nodes: [
      { op: 'MatMul', inputs: ['x', 'w'], outputs: ['a'] },
      { op: 'Mul', inputs: ['a', 'table'], outputs: ['y'] },
    ],
    initializers: { w: weight(3, 4), table: weight(2, 4) },
    inputs: [{ name: 'x', shape: ['N', 2, 3] }],
    outputs: [{ name: 'y', shape: ['N', 2, 4] }],
  })
  const network = await load(t, odd)
  await t.throwsAsync(() => initialize(network), {
    name: 'TangentError',
    code: 'BAD_ARGUMENT',
    message: /fan-in but 1 tells none: "table" \(Mul\); name them in options\.keep/,
  })
  const weights = await initialize(network, { keep: ['table'] })
  t.deepEqual([...weights.keys()], ['w'])
  await t.throwsAsync(() => initialize(network, { keep: ['tabel'] }), { message: /options\.keep/ })
  const call = () => initialize(network, { keep: ['table'], biases: 'random' as 'zeros' })
  await t.throwsAsync(call, { message: /one of zeros, uniform, normal for options\.biases/ })
})
