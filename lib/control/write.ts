// If, Loop and Scan nodes written out: the branch that is taken, or the body once for every
// iteration, in the node's place.

import { capturedBy } from '../graph/captures.js'
import { checkGraph } from '../onnx/check.js'
import { FreshNames } from '../onnx/fresh.js'
import { makeNode, normalDomain, type OnnxModel, titleOf } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import { Renamer } from '../onnx/rename.js'
import { valueInfo } from '../onnx/values.js'
import { type Attribute, Writer } from '../onnx/writer.js'
import type { GraphProto, NodeProto } from '../protobuf/index.js'
import { bodyOf, scanForm } from './bodies.js'

/** Of an If 1 or 0 for its branches, or 'both'; of a Loop or Scan its iterations. */
export type Decision = number | 'both'

class Writing {
  readonly nodes: NodeProto[] = []
  /** Results of bodies that are values of another name. */
  readonly #aliases = new Map<string, string>()
  readonly #outputs: ReadonlySet<string>
  readonly #fresh: FreshNames
  readonly #opset: number

  constructor(model: OnnxModel, decided: ReadonlyMap<NodeProto, Decision>) {
    const { graph } = model
    this.#outputs = new Set(graph.output.map(({ name }) => name))
    this.#opset = model.opsets.get('') ?? 1
    // What the bodies call their values is free once they are gone.
    const node = graph.node.map((entry) =>
      decided.has(entry) ? changed(entry, { attribute: [] }) : entry,
    )
    this.#fresh = new FreshNames(changed(graph, { node }))
  }

  add(node: NodeProto, decision: Decision | undefined): void {
    const own = substituted(node, this.#aliases)
    if (decision === undefined) this.nodes.push(own)
    else if (own.opType === 'If') this.#branch(own, decision)
    else if (own.opType === 'Loop') this.#loop(own, Number(decision))
    else this.#scan(own, Number(decision))
  }

  #branch(node: NodeProto, decision: Decision): void {
    const of = (taken: boolean) => bodyOf(node, taken ? 'then_branch' : 'else_branch')
    const scope = titleOf(node)
    if (decision !== 'both') {
      const body = of(decision !== 0) as GraphProto
      const names = new Map<string, string>()
      // Results keep the names that the network has for them.
      const made = new Set(body.node.filter(isNoCopy).flatMap(({ output }) => output))
      body.output.forEach(({ name }, k) => {
        const given = node.output[k] ?? ''
        if (given !== '' && made.has(name) && !names.has(name)) names.set(name, given)
      })
      this.#define(node.output, this.#copy(body, names, scope))
      return
    }
    const [yes, no] = [true, false].map((taken) =>
      this.#copy(of(taken) as GraphProto, new Map(), `${scope}/${taken ? 'then' : 'else'}`),
    ) as [string[], string[]]
    node.output.forEach((name, k) => {
      const input = [node.input[0] ?? '', yes[k] ?? '', no[k] ?? '']
      if (name !== '') this.nodes.push(makeNode('Where', input, [name], `${scope}/either_${k}`))
    })
  }

