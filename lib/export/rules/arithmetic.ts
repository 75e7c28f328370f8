// Element-wise operators of two or more operands with NumPy broadcasting.
import { nextTo } from '../maths.js'
import type { Rules, TangentCall, TangentRule } from '../rule.js'

const operands = (call: TangentCall) => Array.from({ length: call.count }, (_, k) => k)

/** The sum of what each input's change makes; parts that have the output's shape come last. */
function summed(
  call: TangentCall,
  part: (k: number, tangent: string) => string,
  broadcast: boolean,
): string | undefined {
  const moving = operands(call).filter((k) => call.tangent(k) !== undefined)
  const parts = moving.map((k) => part(k, call.tangent(k) as string))
  const [only] = moving
  if (parts.length === 1 && broadcast) return call.spread(parts[0] as string, only as number)
  const total = parts.reduce<string | undefined>(
    (sum, term) => call.maths.add(sum, term),
    undefined,
  )
  // Two operands together have the output's shape; of more some may be left out.
  if (total === undefined || !broadcast || parts.length === call.count) return total
  return call.maths.spread(total, call.output())
}

const linear = (factor: (call: TangentCall, k: number) => number): TangentRule => ({
  tangent: (call) => [summed(call, (k, dx) => call.maths.scaled(dx, factor(call, k)), true)],
})

const plus = linear(() => 1)

/** Each operand that equals the result takes its share of the tangent. */
const extremum: TangentRule = {
  tangent(call) {
    const m = call.maths
    const y = call.output()
    const own = operands(call).map((k) => m.indicator(m.equal(call.input(k), y)))
    const ties = own.reduce((sum, term) => m.sum(sum, term))
    const total = summed(call, (k, dx) => m.times(dx, own[k] as string), false)
    return [total === undefined ? undefined : m.over(total, ties)]
  },
}

