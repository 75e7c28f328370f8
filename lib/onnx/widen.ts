// Networks in float16, bfloat16 and float64 become float32 ones, which is what is computed with.

import { arrayToTensor } from '../io/tensor.js'
import {
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  TensorProto_DataType as T,
  type TensorProto,
  type TypeProto,
} from '../protobuf/index.js'
import type { OnnxModel } from './decode.js'
import { allTensors, initializerData } from './external.js'
import { changed } from './message.js'

/** Attributes that name an element type. */
const typeAttributes = new Set([
  'to',
  'dtype',
  'output_dtype',
  'output_datatype',
  'softmax_precision',
])

/** float64 numbers beyond float32 stay finite: masks are written as the most negative number. */
function toFloat32Finite(data: Float64Array): Float32Array {
  const most = 3.4028234663852886e38
  return Float32Array.from(data, (x) =>
    Number.isFinite(x) ? Math.min(most, Math.max(-most, x)) : x,
  )
}

class Widener {
  readonly #model: OnnxModel
  readonly #types: ReadonlySet<number>
  readonly #target: T.FLOAT | T.DOUBLE

  constructor(model: OnnxModel, types: ReadonlySet<number>, target: T.FLOAT | T.DOUBLE = T.FLOAT) {
    this.#model = model
    this.#types = types
    this.#target = target
  }

  async graph(graph: GraphProto): Promise<GraphProto> {
    const initializer: TensorProto[] = []
    for (const tensor of graph.initializer) initializer.push(await this.#tensor(tensor))
    const info = <V extends { type?: TypeProto }>(value: V): V =>
      value.type ? changed<V>(value, { type: this.#type(value.type) } as Partial<V>) : value
    return changed(graph, {
      initializer,
      node: await this.nodes(graph.node),
      input: graph.input.map(info),
      output: graph.output.map(info),
      valueInfo: graph.valueInfo.map(info),
    })
  }

  async nodes(nodes: readonly NodeProto[]): Promise<NodeProto[]> {
    const out: NodeProto[] = []
    for (const node of nodes) {
      const attribute: AttributeProto[] = []
      for (const entry of node.attribute) attribute.push(await this.#attribute(entry))
      out.push(changed(node, { attribute }))
    }
    return out
  }

  async #attribute(attribute: AttributeProto): Promise<AttributeProto> {
    const { t, g, tensors, graphs, i, name } = attribute
    const out = changed(attribute, {})
    if (typeAttributes.has(name) && this.#types.has(Number(i))) out.i = BigInt(this.#target)
    if (t) out.t = await this.#tensor(t)
    if (g) out.g = await this.graph(g)
    out.tensors = await Promise.all(tensors.map((tensor) => this.#tensor(tensor)))
    out.graphs = await Promise.all(graphs.map((graph) => this.graph(graph)))
    return out
  }

  async #tensor(tensor: TensorProto): Promise<TensorProto> {
    if (!this.#types.has(tensor.dataType)) return tensor
    const { data, shape } = await initializerData(this.#model, tensor)
    const wide =
      this.#target === T.DOUBLE
        ? Float64Array.from(data as Float32Array)
        : data instanceof Float64Array
          ? toFloat32Finite(data)
          : (data as Float32Array)
    const { docString, metadataProps } = tensor
    const stored = arrayToTensor({ data: wide, shape }, tensor.name)
    return changed(stored, { docString, metadataProps })
  }

  #type(type: TypeProto): TypeProto {
    const { value } = type
    if (value.case === 'tensorType' || value.case === 'sparseTensorType') {
      if (!this.#types.has(value.value.elemType)) return type
      return changed(type, {
        value: {
          ...value,
          value: changed(value.value, { elemType: this.#target }),
        } as typeof value,
      })
    }
    const inner = value.case === 'sequenceType' || value.case === 'optionalType'
    if (!inner || !value.value.elemType) return type
    const elemType = this.#type(value.value.elemType)
    return changed(type, {
      value: { ...value, value: changed(value.value, { elemType }) } as typeof value,
    })
  }
}

/** Does any node of the graph, or of those inside it, produce one of the types by an attribute? */
function produces(nodes: readonly NodeProto[], types: ReadonlySet<number>): boolean {
  return nodes.some(({ attribute }) =>
    attribute.some(
      ({ name, i, g, graphs }) =>
        (typeAttributes.has(name) && types.has(Number(i))) ||
        [...(g ? [g] : []), ...graphs].some((graph) => produces(graph.node, types)),
    ),
  )
}

function elementType(value: { type?: TypeProto }): number {
  const type = value.type?.value
  return type?.case === 'tensorType' ? type.value.elemType : T.UNDEFINED
}

/**
 * The same network in float32 where it holds float16 or bfloat16 numbers, or takes or stores float64
 * arrays. Weights are widened exactly (float64 ones rounded), their external data read in; inputs,
 * outputs and intermediate types follow. A float32 model is returned as it is.
 */
export async function widenFloats(model: OnnxModel): Promise<OnnxModel> {
  const { graph, proto } = model
  const tensors = [...allTensors(graph, model.name)].map(([tensor]) => tensor)
  const declared = [...graph.input, ...graph.output].map(elementType)
  const types = new Set<number>()
  const halves = new Set<number>([T.FLOAT16, T.BFLOAT16])
  const found = tensors.map(({ dataType }) => dataType).concat(declared)
  // A float64 detour in a float32 network (sizes, counters) is onnxruntime's.
  const weights = graph.initializer.filter(({ dims }) => dims.length > 0)
  if (weights.some(({ dataType }) => dataType === T.DOUBLE) || declared.includes(T.DOUBLE)) {
    types.add(T.DOUBLE)
  }
  if (found.some((type) => halves.has(type)) || produces(graph.node, halves)) {
    for (const type of halves) types.add(type)
  }
  if (types.size === 0) return model
  const widener = new Widener(model, types)
  const wide = await widener.graph(graph)
  const functions = []
  for (const entry of proto.functions) {
    functions.push(changed(entry, { node: await widener.nodes(entry.node) }))
  }
  const names = [...types]
    .filter((type) => found.includes(type))
    .map((type) => T[type]?.toLowerCase())
  const note = `numbers stored as ${names.join(' and ') || 'half precision'} are computed in float32`
  return {
    ...model,
    proto: changed(proto, { graph: wide, functions }),
    graph: wide,
    initializers: new Map(wide.initializer.map((tensor) => [tensor.name, tensor])),
    notes: [...model.notes, note],
  }
}

/** A float32 model with float64 in place of float32. */
export async function inDouble(model: OnnxModel): Promise<OnnxModel> {
  const widener = new Widener(model, new Set([T.FLOAT]), T.DOUBLE)
  const graph = await widener.graph(model.graph)
  return {
    ...model,
    proto: changed(model.proto, { graph }),
    graph,
    initializers: new Map(graph.initializer.map((tensor) => [tensor.name, tensor])),
  }
}
