// What stands between the weights and the output: parameters, refusals, values to tap.

import type { ControlModel } from '../control/settle.js'
import { refusedInDouble } from '../graph/double/index.js'
import type { PreparedGraph, Weight } from '../graph/prepare.js'
import type { Refusal } from '../graph/refusals.js'
import { quantisedWeights } from '../graph/stored.js'
import { type NativeAnalysis, native } from '../native/index.js'
import { titleOf } from '../onnx/index.js'
import { type KnownParameter, type ParameterOptions, selectParameters } from './parameters.js'

export interface Analysed {
  known: KnownParameter[]
  /** Of the parameters that are differentiated. */
  analysis: NativeAnalysis
  refusals: Refusal[]
  /** Weights that are fed: all parameters, and running statistics, which belong to a checkpoint. */
  fed: Weight[]
}

/** @param roles weights that are constants by their role, no candidates for a parameter */
export function analyse(
  graph: PreparedGraph,
  roles: ReadonlyMap<Weight, string>,
  output: string,
  model: ControlModel,
  options: ParameterOptions,
): Analysed {
  const candidates = graph.weights.filter((weight) => !roles.has(weight)).map(({ id }) => id)
  const to = (name: string, from = candidates) =>
    native.createEngine(graph.native, from, graph.ids.get(name) as number).analysis
  const whole = to(output)
  const known = selectParameters(graph, whole, options)
  const active = known.filter(({ parameter }) => !parameter.frozen).map(({ weight }) => weight.id)
  const analysis = active.length === known.length ? whole : to(output, active)
  // Numbers that are no float32 parameters would go without a word.
  const quantised = options.parameters === undefined ? quantisedWeights(graph) : []
  const hidden = quantised.length > 0 ? to(output, quantised).refusals : []
  return {
    known,
    analysis,
    refusals: refusalsOf(graph, model, analysis, hidden).concat(
      options.float64 ? refusedInDouble(model, graph) : [],
    ),
    fed: fedWeights(graph, output, whole, (name) => to(name)),
  }
}

function refusalsOf(
  graph: PreparedGraph,
  { control, graph: { node: nodes } }: ControlModel,
  { refusals }: NativeAnalysis,
  hidden: NativeAnalysis['refusals'],
): Refusal[] {
  const known = new Set(refusals.map(({ node }) => node))
  const domains = new Map(graph.nodes.map(({ name, domain }) => [name, domain]))
  const present = control?.pending && new Set(nodes.map(titleOf))
  return (
    [...refusals, ...hidden.filter(({ node }) => !known.has(node))]
      // What lies in a branch stands in the way only of samples that take it.
      .filter(({ node }) => !present || present.has(node))
      .map(({ node, op, ...words }) => {
        const domain = domains.get(node) ?? ''
        const operator = domain === '' ? op : `${domain}::${op}`
        const { why, remedy } = control?.refused.get(node) ?? words
        return { node, operator, why, remedy }
      })
  )
}

/** Parameters of the other outputs are part of a checkpoint, too. */
function fedWeights(
  graph: PreparedGraph,
  output: string,
  whole: NativeAnalysis,
  to: (name: string) => NativeAnalysis,
): Weight[] {
  const fed = new Set(whole.parameters)
  for (const name of graph.outputs) {
    if (name !== output) for (const id of to(name).parameters) fed.add(id)
  }
  return graph.weights.filter((weight) => fed.has(weight.id) || isStatistic(weight))
}

/** Running statistics of a BatchNormalization: no parameters, yet part of a checkpoint. */
function isStatistic({ consumer, position }: Weight): boolean {
  return consumer?.op === 'BatchNormalization' && position >= 3
}
