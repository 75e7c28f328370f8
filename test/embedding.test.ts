// Rows of a weight picked by number: the same features as its product with one-hot rows has, at a
// cost that does not depend on how many rows there are.
import test from 'ava'
import { type NdArray, Network, type TangentKernel } from '../lib/index.js'
import { gramOf } from './support/gram.js'
import { near } from './support/near.js'
import { floats, ints, type ModelSpec, model, type NodeSpec } from './support/onnx.js'
import { Random } from './support/random.js'

const V = 7
const T = 3
const random = new Random(5)
const normals = (...shape: number[]) =>
  floats(shape, random.normals(shape.reduce((product, size) => product * size, 1)))
const node = (op: string, inputs: string[], output: string, attributes = {}): NodeSpec => ({
  op,
  inputs,
  outputs: [output],
  attributes,
})
const initializers = {
  e: normals(V, 4),
  f: normals(4, V),
  g: normals(2, V, 3),
  p: normals(5, 4),
  u: normals(4, V),
  w: normals(12, 3),
  z: normals(18, 3),
  places: ints([0, 2, 2]),
  chosen: floats([3, 5], [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0]),
  wide: ints([V, 6]),
}
type Pick = (output: string) => NodeSpec[]
const outputs: ModelSpec['outputs'] = [{ name: 'y', shape: ['N', 'O'] }]
const rows: Pick = (output) => [node('Gather', ['e', 'ids'], output)]
const products: Pick = (output) => [node('MatMul', ['ids', 'e'], output)]

/** Each network with Gather and with products of one-hot rows in its place. */
const cases: Record<string, (picks: boolean) => NodeSpec[]> = {
  'an embedding': (picks) => [
    ...(picks ? rows : products)('a'),
    node('Flatten', ['a'], 'b'),
    node('Tanh', ['b'], 'c'),
    node('MatMul', ['c', 'w'], 'y'),
  ],
  'an embedding read twice': (picks) => [
    ...(picks ? rows : products)('a'),
    ...(picks ? rows : products)('b'),
    node('Tanh', ['a'], 'c'),
    node('Mul', ['b', 'c'], 'd'),
    node('Flatten', ['d'], 'k'),
    node('MatMul', ['k', 'w'], 'y'),
  ],
  'an embedding tied to the output': (picks) => [
    ...(picks ? rows : products)('a'),
    node('Tanh', ['a'], 'b'),
    node('Transpose', ['e'], 't', { perm: [1, 0] }),
    node('MatMul', ['b', 't'], 'c'),
    node('Flatten', ['c'], 'y'),
  ],
  'an embedding that is also mixed': (picks) => [
    ...(picks ? rows : products)('a'),
    node('MatMul', ['a', 'u'], 'b'),
    node('Softmax', ['b'], 'c', { axis: -1 }),
    node('MatMul', ['c', 'e'], 'd'),
    node('Flatten', ['d'], 'y'),
  ],
  'columns of a weight': (picks) => [
    ...(picks
      ? [node('Gather', ['f', 'ids'], 'a', { axis: 1 })]
      : [
          node('Transpose', ['f'], 's', { perm: [1, 0] }),
          node('MatMul', ['ids', 's'], 'r'),
          node('Transpose', ['r'], 'a', { perm: [2, 0, 1] }),
        ]),
    node('Tanh', ['a'], 'b'),
    node('Transpose', ['b'], 'c', { perm: [1, 2, 0] }),
    node('Flatten', ['c'], 'd'),
    node('MatMul', ['d', 'w'], 'y'),
  ],
  'slices of a weight of rank 3': (picks) => [
    ...(picks
      ? [
          node('Gather', ['g', 'ids'], 'r', { axis: 1 }),
          node('Transpose', ['r'], 'a', { perm: [1, 2, 0, 3] }),
        ]
      : [
          node('Transpose', ['g'], 's', { perm: [1, 0, 2] }),
          node('Reshape', ['s', 'wide'], 't'),
          node('MatMul', ['ids', 't'], 'a'),
        ]),
    node('Flatten', ['a'], 'b'),
    node('Tanh', ['b'], 'c'),
    node('MatMul', ['c', 'z'], 'y'),
  ],
  'rows that are the same for all samples': (picks) => [
    ...(picks ? rows : products)('a'),
    picks ? node('Gather', ['p', 'places'], 'b') : node('MatMul', ['chosen', 'p'], 'b'),
    node('Add', ['a', 'b'], 'c'),
    node('Tanh', ['c'], 'd'),
    node('Flatten', ['d'], 'k'),
    node('MatMul', ['k', 'w'], 'y'),
  ],
}

