// The last affine layer of a network, and another one in its place.
import { quote } from '../core/quote.js'
import type { NdArray } from '../io/index.js'
import { arrayToTensor } from '../io/tensor.js'
import { makeValueInfo, normalDomain, type OnnxModel, valueInfo } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import { freshNames, Writer } from '../onnx/writer.js'
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  type NodeProto,
} from '../protobuf/index.js'
import { nativeAttributes } from './attributes.js'
import { capturedBy } from './captures.js'

/** W h + b at the end of a network. */
export interface LastAffine {
  /** h, the penultimate value. */
  input: string
  /** Initializers that hold W and b, as far as they are that: others are computed. */
  weight: string | undefined
  bias: string | undefined
}

/** An affine layer to put in its place: s·(W h + b). */
export interface NewHead {
  /** (C, d) */
  weight: NdArray<Float32Array>
  /** (C) */
  bias: NdArray<Float32Array>
  /** s, a constant of the network (default 1). */
  scale?: number
}

/** What is known of a graph's values. */
class Values {
  readonly #makers = new Map<string, NodeProto>()
  readonly #stored = new Map<string, boolean>()
  readonly readers = new Map<string, number>()

  constructor(graph: GraphProto) {
    for (const tensor of graph.initializer) this.#stored.set(tensor.name, true)
    for (const node of graph.node) {
      for (const name of node.output) this.#makers.set(name, node)
      for (const name of [...node.input, ...capturedBy(node)]) {
        this.readers.set(name, (this.readers.get(name) ?? 0) + 1)
      }
    }
  }

  /** The node that makes a value, seen through those that only hand it on. */
  maker(name: string): NodeProto | undefined {
    let node = this.#makers.get(name)
    while (node?.opType === 'Identity') node = this.#makers.get(node.input[0] ?? '')
    return node
  }

  /** Does a value depend on what the file stores alone? */
  isStored(name: string): boolean {
    const known = this.#stored.get(name)
    if (known !== undefined) return known
    const node = this.#makers.get(name)
    this.#stored.set(name, false)
    const reads = node ? [...node.input, ...capturedBy(node)].filter((one) => one !== '') : ['']
    const stored = node !== undefined && reads.every((one) => this.isStored(one))
    this.#stored.set(name, stored)
    return stored
  }
}

/** Why a network does not end in an affine layer. */
export interface NoAffine {
  why: string
  /** A value on the way to the output that an affine layer makes, where there is one. */
  before: string | undefined
}

/** The affine layer that makes `output`: Gemm, or MatMul with or without an Add. */
export function lastAffine(
  { graph }: Pick<OnnxModel, 'graph'>,
  output: string,
): LastAffine | NoAffine {
  const values = new Values(graph)
  const initializers = new Set(graph.initializer.map(({ name }) => name))
  const found = affineOf(values, initializers, output)
  if (found) return found
  const node = values.maker(output)
  const why = node ? `${quote(output)} is made by ${node.opType}` : `${quote(output)} is an input`
  // Along what changes one value, such as a Softmax.
  let before = output
  for (let next = node; next; next = values.maker(before)) {
    const read = next.input.filter((name) => name !== '' && !values.isStored(name))
    if (read.length !== 1) break
    before = read[0] as string
    if (affineOf(values, initializers, before)) return { why, before }
  }
  return { why, before: undefined }
}

