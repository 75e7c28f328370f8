// The adaptive factors' gradient against differences of the loss: each state of a training is
// written to a file, from which one step goes on.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  type DeviceName,
  type NdArray,
  type Network,
  readSafetensors,
  type TrainOptions,
  train,
  writeSafetensors,
} from '../../lib/index.js'
import { testDevice } from '../support/device.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { floats, model, type NodeSpec, type Tensor } from '../support/onnx.js'
import { Random } from '../support/random.js'

const rate = 0.25

async function checkGradients(
  t: ExecutionContext,
  network: Network,
  size: number[],
  n: number,
  device: DeviceName = 'cpu',
) {
  const random = new Random(n)
  const x = samples(random, [n, ...size])
  const target = { data: Int32Array.from({ length: n }, () => random.integer(0, 2)), shape: [n] }
  const folder = await mkdtemp(join(tmpdir(), 'factors-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const options: TrainOptions = {
    model: 'adaptive',
    optimizer: { kind: 'sgd', learningRate: rate },
    epochs: 1,
    batch: n,
    device,
  }
  await train(network, { x, target }, { ...options, checkpoints: { folder } })
  const file = join(folder, 'state.safetensors')
  const { tensors, metadata } = await readSafetensors(file)
  const values = [...tensors.keys()].filter((name) => name.startsWith('value:'))
  for (const name of values) {
    const { data } = tensors.get(name) as NdArray<Float32Array>
    for (let e = 0; e < data.length; e += 1) data[e] = (data[e] as number) + random.normal() / 2
  }
  const step = async () => {
    await writeSafetensors(file, tensors as Map<string, NdArray>, { metadata })
    const { history, factors } = await train(
      network,
      { x, target },
      { ...options, epochs: 2, resume: file },
    )
    return { loss: history[1]?.trainLoss as number, factors }
  }
  const { factors } = await step()
  let checked = 0
  for (const name of values) {
    const { data } = tensors.get(name) as NdArray<Float32Array>
    const after = factors?.get(name.slice('value:'.length))?.data as Float32Array
    t.is(after.length, data.length)
    // Enough entries of each array; rows and columns are met in turn.
    const stride = Math.max(1, Math.floor(data.length / 6) | 1)
    for (let e = 0; e < data.length; e += stride) {
      const before = data[e] as number
      const found = (before - (after[e] as number)) / rate
      const difference = 1 / 128
      data[e] = before + difference
      const up = (await step()).loss
      data[e] = before - difference
      const slope = (up - (await step()).loss) / (2 * difference)
      data[e] = before
      near(
        t,
        found,
        slope,
        { absolute: 1e-3 * (1 + Math.abs(slope)) },
        `${name}[${e}]: ${found}, ${slope}`,
      )
      checked += 1
    }
  }
  t.true(checked > 4 * values.length)
}

test('of dense layers whose change is not formed', async (t) => {
  await checkGradients(t, await load(t, mlp(new Random(1), [6, 7, 3])), [6], 2)
})

test('of dense layers whose change is formed', async (t) => {
  await checkGradients(t, await load(t, mlp(new Random(2), [4, 5, 3])), [4], 24)
})

test('of products of matrices over several positions', async (t) => {
  const random = new Random(3)
  const nodes: NodeSpec[] = [
    { op: 'MatMul', inputs: ['x', 'a.weight'], outputs: ['p'], name: 'a' },
    { op: 'Add', inputs: ['p', 'a.bias'], outputs: ['q'], name: 'b' },
    { op: 'Tanh', inputs: ['q'], outputs: ['r'], name: 'c' },
    {
      op: 'ReduceMean',
      inputs: ['r'],
      outputs: ['s'],
      attributes: { axes: [1], keepdims: 0 },
      name: 'd',
    },
    { op: 'MatMul', inputs: ['s', 'e.weight'], outputs: ['y'], name: 'e' },
  ]
  const initializers: Record<string, Tensor> = {
    'a.weight': floats([6, 7], random.normals(42)),
    'a.bias': floats([7], random.normals(7)),
    'e.weight': floats([7, 3], random.normals(21)),
  }
  const bytes = model({
    nodes,
    initializers,
    inputs: [{ name: 'x', shape: ['N', 2, 6] }],
    outputs: [{ name: 'y', shape: ['N', 3] }],
  })
  await checkGradients(t, await load(t, bytes), [2, 6], 1)
})

for (const device of ['cpu', testDevice] as const) {
  test(`of convolutions, in three modes: ${device}`, async (t) => {
    const random = new Random(4)
    const nodes: NodeSpec[] = [
      {
        op: 'Conv',
        inputs: ['x', 'a.weight', 'a.bias'],
        outputs: ['p'],
        attributes: { kernel_shape: [2, 2] },
        name: 'a',
      },
      { op: 'Relu', inputs: ['p'], outputs: ['q'], name: 'b' },
      { op: 'Flatten', inputs: ['q'], outputs: ['r'], name: 'c' },
      {
        op: 'Gemm',
        inputs: ['r', 'd.weight', 'd.bias'],
        outputs: ['y'],
        attributes: { transB: 1 },
        name: 'd',
      },
    ]
    const initializers: Record<string, Tensor> = {
      'a.weight': floats([3, 2, 2, 2], random.normals(24)),
      'a.bias': floats([3], random.normals(3)),
      'd.weight': floats([3, 12], random.normals(36)),
      'd.bias': floats([3], random.normals(3)),
    }
    const bytes = model({
      nodes,
      initializers,
      inputs: [{ name: 'x', shape: ['N', 2, 3, 3] }],
      outputs: [{ name: 'y', shape: ['N', 3] }],
    })
    await checkGradients(t, await load(t, bytes), [2, 3, 3], 4, device)
  })
}
