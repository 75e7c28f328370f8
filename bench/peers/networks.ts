// Networks of the peers' workloads, in addition to those of ../models.ts, with random weights. All float
// initializers are parameters, but for the statistics of batch normalization.
import {
  type AttributeValue,
  floats,
  ints,
  model,
  type NodeSpec,
  type Tensor,
} from '../../test/support/onnx.js'
import { Random } from '../../test/support/random.js'
import type { MatrixLayer } from '../flops.js'
import type { BenchNetwork } from '../models.js'

class Net {
  readonly nodes: NodeSpec[] = []
  readonly initializers: Record<string, Tensor> = {}
  readonly layers: MatrixLayer[] = []
  readonly #random = new Random(1)

  node(op: string, inputs: string[], attributes: Record<string, AttributeValue> = {}): string {
    const output = `v${this.nodes.length}`
    this.nodes.push({ op, inputs, outputs: [output], attributes })
    return output
  }

  constant(tensor: Tensor): string {
    return this.node('Constant', [], { value: { t: tensor } })
  }

  /** Uniform with variance gain/fan-in. */
  weight(name: string, shape: number[], fanIn: number, gain = 2): string {
    const bound = Math.sqrt((3 * gain) / fanIn)
    return this.filled(name, shape, () => (2 * this.#random.uniform() - 1) * bound)
  }

  /** Near a value, so that no parameter is the same as another. */
  near(name: string, size: number, value: number): string {
    return this.filled(name, [size], () => value + 0.2 * (this.#random.uniform() - 0.5))
  }

  filled(name: string, shape: number[], entry: () => number): string {
    const count = shape.reduce((product, size) => product * size, 1)
    this.initializers[name] = floats(shape, Float32Array.from({ length: count }, entry))
    return name
  }

  done(inputs: NonNullable<Parameters<typeof model>[0]['inputs']>, output: string, size: number) {
    const bytes = model({
      nodes: this.nodes,
      inputs,
      outputs: [{ name: output, shape: ['N', size] }],
      initializers: this.initializers,
      opset: 20,
    })
    const [input] = inputs
    const shape = (input?.shape ?? []).slice(1) as number[]
    const result: BenchNetwork = { bytes, input: shape, outputs: size, layers: this.layers }
    return result
  }
}

/** ResNet-18 (He et al. 2016) for small images: batch normalization in evaluation mode. */
export function resnet18(size: number, outputs: number): BenchNetwork {
  const net = new Net()
  let side = size
  const conv = (x: string, name: string, c: number, m: number, kernel: number, stride: number) => {
    const fan = c * kernel * kernel
    const weight = net.weight(`${name}.conv.weight`, [m, c, kernel, kernel], fan)
    side = Math.ceil(side / stride)
    net.layers.push({ name, rows: m, columns: fan, positions: side * side })
    const pad = (kernel - 1) / 2
    const y = net.node('Conv', [x, weight], {
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    })
    return net.node('BatchNormalization', [
      y,
      net.near(`${name}.bn.weight`, m, 1),
      net.near(`${name}.bn.bias`, m, 0),
      net.near(`${name}.bn.mean`, m, 0),
      net.near(`${name}.bn.variance`, m, 1),
    ])
  }
  let x = net.node('Relu', [conv('x', 'stem', 3, 64, 7, 2)])
  x = net.node('MaxPool', [x], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] })
  side = Math.ceil(side / 2)
  let channels = 64
  for (let stage = 0; stage < 4; stage += 1) {
    const width = 64 * 2 ** stage
    for (let block = 0; block < 2; block += 1) {
      const name = `layer${stage + 1}.${block}`
      const stride = stage > 0 && block === 0 ? 2 : 1
      let short = x
      if (channels !== width) {
        const before = side
        short = conv(x, `${name}.downsample`, channels, width, 1, stride)
        side = before
      }
      const inner = net.node('Relu', [conv(x, `${name}.a`, channels, width, 3, stride)])
      x = net.node('Relu', [net.node('Add', [conv(inner, `${name}.b`, width, width, 3, 1), short])])
      channels = width
    }
  }
  const flat = net.node('Flatten', [net.node('GlobalAveragePool', [x])])
  const weight = net.weight('fc.weight', [outputs, channels], channels, 1)
  net.layers.push({ name: 'fc', rows: outputs, columns: channels, positions: 1 })
  const y = net.node('Gemm', [flat, weight, net.near('fc.bias', outputs, 0)], { transB: 1 })
  return net.done([{ name: 'x', shape: ['N', 3, size, size] }], y, outputs)
}

/** Pre-norm transformer blocks on tokens (N, tokens, width). */
function transformer(
  net: Net,
  x: string,
  blocks: number,
  width: number,
  heads: number,
  tokens: number,
) {
  const head = width / heads
  const dense = (input: string, name: string, from: number, to: number, gain = 1) => {
    net.layers.push({ name, rows: to, columns: from, positions: tokens })
    const y = net.node('MatMul', [input, net.weight(`${name}.weight`, [from, to], from, gain)])
    return net.node('Add', [y, net.near(`${name}.bias`, to, 0)])
  }
  const norm = (input: string, name: string) =>
    net.node(
      'LayerNormalization',
      [input, net.near(`${name}.weight`, width, 1), net.near(`${name}.bias`, width, 0)],
      { axis: -1 },
    )
  const split = (input: string, perm: number[]) => {
    const shape = net.constant(ints([0, tokens, heads, head]))
    return net.node('Transpose', [net.node('Reshape', [input, shape])], { perm })
  }
  for (let b = 0; b < blocks; b += 1) {
    const at = (part: string) => `block${b}.${part}`
    const h = norm(x, at('norm1'))
    const q = split(dense(h, at('q'), width, width), [0, 2, 1, 3])
    const k = split(dense(h, at('k'), width, width), [0, 2, 3, 1])
    const v = split(dense(h, at('v'), width, width), [0, 2, 1, 3])
    const scale = net.constant(floats([], [1 / Math.sqrt(head)]))
    const scores = net.node('Mul', [net.node('MatMul', [q, k]), scale])
    const mixed = net.node('MatMul', [net.node('Softmax', [scores], { axis: -1 }), v])
    const back = net.node('Transpose', [mixed], { perm: [0, 2, 1, 3] })
    const joined = net.node('Reshape', [back, net.constant(ints([0, tokens, width]))])
    x = net.node('Add', [x, dense(joined, at('out'), width, width)])
    const up = dense(norm(x, at('norm2')), at('up'), width, 4 * width, 2)
    x = net.node('Add', [x, dense(net.node('Gelu', [up]), at('down'), 4 * width, width)])
  }
  return net.node('ReduceMean', [norm(x, 'norm'), net.constant(ints([1]))], { keepdims: 0 })
}

function head(net: Net, x: string, width: number, outputs: number): string {
  net.layers.push({ name: 'head', rows: outputs, columns: width, positions: 1 })
  const weight = net.weight('head.weight', [outputs, width], width, 1)
  return net.node('Gemm', [x, weight, net.near('head.bias', outputs, 0)], { transB: 1 })
}

/** Vision transformer with mean pooling (Dosovitskiy et al. 2021). */
export function vit(
  size: number,
  patch: number,
  width: number,
  blocks: number,
  outputs = 10,
): BenchNetwork {
  const net = new Net()
  const side = size / patch
  const tokens = side * side
  const fan = 3 * patch * patch
  const weight = net.weight('patch.weight', [width, 3, patch, patch], fan, 1)
  net.layers.push({ name: 'patch', rows: width, columns: fan, positions: tokens })
  const patches = net.node('Conv', ['x', weight, net.near('patch.bias', width, 0)], {
    kernel_shape: [patch, patch],
    strides: [patch, patch],
  })
  const flat = net.node('Reshape', [patches, net.constant(ints([0, width, tokens]))])
  const rows = net.node('Transpose', [flat], { perm: [0, 2, 1] })
  const x = net.node('Add', [rows, net.weight('position', [1, tokens, width], 50)])
  const y = head(net, transformer(net, x, blocks, width, width / 64, tokens), width, outputs)
  return net.done([{ name: 'x', shape: ['N', 3, size, size] }], y, outputs)
}

/** Text transformer over token ids, mean pooling. */
export function text(vocabulary: number, tokens: number, width: number, blocks: number) {
  const net = new Net()
  const table = net.weight('embedding', [vocabulary, width], 3, 1)
  const rows = net.node('Gather', [table, 'x'])
  const x = net.node('Add', [rows, net.weight('position', [1, tokens, width], 50)])
  const y = head(net, transformer(net, x, blocks, width, width / 32, tokens), width, 4)
  return net.done([{ name: 'x', type: 'int64', shape: ['N', tokens] }], y, 4)
}
