// Local functions of a model, written out, and operators that are made of simpler ones: what follows
// knows simple operators only.

import { TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import type { AttributeProto, FunctionProto, GraphProto, NodeProto } from '../protobuf/index.js'
import { checkGraph } from './check.js'
import { Composites, compositeOperators, isComposite } from './composite.js'
import { normalDomain, type OnnxModel } from './decode.js'
import { makeNode } from './encode.js'
import { FreshNames } from './fresh.js'
import { changed } from './message.js'
import { Renamer } from './rename.js'

/** Functions that call functions can grow without bound; no network comes near this. */
const NODE_LIMIT = 200_000

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([normalDomain(domain), name, overload])
}

/** Nodes that are being written out, and how far that has come. */
interface Body {
  nodes: readonly NodeProto[]
  at: number
  /** Of the function that they are the body of. */
  key?: string
}

class Inliner {
  readonly #model: OnnxModel
  readonly #functions = new Map<string, FunctionProto>()
  readonly #names: FreshNames
  /** Functions whose bodies are being written out. */
  readonly #calls = new Set<string>()
  readonly composites: Composites
  #count = 0

  constructor(model: OnnxModel) {
    this.#model = model
    for (const entry of model.proto.functions) {
      const fits = entry.opsetImport.every(({ domain, version }) => {
        const known = model.opsets.get(normalDomain(domain))
        return known === undefined || known === Number(version)
      })
      // One of another opset is left to onnxruntime, and refused where a derivative passes it.
      if (fits) this.#functions.set(keyOf(entry.domain, entry.name, entry.overload), entry)
    }
    this.#names = new FreshNames(model.graph)
    this.composites = new Composites(model.graph, (name) => this.#names.like(name))
  }

  /** Without recursion: functions may call functions thousands deep. */
  nodes(nodes: readonly NodeProto[]): NodeProto[] {
    const written: NodeProto[] = []
    const open: Body[] = [{ nodes, at: 0 }]
    for (let body = open.at(-1); body; body = open.at(-1)) {
      const node = body.nodes[body.at++]
      if (!node) {
        open.pop()
        if (body.key !== undefined) this.#calls.delete(body.key)
        continue
      }
      // Calls count too: functions of nothing but calls can grow as well.
      if (++this.#count > NODE_LIMIT) {
        throw new TangentError(
          'BAD_FILE',
          `${this.#model.name} has functions that expand to more than ${NODE_LIMIT} nodes.`,
        )
      }
      const entry = this.#functions.get(keyOf(node.domain, node.opType, node.overload))
      if (entry) open.push(this.#call(node, entry))
      else written.push(...this.#simple(node))
    }
    return written
  }

  #simple(node: NodeProto): NodeProto[] {
    const written = isComposite(node) && this.composites.expand(node)
    if (written) return written
    return [changed(node, { attribute: node.attribute.map((item) => this.#inside(item)) })]
  }

  /** Calls in the subgraphs of an attribute. */
  #inside(attribute: AttributeProto): AttributeProto {
    const { g, graphs } = attribute
    if (!g && graphs.length === 0) return attribute
    const expand = (graph: GraphProto) => changed(graph, { node: this.nodes(graph.node) })
    return changed(attribute, { ...(g ? { g: expand(g) } : {}), graphs: graphs.map(expand) })
  }

  #call(node: NodeProto, entry: FunctionProto): Body {
    const key = keyOf(entry.domain, entry.name, entry.overload)
    if (this.#calls.has(key)) {
      throw new TangentError(
        'BAD_FILE',
        `${this.#model.name} has the function ${quote(entry.name)}, which calls itself.`,
      )
    }
    if (node.input.length > entry.input.length || node.output.length > entry.output.length) {
      throw new TangentError(
        'BAD_FILE',
        `${this.#model.name} calls the function ${quote(entry.name)} with too many values.`,
      )
    }
    const scope = node.name || entry.name
    const names = new Map<string, string>()
    for (const [k, name] of entry.input.entries()) names.set(name, node.input[k] ?? '')
    const passed: NodeProto[] = []
    entry.output.forEach((name, k) => {
      const given = node.output[k] ?? ''
      if (given === '') return
      // An output that is an input, or listed before, has a name already.
      if (names.has(name)) passed.push(makeNode('Identity', [names.get(name) as string], [given]))
      else names.set(name, given)
    })
    const given = new Map(entry.attributeProto.map((item) => [item.name, item]))
    for (const item of node.attribute) given.set(item.name, item)
    const renamer = new Renamer(scope, (name) => this.#names.like(`${scope}/${name}`), given)
    const body = entry.node.map((inner) => renamer.node(inner, names))
    this.#calls.add(key)
    return { nodes: [...body, ...passed], at: 0, key }
  }
}

/**
 * The same model with every call of a local function replaced by the function's nodes, named
 * `⟨call⟩/⟨inner⟩`, and likewise operators that stand for several. A model without either is returned
 * as it is.
 * @throws TangentError BAD_FILE when a function calls itself or grows too large.
 */
export function inlineFunctions(model: OnnxModel): OnnxModel {
  const { proto, graph } = model
  if (proto.functions.length === 0 && !holdsComposite(graph)) return model
  const inliner = new Inliner(model)
  const node = inliner.nodes(graph.node)
  const inlined = changed(graph, { node })
  checkGraph(inlined, model.name)
  const opsets = new Map(model.opsets)
  const opsetImport = [...proto.opsetImport]
  for (const entry of proto.functions.flatMap((item) => item.opsetImport)) {
    const domain = normalDomain(entry.domain)
    if (opsets.has(domain)) continue
    opsets.set(domain, Number(entry.version))
    opsetImport.push(entry)
  }
  const used = new Set(node.map(({ domain, opType }) => `${normalDomain(domain)}::${opType}`))
  const functions = proto.functions.filter(({ domain, name }) =>
    used.has(`${normalDomain(domain)}::${name}`),
  )
  const notes: string[] = []
  if (proto.functions.length > 0) {
    notes.push(`${proto.functions.length} local functions are written out`)
  }
  const { count } = inliner.composites
  if (count > 0) {
    notes.push(`${count} nodes (${compositeOperators.join(', ')}) are written out as simpler ones`)
  }
  return {
    ...model,
    graph: inlined,
    proto: changed(proto, { graph: inlined, opsetImport, functions }),
    opsets,
    notes: [...model.notes, ...notes],
  }
}

function holdsComposite({ node }: GraphProto): boolean {
  return node.some(
    (entry) =>
      isComposite(entry) ||
      entry.attribute.some(({ g, graphs }) => (g ? [g, ...graphs] : graphs).some(holdsComposite)),
  )
}
