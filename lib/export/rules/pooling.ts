// Pooling over windows or whole planes of (batch, channels, spatial…).
import { needsRank, type Rules, single } from '../rule.js'

const same = single((call, dx) => call.maths.again(call.node, [dx])[0] as string)

/** dy = y^(1 − p)·Σ |x|^(p − 1)·sign(x)·dx over the window. */
const power = single((call, dx) => {
  const m = call.maths
  const [x, y] = [call.input(0), call.output()]
  const p = call.integer('p', 2)
  const size = p === 2 ? x : m.op('Sign', [x])
  const rest = p > 2 ? m.op('Pow', [m.op('Abs', [x]), m.number(p - 1)]) : undefined
  const inner = m.times(rest === undefined ? size : m.times(size, rest), dx)
  // With p = 1 the same windows sum absolute values.
  const positive = (value: string) =>
    m.again(call.node, [m.op('Relu', [value])], 1, { p: { i: 1 } })[0] as string
  const sum = m.minus(positive(inner), positive(m.op('Neg', [inner])))
  if (p === 1) return sum
  const some = m.more(y, m.number(0))
  const safe = m.where(some, y, m.number(1))
  return m.where(some, m.times(sum, m.op('Pow', [safe, m.number(1 - p)])))
})

export const pooling: Rules = {
  AveragePool: same,
  GlobalAveragePool: same,
  // The places of the maxima, counted over the whole input.
  MaxPool: {
    tangent: single((call, dx) => {
      const m = call.maths
      // Nobody else asks for the places: the order in which they are counted is free.
      if (call.integer('storage_order', 0) !== 0) call.set('storage_order', { i: 0 })
      return m.op('Gather', [m.reshape(dx, [-1]), call.output(1)])
    }).tangent,
    refuse: (call) =>
      call.integer('storage_order', 0) === 0 || !call.node.output[1]
        ? undefined
        : 'the places of its maxima are used, and counted by columns',
  },
  GlobalMaxPool: {
    tangent: single((call, dx) => {
      const m = call.maths
      const planes = m.reshape(call.input(0), [0, 0, -1])
      const at = m.op('ArgMax', [planes], { axis: { i: 2 } })
      const axis = { axis: { i: 2 } }
      const taken = m.op('GatherElements', [m.reshape(dx, [0, 0, -1]), at], axis)
      return m.op('Reshape', [taken, m.shapeOf(call.output())])
    }).tangent,
    refuse: (call) =>
      call.opset < 11 ? 'there is no GatherElements before opset 11' : needsRank(call),
  },
  LpPool: power,
  GlobalLpPool: power,
}
