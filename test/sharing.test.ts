// One weight in several places: its features are the sum over its uses, cross terms included; and
// a weight behind a view keeps its features in factors.
import test from 'ava'
import { type NdArray, Network } from '../lib/index.js'
import { gramOf } from './support/gram.js'
import { near } from './support/near.js'
import { floats, type ModelSpec, model } from './support/onnx.js'
import { Random } from './support/random.js'

const methods = ['auto', 'jacobian', 'structured', 'mixed'] as const
const random = new Random(11)
const normals = (...shape: number[]) =>
  floats(shape, random.normals(shape.reduce((product, size) => product * size, 1)))
const input: ModelSpec['inputs'] = [{ name: 'x', shape: ['N', 5] }]
const image: ModelSpec['inputs'] = [{ name: 'x', shape: ['N', 3, 6, 6] }]
const outputs: ModelSpec['outputs'] = [{ name: 'y', shape: ['N', 'O'] }]
const node = (op: string, inputs: string[], output: string, attributes = {}) => ({
  op,
  inputs,
  outputs: [output],
  attributes,
})

const shared: Record<string, ModelSpec> = {
  'a weight in two layers': {
    inputs: input,
    outputs,
    initializers: { w: normals(5, 5), b: normals(5) },
    nodes: [
      node('Gemm', ['x', 'w', 'b'], 'p'),
      node('Relu', ['p'], 'h'),
      node('Gemm', ['h', 'w', 'b'], 'y'),
    ],
  },
  'a weight and its transpose': {
    inputs: input,
    outputs,
    initializers: { w: normals(5, 4) },
    nodes: [
      node('MatMul', ['x', 'w'], 'p'),
      node('Relu', ['p'], 'h'),
      node('Gemm', ['h', 'w'], 'y', { transB: 1 }),
    ],
  },
  'a transposed copy of a weight': {
    inputs: input,
    outputs,
    initializers: { w: normals(4, 5) },
    nodes: [
      node('Transpose', ['w'], 'v', { perm: [1, 0] }),
      node('MatMul', ['x', 'v'], 'p'),
      node('Relu', ['p'], 'h'),
      node('MatMul', ['h', 'w'], 'y'),
    ],
  },
  'a transposed weight that two layers read': {
    inputs: input,
    outputs,
    initializers: { w: normals(5, 5) },
    nodes: [
      node('Transpose', ['w'], 'v', { perm: [1, 0] }),
      node('MatMul', ['x', 'v'], 'p'),
      node('Relu', ['p'], 'h'),
      node('MatMul', ['h', 'v'], 'y'),
    ],
  },
  'a kernel in two convolutions of one branch each': {
    inputs: image,
    outputs,
    initializers: { w: normals(3, 3, 3, 3), b: normals(3) },
    nodes: [
      node('Conv', ['x', 'w', 'b'], 'p', { pads: [1, 1, 1, 1] }),
      node('Relu', ['p'], 'h'),
      node('Conv', ['h', 'w', 'b'], 'q', { strides: [2, 2] }),
      node('Conv', ['x', 'w'], 'r', { strides: [2, 2] }),
      node('Mul', ['q', 'r'], 's'),
      node('Flatten', ['s'], 'y'),
    ],
  },
  'a bias that is also a scale': {
    inputs: input,
    outputs,
    initializers: { w: normals(5, 4), b: normals(4) },
    nodes: [
      node('Gemm', ['x', 'w', 'b'], 'p'),
      node('Relu', ['p'], 'h'),
      node('Mul', ['h', 'b'], 'y'),
    ],
  },
}

const samples = (shape: readonly (number | string)[], count: number): NdArray => {
  const sizes = [count, ...shape.slice(1).map(Number)]
  return { data: random.normals(sizes.reduce((p, s) => p * s, 1)), shape: sizes }
}

for (const [name, spec] of Object.entries(shared)) {
  test(`${name}: features are the sum over the uses`, async (t) => {
    const bytes = model(spec)
    const x = samples((spec.inputs ?? [])[0]?.shape ?? [], 4)
    const tied = await Network.load(bytes)
    const apart = await Network.load(bytes, { untied: true })
    t.teardown(() => Promise.all([tied.dispose(), apart.dispose()]))
    const whole = await tied.jacobian(x)
    const parts = await apart.jacobian(x)
    t.true(parts.size > whole.size || name.includes('transposed'))
    for (const [parameter, value] of whole) {
      const sum = new Float64Array(value.data.length)
      for (const [part, piece] of parts) {
        if (part !== parameter && !part.startsWith(`${parameter}#`)) continue
        piece.data.forEach((v, e) => {
          sum[e] = (sum[e] as number) + v
        })
      }
      near(t, value, { data: sum, shape: value.shape }, 1e-6, parameter)
    }
    const gram = gramOf([...whole.values()])
    for (const method of methods)
      for (const block of [undefined, 1, 3]) {
        const kernel = await tied.ntk(x, { method, ...(block ? { block } : {}) })
        near(t, kernel, { data: gram, shape: kernel.shape }, 2e-6, method)
      }
  })
}

test('a weight behind Transpose or Reshape keeps its factors and its own shape', async (t) => {
  const w = random.normals(20)
  const turned = Float32Array.from(w, (_, e) => w[(e % 4) * 5 + Math.floor(e / 4)] as number)
  const plain: ModelSpec = {
    inputs: input,
    outputs,
    initializers: { w: floats([5, 4], turned) },
    nodes: [node('MatMul', ['x', 'w'], 'y')],
  }
  const behind: ModelSpec = {
    inputs: input,
    outputs,
    initializers: { w: floats([20], w), shape: { type: 'int64', shape: [2], data: [4, 5] } },
    nodes: [
      node('Reshape', ['w', 'shape'], 'r'),
      node('Transpose', ['r'], 'v'),
      node('MatMul', ['x', 'v'], 'y'),
    ],
  }
  const x = samples(['N', 5], 3)
  const [a, b] = [await Network.load(model(plain)), await Network.load(model(behind))]
  t.teardown(() => Promise.all([a.dispose(), b.dispose()]))
  near(t, await b.ntk(x), await a.ntk(x), 1e-6)
  const direct = (await a.jacobian(x)).get('w') as NdArray
  const viewed = (await b.jacobian(x)).get('w') as NdArray
  t.deepEqual(viewed.shape, [3, 4, 20])
  const back = Float64Array.from(direct.data, Number)
  for (let row = 0; row < 12; row += 1)
    for (let i = 0; i < 5; i += 1)
      for (let j = 0; j < 4; j += 1)
        back[row * 20 + j * 5 + i] = Number(direct.data[row * 20 + i * 4 + j])
  near(t, viewed, { data: back, shape: [3, 4, 20] }, 1e-6)
})