  #loop(node: NodeProto, count: number): void {
    const body = bodyOf(node, 'body') as GraphProto
    const scope = titleOf(node)
    const read = new Set([
      ...body.node.flatMap((entry) => [...entry.input, ...capturedBy(entry)]),
      ...body.output.slice(1).map(({ name }) => name),
    ])
    let carried = node.input.slice(2)
    const lists: string[][] = Array.from({ length: node.output.length - carried.length }, () => [])
    for (let t = 0; t < count; t += 1) {
      const writer = this.#writer(`${scope}/${t}`)
      const [iteration, condition, ...states] = body.input
      const names = new Map<string, string>()
      const like = (k: number, value: number) => {
        const single = valueInfo(body.input[k] as (typeof body.input)[0]).shape?.length === 1
        return single ? writer.ints(value) : writer.int(value)
      }
      if (read.has(iteration?.name ?? '')) names.set(iteration?.name ?? '', like(0, t))
      if (read.has(condition?.name ?? '')) {
        names.set(condition?.name ?? '', writer.one('Cast', [like(1, 1)], { to: { i: 9 } }))
      }
      states.forEach(({ name }, k) => {
        names.set(name, carried[k] ?? '')
      })
      this.nodes.push(...writer.nodes)
      const [, ...results] = this.#copy(body, names, `${scope}/${t}`)
      carried = results.slice(0, carried.length)
      lists.forEach((list, k) => {
        list.push(results[carried.length + k] ?? '')
      })
    }
    this.#define(node.output.slice(0, carried.length), carried)
    lists.forEach((list, k) => {
      this.#stack(node.output[carried.length + k], list, 0, scope)
    })
  }

  #scan(node: NodeProto, count: number): void {
    const form = scanForm(node)
    if (!form) throw new Error('A Scan without its attributes was to be written out')
    const { body, scanned, inputAxes, inputReversed, outputAxes, outputReversed } = form
    const scope = titleOf(node)
    let { states } = form
    const lists: string[][] = outputAxes.map(() => [])
    for (let t = 0; t < count; t += 1) {
      const writer = this.#writer(`${scope}/${t}`)
      const names = new Map<string, string>()
      states.forEach((value, k) => {
        names.set(body.input[k]?.name ?? '', value)
      })
      scanned.forEach((value, k) => {
        const at = writer.int(inputReversed[k] ? count - 1 - t : t)
        const slice = writer.one('Gather', [value, at], { axis: { i: inputAxes[k] ?? 0 } })
        names.set(body.input[states.length + k]?.name ?? '', slice)
      })
      this.nodes.push(...writer.nodes)
      const results = this.#copy(body, names, `${scope}/${t}`)
      states = results.slice(0, states.length)
      lists.forEach((list, k) => {
        const result = results[states.length + k] ?? ''
        if (outputReversed[k]) list.unshift(result)
        else list.push(result)
      })
    }
    this.#define(node.output.slice(0, states.length), states)
    lists.forEach((list, k) => {
      this.#stack(node.output[states.length + k], list, outputAxes[k] ?? 0, scope)
    })
  }

  /** The nodes of a body; returns what its outputs are called. Copies are other names, no nodes. */
  #copy(body: GraphProto, names: Map<string, string>, scope: string): string[] {
    const renamer = new Renamer(scope, (name) => this.#fresh.like(name))
    for (const node of body.node) {
      if (isNoCopy(node)) this.nodes.push(renamer.node(node, names))
      else {
        const [from = '', to = ''] = [node.input[0], node.output[0]]
        names.set(to, names.get(from) ?? from)
      }
    }
    return body.output.map(({ name }) => names.get(name) ?? name)
  }

  /** Gives results the names that the rest of the network has for them. */
  #define(names: readonly string[], results: readonly string[]): void {
    names.forEach((name, k) => {
      const result = results[k] ?? ''
      if (name === '' || name === result) return
      if (this.#outputs.has(name)) this.nodes.push(makeNode('Identity', [result], [name]))
      else this.#aliases.set(name, result)
    })
  }

  #stack(name: string | undefined, parts: readonly string[], axis: number, scope: string): void {
    if (!name) return
    const writer = this.#writer(scope)
    const axes = () => (this.#opset < 13 ? [] : [writer.ints(axis)])
    const attributes: Record<string, Attribute> = this.#opset < 13 ? { axes: { ints: [axis] } } : {}
    const layers = parts.map((part) => writer.one('Unsqueeze', [part, ...axes()], attributes))
    writer.last(name, 'Concat', layers, { axis: { i: axis } })
    this.nodes.push(...writer.nodes)
  }

  #writer(scope: string): Writer {
    return new Writer(scope, (name) => this.#fresh.like(name))
  }
}

function isNoCopy({ opType, domain }: NodeProto): boolean {
  return opType !== 'Identity' || normalDomain(domain) !== ''
}

/** The node with other names for what it and its bodies read. */
function substituted(node: NodeProto, names: ReadonlyMap<string, string>): NodeProto {
  if (names.size === 0) return node
  const inner = (graph: GraphProto): GraphProto =>
    changed(graph, {
      node: graph.node.map((entry) => substituted(entry, names)),
      output: graph.output.map((info) =>
        changed(info, { name: names.get(info.name) ?? info.name }),
      ),
    })
  const attribute = node.attribute.map((item) =>
    item.g || item.graphs.length > 0
      ? changed(item, { ...(item.g ? { g: inner(item.g) } : {}), graphs: item.graphs.map(inner) })
      : item,
  )
  return changed(node, { input: node.input.map((name) => names.get(name) ?? name), attribute })
}

/** The same model with the nodes that are decided written out. */
export function writeOut(model: OnnxModel, decided: ReadonlyMap<NodeProto, Decision>): OnnxModel {
  const writing = new Writing(model, decided)
  for (const node of model.graph.node) writing.add(node, decided.get(node))
  const graph = changed(model.graph, { node: writing.nodes })
  checkGraph(graph, model.name)
  return { ...model, graph, proto: changed(model.proto, { graph }) }
}
