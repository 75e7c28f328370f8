// Softmax, and normalizations by statistics of the input: y = scale·u + B, u = (x − mean)·slope.
import type { Maths } from '../maths.js'
import {
  fromEnd,
  needsRank,
  type Rules,
  rankOf,
  single,
  type TangentCall,
  type TangentRule,
} from '../rule.js'

/** Axis numbers from..to-1. */
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, k) => from + k)

/** Along one axis since opset 13; before, over all from `axis` on. */
function softmaxAxes(call: TangentCall): number[] {
  if (call.opset >= 13) return [call.integer('axis', -1)]
  const rank = rankOf(call)
  return range(fromEnd(call.integer('axis', 1), rank), rank)
}

/** slope·(dx − mean(dx) − u·mean(u·dx)): the derivative of a line with its mean and size taken out. */
function through(
  m: Maths,
  line: { unit: string; slope: string; axes: number[]; centred: boolean },
  dx: string,
): string {
  const mean = (value: string) => m.reduce('ReduceMean', value, line.axes)
  const along = m.times(line.unit, mean(m.times(line.unit, dx)))
  const own = line.centred ? m.minus(dx, mean(dx)) : dx
  return m.times(m.minus(own, along), line.slope)
}

/** u and the slope of x over some axes. */
function normalized(m: Maths, x: string, axes: number[], epsilon: number, centred: boolean) {
  const mean = (value: string) => m.reduce('ReduceMean', value, axes)
  const own = centred ? m.minus(x, mean(x)) : x
  const variance = m.shifted(mean(m.square(own)), epsilon)
  const slope = m.op('Reciprocal', [m.op('Sqrt', [variance])])
  return { unit: m.times(own, slope), slope, axes, centred }
}

/** scale·through(dx) + dscale·u + dB, the scale and B as they are broadcast. */
function affine(
  call: TangentCall,
  line: ReturnType<typeof normalized>,
  dx: string | undefined,
  as: (name: string) => string = (name) => name,
): string | undefined {
  const m = call.maths
  const [ds, db] = [1, 2].map((k) => (call.has(k) ? call.tangent(k) : undefined))
  let total: string | undefined
  if (dx !== undefined) {
    const own = through(m, line, dx)
    total = call.has(1) ? m.times(own, as(call.input(1))) : own
  }
  if (ds !== undefined) total = m.add(total, m.times(line.unit, as(ds)))
  if (db === undefined) return total
  return total === undefined ? m.spread(as(db), line.unit) : m.sum(total, as(db))
}

const layer = (centred: boolean): TangentRule => ({
  tangent(call) {
    const axis = call.integer('axis', -1)
    const axes = axis < 0 ? range(axis, 0) : range(axis, rankOf(call))
    const m = call.maths
    const line = normalized(m, call.input(0), axes, call.number('epsilon', 1e-5), centred)
    return [affine(call, line, call.tangent(0))]
  },
  refuse: (call) => (call.integer('axis', -1) < 0 ? undefined : needsRank(call)),
})

