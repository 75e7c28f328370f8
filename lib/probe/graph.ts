// How samples flow from layer to layer: the network's graph with everything between its parameters left
// out, but for the places where paths meet.
import { printable } from '../core/printable.js'
import { type Core, cores } from '../model/core.js'
import type { Network } from '../network/network.js'

/** A place in the graph of layers. */
export interface ProbeGraphNode {
  kind: 'input' | 'layer' | 'join' | 'output'
  /** Of a layer, the name in `layers`; of a join, its operator. */
  name: string
}

export interface ProbeGraph {
  /** From the inputs to the output. */
  nodes: ProbeGraphNode[]
  /** Pairs of indices of `nodes`. */
  edges: [from: number, to: number][]
}

/** More places than these are no picture. */
const nodeLimit = 400

/** Operators that tell shapes, along which no sample flows. */
const shapeOperators = new Set(['Shape', 'Size', 'ConstantOfShape'])

/**
 * The graph of layers on the way to the output; null where it has more than 400 places. A layer whose
 * parameters are used at several places of the flow stands there several times.
 */
export function layerGraph(network: Network): ProbeGraph | null {
  const { graph, output, inputs } = (cores.get(network) as Core).architecture
  const layerOf = new Map(network.parameters.map(({ name, layer }) => [name, layer]))
  const layers = new Map<number, string>()
  for (const { id, name } of graph.weights) {
    const layer = layerOf.get(name)
    if (layer !== undefined) layers.set(id, layer)
  }
  const flow = new Flow()
  for (const { name } of inputs) {
    flow.from.set(graph.ids.get(name) ?? -1, flow.place({ kind: 'input', name }, []))
  }
  for (const node of graph.native.nodes) {
    if (shapeOperators.has(node.op)) continue
    const sources = distinct(node.inputs.map((id) => flow.from.get(id)))
    const used = distinct(node.inputs.map((id) => layers.get(id)))
    const at = used.length > 0 ? flow.layer(used, sources) : flow.join(node.op, sources)
    if (at !== undefined) for (const id of node.outputs) flow.from.set(id, at)
    if (flow.nodes.length > 4 * nodeLimit) return null
  }
  const last = flow.from.get(graph.ids.get(output) ?? -1)
  if (last === undefined) return null
  flow.place({ kind: 'output', name: output }, [last])
  const found = reaching(flow)
  return found.nodes.length > nodeLimit ? null : found
}

function distinct<T>(values: readonly (T | undefined)[]): T[] {
  return [...new Set(values.filter((value): value is T => value !== undefined))]
}

class Flow implements ProbeGraph {
  readonly nodes: ProbeGraphNode[] = []
  readonly edges: [number, number][] = []
  /** The place that each value of the graph comes from. */
  readonly from = new Map<number, number>()
  /** Places of what joined the same sources in the same way. */
  readonly #same = new Map<string, number>()

  place(node: ProbeGraphNode, sources: readonly number[]): number {
    const at = this.nodes.push(node) - 1
    for (const source of sources) this.edges.push([source, at])
    return at
  }

  /** A use of layers: their place itself where they come from it, as a bias does from its weight. */
  layer(names: readonly string[], sources: readonly number[]): number {
    let at: number | undefined
    for (const name of names) at = this.#use(name, at === undefined ? sources : [at])
    return at as number
  }

  #use(name: string, sources: readonly number[]): number {
    const [only] = sources
    const isLayer = (at: number) => this.nodes[at]?.kind === 'layer' && this.nodes[at].name === name
    if (sources.length === 1 && only !== undefined && isLayer(only)) return only
    return this.#shared(`layer ${name}`, sources, { kind: 'layer', name })
  }

  /** Undefined where no sample flows. */
  join(operator: string, sources: readonly number[]): number | undefined {
    if (sources.length < 2) return sources[0]
    return this.#shared(`join ${operator}`, sources, { kind: 'join', name: operator })
  }

  #shared(what: string, sources: readonly number[], node: ProbeGraphNode): number {
    const key = `${what} ${sources.toSorted((a, b) => a - b).join(' ')}`
    const at = this.#same.get(key) ?? this.place(node, sources)
    this.#same.set(key, at)
    return at
  }
}

/** What lies on a way to the last place, with names for a page. */
function reaching({ nodes, edges }: ProbeGraph): ProbeGraph {
  const needed = new Set([nodes.length - 1])
  // Edges go forward, so that one pass from the end finds all.
  for (const [from, to] of edges.toSorted((a, b) => b[1] - a[1])) {
    if (needed.has(to)) needed.add(from)
  }
  const kept = nodes.map((_, at) => at).filter((at) => needed.has(at))
  const index = new Map(kept.map((at, k) => [at, k]))
  const among = edges.filter(([from, to]) => needed.has(from) && needed.has(to))
  return {
    nodes: kept.map((at) => {
      const { kind, name } = nodes[at] as ProbeGraphNode
      return { kind, name: printable(name) }
    }),
    edges: among.map(([from, to]) => [index.get(from) as number, index.get(to) as number]),
  }
}