function affineOf(
  values: Values,
  initializers: ReadonlySet<string>,
  output: string,
): LastAffine | undefined {
  const node = values.maker(output)
  if (!node) return undefined
  const known = (name: string | undefined) => (initializers.has(name ?? '') ? name : undefined)
  const affine = (input: string | undefined, weight: string | undefined, bias?: string) => ({
    input: input as string,
    weight: known(weight),
    bias: known(bias),
  })
  const product = (of: NodeProto | undefined) =>
    of !== undefined && isPlain(of, 'MatMul') && values.isStored(of.input[1] ?? '') ? of : undefined
  if (isPlain(node, 'Gemm')) {
    const [input = '', weight = '', bias = ''] = node.input
    const turned = nativeAttributes(node).transA
    const flat = !(turned && 'i' in turned && turned.i !== 0)
    const own = flat && !values.isStored(input) && values.isStored(weight)
    return own && (bias === '' || values.isStored(bias)) ? affine(input, weight, bias) : undefined
  }
  if (isPlain(node, 'Add')) {
    for (const [one = '', other = ''] of [node.input, node.input.toReversed()]) {
      const from = product(values.maker(one))
      if (from && values.isStored(other)) return affine(from.input[0], from.input[1], other)
    }
    return undefined
  }
  const from = product(node)
  return from && affine(from.input[0], from.input[1])
}

const isPlain = ({ opType, domain }: NodeProto, op: string) =>
  opType === op && normalDomain(domain) === ''

/**
 * The network up to `output`, a single output now, whose last affine layer is another one. Parameters
 * keep their names where nothing else uses them.
 * @param last what {@link lastAffine} finds in it
 * @returns the model's parts to encode, and what the new parameters are called
 */
export function withHead(
  model: OnnxModel,
  output: string,
  last: LastAffine,
  head: NewHead,
): { graph: GraphProto; weight: string; bias: string } {
  const { graph } = model
  const values = new Values(graph)
  const taken = new Set([
    ...graph.node.flatMap((node) => [...node.input, ...node.output, ...capturedBy(node)]),
    ...graph.initializer.map(({ name }) => name),
    ...graph.input.map(({ name }) => name),
  ])
  const fresh = freshNames(taken)
  const own = (name: string | undefined, instead: string) =>
    name !== undefined && values.readers.get(name) === 1 ? name : fresh(instead)
  const weight = own(last.weight, 'head.weight')
  const bias = own(last.bias, 'head.bias')
  const writer = new Writer('head', fresh)
  const inputs = [last.input, weight, bias]
  const turned = { transB: { i: 1 } } as const
  if (head.scale === undefined) writer.last(output, 'Gemm', inputs, turned)
  else {
    const scale = writer.constant({ data: Float32Array.of(head.scale), shape: [] })
    writer.last(output, 'Mul', [writer.one('Gemm', inputs, turned), scale])
  }
  const before = upTo(graph, last.input)
  const replaced = new Set([weight, bias])
  const kept = graph.initializer.filter(({ name }) => before.reads.has(name) && !replaced.has(name))
  const arrays = [arrayToTensor(head.weight, weight), arrayToTensor(head.bias, bias)]
  return {
    weight,
    bias,
    graph: changed(graph, {
      node: [...before.nodes, ...writer.nodes],
      initializer: [...kept, ...arrays],
      sparseInitializer: graph.sparseInitializer.filter(({ values: numbers }) =>
        before.reads.has(numbers?.name ?? ''),
      ),
      input: graph.input.filter(({ name }) => before.reads.has(name)),
      valueInfo: graph.valueInfo.filter(({ name }) => before.reads.has(name)),
      output: [outputInfo(graph, output, head.bias.data.length)],
      quantizationAnnotation: [],
    }),
  }
}

/** The nodes that a value depends on, in order, and all that they read, with the value. */
function upTo(graph: GraphProto, value: string): { nodes: NodeProto[]; reads: Set<string> } {
  const reads = new Set([value])
  const nodes = graph.node.toReversed().filter((node) => {
    if (!node.output.some((name) => reads.has(name))) return false
    for (const name of [...node.input, ...capturedBy(node)]) reads.add(name)
    return true
  })
  return { nodes: nodes.reverse(), reads }
}

function outputInfo(graph: GraphProto, name: string, columns: number) {
  const declared = graph.output.find((info) => info.name === name)
  const shape = declared && valueInfo(declared).shape
  const rows = shape?.length === 2 ? shape[0] : undefined
  return makeValueInfo(name, DataType.FLOAT, rows === undefined ? undefined : [rows, columns])
}
