// Mathematics as nodes of ai.onnx, in the form that a model's opset has.
import { create } from '@bufbuild/protobuf'
import { makeValueInfo } from '../onnx/index.js'
import { type Attribute, type Fresh, Writer } from '../onnx/writer.js'
import { GraphProtoSchema, type NodeProto } from '../protobuf/index.js'

export class Maths {
  readonly opset: number
  readonly #fresh: Fresh
  readonly #writer: Writer
  /** Numbers written down before, which all nodes may read. */
  readonly #numbers: Map<string, string>
  readonly #shared: Writer

  /** @param numbers constants that are there, by what they hold: filled as more are needed. */
  constructor(
    scope: string,
    opset: number,
    fresh: Fresh,
    numbers: { known: Map<string, string>; writer: Writer },
  ) {
    this.opset = opset
    this.#fresh = fresh
    this.#writer = new Writer(scope, fresh)
    this.#numbers = numbers.known
    this.#shared = numbers.writer
  }

  /** What has been written. */
  get nodes(): readonly NodeProto[] {
    return this.#writer.nodes
  }

  op(name: string, input: string[], attributes: Record<string, Attribute> = {}): string {
    return this.#writer.one(name, input, attributes)
  }

  several(name: string, input: string[], count: number, attributes: Record<string, Attribute>) {
    return this.#writer.several(name, input, count, attributes)
  }

  /** The same node on other inputs, some attributes set. */
  again(
    node: NodeProto,
    input: string[],
    count = 1,
    attributes: Record<string, Attribute> = {},
  ): string[] {
    return this.#writer.again(node, input, count, attributes)
  }

  /** A float without dimensions. */
  number(value: number): string {
    return this.#constant(`f${value}`, () => this.#shared.constant(scalar(value)))
  }

  /** Whole numbers of rank 1. */
  ints(...values: number[]): string {
    return this.#constant(`i${values.join()}`, () => this.#shared.ints(...values))
  }

