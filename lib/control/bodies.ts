// What If, Loop and Scan nodes are: their attributes, bodies, and the places of what they read.

import { normalDomain } from '../onnx/index.js'
import type { GraphProto, NodeProto } from '../protobuf/index.js'

export type ControlOperator = 'If' | 'Loop' | 'Scan'

export function isControl({ opType, domain }: NodeProto): boolean {
  return /^(If|Loop|Scan)$/.test(opType) && normalDomain(domain) === ''
}

/** The graphs inside a node. */
export function bodiesOf({ attribute }: NodeProto): GraphProto[] {
  return attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs))
}

/** Does the graph hold one, bodies included? */
export function holdsControl(graph: GraphProto): boolean {
  return graph.node.some((node) => isControl(node) || bodiesOf(node).some(holdsControl))
}

/** The branch of an If, or the body of a Loop or Scan. */
export function bodyOf(node: NodeProto, name: string): GraphProto | undefined {
  return node.attribute.find((item) => item.name === name)?.g
}

/** Nodes that loops may grow to, all together. */
export const unrolledLimit = 10_000

/** Nodes in the bodies of a node, those inside them included. */
export function bodySize(node: NodeProto): number {
  return bodiesOf(node).reduce(
    (sum, graph) => graph.node.reduce((inside, entry) => inside + 1 + bodySize(entry), sum),
    0,
  )
}

/** Integers of an attribute; `length` times the default where it is not there. */
export function integersOf(node: NodeProto, name: string, length: number): number[] {
  const found = node.attribute.find((item) => item.name === name)?.ints.map(Number)
  return found && found.length > 0 ? found : new Array<number>(length).fill(0)
}

export interface ScanForm {
  body: GraphProto
  states: string[]
  scanned: string[]
  inputAxes: number[]
  inputReversed: boolean[]
  outputAxes: number[]
  outputReversed: boolean[]
}

export function scanForm(node: NodeProto): ScanForm | undefined {
  const body = bodyOf(node, 'body')
  const count = Number(node.attribute.find(({ name }) => name === 'num_scan_inputs')?.i ?? 0n)
  const states = node.input.length - count
  if (!body || count < 1 || states < 0) return undefined
  const outputs = node.output.length - states
  return {
    body,
    states: node.input.slice(0, states),
    scanned: node.input.slice(states),
    inputAxes: integersOf(node, 'scan_input_axes', count),
    inputReversed: integersOf(node, 'scan_input_directions', count).map(Boolean),
    outputAxes: integersOf(node, 'scan_output_axes', outputs),
    outputReversed: integersOf(node, 'scan_output_directions', outputs).map(Boolean),
  }
}

/** Has the node the bodies that its operator wants, with as many values as it takes and makes? */
export function isComplete(node: NodeProto): boolean {
  const { opType, input, output } = node
  if (opType === 'If') {
    const branches = [bodyOf(node, 'then_branch'), bodyOf(node, 'else_branch')]
    return (
      input.length === 1 && branches.every((body) => body && body.output.length >= output.length)
    )
  }
  const fits = (body: GraphProto | undefined, inputs: number, outputs: number) =>
    body !== undefined && body.input.length === inputs && body.output.length === outputs
  if (opType === 'Loop') {
    return input.length >= 2 && fits(bodyOf(node, 'body'), input.length, output.length + 1)
  }
  const form = scanForm(node)
  return form !== undefined && fits(form.body, input.length, output.length)
}

/** Does a Loop's body never end it early? */
export function runsThrough(node: NodeProto): boolean {
  const body = bodyOf(node, 'body')
  const first = body?.output[0]?.name
  let name = first
  for (;;) {
    const maker = body?.node.find(({ output }) => name !== undefined && output.includes(name))
    if (maker?.opType === 'Identity') name = maker.input[0]
    else break
  }
  return name !== undefined && name === body?.input[1]?.name
}
