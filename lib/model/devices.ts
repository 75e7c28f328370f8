// Which nodes of a network have code for devices.
import { native } from '../native/index.js'
import { normalDomain } from '../onnx/index.js'
import type { Architecture } from './architecture.js'

interface NamedNode {
  node: string
  operator: string
}

/** How many nodes carry derivatives, and those of them that the processor serves in any case. */
export function hostNodes({ analysis, graph }: Architecture): {
  nodes: number
  onHost: NamedNode[]
} {
  const known = new Set(native.deviceOperators)
  const named = analysis.nodes.map((index) => {
    const { name = '', op = '', domain = '' } = graph.native.nodes[index] ?? {}
    const normal = normalDomain(domain)
    return { node: name, operator: normal === '' ? op : `${normal}::${op}` }
  })
  return { nodes: named.length, onHost: named.filter(({ operator }) => !known.has(operator)) }
}
