// Reductions: dy = Σ f(x, y)·dx over what is reduced.
import type { Attribute } from '../../onnx/writer.js'
import {
  fromEnd,
  needsRank,
  type Rules,
  rankOf,
  type TangentCall,
  type TangentRule,
} from '../rule.js'

/** The node's own axes, as its opset has them, for a sum of something over them. */
class Axes {
  readonly #call: TangentCall
  /** Known axes; undefined where all are reduced, or they are computed. */
  readonly #known: number[] | undefined
  readonly #computed: string | undefined

  constructor(call: TangentCall) {
    this.#call = call
    const inputSince = call.node.opType === 'ReduceSum' ? 13 : 18
    const given = call.opset >= inputSince && call.has(1) ? call.stored(1) : undefined
    const attribute = call.opset < inputSince ? call.integers('axes') : []
    this.#known = given ? [...given] : attribute.length > 0 ? attribute : undefined
    if (this.#known?.length === 0) this.#known = undefined
    if (!given && call.opset >= inputSince && call.has(1)) this.#computed = call.input(1)
  }

  /** Nothing is reduced where no axes are given. */
  get none(): boolean {
    const { opset } = this.#call
    const listed = this.#known !== undefined || this.#computed !== undefined
    return !listed && opset >= 13 && this.#call.integer('noop_with_empty_axes', 0) !== 0
  }

  sum(value: string, keep = this.#call.integer('keepdims', 1)): string {
    const m = this.#call.maths
    if (this.none) return value
    const keepdims: Record<string, Attribute> = { keepdims: { i: keep } }
    const axes = this.#computed ?? (this.#known && m.opset >= 13 && m.ints(...this.#known))
    if (m.opset >= 13) return m.op('ReduceSum', axes ? [value, axes] : [value], keepdims)
    const listed: Record<string, Attribute> = this.#known ? { axes: { ints: this.#known } } : {}
    return m.op('ReduceSum', [value], { ...listed, ...keepdims })
  }

  /** The result with the axes that were reduced as 1. */
  kept(y: string): string {
    const m = this.#call.maths
    if (this.none || this.#call.integer('keepdims', 1) !== 0) return y
    if (!this.#known && !this.#computed) return y
    const rank = this.#known ? rankOf(this.#call) : 0
    const known = this.#known?.map((axis) => fromEnd(axis, rank))
    if (m.opset < 13) return m.op('Unsqueeze', [y], { axes: { ints: known ?? [] } })
    return m.op('Unsqueeze', [y, this.#computed ?? m.ints(...(known ?? []))])
  }
}

type Write = (call: TangentCall, dx: string, axes: Axes) => string

const reduction = (write: Write): TangentRule => ({
  tangent(call) {
    const dx = call.tangent(0)
    return [dx === undefined ? undefined : write(call, dx, new Axes(call))]
  },
  refuse: needsRank,
})

/** Linear: the same node on the tangent. */
const same: TangentRule = {
  tangent(call) {
    const dx = call.tangent(0)
    if (dx === undefined) return [undefined]
    return call.maths.again(call.node, call.has(1) ? [dx, call.input(1)] : [dx])
  },
}

/** Those that tie share evenly. */
const extremum = reduction((call, dx, axes) => {
  const m = call.maths
  const own = m.indicator(m.equal(call.input(0), axes.kept(call.output())))
  return m.over(axes.sum(m.times(own, dx)), axes.sum(own))
})

export const reductions: Rules = {
  ReduceSum: same,
  ReduceMean: same,
  ReduceSumSquare: reduction((call, dx, axes) =>
    axes.sum(call.maths.times(call.maths.scaled(call.input(0), 2), dx)),
  ),
  ReduceL1: reduction((call, dx, axes) => {
    const m = call.maths
    return axes.sum(m.times(m.op('Sign', [call.input(0)]), dx))
  }),
  ReduceL2: reduction((call, dx, axes) => {
    const m = call.maths
    const y = call.output()
    const along = axes.sum(m.times(call.input(0), dx))
    const positive = m.more(y, m.number(0))
    return m.where(positive, m.over(along, m.where(positive, y, m.number(1))))
  }),
  ReduceLogSum: reduction((call, dx, axes) => {
    const m = call.maths
    return m.times(axes.sum(dx), m.op('Exp', [m.op('Neg', [call.output()])]))
  }),
  ReduceLogSumExp: reduction((call, dx, axes) => {
    const m = call.maths
    const shares = m.op('Exp', [m.minus(call.input(0), axes.kept(call.output()))])
    return axes.sum(m.times(shares, dx))
  }),
  // The product of all others: of those that are not zero, unless another one is.
  ReduceProd: reduction((call, dx, axes) => {
    const m = call.maths
    const x = call.input(0)
    const zero = m.equal(x, m.number(0))
    const filled = m.where(zero, m.number(1), x)
    const isZero = m.indicator(zero)
    const zeros = axes.sum(isZero)
    const product = m.again(
      call.node,
      call.has(1) ? [filled, call.input(1)] : [filled],
    )[0] as string
    const onZeros = axes.sum(m.times(isZero, dx))
    const others = axes.sum(m.where(zero, m.number(0), m.over(dx, filled)))
    const some = m.where(m.less(zeros, m.number(1.5)), onZeros)
    return m.times(product, m.where(m.less(zeros, m.number(0.5)), others, some))
  }),
  ReduceMax: extremum,
  ReduceMin: extremum,
}
