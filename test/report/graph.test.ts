// The graph of layers, against what the fixtures' architectures are.
import test from 'ava'
import { Network } from '../../lib/index.js'
import { layerGraph } from '../../lib/probe/graph.js'
import { floats, model } from '../support/onnx.js'

/** Edges by name; places of one name are numbered in the order of the flow. */
async function edgesOf(source: string | Uint8Array): Promise<string[]> {
  await using network = await Network.load(source)
  const { nodes, edges } = layerGraph(network)!
  const names = nodes.map(({ name }, at) => {
    const before = nodes.slice(0, at).filter((node) => node.name === name).length
    return before > 0 ? `${name}#${before + 1}` : name
  })
  return edges.map(([from, to]) => `${names[from]} > ${names[to]}`).sort()
}

test('a perceptron is a chain; ways around layers meet where they are added', async (t) => {
  t.deepEqual(await edgesOf('examples/fashion-mnist/mlp_init.onnx'), [
    'input > net.1',
    'net.1 > net.3',
    'net.3 > net.5',
    'net.5 > net.7',
    'net.7 > net.9',
    'net.9 > output',
  ])
  const resnet = await edgesOf('test/fixtures/resnet8/model.onnx')
  t.is(resnet.length, 17)
  for (const edge of [
    'input > c0',
    'c0 > l.0.c1',
    'c0 > Add',
    'l.0.c2 > Add',
    'Add > l.1.sc.0',
    'l.1.c2 > Add#2',
    'l.1.sc.0 > Add#2',
    'fc > output',
  ]) {
    t.true(resnet.includes(edge), edge)
  }
})

test('a weight with two uses stands at both; what no output needs is left out', async (t) => {
  const bytes = model({
    inputs: [{ name: 'x', shape: ['N', 3] }],
    outputs: [{ name: 'y', shape: ['N', 3] }],
    initializers: {
      'a.weight': floats([3, 3], Array(9).fill(0.1)),
      'a.bias': floats([3], [1, 2, 3]),
    },
    nodes: [
      { op: 'MatMul', inputs: ['x', 'a.weight'], outputs: ['p'] },
      { op: 'Add', inputs: ['p', 'a.bias'], outputs: ['q'] },
      { op: 'Relu', inputs: ['q'], outputs: ['r'] },
      { op: 'Mul', inputs: ['r', 'x'], outputs: ['s'] },
      { op: 'MatMul', inputs: ['s', 'a.weight'], outputs: ['y'] },
      { op: 'Tanh', inputs: ['r'], outputs: ['unused'] },
    ],
  })
  t.deepEqual(await edgesOf(bytes), ['Mul > a#2', 'a > Mul', 'a#2 > y', 'x > Mul', 'x > a'])
})
