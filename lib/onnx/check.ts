// What a graph must satisfy before any other code looks at it.

import { TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import { elementCount } from '../io/ndarray.js'
import { checkTensor, tensorShape } from '../io/tensor.js'
import type { AttributeProto, GraphProto, SparseTensorProto } from '../protobuf/index.js'
import { nodeLabel } from './names.js'

/** Names visible in a graph; a subgraph sees those of the graphs around it. */
interface Scope {
  names: Set<string>
  outer?: Scope
}

function sees(scope: Scope | undefined, name: string): boolean {
  for (let at = scope; at; at = at.outer) if (at.names.has(name)) return true
  return false
}

function bad(message: string): TangentError {
  return new TangentError('BAD_FILE', message)
}

function checkSparse(sparse: SparseTensorProto, model: string): string {
  const name = sparse.values?.name ?? ''
  const where = `sparse initializer ${quote(name)} of ${model}`
  if (!sparse.values || !sparse.indices || elementCount(sparse.dims) === null) {
    throw bad(`${where} is incomplete.`)
  }
  checkTensor(sparse.values, where)
  checkTensor(sparse.indices, where)
  const { count } = tensorShape(sparse.values, where)
  const indices = tensorShape(sparse.indices, where).count
  if (indices !== count && indices !== count * sparse.dims.length) {
    throw bad(`${where} has ${count} values, but ${indices} indices.`)
  }
  return name
}

function checkAttribute(
  attribute: AttributeProto,
  where: string,
  model: string,
  scope: Scope,
): void {
  const what = `attribute ${quote(attribute.name)} of ${where} in ${model}`
  for (const tensor of attribute.t ? [attribute.t, ...attribute.tensors] : attribute.tensors) {
    checkTensor(tensor, what)
  }
  for (const graph of attribute.g ? [attribute.g, ...attribute.graphs] : attribute.graphs) {
    checkScope(graph, model, scope)
  }
}

/** Every value defined once, before its use; every stored tensor of the size that it declares. */
function checkScope(graph: GraphProto, model: string, outer?: Scope): void {
  const scope: Scope = outer ? { names: new Set(), outer } : { names: new Set() }
  const define = (name: string, by: string) => {
    if (scope.names.has(name)) throw bad(`${model} defines the value ${quote(name)} twice (${by}).`)
    scope.names.add(name)
  }
  for (const { name } of graph.input) {
    if (name === '') throw bad(`${model} has an input without a name.`)
    define(name, 'as an input')
  }
  const inputs = new Set(scope.names)
  const initializers = new Set<string>()
  for (const tensor of graph.initializer) {
    const { name } = tensor
    if (name === '') throw bad(`${model} has an initializer without a name.`)
    checkTensor(tensor, `initializer ${quote(name)} of ${model}`)
    // Before IR version 4 every initializer was listed as an input too.
    if (inputs.has(name) && !initializers.has(name)) initializers.add(name)
    else define(name, 'as an initializer')
  }
  for (const sparse of graph.sparseInitializer) define(checkSparse(sparse, model), 'sparse')

  const later = new Set(graph.node.flatMap((node) => node.output))
  graph.node.forEach((node, index) => {
    const where = nodeLabel(node, index)
    if (node.opType === '') throw bad(`${where} of ${model} has no operator.`)
    for (const name of node.input) {
      if (name === '' || sees(scope, name)) continue
      throw bad(
        later.has(name)
          ? `${where} of ${model} uses the value ${quote(name)} before it is computed: its nodes are not sorted, or form a cycle.`
          : `${where} of ${model} uses the value ${quote(name)}, which nothing defines.`,
      )
    }
    const attributes = new Set<string>()
    for (const attribute of node.attribute) {
      if (attributes.has(attribute.name)) {
        throw bad(`${where} of ${model} has the attribute ${quote(attribute.name)} twice.`)
      }
      attributes.add(attribute.name)
      checkAttribute(attribute, where, model, scope)
    }
    for (const name of node.output) if (name !== '') define(name, where)
  })

  const outputs = new Set<string>()
  for (const { name } of graph.output) {
    if (name === '' || !sees(scope, name)) {
      throw bad(`${model} lists the output ${quote(name)}, which nothing computes.`)
    }
    if (outputs.has(name)) throw bad(`${model} lists the output ${quote(name)} twice.`)
    outputs.add(name)
  }
}

/**
 * Checks the main graph of a model, with all subgraphs.
 * @throws TangentError BAD_FILE that names the first thing that is wrong.
 */
export function checkGraph(graph: GraphProto, model: string): void {
  if (graph.node.length === 0) throw bad(`${model} is empty: its graph has no nodes.`)
  if (graph.output.length === 0) throw bad(`${model} has no outputs.`)
  checkScope(graph, model)
}
