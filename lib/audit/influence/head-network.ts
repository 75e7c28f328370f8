// The network whose output is a scalar of another one's outputs, with weights of each sample.
import { TangentError } from '../../core/errors.js'
import { isArray } from '../../io/held.js'
import { type Floats, isSource, type NdArray } from '../../io/index.js'
import { type CallOptions, type Core, cores } from '../../model/core.js'
import type { Inputs } from '../../model/inputs.js'
import { type LoadOptions, Network } from '../../network/network.js'
import { appendToModel, makeValueInfo } from '../../onnx/index.js'
import { freshNames, Writer } from '../../onnx/writer.js'
import { TensorProto_DataType as DataType } from '../../protobuf/index.js'
import type { Picker } from '../kernels.js'

/** What a {@link HeadNetwork} adds up. */
export interface HeadParts {
  /** Outputs of the network, O. */
  outputs: number
  /** A value of the graph that goes behind them, and its numbers W. */
  value?: { name: string; width: number } | undefined
  /** The network's outputs as well: (N, O + 1), the scalar last. */
  joint?: boolean | undefined
}

/**
 * Σ_o c_o f_o(x), and Σ_w c_{O+w} v_w(x) of a value v, for c of each sample: the derivatives of any head of f or of
 * v are its own.
 */
export class HeadNetwork {
  readonly network: Network
  /** Numbers of c for each sample. */
  readonly width: number
  readonly #inputs: readonly string[]
  readonly #cotangents: string

  private constructor(
    network: Network,
    width: number,
    inputs: readonly string[],
    cotangents: string,
  ) {
    this.network = network
    this.width = width
    this.#inputs = inputs
    this.#cotangents = cotangents
  }

  static async of(network: Network, { outputs, value, joint }: HeadParts): Promise<HeadNetwork> {
    const { architecture, threads, memory } = cores.get(network) as Core
    const { model, output, axes, double } = architecture
    const bytes = await network.toOnnx()
    const taken = new Set([
      ...model.graph.node.flatMap((node) => [...node.input, ...node.output]),
      ...model.graph.initializer.map(({ name }) => name),
      ...model.graph.input.map(({ name }) => name),
    ])
    const fresh = freshNames(taken)
    const [cotangents, name] = [fresh('cotangents'), fresh('head_of_outputs')]
    const width = outputs + (value?.width ?? 0)
    const writer = new Writer('head_of_outputs', fresh)
    const flat = writer.one('Flatten', [output], { axis: { i: 1 } })
    const parts = value ? [flat, writer.one('Flatten', [value.name], { axis: { i: 1 } })] : [flat]
    const row = value ? writer.one('Concat', parts, { axis: { i: 1 } }) : flat
    const products = writer.one('Mul', [row, cotangents])
    const sum = joint ? fresh('sum') : name
    if ((model.opsets.get('') ?? 13) >= 13) {
      writer.last(sum, 'ReduceSum', [products, writer.ints(1)], { keepdims: { i: 1 } })
    } else {
      writer.last(sum, 'ReduceSum', [products], { axes: { ints: [1] }, keepdims: { i: 1 } })
    }
    if (joint) writer.last(name, 'Concat', [flat, sum], { axis: { i: 1 } })
    const own: Network<Floats> = await Network.load(
      appendToModel(bytes, {
        nodes: writer.nodes,
        outputs: [name],
        inputs: [makeValueInfo(cotangents, DataType.FLOAT, ['N', width])],
      }),
      {
        ...axes,
        batchAxis: { ...axes.batchAxis, [cotangents]: 0 },
        output: name,
        parameters: architecture.active.map(({ parameter }) => parameter.name),
        float64: double,
        ...{ threads, memory },
      } as LoadOptions,
    )
    return new HeadNetwork(
      own as unknown as Network,
      width,
      network.inputs.map((info) => info.name),
      cotangents,
    )
  }

  /**
   * Inputs of the samples with c, (N, width).
   * @param behind are the numbers those of the value, behind all outputs, or those of the outputs before it?
   */
  inputs({ all, samples }: Pick<Picker, 'all' | 'samples'>, c: Float64Array, behind = false) {
    const single = isArray(all) || isSource(all)
    const given = single ? { [this.#inputs[0] as string]: all } : all
    const { width } = this
    const own = c.length / samples
    const from = behind ? width - own : 0
    const data = new Float32Array(samples * width)
    for (let i = 0; i < samples; i += 1)
      for (let e = 0; e < own; e += 1) data[i * width + from + e] = c[i * own + e] as number
    const inputs = {
      ...(given as Record<string, NdArray>),
      [this.#cotangents]: { data, shape: [samples, width] },
    }
    return inputs as Inputs
  }

  /**
   * Holds the scalars of these inputs to Σ c·numbers, computed apart.
   * @param numbers the outputs or the value's numbers, as many as there are c
   * @throws TangentError UNSUPPORTED where samples lie along another axis than the first.
   */
  async check(
    inputs: Inputs,
    c: Float64Array,
    numbers: Float64Array,
    common: CallOptions,
  ): Promise<void> {
    const { data, shape } = await this.network.run(inputs, common)
    const [samples = 1, columns = 1] = shape
    const own = c.length / samples
    for (let i = 0; i < samples; i += 1) {
      let [sum, size] = [0, 0]
      for (let e = i * own; e < (i + 1) * own; e += 1) {
        const part = (c[e] as number) * (numbers[e] as number)
        sum += part
        size += Math.abs(part)
      }
      const off = Math.abs(Number(data[(i + 1) * columns - 1]) - sum)
      if (off <= 1e-3 * size) continue
      throw new TangentError(
        'UNSUPPORTED',
        'Expected outputs and values with a row for each sample along their first axis for heads but those of the network have samples elsewhere',
      )
    }
  }

  dispose(): Promise<void> {
    return this.network.dispose()
  }
}
