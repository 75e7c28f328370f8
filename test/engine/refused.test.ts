// Networks whose derivatives would mean something else than asked for, refused when they are opened.
import test from 'ava'
import { Network } from '../../lib/index.js'
import { load, samples } from '../support/networks.js'
import { floats, model, Random, type Tensor } from '../support/onnx.js'

const random = new Random(3)

test('dropout in training mode is refused when the network is opened', async (t) => {
  const truth = (value: number): Tensor => ({ type: 'bool', shape: [], data: [value] })
  const source = (mode: Tensor, stored: boolean) =>
    model({
      nodes: [
        { op: 'Mul', inputs: ['x', 'w'], outputs: ['a'] },
        ...(stored
          ? []
          : [
              { op: 'Constant', inputs: [], outputs: ['mode'], attributes: { value: { t: mode } } },
            ]),
        { op: 'Dropout', inputs: ['a', 'ratio', 'mode'], outputs: ['y'], name: 'drop' },
      ],
      initializers: {
        w: floats([3], [1, 2, 3]),
        ratio: floats([], [0.5]),
        ...(stored ? { mode } : {}),
      },
      inputs: [{ name: 'x', shape: ['N', 3] }],
      outputs: [{ name: 'y', shape: ['N', 3] }],
      opset: 13,
    })
  const x = samples(random, [2, 3])
  for (const stored of [true, false]) {
    await t.throwsAsync(Network.load(source(truth(1), stored)), {
      code: 'UNSUPPORTED',
      message: /Dropout.*drop.*training mode.*evaluation mode/,
    })
    const network = await load(t, source(truth(0), stored))
    t.deepEqual((await network.jacobian(x)).get('w')?.shape, [2, 3, 3])
  }
})

test('quantised weights are refused, not left out', async (t) => {
  const source = model({
    nodes: [
      { op: 'DequantizeLinear', inputs: ['q', 's', 'z'], outputs: ['w'], name: 'unpack' },
      { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] },
      { op: 'Add', inputs: ['h', 'b'], outputs: ['y'] },
    ],
    initializers: {
      q: { type: 'uint8', shape: [3, 2], data: [1, 2, 3, 4, 5, 6] },
      s: floats([], [0.1]),
      z: { type: 'uint8', shape: [], data: [3] },
      b: floats([2], [1, 2]),
    },
    inputs: [{ name: 'x', shape: ['N', 3] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
    opset: 13,
  })
  await t.throwsAsync(Network.load(source), {
    code: 'UNSUPPORTED',
    message: /DequantizeLinear.*unpack.*before quantisation/,
  })
  const network = await load(t, source, { parameters: 'b' })
  t.deepEqual((await network.ntk(samples(random, [2, 3]))).shape, [2, 2, 2, 2])
})
