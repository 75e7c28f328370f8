// Networks of many nodes and parameters, and of values whose sizes do not fit 32 bits.
import test from 'ava'
import { Network, TangentError } from '../../lib/index.js'
import { floats, model, type NodeSpec, type Tensor } from '../support/onnx.js'

const chain = (count: number, node: (k: number) => Omit<NodeSpec, 'outputs'>): NodeSpec[] =>
  Array.from({ length: count }, (_, k) => ({ ...node(k), outputs: [`h${k + 1}`] }))

test('all values of 100,000 nodes are known without a run', async (t) => {
  const count = 100_000
  const network = await Network.load(
    model({
      inputs: [{ name: 'h0', shape: ['N', 2] }],
      outputs: [{ name: `h${count}`, shape: ['N', 2] }],
      initializers: { b: floats([2], [1, 2]) },
      nodes: chain(count, (k) => ({
        op: k === 0 ? 'Add' : 'Identity',
        inputs: k === 0 ? ['h0', 'b'] : [`h${k}`],
      })),
    }),
  )
  t.teardown(() => network.dispose())
  t.is(network.operators.get('Identity'), count - 1)
  const values = await network.values()
  t.is(values.length, count)
  t.true(values.every(({ type, shape }) => type === 'float32' && shape?.[1] === 2))
})

test('20,000 parameters', async (t) => {
  const count = 20_000
  const initializers: Record<string, Tensor> = {}
  for (let k = 0; k < count; k += 1) initializers[`layer.${k}.b`] = floats([1], [k])
  const network = await Network.load(
    model({
      inputs: [{ name: 'h0', shape: ['N', 1] }],
      outputs: [{ name: `h${count}`, shape: ['N', 1] }],
      initializers,
      nodes: chain(count, (k) => ({ op: 'Add', inputs: [`h${k}`, `layer.${k}.b`] })),
    }),
  )
  t.teardown(() => network.dispose())
  t.is(network.parameters.length, count)
  t.deepEqual([...network.weight('layer.19999.b').data], [19999])
  const changed = await network.withParameters(
    new Map(network.parameters.map(({ name }) => [name, Float32Array.of(7)])),
  )
  t.teardown(() => changed.dispose())
  t.true(changed.parameters.every(({ name }) => changed.weight(name).data[0] === 7))
})

test('34 values, each twice as large as the one before, are refused before a run', async (t) => {
  const network = await Network.load(
    model({
      inputs: [{ name: 'x', shape: ['N', 4] }],
      outputs: [{ name: 'y', shape: ['N', 1] }],
      initializers: { w: floats([1], [0.5]) },
      nodes: [
        { op: 'Mul', inputs: ['x', 'w'], outputs: ['h0'] },
        ...chain(34, (k) => ({
          op: 'Concat',
          inputs: [`h${k}`, `h${k}`],
          attributes: { axis: 1 },
        })),
        { op: 'ReduceMean', inputs: ['h34'], outputs: ['y'], attributes: { axes: [1] } },
      ],
    }),
    { memory: '1GiB' },
  )
  t.teardown(() => network.dispose())
  const x = { data: Float32Array.of(1, 2, 3, 4), shape: [1, 4] }
  for (const call of [() => network.run(x), () => network.ntk(x)]) {
    const error = await t.throwsAsync(call(), { instanceOf: TangentError, message: /Concat_/ })
    t.is((error as TangentError).code, 'MEMORY_BUDGET')
  }
})
