// Models that once crashed or misled the engine; the fuzzer found them.
import test from 'ava'
import { Network, TangentError } from '../../lib/index.js'
import { floats, ints, model } from '../support/onnx.js'

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

test('a value larger than the memory budget is refused before it is made', async (t) => {
  const bytes = model({
    inputs: [{ name: 'x', shape: ['N', 3] }],
    outputs: [{ name: 'y', shape: ['N', 3] }],
    initializers: { w: floats([3], [1, 2, 3]), shape: ints([2 ** 20, 2 ** 20, 3]) },
    nodes: [
      { op: 'Mul', inputs: ['x', 'w'], outputs: ['h'] },
      { op: 'ReduceSum', inputs: ['h'], outputs: ['sum'] },
      { op: 'Expand', inputs: ['sum', 'shape'], outputs: ['huge'], name: 'grow' },
      { op: 'ReduceMax', inputs: ['huge'], outputs: ['most'] },
      { op: 'Add', inputs: ['h', 'most'], outputs: ['y'] },
    ],
  })
  await using network = await Network.load(bytes, { unsupported: 'defer' })
  const x = { data: new Float32Array(6), shape: [2, 3] }
  for (const call of [network.run(x), network.ntk(x), network.jacobian(x)]) {
    await t.throwsAsync(call, {
      instanceOf: TangentError,
      code: 'MEMORY_BUDGET',
      message: /"?grow"? \(Expand\).*\(1048576, 1048576, 3\), 12\.0 TiB/,
    })
  }
})

test('scales that onnxruntime would copy past their room', async (t) => {
  const bytes = model({
    inputs: [{ name: 'x', shape: ['N', 2, 4, 4] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
    initializers: { w: floats([2, 1, 1], [1, 2]), roi: floats([0], []) },
    opset: 11,
    nodes: [
      { op: 'Mul', inputs: ['x', 'w'], outputs: ['h'] },
      {
        op: 'Resize',
        inputs: ['h', 'roi', 'h'],
        outputs: ['large'],
        attributes: { mode: 'linear' },
        name: 'up',
      },
      { op: 'GlobalAveragePool', inputs: ['large'], outputs: ['mean'] },
      { op: 'Flatten', inputs: ['mean'], outputs: ['y'] },
    ],
  })
  await using network = await Network.load(bytes, { unsupported: 'defer' })
  const x = { data: new Float32Array(64).fill(1), shape: [2, 2, 4, 4] }
  await t.throwsAsync(network.run(x), {
    instanceOf: TangentError,
    code: 'BAD_FILE',
    message: /one scale or size per axis.*up \(Resize\).*\(N, 2, 4, 4\)/,
  })
})
