// Functions that exporters write out in pieces whose own derivatives, multiplied, lose everything
// where the function saturates: x·Sigmoid(x), Log(Softmax(x)), … The node that ends such a pattern
// is differentiated as the function itself, of the pattern's input. What onnxruntime runs stays as
// it is, and so do the pieces, for whoever else reads them.

import type { NativeAttribute, NativeNode } from '../native/index.js'
import { TensorProto_DataType as DataType, type TensorProto } from '../protobuf/index.js'

/** The single number that a value holds, where it is a constant of the network. */
type NumberOf = (id: number) => number | undefined

interface Scaled {
  id: number
  factor: number
}

const near = (value: number | undefined, wanted: number) =>
  value !== undefined && Math.abs(value - wanted) <= 1e-4 * Math.abs(wanted)

class Patterns {
  readonly #makers = new Map<number, NativeNode>()
  readonly #number: NumberOf

  constructor(nodes: readonly NativeNode[], number: NumberOf) {
    this.#number = number
    for (const node of nodes) {
      if (node.domain === '' && node.outputs.length === 1) {
        this.#makers.set(node.outputs[0] as number, node)
      }
    }
  }

  /** The node of this operator that makes a value. */
  made(id: number | undefined, op: string): NativeNode | undefined {
    const node = id === undefined ? undefined : this.#makers.get(id)
    return node?.op === op ? node : undefined
  }