export const arithmetic: Rules = {
  Add: plus,
  Sum: plus,
  Sub: linear((_, k) => (k === 0 ? 1 : -1)),
  Mean: linear((call) => 1 / call.count),
  Mul: {
    tangent: (call) => [summed(call, (k, dx) => call.maths.times(dx, call.input(1 - k)), false)],
  },
  Div: {
    tangent(call) {
      const m = call.maths
      const [da, db] = [call.tangent(0), call.tangent(1)]
      const quotient = (above: string, still: string[]) => {
        const result = m.over(above, call.input(1))
        if (call.isNeverZero(1)) return result
        // Where nothing changes nothing does, whatever it is divided by.
        const none = still.map((tangent) => m.equal(tangent, m.number(0)))
        return m.where(none.reduce(m.and.bind(m)), m.number(0), result)
      }
      if (db === undefined) return [da === undefined ? undefined : quotient(da, [da])]
      const change = m.times(call.output(), db)
      if (da === undefined) return [quotient(m.op('Neg', [change]), [db])]
      return [quotient(m.minus(da, change), [da, db])]
    },
  },
  // d/da is 0 where b is 0, and d/db is 0 where a is 0 and b is not negative.
  Pow: {
    tangent(call) {
      const m = call.maths
      const [a, y] = [call.input(0), call.output()]
      const [da, db] = [call.tangent(0), call.tangent(1)]
      const known = call.stored(1)
      const square = known?.length === 1 && known[0] === 2
      if (square && da !== undefined && db === undefined) {
        return [call.spread(m.scaled(m.times(a, da), 2), 0)]
      }
      const b = floatExponent(call)
      const zero = m.number(0)
      let total: string | undefined
      if (da !== undefined) {
        const slope = m.times(b, m.op('Pow', [a, m.shifted(b, -1)]))
        const still = m.op('Or', [m.equal(b, zero), m.equal(da, zero)])
        total = m.where(still, zero, m.times(slope, da))
      }
      if (db !== undefined) {
        const still = m.and(m.equal(a, zero), m.not(m.less(b, zero)))
        const base = m.where(still, m.number(1), a)
        total = m.add(total, m.times(m.times(y, m.op('Log', [base])), db))
      }
      return [total]
    },
  },
  Mod: {
    tangent(call) {
      const m = call.maths
      const [da, db] = [call.tangent(0), call.tangent(1)]
      if (db === undefined) return [da === undefined ? undefined : call.spread(da, 0)]
      // a = n·b + mod(a, b), n cut towards 0.
      const rest = m.minus(call.input(0), call.output())
      const times = m.op('Round', [m.over(rest, call.input(1))])
      const change = m.times(times, db)
      return [da === undefined ? m.op('Neg', [change]) : m.minus(da, change)]
    },
    refuse: (call) => (call.opset < 11 ? 'there is no Round before opset 11' : undefined),
  },
  Max: extremum,
  Min: extremum,
  PRelu: {
    tangent(call) {
      const m = call.maths
      const [x, slope] = [call.input(0), call.input(1)]
      const [dx, ds] = [call.tangent(0), call.tangent(1)]
      let total: string | undefined
      if (dx !== undefined) {
        const rest = m.times(m.above(x), m.minus(m.number(1), slope))
        total = m.times(dx, m.sum(rest, slope))
      }
      if (ds === undefined) return [total]
      const below = m.times(m.op('Relu', [m.op('Neg', [x])]), ds)
      return [total === undefined ? m.op('Neg', [below]) : m.minus(total, below)]
    },
  },
  Where: {
    tangent(call) {
      const [da, db] = [call.tangent(1), call.tangent(2)]
      const zero = call.maths.number(0)
      if (da === undefined && db === undefined) return [undefined]
      const chosen = call.maths.op('Where', [call.input(0), da ?? zero, db ?? zero])
      if (da !== undefined && db !== undefined) return [chosen]
      return [call.maths.spread(chosen, call.output())]
    },
  },
  // Inside the bounds, they included, the slope is 1; a bound that is computed gets what it cuts off.
  Clip: {
    tangent(call) {
      const m = call.maths
      const x = call.input(0)
      const attribute = (name: string) => {
        const found = call.attribute(name)
        return found && 'f' in found ? m.number(found.f) : undefined
      }
      const old = call.opset < 11
      const low = old ? attribute('min') : call.has(1) ? call.input(1) : undefined
      const high = old ? attribute('max') : call.has(2) ? call.input(2) : undefined
      const [dx, dl, dh] = [0, 1, 2].map((k) => (old && k > 0 ? undefined : call.tangent(k)))
      const bounds = [knownBound(call, 1, 'min'), knownBound(call, 2, 'max')] as const
      if (dl === undefined && dh === undefined && bounds.every((bound) => bound !== undefined)) {
        if (dx === undefined) return [undefined]
        const [least, most] = bounds as [number | null, number | null]
        if (call.widened) {
          const y = call.output()
          const above = m.times(dx, m.above(y, least as number))
          return [m.times(above, m.below(y, most as number))]
        }
        let inside = dx
        const low = least === null || (least <= 0 && call.isNeverNegative(0))
        if (!low) inside = m.times(inside, m.above(x, nextTo(least, false)))
        if (most !== null) inside = m.times(inside, m.below(x, nextTo(most, true)))
        return [inside]
      }
      const below = low === undefined ? undefined : m.less(x, low)
      const above = high === undefined ? undefined : m.more(x, high)
      const crossed = low === undefined || high === undefined ? undefined : m.more(low, high)
      let total = dx
      for (const outside of [below, above]) {
        if (total !== undefined && outside !== undefined) {
          total = m.where(outside, m.number(0), total)
        }
      }
      if (dl !== undefined && below !== undefined) {
        const open = high === undefined ? below : m.and(below, m.less(low as string, high))
        total = m.add(total, m.where(open, dl))
      }
      if (dh !== undefined && above !== undefined) {
        const cut = crossed === undefined ? above : m.op('Or', [above, crossed])
        total = m.add(total, m.where(cut, dh))
      }
      return [total]
    },
  },
}

/** A bound that is stored in the file, null where there is none, undefined where it is not known. */
function knownBound(call: TangentCall, k: number, name: string): number | null | undefined {
  if (call.opset < 11) {
    const found = call.attribute(name)
    return found && 'f' in found ? usable(found.f) : null
  }
  if (!call.has(k)) return null
  const known = call.stored(k)
  return known?.length === 1 ? usable(known[0] as number) : undefined
}

/** Bounds that no number of a network reaches are none; others must survive being scaled. */
function usable(bound: number): number | null | undefined {
  if (Math.abs(bound) > 1e30) return null
  return Math.abs(bound) < 1e8 ? bound : undefined
}

/** The exponent may hold integers. */
function floatExponent(call: TangentCall): string {
  const known = call.stored(1)
  if (known?.length === 1) return call.maths.number(known[0] as number)
  return call.maths.op('Cast', [call.input(1)], { to: { i: 1 } })
}
