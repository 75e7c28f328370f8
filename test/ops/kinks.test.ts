// Where a function has no derivative, the convention is PyTorch's (checked against torch 2.13).
import test from 'ava'
import { Network } from '../../lib/index.js'
import { floats, type ModelSpec, model, type NodeSpec } from '../support/onnx.js'

interface Kink {
  op: string
  what: string
  opset?: number
  attributes?: NodeSpec['attributes']
  /** Further inputs. */
  constants?: readonly number[][]
  at: readonly number[]
  /** Shape of a sample (default: a vector). */
  shape?: readonly number[]
  /** Σ over the outputs of ∂out/∂x, number by number. */
  derivative: readonly number[]
}

const selu = 1.7580993408473766

const kinks: readonly Kink[] = [
  { op: 'Relu', what: '0 at 0', at: [0, -0, 1], derivative: [0, 0, 1] },
  {
    op: 'LeakyRelu',
    what: 'the slope at 0',
    attributes: { alpha: { f: 0.25 } },
    at: [0, 1],
    derivative: [0.25, 1],
  },
  { op: 'PRelu', what: 'the slope at 0', constants: [[0.25]], at: [0], derivative: [0.25] },
  { op: 'Elu', what: 'alpha at 0', attributes: { alpha: { f: 0.5 } }, at: [0], derivative: [0.5] },
  { op: 'Selu', what: 'scale·alpha at 0', at: [0], derivative: [selu] },
  { op: 'Celu', what: '1 at 0', at: [0], derivative: [1] },
  {
    op: 'ThresholdedRelu',
    what: '0 at the threshold',
    attributes: { alpha: { f: 0.5 } },
    at: [0.5, 0.625],
    derivative: [0, 1],
  },
  {
    op: 'Clip',
    what: '1 at the bounds',
    constants: [[0], [1]],
    at: [0, 1, -0.5, 1.5, 0.5],
    derivative: [1, 1, 0, 0, 1],
  },
  {
    op: 'Clip',
    what: '1 at the bounds, which were attributes',
    opset: 9,
    attributes: { min: { f: 0 }, max: { f: 6 } },
    at: [0, 6, -1, 7],
    derivative: [1, 1, 0, 0],
  },
  {
    op: 'HardSigmoid',
    what: '0 at the bounds',
    attributes: { alpha: { f: 0.25 }, beta: { f: 0.5 } },
    at: [-2, 2, 0],
    derivative: [0, 0, 0.25],
  },
  { op: 'HardSwish', what: '0 at −3, 1 at 3', at: [-3, 3, 0], derivative: [0, 1, 0.5] },
  {
    op: 'Shrink',
    what: '0 at the bounds',
    attributes: { lambd: { f: 0.5 } },
    at: [0.5, -0.5, 1],
    derivative: [0, 0, 1],
  },
  { op: 'Abs', what: '0 at 0', at: [0, -2, 2], derivative: [0, -1, 1] },
  { op: 'Softsign', what: '1 at 0', at: [0], derivative: [1] },
  {
    op: 'Max',
    what: 'halves where two tie',
    constants: [[1, 0]],
    at: [1, 1],
    derivative: [0.5, 1],
  },
  {
    op: 'Min',
    what: 'halves where two tie',
    constants: [[1, 0]],
    at: [1, 1],
    derivative: [0.5, 0],
  },
  {
    op: 'Pow',
    what: '0 where the exponent is 0',
    constants: [[0]],
    at: [0, 2],
    derivative: [0, 0],
  },
  { op: 'Pow', what: '0 for 0²', constants: [[2]], at: [0, 2], derivative: [0, 4] },
  {
    op: 'MaxPool',
    what: 'all to the first of equal maxima',
    attributes: { kernel_shape: [2, 2] },
    shape: [1, 2, 2],
    at: [1, 3, 3, 3],
    derivative: [0, 1, 0, 0],
  },
  {
    op: 'GlobalMaxPool',
    what: 'all to the first of equal maxima',
    shape: [1, 2, 2],
    at: [1, 3, 3, 2],
    derivative: [0, 1, 0, 0],
  },
  { op: 'GlobalLpPool', what: '0 at 0', shape: [1, 2], at: [0, 0], derivative: [0, 0] },
]

for (const kink of kinks) {
  test.serial(`${kink.op}: ${kink.what}`, async (t) => {
    const { op, attributes = {}, constants = [], opset = 17, at } = kink
    const shape = kink.shape ?? [at.length]
    const names = constants.map((_, k) => `c${k}`)
    const spec: ModelSpec = {
      opset,
      inputs: [{ name: 'x', shape: ['N', ...shape] }],
      outputs: [{ name: 'y', shape: ['N', 'O'] }],
      initializers: { p: floats([1, ...shape], at) },
      nodes: [
        ...constants.map((data, k) => ({
          op: 'Constant',
          inputs: [],
          outputs: [`c${k}`],
          attributes: { value: { t: floats(data.length === 1 ? [] : [data.length], data) } },
        })),
        { op: 'Add', inputs: ['x', 'p'], outputs: ['a'] },
        { op, inputs: ['a', ...names], outputs: ['b'], attributes },
        { op: 'Flatten', inputs: ['b'], outputs: ['y'] },
      ],
    }
    const network = await Network.load(model(spec))
    try {
      const x = { data: new Float32Array(at.length), shape: [1, ...shape] }
      const outputs = (await network.run(x)).data.length
      const u = { data: new Float32Array(outputs).fill(1), shape: [1, outputs] }
      const found = (await network.vjp(x, u)).get('p')?.data ?? []
      t.deepEqual(
        Array.from(found, (value) => Math.round(value * 1e6) / 1e6),
        kink.derivative.map((value) => Math.round(value * 1e6) / 1e6),
      )
    } finally {
      await network.dispose()
    }
  })
}
