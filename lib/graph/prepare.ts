// Decoded model → the graph that everything later works on. What is a weight is settled here, as
// far as it can be without knowing the operators: the addon's rules know which weights are
// parameters.

import { badArgument } from '../core/errors.js'
import type { NativeGraph, NativeNode } from '../native/index.js'
import { constantInitializers, normalDomain, type OnnxModel, titleOf } from '../onnx/index.js'
import { changed as withFields } from '../onnx/message.js'
import {
  TensorProto_DataType as DataType,
  type NodeProto,
  type TensorProto,
} from '../protobuf/index.js'
import { nativeAttributes } from './attributes.js'
import { capturedBy } from './captures.js'
import { constantTensor, isTrue } from './constants.js'
import { constantWeights } from './weights-in-constants.js'
import { recognised } from './written-out.js'

/** Which weights are one and which are several. `true` speaks for all, names for some. */
export interface TyingOptions {
  /** `Identity` copies of an initializer that are the same weight as it (default: none). */
  tied?: boolean | readonly string[]
  /** Initializers whose every use is a weight of its own (default: none). */
  untied?: boolean | readonly string[]
  /**
   * Which stored constants are weights all the same. By default float Constant nodes that stand where
   * weights stand. `'none'` (or false): no Constant node. `'all'` (or true): all float Constant nodes,
   * and the initializers that by all signs are an exporter's constants or a module's buffers, but for
   * those that are exponents, bounds or the like in all their uses. Names: these, whatever their use,
   * in addition to those of the default.
   */
  constants?: 'all' | 'none' | boolean | readonly string[]
}

/** What is a weight, as the caller says. */
export interface WeightOptions extends TyingOptions {
  /** A stored constant that is named here is a weight. */
  parameters?: unknown
  /** Further names of this kind. */
  named?: readonly string[]
}

/** A float32 tensor stored in the file that could be a parameter. */
export interface Weight {
  /** Id of its value. */
  id: number
  /** Name of its value: the initializer's, or of its `Identity` copy, or `name#2` (untied). */
  name: string
  /** Initializer or Constant output that holds the numbers. */
  source: string
  shape: number[]
  tensor: TensorProto
  /** First node that reads it, and as which input. */
  consumer: { name: string; op: string } | undefined
  position: number
  /** Nodes that read it. */
  uses: number
}

export interface PreparedGraph {
  native: NativeGraph
  ids: ReadonlyMap<string, number>
  weights: readonly Weight[]
  /** Tensors known without running anything, by value id: initializers, Constant nodes. */
  statics: ReadonlyMap<number, TensorProto>
  /** The nodes of `native`, as in the file (patterns are not recognised here). */
  nodes: readonly NodeProto[]
  /** Float initializers that are constants by all signs, and why. */
  fixed: ReadonlyMap<string, string>
  /** Float Constant nodes that are no weights: their outputs. */
  constants: readonly string[]
  /** Weights that the caller names: they are parameters in a constant's role, too. */
  named: ReadonlySet<string>
  /** Constant nodes that are taken for weights by where they stand. */
  found: number
  /** Names of the graph's inputs that the caller feeds. */
  inputs: readonly string[]
  outputs: readonly string[]
}

