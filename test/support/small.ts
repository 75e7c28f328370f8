// Small networks on x (N, 3) with a weight w (3, 2), written node by node.
import { floats, ints, model, type NodeSpec, type Tensor, type ValueSpec } from './onnx.js'
import { Random } from './random.js'

export interface Spec {
  nodes: NodeSpec[]
  initializers?: Record<string, Tensor>
  inputs?: ValueSpec[]
}

export const weight = (shape: number[], seed = 1) =>
  floats(shape, new Random(seed).normals(shape.reduce((product, size) => product * size, 1)))

export const node = (
  op: string,
  inputs: string[],
  outputs: string | string[],
  attributes: NodeSpec['attributes'] = {},
): NodeSpec => ({
  op,
  inputs,
  outputs: [outputs].flat(),
  attributes,
  name: `n_${[outputs].flat()}`,
})

/** The number of samples, as an integer n and as a float m. */
export const counted = [
  node('Shape', ['x'], 's'),
  node('Gather', ['s', 'zero'], 'n'),
  node('Cast', ['n'], 'm', { to: 1 }),
]
export const dense = node('MatMul', ['x', 'w'], 'h')

export function network({ nodes, initializers = {}, inputs }: Spec): Uint8Array {
  return model({
    nodes,
    initializers: {
      w: weight([3, 2]),
      zero: ints([0], []),
      one: ints([1], []),
      ...initializers,
    },
    inputs: inputs ?? [{ name: 'x', shape: ['N', 3] }],
    outputs: [{ name: 'y', shape: ['N', 'O'] }],
  })
}
