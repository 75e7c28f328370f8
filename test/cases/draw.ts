// One random (or hand-made) use of an operator: the piece of a network around it.
import type { AttributeValue, ModelSpec, NodeSpec, Tensor, ValueSpec } from '../support/onnx.js'
import type { Random } from '../support/random.js'

/** Which numbers an operand takes. */
export interface Domain {
  /** Uniform between these; without them standard normal. */
  low?: number
  high?: number
  /** Points that values keep `margin` away from (kinks). */
  avoid?: readonly number[]
  /** All values differ by at least 0.1, in random order (for maxima and sorting). */
  distinct?: boolean
}

const margin = 0.07

export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** How the operator's inputs arise: from the samples, or from parameters alone. */
export type Mode = 'batched' | 'unbatched'

export class Draw {
  readonly nodes: NodeSpec[] = []
  readonly inputs: ValueSpec[] = []
  readonly feeds: Record<string, Tensor> = {}
  readonly parameters: Record<string, Tensor> = {}
  readonly constants: Record<string, Tensor> = {}
  /** Samples, as a dimension of activations. In 'unbatched' draws a dimension like any other. */
  readonly n: number
  /** What the network concatenates of this draw: (N, …). */
  result = ''
  #values = 0

  constructor(
    readonly random: Random,
    readonly prefix: string,
    readonly opset: number,
    readonly samples: number,
    readonly mode: Mode,
  ) {
    this.n = samples
  }

  name(what: string): string {
    return `${this.prefix}_${what}${this.#values++}`
  }

  values(size: number, domain: Domain = {}): number[] {
    const { random } = this
    const { low, high, avoid = [], distinct } = domain
    if (distinct) {
      const order = Array.from({ length: size }, (_, i) => i)
      for (let i = size - 1; i > 0; i--) {
        const j = random.integer(0, i)
        const [a, b] = [order[i] ?? 0, order[j] ?? 0]
        order[i] = b
        order[j] = a
      }
      return order.map((place) => (place - (size - 1) / 2) * 0.17 + 0.031)
    }
    return Array.from({ length: size }, () => {
      for (;;) {
        const value =
          low === undefined || high === undefined
            ? random.normal()
            : low + (high - low) * random.uniform()
        if (avoid.every((point) => Math.abs(value - point) > margin)) return value
      }
    })
  }

  /** A parameter that is an operand itself. */
  parameter(shape: readonly number[], domain?: Domain): string {
    const name = this.name('p')
    this.parameters[name] = { type: 'float32', shape, data: this.values(count(shape), domain) }
    return name
  }

  /** Numbers that are no parameter, from a Constant node. */
  constant(shape: readonly number[], data: readonly number[]): string {
    return this.node('Constant', [], { value: { t: { type: 'float32', shape, data } } })
  }

  /** A float initializer, which is a parameter unless its role is a constant's. */
  initializer(shape: readonly number[], data: readonly number[]): string {
    const name = this.name('c')
    this.constants[name] = { type: 'float32', shape, data }
    return name
  }

  integers(data: readonly number[], shape: readonly number[] = [data.length]): string {
    const name = this.name('i')
    this.constants[name] = { type: 'int64', shape, data }
    return name
  }

  booleans(shape: readonly number[], data: readonly boolean[]): string {
    const name = this.name('b')
    this.constants[name] = { type: 'bool', shape, data: data.map(Number) }
    return name
  }

  /** Samples as the caller gives them: (n, …shape). Without a derivative. */
  input(
    shape: readonly number[],
    data: ArrayLike<number>,
    type: Tensor['type'] = 'float32',
  ): string {
    const name = this.name('x')
    this.inputs.push({ name, type, shape: ['N', ...shape] })
    this.feeds[name] = { type, shape: [this.samples, ...shape], data }
    return name
  }

  /**
   * An operand (n, …shape) with a cotangent to be checked number by number: input + parameter, or
   * in an unbatched draw a parameter of that shape alone.
   */
  activation(shape: readonly number[], domain?: Domain): string {
    const values = this.values(this.n * count(shape), domain)
    if (this.mode === 'unbatched') {
      const name = this.name('p')
      this.parameters[name] = { type: 'float32', shape: [this.n, ...shape], data: values }
      return name
    }
    const own = Array.from({ length: count(shape) }, () => this.random.normal())
    const parameter = this.name('p')
    this.parameters[parameter] = { type: 'float32', shape, data: own }
    const data = values.map((value, e) => value - (own[e % own.length] ?? 0))
    return this.node('Add', [this.input(shape, data), parameter])
  }

  /** An operand with its batch at `axis`. */
  moved(shape: readonly number[], axis: number, domain?: Domain): string {
    return this.moveBatch(this.activation(shape, domain), shape.length + 1, 0, axis)
  }

  moveBatch(name: string, rank: number, from: number, to: number): string {
    if (from === to) return name
    const perm = Array.from({ length: rank }, (_, a) => a)
    perm.splice(to, 0, ...perm.splice(from, 1))
    return this.node('Transpose', [name], { perm })
  }

  node(op: string, inputs: readonly string[], attributes?: Record<string, AttributeValue>): string
  node(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeValue> | undefined,
    outputs: number,
  ): string[]
  node(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeValue> = {},
    outputs?: number,
  ): string | string[] {
    const [domain, type] = op.includes('::') ? (op.split('::') as [string, string]) : ['', op]
    const names = Array.from({ length: outputs ?? 1 }, () => this.name(type))
    this.nodes.push({ op: type, domain, inputs, outputs: names, attributes, name: names[0] ?? '' })
    return outputs === undefined ? (names[0] ?? '') : names
  }

  /** Makes (N, …) of the operator's output, whatever its shape. */
  finish(output: string): void {
    if (this.mode === 'batched') {
      this.result = this.node('Flatten', [output], { axis: 1 })
      return
    }
    const flat = this.node('Reshape', [output, this.integers([1, -1])])
    const data = Array.from({ length: this.samples }, () => this.random.normal())
    this.result = this.node('Mul', [this.input([1], data), flat])
  }
}

/** One network of many draws, which do not touch each other. */
export function joined(draws: readonly Draw[], opset: number): ModelSpec {
  const merged = <T>(pick: (draw: Draw) => Record<string, T>): Record<string, T> =>
    Object.assign({}, ...draws.map(pick))
  const domains = draws.flatMap((draw) => draw.nodes.map(({ domain }) => domain ?? ''))
  return {
    opset,
    domains: Object.fromEntries(domains.filter(Boolean).map((domain) => [domain, 1])),
    nodes: [
      ...draws.flatMap((draw) => draw.nodes),
      {
        op: 'Concat',
        inputs: draws.map((draw) => draw.result),
        outputs: ['out'],
        attributes: { axis: 1 },
        name: 'out',
      },
    ],
    inputs: draws.flatMap((draw) => draw.inputs),
    outputs: [{ name: 'out', shape: ['N', 'O'] }],
    initializers: { ...merged((draw) => draw.parameters), ...merged((draw) => draw.constants) },
  }
}
