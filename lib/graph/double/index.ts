// The same network in float64, for networks whose float32 numbers are not accurate enough. What
// onnxruntime has in float32 only is written out in operators that it has in float64.

import { tensorToArray } from '../../io/tensor.js'
import { decodeModel, normalDomain, type OnnxModel } from '../../onnx/decode.js'
import { encodeModel } from '../../onnx/encode.js'
import { namesOf } from '../../onnx/free-batch.js'
import { changed } from '../../onnx/message.js'
import { titleOf } from '../../onnx/names.js'
import { type ValueInfo, valueInfo } from '../../onnx/values.js'
import { inDouble } from '../../onnx/widen.js'
import { type Fresh, freshNames, Writer } from '../../onnx/writer.js'
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from '../../protobuf/index.js'
import { constantTensor } from '../constants.js'
import type { PreparedGraph } from '../prepare.js'
import { conversions } from './conversions.js'
import { elementwise } from './elements.js'
import { kernels } from './kernels.js'
import { normalisation } from './norms.js'
import type { Lower, Lowering } from './scope.js'
import { windowed } from './windows.js'

const lowerings: Readonly<Record<string, Lower>> = {
  ...conversions,
  ...elementwise,
  ...normalisation,
  ...windowed,
}

/** A node that cannot be computed in float64, and why. */
interface Refused {
  node: NodeProto
  why: string
}

/** Opset from which on the operators that are written take their operands as inputs. */
const oldest = 13

/** Sizes of weights that are no part of the graph. */
type Sizes = ReadonlyMap<string, readonly number[]>

/** What a graph tells of its values, by name. */
interface Told {
  stored: ReadonlyMap<string, TensorProto>
  declared: ReadonlyMap<string, ValueInfoProto>
}

function toldBy({ node, initializer, input, valueInfo, output }: GraphProto): Told {
  const stored = new Map(initializer.map((tensor) => [tensor.name, tensor]))
  for (const maker of node) {
    const tensor = constantTensor(maker)
    if (tensor) stored.set(maker.output[0] ?? '', tensor)
  }
  const declared = [...output, ...valueInfo, ...input].map((info) => [info.name, info] as const)
  return { stored, declared: new Map(declared) }
}

function lowering(node: NodeProto, told: Told, fresh: Fresh, sizes: Sizes): Lowering {
  const attribute = (name: string) => node.attribute.find((entry) => entry.name === name)
  return {
    node,
    write: new Writer(node.name || (node.output[0] ?? ''), fresh),
    input: (k) => node.input[k] ?? '',
    output: node.output[0] ?? '',
    integer: (name, otherwise) => Number(attribute(name)?.i ?? otherwise),
    integers: (name) => (attribute(name)?.ints ?? []).map(Number),
    float: (name, otherwise) => attribute(name)?.f ?? otherwise,
    text: (name, otherwise) => {
      const bytes = attribute(name)?.s
      return bytes ? new TextDecoder().decode(bytes) : otherwise
    },
    shapeOf: (name) => {
      const tensor = told.stored.get(name)
      if (tensor) return tensor.dims.map(Number)
      const weight = sizes.get(name)
      if (weight) return weight
      const info = told.declared.get(name)
      const shape = info && valueInfo(info).shape
      return shape?.map((size) => (typeof size === 'number' ? size : null))
    },
    numbersOf: (name) => {
      const tensor = told.stored.get(name)
      return tensor ? Array.from(tensorToArray(tensor, name).data, Number) : undefined
    },
  }
}

/** The nodes in float64, and those for which that cannot be. */
function lowered(
  graph: GraphProto,
  sizes: Sizes = new Map(),
): { nodes: NodeProto[]; refused: Refused[] } {
  const fresh = freshNames(namesOf(graph))
  const told = toldBy(graph)
  const refused: Refused[] = []
  const nodes = graph.node.flatMap((node) => {
    const own = normalDomain(node.domain) === '' ? lowerings[node.opType] : undefined
    if (!own) {
      const known = normalDomain(node.domain) === '' && kernels.has(node.opType)
      if (!known) refused.push({ node, why: 'onnxruntime has it in float32 only' })
      return [node]
    }
    const call = lowering(node, told, fresh, sizes)
    const why = own(call)
    if (why !== undefined)
      refused.push({ node, why: `onnxruntime has it in float32 only and ${why}` })
    return why === undefined ? call.write.nodes : [node]
  })
  return { nodes, refused }
}

/** Nodes that onnxruntime does not compute in float64, as refusals. */
export function refusedInDouble({ graph, opsets }: OnnxModel, { nodes, weights }: PreparedGraph) {
  const sizes = new Map(weights.map(({ name, shape }) => [name, shape]))
  const { refused } = lowered({ ...graph, node: [...nodes] }, sizes)
  const opset = opsets.get('') ?? 0
  const [first] = nodes
  if (opset < oldest && first) {
    const why = `the file is written in opset ${opset}, and float64 needs ${oldest} or later`
    refused.push({ node: first, why })
  }
  return refused.map(({ node, why }) => ({
    node: titleOf(node),
    operator: node.opType,
    why,
    remedy: 'load the network without float64',
  }))
}

/** An input or output of the file as a network in float64 has it. */
export function asDouble(info: ValueInfo): ValueInfo {
  if (info.type !== 'float32') return info
  return { ...info, type: 'float64', typeName: 'DOUBLE', dataType: DataType.DOUBLE }
}

/** A float32 model's bytes with float64 in place of float32 everywhere. */
export async function inDoubleBytes(bytes: Uint8Array, folder?: string): Promise<Uint8Array> {
  const model = decodeModel(bytes, folder === undefined ? {} : { folder })
  const { proto, graph } = await inDouble(model)
  return encodeModel(changed(proto, { graph: changed(graph, { node: lowered(graph).nodes }) }))
}
