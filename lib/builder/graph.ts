// Puts a feed-forward network together as an ONNX model.

import { create, toBinary } from '@bufbuild/protobuf'
import { TangentError } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'
import { shapeSize } from '../core/shape.js'
import { arrayToTensor } from '../io/tensor.js'
import { type Dimension, makeValueInfo } from '../onnx/index.js'
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
} from '../protobuf/index.js'
import { type CheckedDraw, drawWeight } from './draw.js'
import type { WeightRole } from './roles.js'

/** How layers are scaled. */
export interface LayerScale {
  /** Factor of x·W, without the fan-in's; 1 for the standard parameterisation. */
  weight: number
  /** Factor of the bias. */
  bias: number
  /** Divides x·W by √fan-in in the graph. */
  byFanIn: boolean
}

/** A protobuf message holds less than this. */
const largest = 2 ** 31

type Attribute = { f: number } | { i: number } | { ints: readonly number[] }

interface Planned {
  name: string
  shape: readonly number[]
  role: WeightRole
}

export class ModelBuilder {
  readonly #nodes: NodeProto[] = []
  readonly #weights: Planned[] = []
  readonly #bias: boolean
  readonly #scale: LayerScale

  constructor(bias: boolean, scale: LayerScale) {
    this.#bias = bias
    this.#scale = scale
  }

  /** A node with one output, whose name it returns. */
  node(op: string, layer: string, inputs: string[], attributes: Record<string, Attribute> = {}) {
    const output = `${layer}/${op}`
    this.#nodes.push(
      create(NodeProtoSchema, {
        name: `/${layer}/${op}`,
        opType: op,
        input: inputs,
        output: [output],
        attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      }),
    )
    return output
  }

  /** x (N, inputs) → (N, outputs), weights (outputs, inputs). */
  dense(layer: string, x: string, inputs: number, outputs: number): string {
    const role = { fanIn: inputs, fanOut: outputs }
    const { weight, bias, byFanIn } = this.#scale
    const names = this.#plan(layer, [outputs, inputs], role)
    const alpha = byFanIn ? weight / Math.sqrt(inputs) : weight
    return this.node('Gemm', layer, [x, ...names], {
      transB: { i: 1 },
      ...(alpha === 1 ? {} : { alpha: { f: alpha } }),
      ...(bias === 1 ? {} : { beta: { f: bias } }),
    })
  }

  /** 3×3, stride 1, of the same size: x (N, inputs, h, w) → (N, outputs, h, w). */
  convolution(layer: string, x: string, inputs: number, outputs: number): string {
    const { weight, bias, byFanIn } = this.#scale
    const fanIn = 9 * inputs
    const names = this.#plan(layer, [outputs, inputs, 3, 3], { fanIn, fanOut: 9 * outputs })
    const own = byFanIn ? weight / Math.sqrt(fanIn) : weight
    // s·Wx + β·b = β·(W(s/β·x) + b): a convolution has no factors of its own.
    const outer = this.#bias ? bias : 1
    const input = this.#times(`${layer}/in`, x, own / outer)
    const y = this.node('Conv', layer, [input, ...names], {
      kernel_shape: { ints: [3, 3] },
      pads: { ints: [1, 1, 1, 1] },
    })
    return this.#times(`${layer}/out`, y, outer)
  }

  /** The model of one input and one output, with drawn weights. */
  async build(
    input: { name: string; shape: readonly Dimension[] },
    output: { name: string; shape: readonly Dimension[] },
    draw: CheckedDraw,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const last = this.#nodes.at(-1) as NodeProto
    last.output = [output.name]
    const bytes = this.#weights.reduce((sum, { shape }) => sum + 4 * shapeSize(shape), 0)
    if (bytes >= largest) {
      throw new TangentError(
        'TOO_LARGE',
        `Expected weights that fit an ONNX file of 2 GiB but they take ${formatBytes(bytes)}`,
      )
    }
    const initializer = []
    for (const [index, { name, shape, role }] of this.#weights.entries()) {
      const count = shapeSize(shape)
      const data = await drawWeight(role, count, index, draw)
      initializer.push(arrayToTensor({ data, shape: [...shape] }, name))
    }
    const model = create(ModelProtoSchema, {
      irVersion: 8n,
      producerName: 'adaptive-tangent',
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: 17n })],
      graph: create(GraphProtoSchema, {
        name: 'network',
        node: this.#nodes,
        initializer,
        input: [makeValueInfo(input.name, DataType.FLOAT, input.shape)],
        output: [makeValueInfo(output.name, DataType.FLOAT, output.shape)],
      }),
    })
    return toBinary(ModelProtoSchema, model)
  }

  #plan(layer: string, shape: readonly number[], fans: { fanIn: number; fanOut: number }) {
    const names = [`${layer}.weight`]
    this.#weights.push({ name: `${layer}.weight`, shape, role: { kind: 'weight', ...fans } })
    if (this.#bias) {
      const [outputs = 1] = shape
      names.push(`${layer}.bias`)
      this.#weights.push({
        name: `${layer}.bias`,
        shape: [outputs],
        role: { kind: 'bias', ...fans },
      })
    }
    return names
  }

  #times(layer: string, x: string, factor: number): string {
    if (factor === 1) return x
    const constant = this.node('Constant', layer, [], { value_float: { f: factor } })
    return this.node('Mul', layer, [x, constant])
  }
}

function attribute(name: string, value: Attribute) {
  if ('f' in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.f })
  }
  if ('i' in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value.i) })
  }
  const ints = value.ints.map(BigInt)
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints })
}
