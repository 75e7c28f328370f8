// Scalars of a network's outputs, and the network that has one of them as its only output.
import { badArgument, mismatch } from '../core/errors.js'
import { classesOf } from '../io/classes.js'
import { isArray } from '../io/held.js'
import { checkArray, type Floats, isSource, type NdArray } from '../io/index.js'
import { type Core, cores } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { type LoadOptions, Network } from '../network/network.js'
import { appendToModel, makeValueInfo } from '../onnx/index.js'
import { freshNames, Writer } from '../onnx/writer.js'
import { TensorProto_DataType as DataType } from '../protobuf/index.js'
import type { Picker } from './kernels.js'
import { softmax } from './laplace/likelihood.js'

/**
 * A number of each sample: the output of its label (`logit`), log p/(1 − p) of that label's probability
 * (`margin`), or −log p (`cross-entropy`). Of one output the two labels are its signs, p = 1/(1 + e^{∓f}).
 */
export type Head = 'logit' | 'margin' | 'cross-entropy'

/** Heads of samples at outputs f: their values, and their derivatives by the outputs. */
export interface HeadValues {
  values: Float64Array
  /** ∂head/∂f, (N, O). */
  cotangents: Float64Array
  /** p of each label. */
  probabilities: Float64Array
}

/** The value of a head at outputs (O), and its derivative. */
export function headAt(
  head: Head,
  f: Float64Array,
  label: number,
): { value: number; cotangent: Float64Array; p: number } {
  if (f.length === 1) {
    const sign = label > 0 ? 1 : -1
    const margin = sign * (f[0] as number)
    const p = 1 / (1 + Math.exp(-margin))
    if (head !== 'cross-entropy') {
      return { value: margin, cotangent: Float64Array.of(sign), p }
    }
    const value = margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin
    return { value, cotangent: Float64Array.of(-sign * (1 - p)), p }
  }
  const all = softmax(f)
  const p = all[label] as number
  const own = f[label] as number
  if (head === 'logit') {
    return { value: own, cotangent: f.map((_, o) => Number(o === label)), p }
  }
  const others = f.map((value, o) => (o === label ? Number.NEGATIVE_INFINITY : value))
  const most = others.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const sum = others.reduce((total, value) => total + Math.exp(value - most), 0)
  const margin = own - most - Math.log(sum)
  if (head === 'margin') {
    const shares = softmax(others)
    return { value: margin, cotangent: shares.map((share, o) => (o === label ? 1 : -share)), p }
  }
  const value = margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin
  return { value, cotangent: all.map((share, o) => share - Number(o === label)), p }
}

/** Heads of all samples. @param labels places of outputs; of one output the sign. */
export function headsOf(head: Head, f: Float64Array, labels: readonly number[]): HeadValues {
  const outputs = f.length / labels.length
  const cotangents = new Float64Array(f.length)
  const found = labels.map((label, i) => {
    const one = headAt(head, f.subarray(i * outputs, (i + 1) * outputs), label)
    cotangents.set(one.cotangent, i * outputs)
    return one
  })
  return {
    values: Float64Array.from(found, ({ value }) => value),
    cotangents,
    probabilities: Float64Array.from(found, ({ p }) => p),
  }
}

/**
 * Labels as places of outputs; of one output −1 and 1.
 * @param pair of one output the two labels, where they are known
 */
export function labelPlaces(
  labels: NdArray,
  samples: number,
  outputs: number,
  name: string,
  pair?: readonly number[],
): { places: number[]; pair: readonly number[] } {
  checkArray(labels, name)
  if (labels.shape.length !== 1 || labels.shape[0] !== samples) {
    throw mismatch(name, `classes (${samples})`, `an array (${labels.shape.join(', ')})`)
  }
  const values = Array.from(labels.data as ArrayLike<number | bigint>, Number)
  if (outputs === 1) {
    const known = pair ?? classesOf(values).labels
    const bad = values.find((value) => !known.includes(value))
    if (known.length !== 2 || bad !== undefined) {
      throw badArgument(name, 'two labels of one output', bad ?? known.join(', '))
    }
    return { places: values.map((value) => (value === known[0] ? -1 : 1)), pair: known }
  }
  const bad = values.find((value) => !Number.isInteger(value) || value < 0 || value >= outputs)
  if (bad !== undefined) throw badArgument(name, `classes from 0 to ${outputs - 1}`, bad)
  return { places: values, pair: [] }
}

/** A network whose output is Σ_o c_o f_o(x) for c of each sample: the derivatives of any head of f. */
export class HeadNetwork {
  readonly network: Network
  readonly #inputs: readonly string[]
  readonly #cotangents: string

  private constructor(network: Network, inputs: readonly string[], cotangents: string) {
    this.network = network
    this.#inputs = inputs
    this.#cotangents = cotangents
  }

  static async of(network: Network, outputs: number): Promise<HeadNetwork> {
    const { architecture, threads, memory } = cores.get(network) as Core
    const { model, output, axes, double } = architecture
    const bytes = await network.toOnnx()
    const taken = new Set([
      ...model.graph.node.flatMap((node) => [...node.input, ...node.output]),
      ...model.graph.initializer.map(({ name }) => name),
      ...model.graph.input.map(({ name }) => name),
    ])
    const fresh = freshNames(taken)
    const cotangents = fresh('cotangents')
    const name = fresh('head_of_outputs')
    const writer = new Writer('head_of_outputs', fresh)
    const flat = writer.one('Flatten', [output], { axis: { i: 1 } })
    const products = writer.one('Mul', [flat, cotangents])
    const opset = model.opsets.get('') ?? 13
    if (opset >= 13) {
      writer.last(name, 'ReduceSum', [products, writer.ints(1)], { keepdims: { i: 1 } })
    } else {
      writer.last(name, 'ReduceSum', [products], { axes: { ints: [1] }, keepdims: { i: 1 } })
    }
    const own: Network<Floats> = await Network.load(
      appendToModel(bytes, {
        nodes: writer.nodes,
        outputs: [name],
        inputs: [makeValueInfo(cotangents, DataType.FLOAT, ['N', outputs])],
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
      network.inputs.map((info) => info.name),
      cotangents,
    )
  }

  /** Inputs of the samples with their cotangents (N, O). */
  inputs({ all }: Pick<Picker, 'all'>, cotangents: Float64Array, outputs: number): Inputs {
    const single = isArray(all) || isSource(all)
    const given = single ? { [this.#inputs[0] as string]: all } : all
    const data = Float32Array.from(cotangents)
    const shape = [data.length / outputs, outputs]
    return { ...(given as Record<string, NdArray>), [this.#cotangents]: { data, shape } }
  }

  dispose(): Promise<void> {
    return this.network.dispose()
  }
}