function spec(nodes: NodeSpec[], picks: boolean): ModelSpec {
  const used = new Set(nodes.flatMap(({ inputs }) => inputs))
  return {
    inputs: picks
      ? [{ name: 'ids', shape: ['N', T], type: 'int64' }]
      : [{ name: 'ids', shape: ['N', T, V] }],
    outputs,
    initializers: Object.fromEntries(
      Object.entries(initializers).filter(([name]) => used.has(name)),
    ),
    nodes,
  }
}

/** Tokens of `count` samples, few enough that some occur twice in one; and the same in one-hot rows. */
function tokens(count: number): { ids: NdArray; hot: NdArray } {
  const ids = Array.from({ length: count * T }, () => random.integer(0, 4))
  const hot = new Float32Array(count * T * V)
  ids.forEach((id, place) => {
    hot[place * V + id] = 1
  })
  // Some count from the end.
  const given = ids.map((id) => BigInt(random.chance(0.2) ? id - V : id))
  return {
    ids: { data: BigInt64Array.from(given), shape: [count, T] },
    hot: { data: hot, shape: [count, T, V] },
  }
}

for (const [name, nodes] of Object.entries(cases)) {
  test(`${name}: all methods agree with one-hot rows`, async (t) => {
    const network = await Network.load(model(spec(nodes(true), true)))
    const parameters = network.parameters.map((parameter) => parameter.name)
    const truth = await Network.load(model(spec(nodes(false), false)), { parameters })
    t.teardown(() => Promise.all([network.dispose(), truth.dispose()]))
    const [x, x2] = [tokens(5), tokens(4)]
    const options = { outputs: [2, 0, 1] }
    const jacobian = await network.jacobian(x.ids, options)
    const expected = await truth.jacobian(x.hot, options)
    const expected2 = await truth.jacobian(x2.hot, options)
    t.deepEqual([...jacobian.keys()].sort(), [...expected.keys()].sort())
    for (const [parameter, value] of jacobian) {
      near(t, value, expected.get(parameter) as NdArray, 1e-6, parameter)
    }
    const full = { data: gramOf([...expected.values()]), shape: [5, 3, 5, 3] }
    const across = {
      data: gramOf([...expected.values()], [...expected2.values()]),
      shape: [5, 3, 4, 3],
    }
    for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const)
      for (const block of [undefined, 1, 3])
        for (const kernel of ['full', 'trace', 'diagonal'] as const) {
          const how = { ...options, method, kernel, ...(block ? { block } : {}) }
          const said = `${method}, ${kernel}, blocks of ${block ?? 'any'}`
          const k = await network.ntk(x.ids, how)
          near(t, k, reduced(full, kernel), 3e-6, said)
          const k2 = await network.ntk(x.ids, x2.ids, how)
          near(t, k2, reduced(across, kernel), 3e-6, said)
        }
    const v = { data: random.normals(15), shape: [5, 3] }
    const product = await network.ntkProduct(x.ids, v, options)
    near(t, product, await truth.ntkProduct(x.hot, v, options), 3e-6)
    const gradient = await network.vjp(x.ids, v, options)
    for (const [parameter, value] of await truth.vjp(x.hot, v, options)) {
      near(t, gradient.get(parameter) as NdArray, value, 3e-6, parameter)
    }
    const tangent = await network.jvp(x.ids, gradient, options)
    near(t, tangent, product, 3e-6)
  })
}