  #constant(key: string, make: () => string): string {
    const known = this.#numbers.get(key) ?? make()
    this.#numbers.set(key, known)
    return known
  }

  /** a + b, where either may be nothing. */
  add(a: string | undefined, b: string | undefined): string | undefined {
    if (a === undefined || b === undefined) return a ?? b
    return this.op('Add', [a, b])
  }

  sum(a: string, b: string): string {
    return this.op('Add', [a, b])
  }

  minus(a: string, b: string): string {
    return this.op('Sub', [a, b])
  }

  times(a: string, b: string): string {
    return this.op('Mul', [a, b])
  }

  over(a: string, b: string): string {
    return this.op('Div', [a, b])
  }

  square(a: string): string {
    return this.op('Mul', [a, a])
  }

  scaled(a: string, factor: number): string {
    if (factor === 1) return a
    return factor === -1 ? this.op('Neg', [a]) : this.times(a, this.number(factor))
  }

  shifted(a: string, term: number): string {
    return this.sum(a, this.number(term))
  }

  /** Truth values. */
  more(a: string, b: string): string {
    return this.op('Greater', [a, b])
  }

  less(a: string, b: string): string {
    return this.op('Less', [a, b])
  }

  not(a: string): string {
    return this.op('Not', [a])
  }

  and(a: string, b: string): string {
    return this.op('And', [a, b])
  }

  /** Equal floats; the operator takes them since opset 11. */
  equal(a: string, b: string): string {
    if (this.opset >= 11) return this.op('Equal', [a, b])
    return this.not(this.op('Or', [this.less(a, b), this.more(a, b)]))
  }

  /** Without a value where the condition does not hold: 0. */
  where(condition: string, a: string, b = this.number(0)): string {
    return this.op('Where', [condition, a, b])
  }

  /** Truth values as 0 and 1. */
  indicator(condition: string): string {
    return this.op('Cast', [condition], { to: { i: 1 } })
  }

  /** A sum, mean, maximum … over axes, which stay as 1. */
  reduce(name: string, a: string, axes: readonly number[]): string {
    const since = name === 'ReduceSum' ? 13 : 18
    const keepdims = { keepdims: { i: 1 } }
    return this.opset >= since
      ? this.op(name, [a, this.ints(...axes)], keepdims)
      : this.op(name, [a], { axes: { ints: axes }, ...keepdims })
  }

  reshape(a: string, shape: readonly number[]): string {
    return this.op('Reshape', [a, this.ints(...shape)])
  }

  shapeOf(a: string): string {
    return this.op('Shape', [a])
  }

  /** Repeats a as broadcasting to b's shape does. */
  spread(a: string, like: string): string {
    return this.op('Expand', [a, this.shapeOf(like)])
  }

  /**
   * 1 above a bound and 0 up to it, in one pass: comparisons and `Where` are many times slower in
   * onnxruntime and keep a convolution's layout from passing through.
   */
  above(a: string, bound = 0): string {
    return this.op('HardSigmoid', [a], { alpha: { f: steep }, beta: { f: -bound * steep } })
  }

  /** 1 below a bound and 0 from it on. */
  below(a: string, bound: number): string {
    return this.op('HardSigmoid', [a], { alpha: { f: -steep }, beta: { f: bound * steep } })
  }

  /** A factor from 0 to 1 where `a` is 1, and 0 where it is 0. */
  dimmed(a: string, factor: number): string {
    if (factor === 1) return a
    return factor > 0 && factor < 1
      ? this.op('HardSigmoid', [a], { alpha: { f: factor }, beta: { f: 0 } })
      : this.scaled(a, factor)
  }

  /** Zeros of a value's shape. */
  zeros(like: string): string {
    return this.op('ConstantOfShape', [this.shapeOf(like)])
  }

  /** Parts of equal size along the last axis. */
  split(a: string, count: number, size: number): string[] {
    const axis = { axis: { i: -1 } }
    const sizes = Array.from({ length: count }, () => size)
    if (this.opset >= 13) return this.several('Split', [a, this.ints(...sizes)], count, axis)
    return this.several('Split', [a], count, { ...axis, split: { ints: sizes } })
  }

  squeeze(a: string, axis: number): string {
    if (this.opset >= 13) return this.op('Squeeze', [a, this.ints(axis)])
    return this.op('Squeeze', [a], { axes: { ints: [axis] } })
  }

  unsqueeze(a: string, axis: number): string {
    if (this.opset >= 13) return this.op('Unsqueeze', [a, this.ints(axis)])
    return this.op('Unsqueeze', [a], { axes: { ints: [axis] } })
  }

  /**
   * A body run along the first axis of some values, states carried along.
   * @returns the last states, then what the body lists, stacked along the first axis.
   */
  scan(
    states: readonly string[],
    scanned: readonly string[],
    reversed: boolean,
    body: (
      inner: Maths,
      states: string[],
      slices: string[],
    ) => { next: string[]; listed: string[] },
  ): string[] {
    const inner = new Maths('body', this.opset, this.#fresh, {
      known: this.#numbers,
      writer: this.#shared,
    })
    const name = (text: string) => this.#fresh(`scan/${text}`)
    const own = states.map(() => name('state'))
    const slices = scanned.map(() => name('slice'))
    const { next, listed } = body(inner, own, slices)
    // Every output is a value of its own.
    const results = [...next, ...listed].map((value) => inner.op('Identity', [value]))
    const graph = create(GraphProtoSchema, {
      name: 'body',
      node: [...inner.nodes],
      input: [...own, ...slices].map((value) => makeValueInfo(value, 1)),
      output: results.map((value) => makeValueInfo(value, 1)),
    })
    const back = (count: number) => ({ ints: Array.from({ length: count }, () => 1) })
    return this.several('Scan', [...states, ...scanned], results.length, {
      body: { g: graph },
      num_scan_inputs: { i: scanned.length },
      ...(reversed
        ? {
            scan_input_directions: back(scanned.length),
            scan_output_directions: back(listed.length),
          }
        : {}),
    })
  }

  /** 1 / (1 + e⁻ᵃ) times its own complement, exact where the function itself is 0 or 1 in float32. */
  logisticSlope(a: string): string {
    const e = this.op('Exp', [this.op('Neg', [this.op('Abs', [a])])])
    return this.over(e, this.square(this.shifted(e, 1)))
  }
}

/** A power of two, so that bounds times it are exact. */
const steep = 2 ** 100

/** The next float32 up or down; next to 0 the nearest that `steep` still distinguishes from it. */
export function nextTo(value: number, up: boolean): number {
  if (value === 0) return up ? 1 / steep : -1 / steep
  const bits = new Int32Array(Float32Array.of(value).buffer)
  bits[0] = (bits[0] as number) + (value > 0 === up ? 1 : -1)
  return new Float32Array(bits.buffer)[0] as number
}

/** Bounds that no number of a network reaches are none (±∞); others must survive being scaled. */
export function usableBound(bound: number | undefined): number | undefined {
  return bound !== undefined && Math.abs(bound) < 1e8 ? bound : undefined
}

const scalar = (value: number) => ({ data: Float32Array.of(value), shape: [] })
