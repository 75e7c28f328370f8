// ω̃ of METHOD.md section 3, for powers in the core and for any function here.

import { badArgument, mismatch, TangentError } from '../core/errors.js'
import { checkList } from '../linear/checks.js'
import { type NativePenalty, native } from '../native/index.js'

/**
 * ω of one side: a number p stands for ω(z) = |z − 1|^p, p > 0; a function is ω itself, for z ≥ 1,
 * with ω(1) = 0, nowhere negative.
 */
export type Penalty = number | ((z: number) => number)

export interface PenaltyValues {
  /** ω̃(v), one per value. */
  value: Float64Array
  /** The minimising z of every side, each as long as `value`. */
  z: Float64Array[]
}

/** Checks one side's penalty; `name` is the parameter's name in messages. */
export function checkPenalty(penalty: Penalty, name: string): void {
  if (typeof penalty === 'number') {
    if (!(penalty > 0 && Number.isFinite(penalty))) {
      throw badArgument(name, 'a positive power or a function', penalty)
    }
    return
  }
  if (typeof penalty !== 'function') {
    throw badArgument(name, 'a positive power or a function', penalty)
  }
  const atOne = penalty(1)
  if (atOne !== 0) throw mismatch(name, 'a penalty with ω(1) = 0', `ω(1) = ${atOne}`)
  for (const log of [-9, -6, -4, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 4]) {
    const z = 1 + 10 ** log
    const value = penalty(z)
    if (!(value >= 0)) {
      throw mismatch(name, 'a penalty that is nowhere negative', `ω(${z}) = ${value}`)
    }
  }
}

export function asFunction(penalty: Penalty): (z: number) => number {
  return typeof penalty === 'number' ? (z) => (z - 1) ** penalty : penalty
}

/**
 * ω̃(v) = min_z Σ_s ω_s(z_s) + v² / Π_s z_s² and the minimising z: the penalty on a singular value
 * when one, two or three sides may stretch it. Powers are good to about 13 digits, functions to
 * about 10 where they are smooth.
 * @param v values ≥ 0
 * @param sides one ω per transformed side, at most three
 * @param price what ω is multiplied by: ω̃_c(v) = c·ω̃(v/√c)
 * @throws TangentError BAD_ARGUMENT
 * @example
 * ```js
 * import { penaltyOf } from 'adaptive-tangent'
 *
 * // Two singular values; the larger one is stretched more and pays far less than its square.
 * const { value, z } = penaltyOf([0.1, 10], [2, 2])
 * console.log(
 *   value[0].toFixed(3),
 *   z[0][0].toFixed(2),
 *   'and',
 *   value[1].toFixed(1),
 *   z[0][1].toFixed(2),
 * )
 * // 0.010 1.01 and 6.9 2.36
 * ```
 * @since 0.1.0
 */
export function penaltyOf(
  v: ArrayLike<number>,
  sides: readonly Penalty[],
  price = 1,
): PenaltyValues {
  checkSides(sides)
  checkList('v', v)
  if (sides.length > 3) throw badArgument('sides', 'at most three penalties', sides.length)
  sides.forEach((side, s) => {
    checkPenalty(side, `sides[${s}]`)
  })
  if (!(Number.isFinite(price) && price > 0)) throw badArgument('price', 'a number above 0', price)
  for (const x of Array.from(v)) {
    if (!(x >= 0 && Number.isFinite(x))) throw badArgument('v', 'finite values ≥ 0', x)
  }
  const values = Float64Array.from(v, (x) => x / Math.sqrt(price))
  const split = (z: Float64Array) =>
    sides.map((_, s) => z.slice(s * values.length, (s + 1) * values.length))
  const powers = sides.filter((side) => typeof side === 'number')
  if (powers.length === sides.length) {
    const { value, z } = native.penalty(powers, values)
    return { value: value.map((x) => price * x), z: split(z) }
  }
  const value = new Float64Array(values.length)
  const z = new Float64Array(values.length * sides.length)
  functionPenalty(sides)(values, value, z)
  return { value: value.map((x) => price * x), z: split(z) }
}

