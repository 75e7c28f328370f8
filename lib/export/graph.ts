// Pairs (value, tangent) through a graph: its nodes as they are, and after each what its tangent is.

import { nativeAttributes } from '../graph/attributes.js'
import type { NativeAttribute } from '../native/index.js'
import { type Dimension, normalDomain, titleOf } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import { type Attribute, attributeOf, type Fresh, Writer } from '../onnx/writer.js'
import type { NodeProto } from '../protobuf/index.js'
import { Maths } from './maths.js'
import { ruleFor } from './registry.js'
import type { TangentCall, Tangents, Thin } from './rule.js'

/** How a parameter changes: names of values, of its shape or in two thin factors. */
export type Change = { full: string } | { thin: Thin }

/** A graph whose tangents are wanted. */
export interface Source {
  nodes: readonly NodeProto[]
  /** Which nodes lie between parameters and the output, by index. */
  onTheWay: ReadonlySet<number>
  /** A node that ends a function written out in pieces, as that function; undefined for others. */
  form(index: number): { node: NodeProto; opset: number } | undefined
  opsets: ReadonlyMap<string, number>
  shape(name: string): readonly Dimension[] | undefined
  stored(name: string): readonly number[] | undefined
  /** Outputs of Clips whose bounds are a step further apart, so that they tell them apart. */
  widened: ReadonlySet<string>
  fresh: Fresh
}

/** A node whose tangent cannot be written. */
export interface NoTangent {
  node: string
  operator: string
  why: string
}

class NodeCall implements TangentCall {
  readonly opset: number
  readonly maths: Maths
  node: NodeProto
  readonly #source: Source
  readonly #pairs: Pairs
  readonly #attributes: Record<string, NativeAttribute>

  constructor(node: NodeProto, source: Source, pairs: Pairs, opset?: number) {
    this.node = node
    this.#source = source
    this.#pairs = pairs
    this.opset = opset ?? source.opsets.get(normalDomain(node.domain)) ?? 1
    this.#attributes = nativeAttributes(node)
    const main = source.opsets.get('') ?? 1
    this.maths = new Maths(`${titleOf(node)}/tangent`, main, source.fresh, pairs.numbers)
  }

  get count(): number {
    return this.node.input.length
  }

  input(k: number): string {
    return this.node.input[k] ?? ''
  }

  has(k: number): boolean {
    return this.input(k) !== ''
  }

  output(j = 0): string {
    const known = this.node.output[j] ?? ''
    if (known !== '') return known
    const name = this.#source.fresh(`${titleOf(this.node)}/output_${j}`)
    const output = Array.from({ length: Math.max(j + 1, this.node.output.length) }, (_, k) =>
      k === j ? name : (this.node.output[k] ?? ''),
    )
    this.node = changed(this.node, { output })
    return name
  }

  set(name: string, value: Attribute): void {
    const attribute = this.node.attribute.filter((item) => item.name !== name)
    this.node = changed(this.node, { attribute: [...attribute, attributeOf(name, value)] })
  }

  #change(k: number): Change | undefined {
    return this.#pairs.of(this.input(k))
  }

  tangent(k: number): string | undefined {
    const change = this.#change(k)
    if (change === undefined) return undefined
    return 'full' in change ? change.full : this.#pairs.whole(this.input(k), change.thin)
  }

  thin(k: number): Thin | undefined {
    const change = this.#change(k)
    return change && 'thin' in change ? change.thin : undefined
  }

  shape(name: string): readonly Dimension[] | undefined {
    return this.#source.shape(name)
  }

  stored(k: number): readonly number[] | undefined {
    return this.#source.stored(this.input(k))
  }

  isNeverZero(k: number): boolean {
    const name = this.input(k)
    const known = this.#source.stored(name)
    if (known) return known.every((value) => value !== 0)
    const maker = this.#pairs.makers.get(name)
    if (maker?.opType === 'Exp') return true
    const sum = maker?.opType === 'Sqrt' ? this.#pairs.makers.get(maker.input[0] ?? '') : undefined
    return (
      sum?.opType === 'Add' &&
      sum.input.some((term) => this.#source.stored(term)?.every((value) => value > 0))
    )
  }

  get widened(): boolean {
    return this.#source.widened.has(this.node.output[0] ?? '')
  }

  isNeverNegative(k: number): boolean {
    return this.#pairs.makers.get(this.input(k))?.opType === 'Relu'
  }

  attribute(name: string): NativeAttribute | undefined {
    return this.#attributes[name]
  }

  integer(name: string, otherwise: number): number {
    const found = this.#attributes[name]
    return found && 'i' in found ? found.i : otherwise
  }

  number(name: string, otherwise: number): number {
    const found = this.#attributes[name]
    return found && 'f' in found ? found.f : otherwise
  }

  text(name: string, otherwise: string): string {
    const found = this.#attributes[name]
    return found && 's' in found ? found.s : otherwise
  }

  integers(name: string): number[] {
    const found = this.#attributes[name]
    return found && 'ints' in found ? found.ints : []
  }

  spread(tangent: string, k: number): string {
    const [own, all] = [this.shape(this.input(k)), this.shape(this.output())]
    const same =
      own?.length === all?.length && own?.every((size, d) => size !== null && size === all?.[d])
    return same ? tangent : this.maths.spread(tangent, this.output())
  }
}

