import type { GraphProto, NodeProto } from '../protobuf/index.js'

/**
 * Values of the outer graph that a node's subgraphs (If, Loop, Scan bodies) read without listing
 * them as inputs.
 */
export function capturedBy(node: NodeProto): string[] {
  const captured = new Set<string>()
  for (const attribute of node.attribute) {
    for (const graph of attribute.g ? [attribute.g, ...attribute.graphs] : attribute.graphs) {
      for (const name of freeIn(graph)) captured.add(name)
    }
  }
  return [...captured]
}

function freeIn(graph: GraphProto): Set<string> {
  const own = new Set<string>()
  for (const input of graph.input) own.add(input.name)
  for (const tensor of graph.initializer) own.add(tensor.name)
  for (const tensor of graph.sparseInitializer) own.add(tensor.values?.name ?? '')
  for (const node of graph.node) for (const name of node.output) own.add(name)
  const free = new Set<string>()
  const read = (name: string) => {
    if (name !== '' && !own.has(name)) free.add(name)
  }
  for (const node of graph.node) {
    node.input.forEach(read)
    capturedBy(node).forEach(read)
  }
  for (const output of graph.output) read(output.name)
  return free
}
