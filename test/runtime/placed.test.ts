// Values that onnxruntime writes where they stay: the same numbers as those that it gives, whatever is said of
// their shapes, and never in memory that another run has.
import test from 'ava'
import type * as ort from 'onnxruntime-node'
import { prepareGraph } from '../../lib/graph/prepare.js'
import { skeleton } from '../../lib/graph/skeleton.js'
import { openModel } from '../../lib/onnx/index.js'
import { Places } from '../../lib/runtime/placed.js'
import type { Feed } from '../../lib/runtime/protocol.js'
import { type Outcome, Session } from '../../lib/runtime/session.js'
import { Sessions } from '../../lib/runtime/sessions.js'
import { near } from '../support/near.js'
import { load, samples } from '../support/networks.js'
import { floats, ints, model, type NodeSpec } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { node, weight } from '../support/small.js'

const nodes = [
  node('Conv', ['x', 'kernel', 'bias'], 'conv', { kernel_shape: [3], pads: [1, 1] }),
  node('Relu', ['conv'], 'relu'),
  node('Identity', ['relu'], 'same'),
  node('Reshape', ['same', 'flat'], 'reshaped'),
  node('MaxPool', ['relu'], 'pooled', { kernel_shape: [3], strides: [2], ceil_mode: 1 }),
  node('Cast', ['relu'], 'whole', { to: 7 }),
  node('Greater', ['relu', 'half'], 'mask'),
  node('Slice', ['relu', 'none', 'none', 'last'], 'empty'),
  node('ReduceMean', ['pooled'], 'y', { axes: [2], keepdims: 0 }),
]
const values = nodes.flatMap(({ outputs }) => outputs)

async function sessionsOf(opset = 13, made: NodeSpec[] = nodes): Promise<Sessions> {
  const initializers = {
    kernel: weight([6, 4, 3]),
    bias: weight([6], 2),
    half: floats([], [0.5]),
    flat: ints([0, -1]),
    none: ints([0]),
    last: ints([2]),
  }
  const source = model({
    nodes: made,
    initializers,
    inputs: [{ name: 'x', shape: ['N', 4, 'L'] }],
    outputs: [{ name: 'y', shape: ['N', 6] }],
    opset,
  })
  const opened = await openModel(source)
  const graph = prepareGraph(opened)
  const init = { inputs: [], free: true, double: false, outputs: ['y'] }
  return new Sessions({ ...init, skeleton: skeleton(opened, graph, []), graph: graph.native })
}

function feedOf(seed: number, shape = [8, 4, 2047]): Feed {
  const { data } = samples(new Random(seed), shape)
  const array = { name: 'x', type: 'float32' as const, shape, data: data as Float32Array }
  return { samples: shape[0] as number, arrays: [array] }
}

const places = new Places()
const wanted = { values, shapes: [], placed: true }

test('all types, values that are others, none at all, and each run has its own', async (t) => {
  for (const threads of [1, 2]) {
    const session = await (await sessionsOf()).get('placed', threads, wanted)
    const runs: { truth: Outcome; placed: Outcome }[] = []
    for (const seed of [1, 2, 3]) {
      const x = feedOf(seed)
      const truth = await session.run(x, 0, 8, new Map())
      const shapeOf = (name: string) => truth.values.get(name)?.dims ?? []
      runs.push({ truth, placed: await session.runInto(x, 0, 8, new Map(), shapeOf, new Places()) })
    }
    for (const { truth, placed } of runs) {
      t.truthy(placed.buffer)
      for (const name of values) {
        const { type, dims, data } = truth.values.get(name) as ort.Tensor
        const own = placed.values.get(name) as ort.Tensor
        t.deepEqual([own.type, own.dims], [type, dims], name)
        t.deepEqual(own.data, data, name)
      }
    }
  }
})

test('another shape than was told: the old way, from then on', async (t) => {
  const x = feedOf(4)
  for (const wrong of ['conv', 'same', 'reshaped', 'pooled', 'mask', 'empty']) {
    for (const change of [1, -1, 7]) {
      const session = await (await sessionsOf()).get(`${wrong} ${change}`, 1, wanted)
      const truth = await session.run(x, 0, 8, new Map())
      const shapeOf = (name: string) => {
        const dims = truth.values.get(name)?.dims ?? []
        return name === wrong ? dims.map((size) => Math.max(0, size + change)) : dims
      }
      for (const told of [shapeOf, (name: string) => truth.values.get(name)?.dims ?? []]) {
        const { values: own, buffer } = await session.runInto(x, 0, 8, new Map(), told, places)
        t.falsy(buffer)
        for (const name of values) t.deepEqual(own.get(name)?.data, truth.values.get(name)?.data)
      }
    }
  }
})