export function prepareGraph(model: OnnxModel, options: WeightOptions = {}): PreparedGraph {
  const { graph, initializers, opsets } = model
  const outputs = graph.output.map((value) => value.name)
  const sources = new Map<string, TensorProto>()
  const fixed = constantInitializers(model)
  checkNames(options, model)
  const named = new Set([...namesIn(options.parameters), ...(options.named ?? [])])
  const all = options.constants === 'all' || options.constants === true
  const none = options.constants === 'none' || options.constants === false
  if (Array.isArray(options.constants)) for (const name of options.constants) named.add(name)
  for (const [name, tensor] of initializers) {
    if (tensor.dataType !== DataType.FLOAT) continue
    if (!fixed.has(name) || all || named.has(name)) sources.set(name, tensor)
  }
  const standing = all || none ? new Set<string>() : constantWeights(model)
  const isWeight = (name: string) => all || standing.has(name) || named.has(name)
  const before = sources.size
  let nodes = cutConstants(graph.node, sources, new Set(outputs), isWeight)
  const found = sources.size - before
  nodes = cutCopies(nodes, sources, new Set(outputs), options)
  nodes = separateUses(nodes, sources, options)

  const ids = new Map<string, number>()
  const values: NativeGraph['values'] = []
  const statics = new Map<number, TensorProto>()
  const idOf = (name: string, tensor?: TensorProto): number => {
    if (name === '') return -1
    let id = ids.get(name)
    if (id === undefined) {
      id = values.push(tensor ? { name, shape: tensor.dims.map(Number) } : { name }) - 1
      ids.set(name, id)
      if (tensor) statics.set(id, tensor)
    }
    return id
  }
  const staticOf = (name: string) => statics.get(ids.get(name) ?? -1)
  for (const [name, tensor] of initializers) idOf(name, tensor)
  for (const [name, tensor] of sources) idOf(name, tensor)
  for (const input of graph.input) idOf(input.name)
  const natives = nodes.map((node): NativeNode => {
    const domain = normalDomain(node.domain)
    const constant = constantTensor(node)
    return {
      op: node.opType,
      domain,
      opset: opsets.get(domain) ?? 1,
      name: titleOf(node),
      attributes: { ...nativeAttributes(node), ...trainingMode(node, staticOf) },
      // Whatever a subgraph captures counts as an input: a derivative would flow through it.
      inputs: [...node.input, ...capturedBy(node)].map((name) => idOf(name)),
      outputs: node.output.map((name) => idOf(name, constant)),
    }
  })
  for (const name of outputs) idOf(name)
  return {
    native: {
      values,
      nodes: recognised(
        natives,
        statics,
        [...sources.keys()].map((name) => idOf(name)),
      ),
    },
    ids,
    weights: collectWeights(natives, sources, ids),
    statics,
    nodes,
    fixed,
    constants: nodes.filter((node) => isFloatConstant(node)).map(({ output: [name = ''] }) => name),
    named,
    found,
    inputs: graph.input.map((value) => value.name).filter((name) => !initializers.has(name)),
    outputs,
  }
}

/** Dropout's mode is an input since opset 12; stored in the file it is known before anything runs. */
function trainingMode(
  { opType, input }: NodeProto,
  staticOf: (name: string) => TensorProto | undefined,
): NativeNode['attributes'] {
  const mode = opType === 'Dropout' ? staticOf(input[2] ?? '') : undefined
  return mode && isTrue(mode) ? { training_mode: { i: 1 } } : {}
}

/** The names among what selects parameters. */
function namesIn(selector: unknown): Set<string> {
  const entries = Array.isArray(selector) ? selector : [selector]
  return new Set(entries.filter((entry) => typeof entry === 'string'))
}

function isFloatConstant(node: NodeProto): boolean {
  return constantTensor(node)?.dataType === DataType.FLOAT
}

/** Names that the caller gives must mean something. */
function checkNames(
  { tied, untied, constants }: TyingOptions,
  { graph: { node: nodes }, initializers }: OnnxModel,
): void {
  const outputs = (op: string) =>
    new Set(nodes.filter(({ opType }) => opType === op).flatMap(({ output }) => output))
  const check = (
    option: string,
    names: TyingOptions['tied'],
    known: { has(name: string): boolean },
    what: string,
    forms = 'true, false or a list of names',
  ) => {
    if (typeof names === 'boolean' || names === undefined) return
    if (!Array.isArray(names)) throw badArgument(option, forms, names)
    const unknown = names.find((name) => !known.has(name))
    if (unknown !== undefined) throw badArgument(option, what, unknown)
  }
  const copies = outputs('Identity')
  check('options.tied', tied, copies, 'outputs of Identity nodes')
  const floats = (name: string) => initializers.get(name)?.dataType === DataType.FLOAT
  const held = new Set(nodes.filter(isFloatConstant).map(({ output: [name] }) => name))
  const weights = { has: (name: string) => floats(name) || held.has(name) || copies.has(name) }
  check('options.untied', untied, weights, 'float32 initializers')
  if (constants === 'all' || constants === 'none') return
  const stored = { has: (name: string) => floats(name) || held.has(name) }
  const what = 'float32 initializers or outputs of float32 Constant nodes'
  check('options.constants', constants, stored, what, "'all', 'none' or a list of names")
}

