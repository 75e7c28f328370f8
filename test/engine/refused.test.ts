// Networks whose derivatives would mean something else than asked for, refused when they are opened.
import test from 'ava'
import { Network } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, samples } from '../support/networks.js'
import { floats, model, type Tensor } from '../support/onnx.js'
import { Random } from '../support/random.js'

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

/** x·dequantised(q) + b, then perhaps through quantised activations. */
function quantised(activations: boolean): Uint8Array {
  const through = ['QuantizeLinear', 'DequantizeLinear'] as const
  return model({
    nodes: [
      { op: 'DequantizeLinear', inputs: ['q', 's', 'z'], outputs: ['w'], name: 'unpack' },
      { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] },
      { op: 'Mul', inputs: ['h', 'b'], outputs: [activations ? 'f' : 'g'] },
      ...(activations
        ? [
            { op: through[0], inputs: ['f', 's', 'z'], outputs: ['i'], name: 'pack' },
            { op: through[1], inputs: ['i', 's', 'z'], outputs: ['g'], name: 'again' },
          ]
        : []),
      { op: 'Add', inputs: ['g', 'c'], outputs: ['y'] },
    ],
    initializers: {
      q: { type: 'uint8', shape: [3, 2], data: [1, 2, 3, 4, 5, 6] },
      s: floats([], [0.1]),
      z: { type: 'uint8', shape: [], data: [3] },
      b: floats([2], [1, 2]),
      c: floats([2], [3, 4]),
    },
    inputs: [{ name: 'x', shape: ['N', 3] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
    opset: 13,
  })
}

test('weights behind DequantizeLinear are a frozen base', async (t) => {
  const network = await load(t, quantised(false))
  t.deepEqual(
    network.parameters.map(({ name }) => name),
    ['b', 'c'],
  )
  t.true(
    network.notes.some((note) => /1 quantised weight behind DequantizeLinear.*frozen/.test(note)),
  )
  t.is(network.constants.get('s'), 'the scale of quantised numbers')
  const x = samples(random, [2, 3])
  const jacobian = await network.jacobian(x)
  // y = s·x·(q − z)·b + c; its scale can be asked for.
  const scaled = await load(t, quantised(false), { parameters: ['s'] })
  const byScale = (await scaled.jacobian(x)).get('s')
  for (const i of [0, 1]) {
    for (const o of [0, 1]) {
      const term = (k: number) => (x.data[3 * i + k] as number) * (2 * k + 1 + o - 3)
      const h = term(0) + term(1) + term(2)
      for (const e of [0, 1]) {
        const found = jacobian.get('b')?.data[(2 * i + o) * 2 + e] as number
        near(
          t,
          found,
          o === e ? 0.1 * h : 0,
          { absolute: 1e-5 },
          `b ${i} ${o} ${e}: ${found}, ${h}`,
        )
      }
      const found = byScale?.data[2 * i + o] as number
      near(t, found, h * (o + 1), { absolute: 1e-4 }, `s ${i} ${o}`)
    }
  }
})

test('quantised activations on the way are refused, not left out', async (t) => {
  const error = await t.throwsAsync(Network.load(quantised(true)), {
    code: 'UNSUPPORTED',
    message: /QuantizeLinear.*pack.*before quantisation/,
  })
  t.regex(error?.message ?? '', /DequantizeLinear.*again/)
  // What comes after them is differentiated when it is asked for.
  const network = await load(t, quantised(true), { parameters: 'c' })
  t.deepEqual((await network.ntk(samples(random, [2, 3]))).shape, [2, 2, 2, 2])
})
