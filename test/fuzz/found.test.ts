// Models that once crashed or misled the engine; the fuzzer found them.
import test from 'ava'
import { Network, TangentError } from '../../lib/index.js'
import { floats, model } from '../support/onnx.js'

test('a fixed batch of one and an output that is the same for every sample', async (t) => {
  const bytes = model({
    inputs: [{ name: 'x', shape: [1, 3] }],
    outputs: [{ name: 'y', shape: [2, 2] }],
    initializers: { w: floats([2, 3], [1, 2, 3, 4, 5, 6]), v: floats([3, 2], [1, 0, 0, 1, 1, 1]) },
    nodes: [
      { op: 'Tanh', inputs: ['x'], outputs: ['unused'] },
      { op: 'MatMul', inputs: ['w', 'v'], outputs: ['y'] },
    ],
  })
  await using network = await Network.load(bytes)
  const x = { data: new Float32Array(3), shape: [1, 3] }
  for (const call of [network.jacobian(x), network.ntk(x)]) {
    await t.throwsAsync(call, {
      instanceOf: TangentError,
      message: /"?y"? does not: the output does not depend on the sample/,
    })
  }
})
