// Values that the addon makes of others: of what only has another shape the numbers are not asked for. Truth:
// the derivative by s of s ⊙ z is z itself.
import test from 'ava'
import { Network } from '../../lib/index.js'
import { type NativeGraph, native } from '../../lib/native/index.js'
import { near } from '../support/near.js'
import { samples } from '../support/networks.js'
import { ints, model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { node, weight } from '../support/small.js'

const nodes = [
  node('MatMul', ['x', 'w'], 'product'),
  node('Reshape', ['product', 'rows'], 'reshaped'),
  node('Identity', ['reshaped'], 'same'),
  node('Sigmoid', ['same'], 'sigmoid'),
  node('Flatten', ['sigmoid'], 'flat'),
  node('Mul', ['flat', 's'], 'y'),
]

test('of a value in another shape what it is made of is asked for', (t) => {
  const names = ['x', 'w', 's', 'rows', ...nodes.map(({ outputs: [name = ''] }) => name)]
  const graph: NativeGraph = {
    values: names.map((name) => (name === 'w' || name === 's' ? { name, shape: [] } : { name })),
    nodes: nodes.map(({ op, inputs, outputs, name = '' }) => ({
      ...{ op, name, domain: '', opset: 13, attributes: {} },
      inputs: inputs.map((input) => names.indexOf(input)),
      outputs: outputs.map((output) => names.indexOf(output)),
    })),
  }
  const { analysis } = native.createEngine(graph, [1, 2], names.indexOf('y'))
  const tapped = analysis.taps.map((id) => names[id])
  t.deepEqual(tapped.toSorted(), ['product', 's', 'x'])
  const shaped = analysis.shapes.map((id) => names[id])
  for (const name of ['reshaped', 'same', 'sigmoid', 'flat']) t.true(shaped.includes(name), name)
})

test('what is made of others has the numbers that onnxruntime gives', async (t) => {
  const [count, width] = [5, 6]
  const network = await Network.load(
    model({
      nodes,
      initializers: { w: weight([4, width]), s: weight([width], 2), rows: ints([-1, 2, 3]) },
      inputs: [{ name: 'x', shape: ['N', 4] }],
      outputs: [{ name: 'y', shape: ['N', width] }],
      opset: 13,
    }),
  )
  t.teardown(() => network.dispose())
  const x = samples(new Random(3), [count, 4])
  const [w, s] = [weight([4, width]).data, weight([width], 2).data]
  const z = (n: number, o: number) => {
    const terms = [0, 1, 2, 3].map(
      (k) => (x.data[n * 4 + k] as number) * (w[k * width + o] as number),
    )
    return 1 / (1 + Math.exp(-terms.reduce((sum, term) => sum + term, 0)))
  }
  const jacobian = await network.jacobian(x)
  const expected = Float64Array.from({ length: count * width * width }, (_, e) => {
    const [n, o] = [Math.floor(e / width ** 2), Math.floor(e / width) % width]
    return e % width === o ? z(n, o) : 0
  })
  near(t, jacobian.get('s') ?? [], { shape: [count, width, width], data: expected }, 1e-5)
  const run = Float64Array.from({ length: count * width }, (_, e) => {
    return z(Math.floor(e / width), e % width) * (s[e % width] as number)
  })
  near(t, await network.run(x), { shape: [count, width], data: run }, 1e-5)
})
