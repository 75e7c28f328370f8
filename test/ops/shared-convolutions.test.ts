// A convolution's weight in two places, whose features are multiplied out in each. Truth: the same network
// with a weight of its own in each place, whose features add up; the kernel is the product of the Jacobian.
import test from 'ava'
import { Network } from '../../lib/index.js'
import { near } from '../support/near.js'
import { samples } from '../support/networks.js'
import { model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { node, weight } from '../support/small.js'

const [count, channels, length, taps, outputs] = [3, 16, 150, 5, 2]

function network(names: readonly [string, string], op: string, group: number) {
  const attributes = { pads: [2, 2], group }
  const w = weight([channels, channels / group, taps])
  return model({
    nodes: [
      node(op, ['x', names[0]], 'a', attributes),
      node('Tanh', ['a'], 'b'),
      node(op, ['b', names[1]], 'c', attributes),
      node('Flatten', ['c'], 'd'),
      node('MatMul', ['d', 'head'], 'y'),
    ],
    initializers: {
      [names[0]]: w,
      [names[1]]: w,
      head: weight([channels * length, outputs], 2),
    },
    inputs: [{ name: 'x', shape: ['N', channels, length] }],
    outputs: [{ name: 'y', shape: ['N', outputs] }],
    opset: 13,
  })
}

for (const op of ['Conv', 'ConvTranspose'])
  for (const group of [1, 2])
    test(`${op}, ${group} groups, with one weight in two places`, async (t) => {
      const x = samples(new Random(4), [count, channels, length])
      const jacobianOf = async (names: readonly [string, string]) => {
        const own = await Network.load(network(names, op, group), { parameters: [...names] })
        t.teardown(() => own.dispose())
        const [jacobian, { data }] = [await own.jacobian(x), await own.ntk(x)]
        return { parts: names.map((name) => jacobian.get(name)?.data ?? []), kernel: data }
      }
      const apart = await jacobianOf(['v', 'w'])
      const shared = await jacobianOf(['w', 'w'])
      const [v, w] = apart.parts as [Float32Array, Float32Array]
      const sum = Float64Array.from(v, (value, e) => value + (w[e] as number))
      near(t, shared.parts[0] ?? [], sum, 1e-5)
      const rows = count * outputs
      const size = sum.length / rows
      const products = Float64Array.from({ length: rows ** 2 }, (_, e) => {
        const [a, b] = [Math.floor(e / rows) * size, (e % rows) * size]
        let total = 0
        for (let p = 0; p < size; p += 1) total += (sum[a + p] as number) * (sum[b + p] as number)
        return total
      })
      near(t, shared.kernel, products, 1e-5)
    })