function chosen(names: boolean | readonly string[] | undefined, name: string): boolean {
  return typeof names === 'boolean' ? names : (names?.includes(name) ?? false)
}

/** Constant nodes that are weights become stored tensors, as initializers are, and go. */
function cutConstants(
  nodes: readonly NodeProto[],
  sources: Map<string, TensorProto>,
  outputs: ReadonlySet<string>,
  isWeight: (name: string) => boolean,
): NodeProto[] {
  return nodes.filter((node) => {
    const tensor = constantTensor(node)
    const [output = ''] = node.output
    if (tensor?.dataType !== DataType.FLOAT || outputs.has(output) || !isWeight(output)) return true
    sources.set(output, tensor)
    return false
  })
}

/**
 * `Identity` nodes of initializers are how exporters write weights that happen to hold equal
 * numbers: each becomes a weight of its own and the node goes.
 */
function cutCopies(
  nodes: readonly NodeProto[],
  sources: Map<string, TensorProto>,
  outputs: ReadonlySet<string>,
  options: TyingOptions,
): NodeProto[] {
  return nodes.filter((node) => {
    const [input = ''] = node.input
    const [output = ''] = node.output
    if (normalDomain(node.domain) !== '' || outputs.has(output)) return true
    if (node.opType !== 'Identity') return true
    const source = sources.get(input)
    if (!source || chosen(options.tied, output)) return true
    sources.set(output, source)
    return false
  })
}

/** Gives every use after the first of an untied weight a value of its own. */
function separateUses(
  nodes: readonly NodeProto[],
  sources: Map<string, TensorProto>,
  options: TyingOptions,
): NodeProto[] {
  if (!options.untied) return [...nodes]
  const uses = new Map<string, number>()
  return nodes.map((node) => {
    let changed = false
    const input = node.input.map((name) => {
      const source = sources.get(name)
      if (!source || !chosen(options.untied, name)) return name
      const use = (uses.get(name) ?? 0) + 1
      uses.set(name, use)
      if (use === 1) return name
      changed = true
      sources.set(`${name}#${use}`, source)
      return `${name}#${use}`
    })
    return changed ? withFields(node, { input }) : node
  })
}

/** Of all float tensors those that some node reads. */
function collectWeights(
  nodes: readonly NativeNode[],
  sources: ReadonlyMap<string, TensorProto>,
  ids: ReadonlyMap<string, number>,
): Weight[] {
  const first = new Map<number, { node: NativeNode; position: number; uses: number }>()
  for (const node of nodes) {
    node.inputs.forEach((id, position) => {
      const known = first.get(id)
      if (known) known.uses += 1
      else first.set(id, { node, position, uses: 1 })
    })
  }
  const weights: Weight[] = []
  for (const [name, tensor] of sources) {
    const id = ids.get(name) as number
    const use = first.get(id)
    if (!use) continue
    weights.push({
      id,
      name,
      source: sources.get(tensor.name) === tensor ? tensor.name : name,
      shape: tensor.dims.map(Number),
      tensor,
      consumer: { name: use.node.name, op: use.node.op },
      position: use.position,
      uses: use.uses,
    })
  }
  return weights
}