/** The trace or diagonal kernel of a full one. */
function reduced(full: NdArray, kernel: TangentKernel['kind']): NdArray {
  if (kernel === 'full') return full
  const [n, o, m] = full.shape as [number, number, number, number]
  const at = (i: number, j: number, q: number) => Number(full.data[((i * o + q) * m + j) * o + q])
  const data: number[] = []
  for (let i = 0; i < n; i += 1)
    for (let j = 0; j < m; j += 1) {
      const diagonal = Array.from({ length: o }, (_, q) => at(i, j, q))
      if (kernel === 'trace') data.push(diagonal.reduce((sum, value) => sum + value, 0))
      else data.push(...diagonal)
    }
  const shape = kernel === 'trace' ? [n, m] : [n, m, o]
  return { data: Float64Array.from(data), shape }
}

test('features tell the columns, and multiply out to the Jacobian', async (t) => {
  const nodes = (cases['an embedding'] as (picks: boolean) => NodeSpec[])(true)
  const network = await Network.load(model(spec(nodes, true)))
  t.teardown(() => network.dispose())
  const { ids } = tokens(6)
  for (const block of [undefined, 1, 4]) {
    const options = { outputs: [1], ...(block ? { block } : {}) }
    const found = (await network.features(ids, options)).get('e')
    if (found?.kind !== 'rows') return t.fail('the rows are not told by number')
    t.deepEqual(
      [...found.columns.data],
      [...ids.data].map((id) => (Number(id) + V) % V),
    )
    t.deepEqual([found.k, found.transposed, found.delta.shape], [V, true, [6, 1, T, 4]])
    const data = new Float64Array(6 * V * 4)
    found.delta.data.forEach((value, e) => {
      const place = Math.floor(e / 4)
      const at = (Math.floor(place / T) * V + (found.columns.data[place] as number)) * 4 + (e % 4)
      data[at] = (data[at] as number) + value
    })
    const truth = (await network.jacobian(ids, options)).get('e') as NdArray
    near(t, { data, shape: [6, 1, V, 4] }, truth, 1e-6)
  }
})

test('memory does not depend on the number of rows', async (t) => {
  const [rowCount, width, length, count] = [50_000, 64, 32, 8]
  const bytes = model({
    inputs: [{ name: 'ids', shape: ['N', length], type: 'int64' }],
    outputs,
    initializers: {
      e: normals(rowCount, width),
      u: normals(width, width),
      w: normals(width, 2),
    },
    nodes: [
      node('Gather', ['e', 'ids'], 'a'),
      node('MatMul', ['a', 'u'], 'b'),
      node('Tanh', ['b'], 'c'),
      node('ReduceMean', ['c'], 'd', { axes: [1], keepdims: 0 }),
      node('MatMul', ['d', 'w'], 'y'),
    ],
  })
  const network = await Network.load(bytes)
  t.teardown(() => network.dispose())
  const ids = Array.from({ length: count * length }, () => random.integer(0, rowCount - 1))
  const x = { data: BigInt64Array.from(ids, BigInt), shape: [count, length] }
  // One sample's one-hot rows alone are 6.4 MB, one output's expanded features 12.8 MB.
  const memory = 3e6
  for (const method of ['auto', 'structured', 'mixed'] as const) {
    const kernel = await network.ntk(x, { method, memory })
    near(t, kernel, await network.ntk(x, { method, block: 1 }), 1e-6)
  }
  const error = await t.throwsAsync(network.ntk(x, { method: 'jacobian', memory }))
  t.is((error as { code?: string }).code, 'MEMORY_BUDGET')
  const features = await network.features(x, { memory })
  t.is(features.get('e')?.kind, 'rows')
})
