// Which Constant nodes hold weights. ONNX does not say; Paddle's exporter stores all of them so.

import { elementCount } from '../io/ndarray.js'
import { isExternal, tensorToArray } from '../io/tensor.js'
import { normalDomain, type OnnxModel } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import {
  TensorProto_DataType as DataType,
  type NodeProto,
  type TensorProto,
} from '../protobuf/index.js'
import { constantTensor } from './constants.js'

/** Operators that show the same numbers in another form. */
const views = /^(Identity|Cast|Reshape|Transpose|Squeeze|Unsqueeze|Flatten)$/

/** Operators that put stored tensors together out of parts, as the gates of an LSTM. */
const parts = /^(Slice|Split|Concat|Expand|Tile)$/

/** How Paddle names its parameters: weights and biases of a layer by number. */
const paddleName = /\.[wb]_\d+(_deepcopy_\d+)?$/

/** Operators of layers, and which of their inputs are weights. */
const layers: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^(Conv|ConvTranspose|LayerNormalization|InstanceNormalization|GroupNormalization)$/, [1, 2]],
  [/^BatchNormalization$/, [1, 2, 3, 4]],
  [/^(PRelu|RMSNormalization|SimplifiedLayerNormalization)$/, [1]],
  [/^(LSTM|GRU|RNN)$/, [1, 2, 3]],
  [/^(Gemm|MatMul|Einsum)$/, [0, 1, 2]],
  [/^Gather$/, [0]],
]

function isWeightOfLayer({ opType }: NodeProto, position: number, rank: number): boolean {
  // A list of numbers to choose from is no embedding.
  if (opType === 'Gather' && rank < 2) return false
  return layers.some(([op, inputs]) => op.test(opType) && inputs.includes(position))
}

/** Numbers so large stand in masks, not in weights. */
const unlikely = 1e4

function isMask(tensor: TensorProto): boolean {
  const { data } = tensorToArray(tensor, 'a Constant')
  return data.some((value: number | bigint) => !(Math.abs(Number(value)) < unlikely))
}

interface Place {
  node: NodeProto
  position: number
  /** The value as the node reads it: the Constant, or it in another form. */
  as: string
}

/** What is known of a graph's values, by one walk through its nodes. */
class Places {
  readonly #readers = new Map<string, Omit<Place, 'as'>[]>()
  /** Stored tensors, under the names of their other forms, too. */
  readonly #stored: Map<string, TensorProto>
  /** Values made of stored tensors alone. */
  readonly #fixed: Set<string>
  /** The node of a layer whose result a value is, but for its bias and its form. */
  readonly #layers = new Map<string, NodeProto>()
  readonly #makers = new Map<string, NodeProto>()

