// Convolutions along one axis, run along the second axis of a plane of height 1: where weights are
// constants onnxruntime has a way of its own through planes of many channels, which takes 10 to 25 % less
// time. Fed weights take longer so.

import { alongTwo, axesAsInput, heightAxis, planePrefix } from '../onnx/planes.js'
import {
  type Field,
  field,
  fields,
  fieldsOf,
  joined,
  message,
  node,
  numbersIn,
  parts,
  textIn,
  textsIn,
} from '../onnx/wire.js'
import type { WeightMessage } from './protocol.js'

const axes = `${planePrefix}axes:constant`
/** TensorProto.DataType.INT64 and AttributeProto.AttributeType.INTS. */
const [int64, manyInts] = [7, 7]
/** onnxruntime takes so many channels at once, or half as many. */
const block = 16

/** What changes in a model whose weights are constants. */
export interface InPlanes {
  /** Of nodes that others stand in for, these as fields of the graph. */
  nodes: ReadonlyMap<Uint8Array, Uint8Array[]>
  /** Names of the weights that have an axis before their last one. */
  weights: ReadonlySet<string>
  /** Further fields of the graph. */
  added: Uint8Array[]
}

/** @param entries those of the model's graph. */
export function linesInPlanes(
  model: Uint8Array,
  entries: readonly Field[],
  weights: readonly WeightMessage[],
): InPlanes {
  const found = new Map<Uint8Array, Uint8Array[]>()
  const planes = new Set<string>()
  const changes = { nodes: found, weights: planes, added: [] }
  const candidates = new Map(weights.filter(worthwhile).map((weight) => [weight.name, weight]))
  if (candidates.size === 0) return changes
  const nodes = entries.filter(({ number }) => number === fields.graph.node)
  // An inner graph may read any of them.
  if (nodes.some(({ content }) => parts(content, fields.node.attribute).some(holdsGraph)))
    return changes
  const uses = new Map<string, number>()
  for (const name of namesRead(entries)) uses.set(name, (uses.get(name) ?? 0) + 1)
  const opset = opsetOf(model)
  for (const { content } of nodes) {
    const weight = candidates.get(textsIn(content, fields.node.input)[1] ?? '')
    if (!weight || uses.get(weight.name) !== 1 || !fits(content, weight)) continue
    found.set(content, plane(content, opset))
    planes.add(weight.name)
  }
  if (found.size === 0 || opset < axesAsInput) return changes
  const numbers = new Uint8Array(BigInt64Array.of(BigInt(heightAxis)).buffer)
  const { dims, dataType, name, rawData } = fields.tensor
  const stored = message([dims, 1], [dataType, int64], [name, axes], [rawData, numbers])
  return { ...changes, added: field(fields.graph.initializer, [stored]) }
}

const worthwhile = ({ shape: [rows = 0, columns = 0, taps = 0, ...others] }: WeightMessage) =>
  others.length === 0 && taps > 1 && rows % block === 0 && (columns === 1 || columns % block === 0)

const holdsGraph = (attribute: Uint8Array) =>
  fieldsOf(attribute).some(
    ({ number }) => number === fields.attribute.graph || number === fields.attribute.graphs,
  )

/** Names of the values that nodes read and that the graph gives, each as often as it is. */
function namesRead(entries: readonly Field[]): string[] {
  return entries.flatMap(({ number, content }) => {
    if (number === fields.graph.node) return textsIn(content, fields.node.input)
    return number === fields.graph.output ? [textIn(content, fields.value.name)] : []
  })
}

function opsetOf(model: Uint8Array): number {
  const { domain, version } = fields.opset
  const own = parts(model, fields.model.opsetImport).find((entry) =>
    ['', 'ai.onnx'].includes(textIn(entry, domain)),
  )
  return own ? (numbersIn(own, version).at(-1) ?? 1) : 1
}

/** Is it a convolution whose groups hold whole blocks of channels, or one channel each? */
function fits(content: Uint8Array, { shape: [rows = 0, columns = 0] }: WeightMessage): boolean {
  const { opType, domain, attribute } = fields.node
  if (textIn(content, opType) !== 'Conv' || textIn(content, domain) !== '') return false
  const group = parts(content, attribute).find(
    (each) => textIn(each, fields.attribute.name) === 'group',
  )
  const groups = (group && numbersIn(group, fields.attribute.int).at(-1)) ?? 1
  return columns === 1 ? groups === rows : (rows / groups) % block === 0
}

function plane(content: Uint8Array, opset: number): Uint8Array[] {
  const of = fields.node
  const [output = ''] = textsIn(content, of.output)
  const [x = '', ...others] = textsIn(content, of.input)
  const named = (role: string) => `${planePrefix}${role}:${output}`
  const axis = message(
    opset < axesAsInput ? [of.attribute, integers('axes', [heightAxis])] : [of.input, axes],
  )
  const convolution = message(
    ...[named('x'), ...others].map((name) => [of.input, name] as const),
    [of.output, named('y')],
    [of.name, textIn(content, of.name)],
    [of.opType, 'Conv'],
    ...parts(content, of.attribute).map((each) => [of.attribute, widened(each)] as const),
  )
  return [
    joined([node('Unsqueeze', x, named('x')), axis]),
    convolution,
    joined([node('Squeeze', named('y'), output), axis]),
  ].flatMap((each) => field(fields.graph.node, [each]))
}

function widened(attribute: Uint8Array): Uint8Array {
  const name = textIn(attribute, fields.attribute.name)
  const ints = alongTwo(name, numbersIn(attribute, fields.attribute.ints))
  return ints ? integers(name, ints) : attribute
}

function integers(name: string, ints: readonly number[]): Uint8Array {
  const of = fields.attribute
  return message([of.name, name], ...ints.map((each) => [of.ints, each] as const), [
    of.type,
    manyInts,
  ])
}