/** The same in the form that the core asks for. */
export function nativePenalty(sides: readonly Penalty[]): NativePenalty {
  const powers = sides.filter((side) => typeof side === 'number')
  if (powers.length === sides.length) return powers
  return { sides: sides.length, evaluate: functionPenalty(sides) }
}

/** log(z − 1) on a grid: from where z is 1 in double precision to far beyond any useful stretch. */
const gridStart = -16
const gridEnd = 9
const gridPoints = 25 * 8 + 1
const gridAt = (i: number) => gridStart + ((gridEnd - gridStart) * i) / (gridPoints - 1)

/** ω along x = log10(z − 1), z = 1 beyond the left end. */
interface Side {
  omega: (z: number) => number
  grid: Float64Array
}

type Evaluate = (v: Float64Array, value: Float64Array, z: Float64Array) => void

function functionPenalty(sides: readonly Penalty[]): Evaluate {
  const prepared = sides.map((side): Side => {
    const omega = asFunction(side)
    const grid = Float64Array.from({ length: gridPoints }, (_, i) => omega(1 + 10 ** gridAt(i)))
    for (const w of grid) {
      if (!(w >= 0)) {
        throw new TangentError('BAD_ARGUMENT', `Expected a penalty ≥ 0 but it returned ${w}`)
      }
    }
    return { omega, grid }
  })
  return (v, value, z) => {
    for (let i = 0; i < v.length; i++) {
      const best = minimise(prepared, v[i] as number)
      value[i] = best.value
      best.z.forEach((s, side) => {
        z[side * v.length + i] = s
      })
    }
  }
}

interface Minimum {
  value: number
  z: number[]
}

/** The global minimum, by descent from several starts over one side at a time. */
function minimise(sides: Side[], v: number): Minimum {
  const ones = sides.map(() => 1)
  if (sides.length === 1) return descend(sides, v, ones, fullSweeps)
  // Coordinate descent may stop next to a corner, where several sides must move together.
  const starts = [ones]
  sides.forEach((side, s) => {
    const alone = bestAlong(side, v)
    starts.push(ones.map((_, t) => (t === s ? alone : 1)))
  })
  for (const share of [1 / sides.length, 1 / (2 * sides.length + 1)]) {
    const common = Math.max(1, v) ** share
    starts.push(ones.map(() => common))
  }
  let best: Minimum | undefined
  for (const start of starts) {
    const found = descend(sides, v, start, 3)
    if (best === undefined || found.value < best.value) best = found
  }
  return descend(sides, v, (best as Minimum).z, fullSweeps)
}

const fullSweeps = 400

function descend(sides: Side[], v: number, from: number[], sweeps: number): Minimum {
  const z = [...from]
  const total = () => {
    let product = 1
    let sum = 0
    sides.forEach((side, s) => {
      const zs = z[s] as number
      product *= zs
      sum += zs === 1 ? 0 : side.omega(zs)
    })
    return sum + (v / product) ** 2
  }
  let value = total()
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (let s = 0; s < sides.length; s++) {
      let others = 1
      z.forEach((zt, t) => {
        if (t !== s) others *= zt
      })
      z[s] = bestAlong(sides[s] as Side, v / others)
    }
    // Two sides trade a stretch without changing their product: the slow direction of the sweeps.
    for (let s = 1; s < sides.length; s++) trade(sides, z, s - 1, s)
    const next = total()
    const gain = value - next
    value = Math.min(value, next)
    if (!(gain > 1e-15 * value)) break
  }
  return { value, z }
}

