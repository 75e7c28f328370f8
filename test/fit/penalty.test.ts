import { readFileSync } from 'node:fs'
import test from 'ava'
import { combinedPenalty } from '../../lib/fit/combine.js'
import { penaltyOf } from '../../lib/fit/penalty.js'
import { near } from '../support/near.js'

interface Row {
  powers: number[]
  v: number
  penalty: number
  z: number[]
}
const rows: Row[] = JSON.parse(readFileSync('test/fixtures/adaptive/penalties.json', 'utf8'))

test('powers agree with the reference to 1e-9, one to three sides', (t) => {
  for (const row of rows) {
    const { value, z } = penaltyOf([row.v], row.powers)
    near(t, value[0], row.penalty, 1e-9, JSON.stringify(row))
    row.z.forEach((reference, s) => {
      near(t, z[s]?.[0], reference, 1e-5, JSON.stringify(row))
    })
  }
})

test('the same powers given as functions agree to 10 digits', (t) => {
  for (const row of rows) {
    const functions = row.powers.map((p) => (z: number) => Math.abs(z - 1) ** p)
    const { value } = penaltyOf([row.v], functions)
    near(t, value[0], row.penalty, 1e-10, JSON.stringify([row, value]))
  }
})

test('values come back in their order, and vectorised ones equal single ones', (t) => {
  const v = Float64Array.from({ length: 1000 }, (_, i) => 10 ** (((i * 389) % 1000) / 100 - 5))
  for (const sides of [[2], [1], [0.5], [2, 1], [0.5, 2], [2, 2, 1]]) {
    const { value, z } = penaltyOf(v, sides)
    for (const i of [0, 17, 500, 999]) {
      const one = penaltyOf([v[i] as number], sides)
      t.is(value[i], one.value[0])
      t.deepEqual(
        z.map((side) => side[i]),
        one.z.map((side) => side[0]),
      )
    }
  }
})

test('the closed forms of METHOD.md', (t) => {
  for (const v of [1e-6, 0.3, 0.7, 1, 5, 1e3, 1e6]) {
    const z2 = penaltyOf([v], [2]).z[0]?.[0] as number
    if (v >= 1e-3) near(t, z2 ** 4 - z2 ** 3, v * v, 1e-9)
    const z1 = penaltyOf([v], [1]).z[0]?.[0] as number
    near(t, z1, Math.max(1, Math.cbrt(2 * v * v)), 1e-12)
  }
})

/** No minimiser of any kind: the least value on a fine grid can only lie above the true one. */
test('non-convex powers find the global minimum', (t) => {
  for (const sides of [[0.3], [0.5, 0.5], [0.5, 2], [0.9, 0.1], [0.7, 1]]) {
    for (let i = 0; i < 40; i++) {
      const v = 10 ** (-1 + (3 * i) / 39)
      const best = penaltyOf([v], sides).value[0] as number
      const grid = Array.from({ length: 160 }, (_, k) => (k === 0 ? 1 : 1 + 10 ** (k / 16 - 5)))
      let least = Number.POSITIVE_INFINITY
      for (const a of grid) {
        for (const b of sides.length > 1 ? grid : [1]) {
          const cost =
            (a - 1) ** (sides[0] as number) +
            (sides.length > 1 ? (b - 1) ** (sides[1] as number) : 0) +
            (v / (a * b)) ** 2
          least = Math.min(least, cost)
        }
      }
      t.true(best <= least * (1 + 1e-12), `${sides} at ${v}: ${best} above ${least}`)
      t.true(best > least * 0.98, `${sides} at ${v}: ${best} far below ${least}`)
    }
  }
})

test('a user function without a power: the soft threshold of log', (t) => {
  // ω(z) = log z: stationary where z² = 2v², from v = 1/√2 on.
  const v = [0.1, 0.5, 0.7072, 1, 10, 1e4]
  const { value, z } = penaltyOf(v, [Math.log])
  v.forEach((x, i) => {
    const stretched = Math.SQRT2 * x
    const inner = Math.log(stretched) + 0.5
    const expected = stretched > 1 && inner < x * x ? inner : x * x
    near(t, value[i], expected, 1e-10)
    t.true((z[0]?.[i] as number) >= 1)
  })
})

test('bad penalties are refused with one sentence', (t) => {
  const code = { code: 'BAD_ARGUMENT' }
  t.throws(() => penaltyOf([1], [0]), code)
  t.throws(() => penaltyOf([1], [-2]), code)
  t.throws(() => penaltyOf([1], [Number.NaN]), code)
  t.throws(() => penaltyOf([-1], [2]), code)
  t.throws(() => penaltyOf([Number.POSITIVE_INFINITY], [2]), code)
  t.throws(() => penaltyOf([1], [2, 2, 2, 2]), code)
  const offset = t.throws(() => penaltyOf([1], [(z) => z]), code)
  t.regex(offset.message, /ω\(1\) = 0/)
  const negative = t.throws(() => penaltyOf([1], [(z) => 1 - z]), code)
  t.regex(negative.message, /nowhere negative/)
  t.throws(() => penaltyOf([1], [(z) => (z === 1 ? 0 : Number.NaN)]), code)
})

test('ω_a ⊕ ω_b: what ω̃ chose is the best split of its own product', (t) => {
  for (const sides of [
    [2, 2],
    [2, 1],
    [1.5, 3],
    [2, 2, 2],
    [3, 1, 2],
    [0.5, 2],
  ]) {
    for (const v of [0.3, 1, 5, 100, 1e4]) {
      const { z, value } = penaltyOf([v], sides)
      const product = z.reduce((whole, side) => whole * (side[0] as number), 1)
      if (product === 1) continue
      const alone = combinedPenalty([product], sides)
      const expected = (value[0] as number) - (v / product) ** 2
      near(t, alone.value[0], expected, 1e-7, `${sides} ${v}`)
      const split = alone.z.reduce((whole, side) => whole * (side[0] as number), 1)
      near(t, split, product, 1e-12)
    }
  }
  // One side takes it all; equal squares share it; the first of two lines takes either all or none.
  near(t, combinedPenalty([3], [2]).value[0], 4, { absolute: 1e-13 })
  near(t, combinedPenalty([4], [2, 2]).value[0], 2, { absolute: 1e-10 })
  t.is(combinedPenalty([1], [2, 1]).value[0], 0)
  t.throws(() => combinedPenalty([0.5], [2]), { code: 'BAD_ARGUMENT' })
  t.throws(() => combinedPenalty([2], []), { code: 'BAD_ARGUMENT' })
})