  /** Its operand, where one of the two is a number: (number, operand). */
  split(node: NativeNode | undefined): [number, number] | undefined {
    const [a = -1, b = -1] = node?.inputs ?? []
    const [u, v] = [this.#number(a), this.#number(b)]
    if (u !== undefined && v === undefined) return [u, b]
    if (v !== undefined && u === undefined) return [v, a]
    return undefined
  }

  /** Of 1 + v: v. */
  oneAnd(id: number | undefined): number | undefined {
    const [one, v] = this.split(this.made(id, 'Add')) ?? []
    return one === 1 ? v : undefined
  }

  /** id = factor·v, for the value itself and what stands before multiplications by numbers. */
  chain(start: number | undefined): Scaled[] {
    const found: Scaled[] = []
    for (let id = start, factor = 1; id !== undefined && found.length < 8; ) {
      found.push({ id, factor })
      const times = this.split(this.made(id, 'Mul'))
      const by = this.made(id, 'Div')
      const divisor = by && this.#number(by.inputs[1] as number)
      if (times) [factor, id] = [factor * times[0], times[1]]
      else if (by && divisor !== undefined) [factor, id] = [factor / divisor, by.inputs[0]]
      else if (this.made(id, 'Neg')) [factor, id] = [-factor, this.made(id, 'Neg')?.inputs[0]]
      else break
    }
    return found
  }

  /** id = number·Π leaves; `whole` and what is no product are leaves, powers of `whole` several. */
  product(id: number, whole: number, depth = 0): { number: number; leaves: number[] } {
    const number = this.#number(id)
    if (number !== undefined) return { number, leaves: [] }
    const node = this.made(id, 'Mul')
    const power = this.made(id, 'Pow')
    const exponent = power && this.#number(power.inputs[1] as number)
    if (id !== whole && power?.inputs[0] === whole && (exponent === 2 || exponent === 3)) {
      return { number: 1, leaves: Array(exponent).fill(whole) as number[] }
    }
    const divided = this.made(id, 'Div')
    const divisor = divided && this.#number(divided.inputs[1] as number)
    if (id === whole || depth > 6) return { number: 1, leaves: [id] }
    if (divided && divisor !== undefined) {
      const above = this.product(divided.inputs[0] as number, whole, depth + 1)
      return { number: above.number / divisor, leaves: above.leaves }
    }
    if (!node) return { number: 1, leaves: [id] }
    const [a, b] = node.inputs.map((input) => this.product(input, whole, depth + 1))
    if (!a || !b) return { number: 1, leaves: [id] }
    return { number: a.number * b.number, leaves: [...a.leaves, ...b.leaves] }
  }

  /** Is id = number·x·(one further leaf), x standing alone? That leaf. */
  partner(id: number, x: number, number: number): number | undefined {
    const { number: own, leaves } = this.product(id, x)
    if (!near(own, number) || leaves.length !== 2) return undefined
    return leaves[0] === x ? leaves[1] : leaves[1] === x ? leaves[0] : undefined
  }

  /** Is u = √(2/π)(x + 0.044715x³), in either way of writing it? */
  isCubic(u: number, x: number): boolean {
    const cube = (id: number, power: number) => {
      const { number, leaves } = this.product(id, x)
      return near(number, 0.044715) && leaves.length === power && leaves.every((leaf) => leaf === x)
    }
    const root = Math.sqrt(2 / Math.PI)
    const sum = this.chain(u).some(({ id, factor }) => {
      const [a, b] = this.made(id, 'Add')?.inputs ?? []
      if (!near(factor, root) || a === undefined || b === undefined) return false
      return (a === x && cube(b, 3)) || (b === x && cube(a, 3))
    })
    const rest = sum ? undefined : this.oneAnd(this.partner(u, x, root))
    return sum || (rest !== undefined && cube(rest, 2))
  }

  /** Leaves of a product that may be the function's second factor. */
  leaves(id: number, depth = 0): number[] {
    const node = this.made(id, 'Mul')
    const divided = this.made(id, 'Div')
    if (divided && this.#number(divided.inputs[1] as number) !== undefined && depth < 4) {
      return this.leaves(divided.inputs[0] as number, depth + 1)
    }
    if (!node || depth >= 4) return [id]
    return [id, ...node.inputs.flatMap((input) => this.leaves(input, depth + 1))]
  }

  /** id = x·g for an activation function that is written so: the node that it is. */
  activation(id: number): Replacement | undefined {
    for (const leaf of this.leaves(id)) {
      const inner = this.oneAnd(leaf)
      const erf = this.made(inner, 'Erf')
      const tanh = this.made(inner, 'Tanh')
      for (const { id: x, factor } of this.chain(erf?.inputs[0])) {
        if (near(factor, Math.SQRT1_2) && this.partner(id, x, 0.5) === leaf)
          return { op: 'Gelu', x, attributes: {} }
      }
      for (const x of tanh ? this.others(id, leaf) : []) {
        if (this.isCubic(tanh?.inputs[0] as number, x) && this.partner(id, x, 0.5) === leaf)
          return { op: 'Gelu', x, attributes: { approximate: { s: 'tanh' } } }
      }
      for (const { id: x, factor } of this.chain(this.made(leaf, 'Sigmoid')?.inputs[0])) {
        if (this.partner(id, x, 1) === leaf)
          return { op: 'Swish', x, attributes: { alpha: { f: factor } } }
      }
      const softplus = this.made(this.made(leaf, 'Tanh')?.inputs[0], 'Softplus')?.inputs[0]
      if (softplus !== undefined && this.partner(id, softplus, 1) === leaf)
        return { op: 'Mish', x: softplus, attributes: {} }
    }
    return undefined
  }

  /** Other operands of a product. */
  others(id: number, leaf: number): number[] {
    return this.leaves(id).filter((other) => other !== leaf && other !== id)
  }

  /** Log of something that saturates. */
  logarithm(v: number): Replacement | undefined {
    const softplus = (x: number | undefined, inner: number, outer: number) =>
      x === undefined
        ? undefined
        : { op: 'Softplus', x, attributes: { inner: { f: inner }, outer: { f: outer } } }
    const sigmoid = this.made(v, 'Sigmoid')
    if (sigmoid) return softplus(sigmoid.inputs[0], -1, -1)
    const softmax = this.made(v, 'Softmax')
    if (softmax) {
      const { attributes, opset, inputs } = softmax
      return { op: 'LogSoftmax', x: inputs[0] as number, attributes, opset }
    }
    const exp = this.made(this.oneAnd(v), 'Exp')
    if (exp) return softplus(exp.inputs[0], 1, 1)
    const rest = this.made(v, 'Sub')
    const one = rest && this.#number(rest.inputs[0] as number)
    return one === 1 ? softplus(this.made(rest?.inputs[1], 'Sigmoid')?.inputs[0], 1, -1) : undefined
  }

  /** a/(1 + exp(−x)): Sigmoid for a = 1, x·Sigmoid(x) for a = x. */
  quotient(a: number | undefined, b: number | undefined): Replacement | undefined {
    const exp = this.made(this.oneAnd(b), 'Exp')
    const known = a === undefined ? 1 : this.#number(a)
    for (const { id: x, factor } of this.chain(exp?.inputs[0])) {
      if (known === 1 && factor === -1) return { op: 'Sigmoid', x, attributes: {} }
      if (x === a) return { op: 'Swish', x, attributes: { alpha: { f: -factor } } }
    }
    return undefined
  }
}

interface Replacement {
  op: string
  x: number
  attributes: Record<string, NativeAttribute>
  opset?: number
}

/**
 * The same nodes, those that end a pattern as the function that it is.
 * @param statics tensors that are known without running anything, by value id.
 * @param weights ids of those that may be parameters.
 */
export function recognised(
  nodes: readonly NativeNode[],
  statics: ReadonlyMap<number, TensorProto>,
  weights: readonly number[],
): NativeNode[] {
  const own = new Set(weights)
  const number = (id: number) => (own.has(id) ? undefined : singleNumber(statics.get(id)))
  const patterns = new Patterns(nodes, number)
  const find = ({ op, domain, inputs, outputs }: NativeNode): Replacement | undefined => {
    if (domain !== '') return undefined
    const [a, b] = inputs
    if (op === 'Mul') return patterns.activation(outputs[0] as number)
    if (op === 'Log') return patterns.logarithm(a as number)
    if (op === 'Div') {
      return patterns.quotient(a, b) ?? patterns.activation(outputs[0] as number)
    }
    return op === 'Reciprocal' ? patterns.quotient(undefined, a) : undefined
  }
  return nodes.map((node) => {
    const found = find(node)
    if (!found) return node
    const { op, x, attributes, opset = node.opset } = found
    return { ...node, op, inputs: [x], attributes, opset }
  })
}

/** The only number of a float tensor that lies in the file itself; undefined for other tensors. */
function singleNumber(tensor: TensorProto | undefined): number | undefined {
  if (tensor?.dataType !== DataType.FLOAT || tensor.dims.some((size) => size !== 1n))
    return undefined
  const { rawData, floatData } = tensor
  if (rawData.byteLength === 4)
    return new DataView(rawData.buffer, rawData.byteOffset, 4).getFloat32(0, true)
  return rawData.byteLength === 0 && floatData.length === 1 ? floatData[0] : undefined
}
