// ω̃ against its own optimality conditions, which give v and ω̃(v) in closed form for a chosen z.
import test from 'ava'
import { type Penalty, penaltyOf } from '../../lib/fit/penalty.js'

const exponents = Array.from({ length: 241 }, (_, i) => -6 + i / 20)

/** |z − 1|^p as a function, on its own digits: z − 1 is exact for z near 1. */
const asFunction =
  (p: number): Penalty =>
  (z) =>
    Math.abs(z - 1) ** p

function agree(
  t: { true(value: boolean, message: string): unknown },
  sides: readonly number[],
  points: readonly { v: number; value: number; z: readonly number[] }[],
) {
  const v = points.map((point) => point.v)
  for (const [kind, own, digits] of [
    ['powers', sides, 1e-11],
    ['functions', sides.map(asFunction), 1e-10],
  ] as const) {
    const found = penaltyOf(v, own)
    points.forEach((point, i) => {
      const error = Math.abs((found.value[i] as number) / point.value - 1)
      t.true(error < digits, `${kind} ${sides} at v = ${point.v}: ${error}`)
      // z lies where the penalty is flat: half of the digits are sure.
      point.z.forEach((z, s) => {
        const gap = Math.abs((found.z[s]?.[i] as number) - z)
        t.true(gap < 1e-5 * z, `${kind} ${sides} at v = ${point.v}: z ${gap}`)
      })
    })
  }
}

test('one side: from 1e-6 to 1e6 to more than ten digits', (t) => {
  for (const p of [1.25, 1.5, 2, 2.5, 3, 4, 7]) {
    // p (z − 1)^{p−1} = 2 v²/z³, one root for p > 1.
    const points = exponents
      .map((exponent) => {
        const x = 10 ** exponent
        const v = Math.sqrt(0.5 * p * x ** (p - 1) * (1 + x) ** 3)
        return { v, value: x ** p + (v / (1 + x)) ** 2, z: [1 + x] }
      })
      .filter(({ v }) => v >= 1e-6 && v <= 1e6)
    t.true(points.length > 60)
    agree(t, [p], points)
  }
})

test('one side, p ≤ 1: the local minimum or no stretch, whichever is less', (t) => {
  for (const p of [0.1, 0.25, 0.5, 0.75, 1]) {
    // p (z − 1)^{p−1} z³ falls up to z − 1 = (1 − p)/(p + 2), then rises: minima lie where it rises.
    const turn = (1 - p) / (p + 2)
    const points = exponents
      .map((exponent) => {
        const x = turn + 10 ** exponent
        const v = Math.sqrt(0.5 * p * x ** (p - 1) * (1 + x) ** 3)
        const inner = x ** p + (v / (1 + x)) ** 2
        return { v, inner, x }
      })
      // Where the two are nearly equal either z will do.
      .filter(({ v, inner }) => v <= 1e6 && Math.abs(inner / (v * v) - 1) > 1e-6)
      .map(({ v, inner, x }) => ({
        v,
        value: Math.min(inner, v * v),
        z: [inner < v * v ? 1 + x : 1],
      }))
    for (const v of [1e-6, 1e-4, 1e-2]) points.push({ v, value: v * v, z: [1] })
    t.true(points.length > 60)
    agree(t, [p], points)
  }
})

/** x = z − 1 with p (z − 1)^{p−1} z = s, to full precision. */
function stretchAt(p: number, s: number): number {
  if (p === 1) return Math.max(s - 1, 0)
  if (p === 2) return s / (1 + Math.sqrt(1 + 2 * s))
  let [low, high] = [-40, 20]
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2
    const x = Math.exp(middle)
    if (p * x ** (p - 1) * (1 + x) < s) low = middle
    else high = middle
  }
  return Math.exp((low + high) / 2)
}

test('two and three sides: every side has the same p (z − 1)^{p−1} z, which is 2v²/Πz²', (t) => {
  for (const sides of [
    [2, 2],
    [2, 1],
    [1, 1.5],
    [3, 1.5],
    [2, 2, 2],
    [2, 1, 3],
    [1.5, 2.5, 4],
  ]) {
    const points = Array.from({ length: 181 }, (_, i) => {
      const s = 10 ** (-10 + i / 9)
      const xs = sides.map((p) => stretchAt(p, s))
      const product = xs.reduce((whole, x) => whole * (1 + x), 1)
      const v = Math.sqrt(s / 2) * product
      const omega = xs.reduce((sum, x, side) => sum + x ** (sides[side] as number), 0)
      return { v, value: omega + s / 2, z: xs.map((x) => 1 + x) }
    }).filter(({ v }) => v >= 1e-6 && v <= 1e6)
    t.true(points.length > 60)
    agree(t, sides, points)
  }
})