test('a run that ends before it writes is told by what it left', async (t) => {
  const data = new Float32Array(2 ** 18).fill(3)
  const run = (_feeds: object, fetches: object) =>
    Array.isArray(fetches)
      ? Promise.resolve({ v: { data } })
      : Promise.reject(new Error('Non tensor type'))
  const fetched = new Map([['v', 'v']])
  const given = { values: ['v'], shapes: [], fetched, types: new Map([['v', 'float32']]) }
  const session = new Session({ inputNames: [], run } as never, given, true)
  const told = () => [data.length]
  const { values: own, buffer } = await session.runInto(feedOf(9), 0, 8, new Map(), told, places)
  t.falsy(buffer)
  t.deepEqual(own.get('v')?.data, data)
})

test('memory that is given back is the next run’s, of another size it goes', (t) => {
  const own = new Places()
  const first = own.take(4096)
  t.not(own.take(4096), first)
  own.give(first)
  t.is(own.take(4096), first)
  own.give(first)
  const other = own.take(8192)
  t.deepEqual([first.byteLength, other.byteLength], [0, 8192])
  own.give(other)
  own.clear()
  t.is(other.byteLength, 0)
})

test('few numbers, an old opset, inputs that do not fit', async (t) => {
  const session = await (await sessionsOf()).get('placed', 1, wanted)
  const few = feedOf(5, [2, 4, 31])
  const truth = await session.run(few, 0, 2, new Map())
  const shapeOf = (name: string) => truth.values.get(name)?.dims ?? []
  t.falsy((await session.runInto(few, 0, 2, new Map(), shapeOf, places)).buffer)
  const bad = feedOf(6, [8, 5, 2047])
  const sizes = () => [8, 6, 2047]
  const known = await t.throwsAsync(session.run(bad, 0, 8, new Map()))
  const told = await t.throwsAsync(session.runInto(bad, 0, 8, new Map(), sizes, places))
  t.is(told?.message, known?.message)
  const old = await (await sessionsOf(10)).get('placed', 1, wanted)
  const x = feedOf(7)
  const first = await old.run(x, 0, 8, new Map())
  const shapes = (name: string) => first.values.get(name)?.dims ?? []
  const second = await old.runInto(x, 0, 8, new Map(), shapes, places)
  t.falsy(second.buffer)
  t.deepEqual(second.values.get('y')?.data, first.values.get('y')?.data)
})

test('kernels and products are the same in blocks whose values are few', async (t) => {
  const source = model({
    nodes: [
      node('Conv', ['x', 'kernel'], 'conv', { kernel_shape: [3], pads: [1, 1] }),
      node('Sigmoid', ['conv'], 'gated'),
      node('ConvTranspose', ['gated', 'up'], 'wide', { kernel_shape: [2], strides: [2] }),
      node('Tanh', ['wide'], 'bent'),
      node('ReduceMean', ['bent'], 'y', { axes: [2], keepdims: 0 }),
    ],
    initializers: { kernel: weight([8, 4, 3]), up: weight([8, 3, 2], 2) },
    inputs: [{ name: 'x', shape: ['N', 4, 'L'] }],
    outputs: [{ name: 'y', shape: ['N', 3] }],
  })
  const network = await load(t, source)
  const random = new Random(8)
  for (const length of [1021, 1500]) {
    const x = samples(random, [24, 4, length])
    const kernel = await network.ntk(x)
    near(t, await network.ntk(x, undefined, { block: 1 }), kernel, 1e-5, 'sample by sample')
    const other = await network.ntk(x, samples(random, [17, 4, length]), { block: 9 })
    t.deepEqual(other.shape, [24, 3, 17, 3])
    const operator = await network.kernelOperator(x)
    const v = samples(random, [24, 3])
    const product = Float64Array.from({ length: 72 }, (_, row) =>
      v.data.reduce((sum, value, e) => sum + value * Number(kernel.data[row * 72 + e]), 0),
    )
    for (let k = 0; k < 2; k += 1) {
      const data = await operator.product(Float64Array.from(v.data))
      near(t, { data, shape: [72] }, { data: product, shape: [72] }, 1e-5, `product ${k}`)
    }
  }
})