/** argmin_z ω(z) + w²/z²: the best of the grid's local minima, refined. */
function bestAlong(side: Side, w: number): number {
  const at = (x: number) => {
    const z = 1 + 10 ** x
    return side.omega(z) + (w / z) ** 2
  }
  const onGrid = (i: number) => (side.grid[i] as number) + (w / (1 + 10 ** gridAt(i))) ** 2
  let bestZ = 1
  let bestValue = w * w
  let before = bestValue
  let here = onGrid(0)
  for (let i = 0; i < gridPoints; i++) {
    const after = i + 1 < gridPoints ? onGrid(i + 1) : Number.POSITIVE_INFINITY
    if (here <= before && here <= after) {
      const low = gridAt(Math.max(i - 1, 0))
      const high = gridAt(Math.min(i + 1, gridPoints - 1))
      const x = lineMinimum(at, low, high)
      const value = at(x)
      if (value < bestValue) {
        bestValue = value
        bestZ = 1 + 10 ** x
      }
    }
    before = here
    here = after
  }
  return bestZ
}

function trade(sides: Side[], z: number[], a: number, b: number): void {
  const za = z[a] as number
  const zb = z[b] as number
  const room = Math.log(za * zb)
  if (!(room > 0)) return
  const [first, second] = [sides[a] as Side, sides[b] as Side]
  const cost = (t: number) => {
    const left = Math.exp(t)
    const right = Math.exp(room - t)
    return first.omega(Math.max(left, 1)) + second.omega(Math.max(right, 1))
  }
  const t0 = Math.log(za)
  const width = Math.max(room * 0.1, 1e-12)
  const t = lineMinimum(cost, Math.max(0, t0 - width), Math.min(room, t0 + width))
  if (cost(t) < cost(t0)) {
    z[a] = Math.max(Math.exp(t), 1)
    z[b] = Math.max(Math.exp(room - t), 1)
  }
}

const golden = (3 - Math.sqrt(5)) / 2

/** The minimum in [low, high] of a function that has one there (Brent 1973, chapter 5). */
export function lineMinimum(f: (x: number) => number, low: number, high: number): number {
  let [a, b] = [low, high]
  let x = a + golden * (b - a)
  let [w, v] = [x, x]
  let fx = f(x)
  let [fw, fv] = [fx, fx]
  let step = 0
  let before = 0
  for (let i = 0; i < 100; i++) {
    const middle = 0.5 * (a + b)
    const tolerance = 1e-9 * Math.abs(x) + 1e-13
    if (Math.abs(x - middle) <= 2 * tolerance - 0.5 * (b - a)) break
    let parabolic = false
    if (Math.abs(before) > tolerance) {
      // The parabola through the best three points, if its minimum lies well inside.
      const r = (x - w) * (fx - fv)
      let q = (x - v) * (fx - fw)
      let p = (x - v) * q - (x - w) * r
      q = 2 * (q - r)
      if (q > 0) p = -p
      q = Math.abs(q)
      parabolic = Math.abs(p) < Math.abs(0.5 * q * before) && p > q * (a - x) && p < q * (b - x)
      if (parabolic) {
        before = step
        step = p / q
        const u = x + step
        if (u - a < 2 * tolerance || b - u < 2 * tolerance) {
          step = x < middle ? tolerance : -tolerance
        }
      }
    }
    if (!parabolic) {
      before = (x < middle ? b : a) - x
      step = golden * before
    }
    const u = x + (Math.abs(step) >= tolerance ? step : step > 0 ? tolerance : -tolerance)
    const fu = f(u)
    if (fu <= fx) {
      if (u < x) b = x
      else a = x
      ;[v, fv, w, fw, x, fx] = [w, fw, x, fx, u, fu]
    } else {
      if (u < x) a = u
      else b = u
      if (fu <= fw || w === x) [v, fv, w, fw] = [w, fw, u, fu]
      else if (fu <= fv || v === x || v === w) [v, fv] = [u, fu]
    }
  }
  return x
}

/** @throws TangentError BAD_ARGUMENT for what is no list of penalties. */
export function checkSides(sides: unknown): void {
  if (!Array.isArray(sides)) throw badArgument('sides', 'a list of penalties', sides)
}
