// Which nodes of a network have code for devices.
import { native } from '../native/index.js'
import { normalDomain } from '../onnx/index.js'
import type { Architecture } from './architecture.js'

interface NamedNode {
  node: string
  operator: string
}

/**
 * How many nodes carry derivatives, and those of them that the processor serves in any case: in passes back, and in
 * passes forward.
 */
export function hostNodes({ analysis, graph }: Architecture): {
  nodes: number
  onHost: NamedNode[]
  onHostForward: NamedNode[]
} {
  const without = (operators: readonly string[], nodes: readonly NamedNode[]) => {
    const known = new Set(operators)
    return nodes.filter(({ operator }) => !known.has(operator))
  }
  const onWay = analysis.nodes.map((index) => graph.native.nodes[index])
  const named = onWay.map((node) => {
    const { name = '', op = '', domain = '' } = node ?? {}
    const normal = normalDomain(domain)
    return { node: name, operator: normal === '' ? op : `${normal}::${op}` }
  })
  return {
    nodes: named.length,
    onHost: without(native.deviceOperators, named),
    onHostForward: without(native.deviceForwardOperators, named),
  }
}