/** The tangents that are known so far. */
class Pairs {
  readonly #changes: Map<string, Change>
  readonly #shape: Source['shape']
  /** Constants, and thin changes that some rule wants whole. */
  readonly head: Writer
  readonly numbers: { known: Map<string, string>; writer: Writer }

  /** The node that makes each value. */
  readonly makers: ReadonlyMap<string, NodeProto>

  constructor(changes: ReadonlyMap<string, Change>, { nodes, fresh, shape }: Source) {
    this.makers = new Map(
      nodes.flatMap((node) => node.output.map((name): [string, NodeProto] => [name, node])),
    )
    this.#changes = new Map(changes)
    this.#shape = shape
    this.head = new Writer('tangent', fresh)
    this.numbers = { known: new Map(), writer: this.head }
  }

  of(name: string): Change | undefined {
    return this.#changes.get(name)
  }

  set(name: string, tangent: string): void {
    this.#changes.set(name, { full: tangent })
  }

  whole(name: string, { left, right }: Thin): string {
    const key = `whole ${name}`
    let known = this.numbers.known.get(key)
    if (known === undefined) {
      const product = this.head.one('MatMul', [left, right])
      const sizes = this.#shape(name)?.map(Number) ?? []
      known =
        sizes.length === 2 ? product : this.head.one('Reshape', [product, this.head.ints(...sizes)])
      this.numbers.known.set(key, known)
    }
    return known
  }
}

/** Which nodes' outputs change, and which of those have no tangent here. */
export function withoutTangent(source: Source, changes: ReadonlyMap<string, Change>): NoTangent[] {
  const moving = new Set(changes.keys())
  const pairs = new Pairs(changes, source)
  const refused: NoTangent[] = []
  source.nodes.forEach((node, index) => {
    if (!source.onTheWay.has(index)) return
    const domain = normalDomain(node.domain)
    const form = source.form(index)
    const call = new NodeCall(form?.node ?? node, source, pairs, form?.opset)
    if (!call.node.input.some((name) => moving.has(name))) return
    for (const name of node.output) moving.add(name)
    const rule = ruleFor(domain, call.node.opType)
    const why = rule ? rule.refuse?.(call) : 'its tangent has no form in standard operators here'
    if (why === undefined) return
    const operator = domain === '' ? node.opType : `${domain}::${node.opType}`
    refused.push({ node: titleOf(node), operator, why })
  })
  return refused
}

export interface TangentGraph {
  nodes: NodeProto[]
  /** Those of them that compute tangents. */
  own: ReadonlySet<NodeProto>
  /** Name of a value's tangent; undefined where the value does not change. */
  tangent(name: string): string | undefined
}

/** Writes the tangents down. All nodes that change must have a rule: see {@link withoutTangent}. */
export function tangentGraph(source: Source, changes: ReadonlyMap<string, Change>): TangentGraph {
  const pairs = new Pairs(changes, source)
  const nodes: NodeProto[] = []
  const own = new Set<NodeProto>()
  source.nodes.forEach((node, index) => {
    const form = source.form(index)
    const call = new NodeCall(form?.node ?? node, source, pairs, form?.opset)
    const rule = source.onTheWay.has(index)
      ? ruleFor(normalDomain(node.domain), call.node.opType)
      : undefined
    const some = call.node.input.some((name) => pairs.of(name) !== undefined)
    const tangents: Tangents = rule && some ? rule.tangent(call) : []
    nodes.push(form ? node : call.node, ...call.maths.nodes)
    for (const made of call.maths.nodes) own.add(made)
    tangents.forEach((tangent, j) => {
      const name = node.output[j]
      if (tangent !== undefined && name) pairs.set(name, tangent)
    })
  })
  return {
    nodes: [...pairs.head.nodes, ...nodes],
    own,
    tangent: (name) => {
      const change = pairs.of(name)
      return change && 'full' in change ? change.full : undefined
    },
  }
}
