// Numbers stored in the bodies of If, Loop and Scan move to the main graph, where weights are
// looked for. The bodies see them as they see any value around them.

import { FreshNames } from '../onnx/fresh.js'
import { makeNode, normalDomain, type OnnxModel } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import type { GraphProto, NodeProto, SparseTensorProto, TensorProto } from '../protobuf/index.js'

class Hoist {
  readonly initializer: TensorProto[] = []
  readonly sparse: SparseTensorProto[] = []
  readonly constants: NodeProto[] = []
  readonly #fresh: FreshNames

  constructor(graph: GraphProto) {
    this.#fresh = new FreshNames(withoutStored(graph, true))
  }

  node(node: NodeProto, names: ReadonlyMap<string, string>): NodeProto {
    const attribute = node.attribute.map((item) => {
      const { g, graphs } = item
      if (!g && graphs.length === 0) return item
      const inner = (graph: GraphProto) => this.#body(graph, names)
      return changed(item, { ...(g ? { g: inner(g) } : {}), graphs: graphs.map(inner) })
    })
    const input = node.input.map((name) => names.get(name) ?? name)
    return changed(node, { input, attribute })
  }

  #body(graph: GraphProto, outer: ReadonlyMap<string, string>): GraphProto {
    const names = new Map(outer)
    for (const { name } of graph.input) names.delete(name)
    for (const name of graph.node.flatMap(({ output }) => output)) names.delete(name)
    const moved = (name: string): string => {
      const own = this.#fresh.like(name)
      names.set(name, own)
      return own
    }
    for (const tensor of graph.initializer) {
      this.initializer.push(changed(tensor, { name: moved(tensor.name) }))
    }
    for (const tensor of graph.sparseInitializer) {
      const { values } = tensor
      if (!values) continue
      this.sparse.push(changed(tensor, { values: changed(values, { name: moved(values.name) }) }))
    }
    const nodes: NodeProto[] = []
    for (const node of graph.node) {
      if (isConstant(node)) this.constants.push(changed(node, { output: node.output.map(moved) }))
      else nodes.push(this.node(node, names))
    }
    // onnxruntime wants a node between a value from around the body and the body's output.
    const output = graph.output.map((info) => {
      const own = names.get(info.name)
      if (own === undefined) return info
      const name = this.#fresh.like(info.name)
      nodes.push(makeNode('Identity', [own], [name]))
      return changed(info, { name })
    })
    return changed(graph, { node: nodes, output, initializer: [], sparseInitializer: [] })
  }
}

function isConstant({ opType, domain }: NodeProto): boolean {
  return opType === 'Constant' && normalDomain(domain) === ''
}

/** The graph without what its bodies store, whose names are free then. */
function withoutStored(graph: GraphProto, main = false): GraphProto {
  const inner = (node: NodeProto) =>
    changed(node, {
      attribute: node.attribute.map((item) =>
        item.g || item.graphs.length > 0
          ? changed(item, {
              ...(item.g ? { g: withoutStored(item.g) } : {}),
              graphs: item.graphs.map((entry) => withoutStored(entry)),
            })
          : item,
      ),
    })
  const node = graph.node.map(inner)
  if (main) return changed(graph, { node })
  return changed(graph, {
    initializer: [],
    sparseInitializer: [],
    node: node.filter((entry) => !isConstant(entry)),
  })
}

/** The same model whose bodies store no numbers. */
export function hoistConstants(model: OnnxModel): OnnxModel {
  const { graph } = model
  const hoist = new Hoist(graph)
  const none = new Map<string, string>()
  const node = graph.node.map((entry) => hoist.node(entry, none))
  const initializer = [...graph.initializer, ...hoist.initializer]
  const hoisted = changed(graph, {
    node: [...hoist.constants, ...node],
    initializer,
    sparseInitializer: [...graph.sparseInitializer, ...hoist.sparse],
  })
  return {
    ...model,
    graph: hoisted,
    proto: changed(model.proto, { graph: hoisted }),
    initializers: new Map(initializer.map((tensor) => [tensor.name, tensor])),
  }
}