export const normalizations: Rules = {
  Softmax: {
    tangent: single((call, dx) => {
      const m = call.maths
      const y = call.output()
      const along = m.reduce('ReduceSum', m.times(y, dx), softmaxAxes(call))
      return m.times(y, m.minus(dx, along))
    }).tangent,
    refuse: needsRank,
  },
  LogSoftmax: {
    tangent: single((call, dx) => {
      const m = call.maths
      const shares = m.op('Exp', [call.output()])
      return m.minus(dx, m.reduce('ReduceSum', m.times(shares, dx), softmaxAxes(call)))
    }).tangent,
    refuse: needsRank,
  },
  // Linear in x, and in scale and B: twice the same node.
  BatchNormalization: {
    tangent(call) {
      const m = call.maths
      const [x, scale, b, mean, variance] = range(0, 5).map((k) => call.input(k)) as string[]
      const [dx, ds, db, dm, dv] = range(0, 5).map((k) => call.tangent(k))
      const zeros = m.zeros(b as string)
      const norm = (...given: (string | undefined)[]) =>
        m.again(
          call.node,
          given.map((name) => name ?? zeros),
        )[0] as string
      let total: string | undefined
      if (ds !== undefined || db !== undefined) total = norm(x, ds, db, mean, variance)
      if (dx !== undefined) total = m.add(total, norm(dx, scale, undefined, undefined, variance))
      // −scale·dm/√(v + ε), and −½·scale·dv/(v + ε)·(x − m)/√(v + ε).
      if (dm !== undefined) {
        const shift = norm(m.zeros(x as string), scale, undefined, dm, variance)
        total = m.add(total, shift)
      }
      if (dv !== undefined) {
        const spread = m.shifted(variance as string, call.number('epsilon', 1e-5))
        const own = m.scaled(m.over(m.times(scale as string, dv), spread), -0.5)
        total = m.add(total, norm(x, own, undefined, mean, variance))
      }
      return [total]
    },
  },
  LayerNormalization: layer(true),
  RMSNormalization: layer(false),
  SimplifiedLayerNormalization: layer(false),
  InstanceNormalization: {
    tangent(call) {
      const m = call.maths
      const rank = rankOf(call)
      const line = normalized(m, call.input(0), range(2, rank), call.number('epsilon', 1e-5), true)
      const as = (name: string) => m.reshape(name, [-1, ...range(2, rank).map(() => 1)])
      return [affine(call, line, call.tangent(0), as)]
    },
    refuse: needsRank,
  },
  // The scale has an entry per group before opset 21, per channel since.
  GroupNormalization: {
    tangent(call) {
      const m = call.maths
      const groups = call.integer('num_groups', 1)
      const apart = (name: string) => m.reshape(name, [0, groups, -1])
      const dx = call.tangent(0)
      const line = normalized(m, apart(call.input(0)), [2], call.number('epsilon', 1e-5), true)
      const back = (value: string) => m.op('Reshape', [value, m.shapeOf(call.input(0))])
      if (call.opset < 21) {
        const total = affine(call, line, dx && apart(dx), (name) => m.reshape(name, [-1, 1]))
        return [total === undefined ? undefined : back(total)]
      }
      const behind = range(2, rankOf(call)).map(() => 1)
      const as = (name: string) => m.reshape(name, [-1, ...behind])
      const own = dx === undefined ? undefined : back(through(m, line, apart(dx)))
      let total = own === undefined ? undefined : m.times(own, as(call.input(1)))
      const [ds, db] = [call.tangent(1), call.tangent(2)]
      if (ds !== undefined) total = m.add(total, m.times(back(line.unit), as(ds)))
      if (db === undefined) return [total]
      return [total === undefined ? m.spread(as(db), call.output()) : m.sum(total, as(db))]
    },
    refuse: needsRank,
  },
  // dy = (dx − y·⟨∂‖x‖, dx⟩)/‖x‖; 0 where the norm is.
  LpNormalization: single((call, dx) => {
    const m = call.maths
    const [x, y] = [call.input(0), call.output()]
    const axes = [call.integer('axis', -1)]
    const squares = call.integer('p', 2) === 2
    const norm = squares
      ? m.op('Sqrt', [m.reduce('ReduceSum', m.square(x), axes)])
      : m.reduce('ReduceSum', m.op('Abs', [x]), axes)
    const slope = squares ? y : m.op('Sign', [x])
    const along = m.reduce('ReduceSum', m.times(slope, dx), axes)
    const positive = m.more(norm, m.number(0))
    const safe = m.where(positive, norm, m.number(1))
    return m.where(positive, m.over(m.minus(dx, m.times(y, along)), safe))
  }),
  // y = x·s^−β, s = bias + α·(mean of x² over `size` channels around each, zeros beyond them).
  LRN: single((call, dx) => {
    const m = call.maths
    const x = call.input(0)
    const size = call.integer('size', 1)
    const [alpha, beta] = [call.number('alpha', 1e-4), call.number('beta', 0.75)]
    const before = Math.floor((size - 1) / 2)
    const near = (value: string) => {
      const axes = m.opset < 13 ? { axes: { ints: [1] } } : undefined
      const apart = axes ? m.op('Unsqueeze', [value], axes) : m.op('Unsqueeze', [value, m.ints(1)])
      const mean = m.op('AveragePool', [m.reshape(apart, [0, 0, 0, -1])], {
        kernel_shape: { ints: [size, 1] },
        pads: { ints: [before, 0, size - 1 - before, 0] },
        count_include_pad: { i: 1 },
      })
      return m.op('Reshape', [mean, m.shapeOf(x)])
    }
    const s = m.shifted(m.scaled(near(m.square(x)), alpha), call.number('bias', 1))
    const direct = m.times(m.op('Pow', [s, m.number(-beta)]), dx)
    const spread = m.times(m.over(call.output(), s), near(m.times(x, dx)))
    return m.minus(direct, m.scaled(spread, 2 * alpha * beta))
  }),
}
