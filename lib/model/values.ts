// What a network computes on the way: every float value of its graph, and which can be differentiated.

import { native } from '../native/index.js'
import type { Dimension } from '../onnx/index.js'
import type { ValuesResult } from '../runtime/protocol.js'
import type { Core } from './core.js'

/** A float value of a network's graph: what `output` may name. */
export interface GraphValue {
  readonly name: string
  /** Element type; null where onnxruntime does not tell it without running the network. */
  readonly type: 'float32' | 'float64' | 'float16' | null
  /** Sizes, names of free ones, or null; null as a whole where the rank is not known. */
  readonly shape: readonly Dimension[] | null
  /** The operator that makes it. */
  readonly operator: string
  /** Is it an output of the file? */
  readonly output: boolean
  /** Does it depend on a parameter, with a derivative all the way? */
  readonly differentiable: boolean
}

const floats = ['float32', 'float64', 'float16'] as const

export async function graphValues(core: Core): Promise<GraphValue[]> {
  core.checkAlive()
  const { architecture } = core
  const { graph, valueNames: names } = architecture
  const outputs = new Set(graph.outputs)
  const request = { type: 'values', names, memory: core.memory } as const
  // Network 0: no weights are sent.
  const { result } = architecture.host.ask<ValuesResult>(0, () => [], undefined, request, {})
  const { inferred } = await result
  const makers = new Map<string, string>()
  for (const { op, domain, outputs: made } of graph.native.nodes) {
    const operator = domain === '' ? op : `${domain}::${op}`
    for (const id of made) if (id >= 0) makers.set(graph.native.values[id]?.name ?? '', operator)
  }
  const clear = differentiable(core)
  const values: GraphValue[] = []
  for (const name of names) {
    const known = inferred.get(name)
    const type = floats.find((entry) => entry === known?.type) ?? null
    // What is known to hold anything else is no function to differentiate.
    if (known && type === null) continue
    const shape = known && known.shape.length > 0 ? known.shape.map(dimension) : null
    values.push({
      name,
      type,
      shape,
      operator: makers.get(name) ?? '',
      output: outputs.has(name),
      differentiable: clear.has(graph.ids.get(name) as number) && (type ?? 'float32') === 'float32',
    })
  }
  return values
}

const dimension = (size: number | string): Dimension => {
  if (typeof size === 'number') return size < 0 ? null : size
  return size === '' ? null : size
}

/** Ids of the values with a derivative: one analysis of a node that would read them all. */
function differentiable({ architecture }: Core): Set<number> {
  const { graph, parameters, valueNames } = architecture
  const { values, nodes } = graph.native
  const id = values.length
  const all = {
    op: 'All',
    domain: 'adaptive_tangent',
    opset: 1,
    name: 'all values',
    attributes: {},
    inputs: valueNames.map((name) => graph.ids.get(name) as number),
    outputs: [id],
  }
  const frozen = new Set(parameters.filter((entry) => entry.frozen).map(({ name }) => name))
  const candidates = graph.weights.filter(({ name }) => !frozen.has(name)).map(({ id: own }) => own)
  const whole = { values: [...values, { name: all.name }], nodes: [...nodes, all] }
  return new Set(native.createEngine(whole, candidates, id).analysis.differentiable)
}
