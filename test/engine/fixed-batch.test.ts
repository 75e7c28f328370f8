// Files that fix the batch: one sample at a time, or made free.
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import type { NdArray } from '../../lib/index.js'
import { openModel } from '../../lib/onnx/index.js'
import { type ModelProto, ModelProtoSchema } from '../../lib/protobuf/index.js'
import { near } from '../support/near.js'
import { load, samples } from '../support/networks.js'
import { floats, ints, model, type NodeSpec } from '../support/onnx.js'
import { Random } from '../support/random.js'

const random = new Random(1)

test('a batch fixed by the file', async (t) => {
  const fixed = (batch: number) =>
    model({
      nodes: [
        { op: 'Reshape', inputs: ['x', 'shape'], outputs: ['flat'] },
        { op: 'Gemm', inputs: ['flat', 'w'], outputs: ['h'] },
        { op: 'Relu', inputs: ['h'], outputs: ['y'] },
      ],
      initializers: {
        w: floats([4, 3], new Random(9).normals(12)),
        shape: ints([batch, 4]),
      },
      inputs: [{ name: 'x', shape: [batch, 2, 2] }],
      outputs: [{ name: 'y', shape: [batch, 3] }],
    })
  const one = await load(t, fixed(1))
  const free = await load(
    t,
    model({
      nodes: [
        { op: 'Reshape', inputs: ['x', 'shape'], outputs: ['flat'] },
        { op: 'Gemm', inputs: ['flat', 'w'], outputs: ['h'] },
        { op: 'Relu', inputs: ['h'], outputs: ['y'] },
      ],
      initializers: { w: floats([4, 3], new Random(9).normals(12)), shape: ints([-1, 4]) },
      inputs: [{ name: 'x', shape: ['N', 2, 2] }],
      outputs: [{ name: 'y', shape: ['N', 3] }],
    }),
  )
  const x = samples(random, [5, 2, 2])
  near(t, await one.run(x), await free.run(x), 1e-6)
  near(t, await one.ntk(x), await free.ntk(x), 1e-6)
  // The file calls the batch free, but a node holds a batch of one.
  const { graph, ...rest } = fromBinary(ModelProtoSchema, fixed(1))
  const type = graph?.input[0]?.type?.value
  if (type?.case !== 'tensorType' || !type.value.shape?.dim[0]) return t.fail()
  type.value.shape.dim[0].value = { case: 'dimParam', value: 'N' }
  const baked = await load(t, toBinary(ModelProtoSchema, { graph, ...rest } as ModelProto))
  near(t, await baked.run(x), await free.run(x), 1e-6)
  near(t, await baked.ntk(x), await free.ntk(x), 1e-6)
  const [j, truth] = [await baked.jacobian(x), await free.jacobian(x)]
  for (const [name, value] of j) near(t, value, truth.get(name) as NdArray, 1e-6)
  // A batch of several is made free, with the shapes that hold it.
  const several = await load(t, fixed(3))
  near(t, await several.run(x), await free.run(x), 1e-6)
  near(t, await several.ntk(x), await free.ntk(x), 1e-6)
  const { notes } = await openModel(fixed(3))
  t.regex(notes.join(), /fixed batch of 3 is made free in the inputs, and in 1 constant shapes/)
})

test('a fixed batch whose samples cannot be distinguished is refused', async (t) => {
  const fixed = (nodes: NodeSpec[]) =>
    model({
      nodes,
      initializers: {
        token: floats([1, 1, 2], [1, 2]),
        places: ints([3, 1, 2]),
        zero: ints([0], []),
        states: floats([3, 4, 2], new Random(2).normals(24)),
        w: floats([2, 2], new Random(3).normals(4)),
      },
      inputs: [{ name: 'x', shape: [3, 4, 2] }],
      outputs: [{ name: 'y', shape: [3, 'T', 2] }],
    })
  const x = samples(new Random(4), [5, 4, 2])
  const node = (op: string, inputs: string[], output: string, attributes = {}) => ({
    op,
    inputs,
    outputs: [output],
    attributes,
  })
  // A token in front of every sample's own.
  const good = await load(
    t,
    fixed([
      node('Expand', ['token', 'places'], 'tokens'),
      node('Concat', ['tokens', 'x'], 'all', { axis: 1 }),
      node('MatMul', ['all', 'w'], 'y'),
    ]),
  )
  t.deepEqual((await good.ntk(x)).shape, [5, 10, 5, 10])
  const mixed = await load(
    t,
    fixed([
      node('ReduceMean', ['x'], 'mean', { axes: [0] }),
      node('Sub', ['x', 'mean'], 'centred'),
      node('MatMul', ['centred', 'w'], 'y'),
    ]),
  )
  await t.throwsAsync(mixed.ntk(x), { message: /mean|ReduceMean/i })
  await t.throwsAsync(mixed.run(x), { code: 'UNSUPPORTED' })
  // An array with the batch in it fits that many samples only, and mixes them where it comes first.
  const both = [
    node('Add', ['x', 'states'], 'sum'),
    node('CumSum', ['sum', 'zero'], 'met'),
    node('MatMul', ['met', 'w'], 'y'),
  ]
  const baked = await load(t, fixed(both))
  await t.throwsAsync(baked.ntk(x), { code: 'UNSUPPORTED', message: /batch of 3.*meet/ })
  await t.throwsAsync(baked.run(x), { code: 'UNSUPPORTED', message: /batch of 3.*meet/ })
})
