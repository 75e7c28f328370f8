// New nodes for a graph.
import { create } from '@bufbuild/protobuf'
import type { NdArray } from '../io/ndarray.js'
import { arrayToTensor } from '../io/tensor.js'
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  type NodeProto,
  NodeProtoSchema,
} from '../protobuf/index.js'
import { changed } from './message.js'

export type Attribute =
  | { f: number }
  | { i: number }
  | { s: string }
  | { ints: readonly number[] }
  | { g: GraphProto }
  | { t: NdArray }

/** A name like this one that is free. */
export type Fresh = (name: string) => string

/** Names that are not taken; each is from then on. */
export function freshNames(taken: Set<string>): Fresh {
  return (name) => {
    let free = name
    for (let k = 1; taken.has(free); k += 1) free = `${name}_${k}`
    taken.add(free)
    return free
  }
}

/** Writes nodes down whose names begin with a scope. */
export class Writer {
  readonly nodes: NodeProto[] = []
  readonly #scope: string
  readonly #fresh: Fresh

  constructor(scope: string, fresh: Fresh) {
    this.#scope = scope
    this.#fresh = fresh
  }

  /** A node and the names of its outputs. */
  several(op: string, input: string[], count: number, attributes: Record<string, Attribute> = {}) {
    const output = Array.from({ length: count }, () => this.#fresh(`${this.#scope}/${op}`))
    this.#push(op, input, output, attributes)
    return output
  }

  one(op: string, input: string[], attributes: Record<string, Attribute> = {}): string {
    return this.several(op, input, 1, attributes)[0] as string
  }

  /** The last node, which makes `output`. */
  last(output: string, op: string, input: string[], attributes: Record<string, Attribute> = {}) {
    this.#push(op, input, [output], attributes)
  }

  ints(...values: number[]): string {
    return this.constant({ data: BigInt64Array.from(values, BigInt), shape: [values.length] })
  }

  /** A whole number of rank 0. */
  int(value: number): string {
    return this.constant({ data: BigInt64Array.of(BigInt(value)), shape: [] })
  }

  /** A number in the element type of `like`. */
  number(value: number, like: string): string {
    const number = this.constant({ data: Float32Array.of(value), shape: [] })
    return this.one('CastLike', [number, like])
  }

  /** A float64 number of rank 0. */
  double(value: number): string {
    return this.constant({ data: Float64Array.of(value), shape: [] })
  }

  /** A list of float32 numbers. */
  float32(...values: number[]): string {
    return this.constant({ data: Float32Array.from(values), shape: [values.length] })
  }

  /** Sizes [start, end) of a value. */
  sizes(value: string, start: number, end?: number): string {
    return this.one('Shape', [value], { start: { i: start }, ...(end ? { end: { i: end } } : {}) })
  }

  /** An array. */
  constant(value: NdArray): string {
    return this.one('Constant', [], { value: { t: value } })
  }

  /** The same operator on other inputs, some attributes set; names of `count` outputs. */
  again(
    node: NodeProto,
    input: string[],
    count = 1,
    attributes: Record<string, Attribute> = {},
  ): string[] {
    const output = Array.from({ length: count }, () => this.#fresh(`${this.#scope}/${node.opType}`))
    const name = `${this.#scope}/${node.opType}_${this.nodes.length}`
    const attribute = [
      ...node.attribute.filter((item) => !Object.hasOwn(attributes, item.name)),
      ...Object.entries(attributes).map(([key, value]) => attributeOf(key, value)),
    ]
    this.nodes.push(changed(node, { name, input, output, attribute }))
    return output
  }

  #push(op: string, input: string[], output: string[], attributes: Record<string, Attribute>) {
    const name = `${this.#scope}/${op}_${this.nodes.length}`
    const attribute = Object.entries(attributes).map(([key, value]) => attributeOf(key, value))
    this.nodes.push(create(NodeProtoSchema, { name, opType: op, input, output, attribute }))
  }
}

export function attributeOf(name: string, value: Attribute): AttributeProto {
  if ('f' in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.f })
  }
  if ('i' in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value.i) })
  }
  if ('s' in value) {
    const s = new TextEncoder().encode(value.s)
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s })
  }
  if ('g' in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: value.g })
  }
  if ('t' in value) {
    const t = arrayToTensor(value.t)
    return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t })
  }
  const ints = value.ints.map(BigInt)
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints })
}
