// Which stored tensors are constants, by what the rules say of their uses, and which are quantised.

import { quote } from '../core/quote.js'
import { native } from '../native/index.js'
import type { PreparedGraph, Weight } from './prepare.js'

const quantisedOperators = /^(QLinearConv|QLinearMatMul|ConvInteger|MatMulInteger|MatMulNBits)$/

/** Are these stored numbers of another type than float32, and several? */
function isQuantised({ statics }: PreparedGraph, id: number): boolean {
  const tensor = statics.get(id)
  return tensor !== undefined && tensor.dataType !== 1 && tensor.dims.some((size) => size > 1n)
}

/** Ids of what DequantizeLinear makes of stored tensors: weights that are constants. */
export function quantisedBase(graph: PreparedGraph): number[] {
  return graph.native.nodes
    .filter(({ op, inputs }) => op === 'DequantizeLinear' && isQuantised(graph, inputs[0] ?? -1))
    .flatMap(({ outputs }) => outputs)
}

/**
 * Ids of quantised weights whose derivative would have to be known: what operators on quantised
 * numbers read as weights, and a quantised base where quantised activations follow.
 */
export function quantisedWeights(graph: PreparedGraph): number[] {
  const readers = graph.native.nodes.filter(({ op }) => quantisedOperators.test(op))
  const read = readers.flatMap(({ inputs }) => inputs).filter((id) => isQuantised(graph, id))
  return [...read, ...quantisedBase(graph)]
}

/** Weights that have a constant's role in all their uses and that the caller does not name. */
export function constantsByRole({
  native: graph,
  weights,
  named,
}: PreparedGraph): Map<Weight, string> {
  const roles = native.constantRoles(
    graph,
    weights.map(({ id }) => id),
  )
  const found = new Map<Weight, string>()
  weights.forEach((weight, k) => {
    const role = roles[k]
    if (role && !named.has(weight.name)) found.set(weight, role)
  })
  return found
}

/** Stored floats that could be parameters of an output but are taken for constants, and why. */
export function storedConstants(
  { native: graph, fixed, weights, ids, constants }: PreparedGraph,
  roles: ReadonlyMap<Weight, string>,
  output: string,
): Map<string, string> {
  const found = new Map(fixed)
  for (const { name } of weights) found.delete(name)
  const held = [...found.keys(), ...constants].map((name) => ids.get(name) as number)
  const words = native.constantRoles(graph, held)
  const reasons = new Map(
    held.map((id, k) => [
      id,
      words[k] || (fixed.get(graph.values[id]?.name ?? '') ?? 'a Constant node'),
    ]),
  )
  for (const [{ id }, role] of roles) reasons.set(id, role)
  const reached = native.createEngine(graph, [...reasons.keys()], ids.get(output) as number)
  for (const id of reached.analysis.parameters) {
    found.set(graph.values[id]?.name ?? '', reasons.get(id) ?? '')
  }
  return found
}

/** How the weights are stored where that matters to what is differentiated, in sentences. */
export function storageNotes(graph: PreparedGraph): string[] {
  const notes: string[] = []
  const { found } = graph
  if (found > 0) {
    notes.push(`${found} Constant ${found === 1 ? 'node holds a weight' : 'nodes hold weights'}.`)
  }
  const base = quantisedBase(graph).length
  if (base > 0) {
    notes.push(
      `${base} quantised ${base === 1 ? 'weight' : 'weights'} behind DequantizeLinear: a frozen base, without derivatives of its own.`,
    )
  }
  return notes
}

/** Which stored numbers a network without parameters has, as the end of a sentence; '' for none. */
export function constantsInWords(
  graph: PreparedGraph,
  constants: ReadonlyMap<string, string>,
): string {
  if (quantisedBase(graph).length > 0) {
    return ': its weights are quantised (behind DequantizeLinear), and their scales are constants'
  }
  if (constants.size === 0) return ''
  const shown = [...constants].slice(0, 5).map(([name, why]) => `${quote(name)} (${why})`)
  const more = constants.size > 5 ? ` and ${constants.size - 5} more` : ''
  return `; taken for constants are ${shown.join(', ')}${more}: name those that are weights with constants (--constants)`
}