  constructor({ graph, initializers }: OnnxModel) {
    this.#stored = new Map(initializers)
    this.#fixed = new Set(initializers.keys())
    for (const node of graph.node) {
      node.input.forEach((name, position) => {
        const list = this.#readers.get(name)
        if (list) list.push({ node, position })
        else this.#readers.set(name, [{ node, position }])
      })
      const tensor = constantTensor(node) ?? this.#form(node)
      const fixed =
        tensor !== undefined ||
        (node.input.length > 0 && node.input.every((name) => name === '' || this.#fixed.has(name)))
      const layer = fixed ? undefined : this.#layerOf(node)
      for (const name of node.output) {
        this.#makers.set(name, node)
        if (fixed) this.#fixed.add(name)
        if (tensor) this.#stored.set(name, tensor)
        if (layer) this.#layers.set(name, layer)
      }
    }
  }

  #form({ opType, input }: NodeProto): TensorProto | undefined {
    const tensor = views.test(opType) ? this.#stored.get(input[0] ?? '') : undefined
    const turned = opType === 'Transpose' && tensor?.dims.length === 2
    return turned ? changed(tensor, { dims: tensor.dims.toReversed() }) : tensor
  }

  #layerOf(node: NodeProto): NodeProto | undefined {
    const { opType, input } = node
    if (this.#isLayer(node) || this.#standardises(node)) return node
    if (views.test(opType) || opType === 'Dropout') return this.#layers.get(input[0] ?? '')
    const goesOn =
      opType === 'Concat' ||
      (/^(Add|Sub|Mul|Div)$/.test(opType) && input.some((name) => this.#fixed.has(name)))
    const from = goesOn ? input.find((name) => this.#layers.has(name)) : undefined
    return from === undefined ? undefined : this.#layers.get(from)
  }

  /** A product of two values that are computed, as attention's scores are, is no layer. */
  #isLayer({ opType, input }: NodeProto): boolean {
    if (!layers.some(([op]) => op.test(opType))) return false
    return /Normalization$/.test(opType) || input.some((name) => this.#fixed.has(name))
  }

  /** A norm that is written out divides by a square root. */
  #standardises({ opType, input }: NodeProto): boolean {
    const made = (name: string | undefined) => this.#makers.get(name ?? '')?.opType
    if (opType === 'Div') return made(input[1]) === 'Sqrt'
    return opType === 'Mul' && input.some((name) => made(name) === 'Reciprocal')
  }

  /** What reads a stored value, or it in another form. */
  *of(name: string): Generator<Place> {
    const forms = new Set([name])
    for (const as of forms) {
      for (const { node, position } of this.#readers.get(as) ?? []) {
        if (this.#isForm(node, position)) for (const output of node.output) forms.add(output)
        else if (normalDomain(node.domain) === '') yield { node, position, as }
      }
    }
  }

  #isForm({ opType, output }: NodeProto, position: number): boolean {
    if (position === 0 && views.test(opType)) return true
    const first = position === 0 || opType === 'Concat'
    return first && parts.test(opType) && output.some((name) => this.#fixed.has(name))
  }

  /** Outputs that a layer has for each position: the size of its bias. */
  #width({ opType, input, attribute }: NodeProto): number | undefined {
    const sizes = this.#stored.get(input[1] ?? '')?.dims.map(Number)
    if (opType === 'Conv') return sizes?.[0]
    if (opType === 'ConvTranspose') return sizes?.[1]
    if (opType === 'MatMul') return sizes?.at(-1)
    const turned = attribute.some(({ name, i }) => name === 'transB' && i === 1n)
    return opType === 'Gemm' ? sizes?.[turned ? 0 : 1] : undefined
  }

  /** A bias or the scale of a norm, as operators of their own. */
  #isAddedOrScaled({ node: { opType, input }, as }: Place, count: number): boolean {
    const other = input.find((name) => name !== as)
    const layer = /^(Add|Sub|Mul)$/.test(opType) ? this.#layers.get(other ?? '') : undefined
    // A single number is a bias where there is a single output, a part of a formula elsewhere.
    return layer !== undefined && (count > 1 || (opType !== 'Mul' && this.#width(layer) === 1))
  }

  isWeight(name: string, tensor: TensorProto): boolean {
    if (paddleName.test(name)) return true
    const [rank, count] = [tensor.dims.length, elementCount(tensor.dims) ?? 0]
    let added = false
    for (const place of this.of(name)) {
      if (isWeightOfLayer(place.node, place.position, rank)) return true
      added ||= this.#isAddedOrScaled(place, count)
    }
    return added && (isExternal(tensor) || !isMask(tensor))
  }
}

/** As PyTorch names a module's parameters: `encoder.0.conv.weight`, `rnn.weight_ih_l0`. */
const moduleParameter = /\.(weight|bias)(_[a-z0-9_]+)?$/

/**
 * Names of the float32 Constant nodes that stand where weights stand: as the matrix, kernel, scale
 * or bias of a layer, or added to what a layer makes, and those that Paddle names so. PyTorch
 * stores parameters as initializers, so that in its files a Constant is one of the program's unless no
 * layer has an initializer, or it has a module's name (tools that write branches out leave such).
 */
export function constantWeights(model: OnnxModel): Set<string> {
  const chosen = (found: typeof nodes) =>
    new Set(
      found.filter(({ name, tensor }) => places.isWeight(name, tensor)).map(({ name }) => name),
    )
  const nodes = model.graph.node.flatMap((node) => {
    const tensor = constantTensor(node)
    return tensor?.dataType === DataType.FLOAT ? [{ name: node.output[0] ?? '', tensor }] : []
  })
  if (nodes.length === 0) return new Set()
  const places = new Places(model)
  if (model.proto.producerName === 'pytorch') {
    const inLayer = ([name, { dataType, dims }]: [string, TensorProto]) =>
      dataType === DataType.FLOAT &&
      [...places.of(name)].some(({ node, position }) =>
        isWeightOfLayer(node, position, dims.length),
      )
    if ([...model.initializers].some(inLayer)) {
      return chosen(nodes.filter(({ name }) => moduleParameter.test(name)))
    }
  }
  return chosen(nodes)
}
