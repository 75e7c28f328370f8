// Networks of the workloads, as ONNX files in memory, with He-uniform weights.
import { floats, model, type NodeSpec, type Tensor } from '../test/support/onnx.js'
import { Random } from '../test/support/random.js'
import type { MatrixLayer } from './flops.js'

export interface BenchNetwork {
  bytes: Uint8Array
  /** Shape of one sample. */
  input: number[]
  outputs: number
  layers: MatrixLayer[]
}

class Builder {
  readonly nodes: NodeSpec[] = []
  readonly initializers: Record<string, Tensor> = {}
  readonly layers: MatrixLayer[] = []
  readonly #random = new Random(1)
  #last = 'x'
  #count = 0

  #weight(name: string, shape: number[], fanIn: number): string {
    const bound = Math.sqrt(6 / fanIn)
    const count = shape.reduce((product, size) => product * size, 1)
    const data = new Float32Array(count)
    for (let e = 0; e < count; e += 1) data[e] = (2 * this.#random.uniform() - 1) * bound
    this.initializers[name] = floats(shape, data)
    return name
  }

  node(op: string, extra: string[] = [], attributes: NodeSpec['attributes'] = {}): this {
    this.#count += 1
    const output = `v${this.#count}`
    this.nodes.push({ op, inputs: [this.#last, ...extra], outputs: [output], attributes })
    this.#last = output
    return this
  }

  dense(columns: number, rows: number): this {
    const name = `dense${this.layers.length}`
    this.layers.push({ name, rows, columns, positions: 1 })
    const weight = this.#weight(`${name}.weight`, [rows, columns], columns)
    const bias = this.#weight(`${name}.bias`, [rows], columns)
    return this.node('Gemm', [weight, bias], { transB: 1 })
  }

  /** 3 × 3, same padding, on a square image. */
  conv(inputs: number, outputs: number, size: number): this {
    const name = `conv${this.layers.length}`
    const columns = inputs * 9
    this.layers.push({ name, rows: outputs, columns, positions: size * size })
    const weight = this.#weight(`${name}.weight`, [outputs, inputs, 3, 3], columns)
    const bias = this.#weight(`${name}.bias`, [outputs], columns)
    return this.node('Conv', [weight, bias], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] })
  }

  done(input: number[], outputs: number): BenchNetwork {
    const bytes = model({
      nodes: this.nodes,
      inputs: [{ name: 'x', shape: ['N', ...input] }],
      outputs: [{ name: this.#last, shape: ['N', outputs] }],
      initializers: this.initializers,
    })
    return { bytes, input, outputs, layers: this.layers }
  }
}

/** Dense layers with ReLU between them: `sizes` from the input to the output. */
export function mlp(sizes: readonly number[]): BenchNetwork {
  const builder = new Builder()
  for (let l = 1; l < sizes.length; l += 1) {
    if (l > 1) builder.node('Relu')
    builder.dense(sizes[l - 1] as number, sizes[l] as number)
  }
  return builder.done([sizes[0] as number], sizes.at(-1) as number)
}

/** The CNN of LeJeune & Alemohammad 2024: 4 × [3×3 conv, ReLU, 2×2 average pool], then 3 dense. */
export function cnn(width: number): BenchNetwork {
  const builder = new Builder()
  let channels = 3
  let size = 32
  for (let block = 0; block < 4; block += 1) {
    const next = width * 2 ** block
    builder.conv(channels, next, size).node('Relu')
    builder.node('AveragePool', [], { kernel_shape: [2, 2], strides: [2, 2] })
    channels = next
    size /= 2
  }
  const features = channels * size * size
  builder.node('Flatten').dense(features, 128).node('Relu').dense(128, 128).node('Relu')
  return builder.dense(128, 10).done([3, 32, 32], 10)
}
