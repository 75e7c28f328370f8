import { badArgument } from '../core/errors.js'
import { checkList } from '../linear/checks.js'
import {
  asFunction,
  checkPenalty,
  checkSides,
  lineMinimum,
  type Penalty,
  type PenaltyValues,
} from './penalty.js'

type Omega = (z: number) => number

/** Grid of shares of log z that one side takes: dense at both ends, where sides rest. */
const shares = (() => {
  const half = Array.from({ length: 121 }, (_, i) => 0.5 * 10 ** (-12 * (1 - i / 120)))
  return [
    0,
    ...half,
    ...half
      .slice(0, -1)
      .reverse()
      .map((share) => 1 - share),
    1,
  ]
})()

/**
 * ω_a ⊕ ω_b (⊕ ω_c): min over z_a z_b … = z of Σ ω_s(z_s), the penalty on a stretch z that several
 * sides share; ω̃ of it is {@link penaltyOf} with those sides. Any penalties, found by search over
 * the shares of log z; good to about 10 digits where they are smooth.
 * @param z values ≥ 1
 * @param sides one to three penalties
 * @returns the value and each side's z
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
 * @example
 * ```js
 * import { combinedPenalty } from 'adaptive-tangent'
 *
 * // Two equal sides share a stretch of 4 evenly.
 * const { z } = combinedPenalty([4], [2, 2])
 * console.log(z.map(([side]) => side.toFixed(3)).join(' × '))
 * // 2.000 × 2.000
 * ```
 * @since 0.1.0
 */
export function combinedPenalty(z: ArrayLike<number>, sides: readonly Penalty[]): PenaltyValues {
  checkSides(sides)
  checkList('z', z)
  if (sides.length < 1 || sides.length > 3) {
    throw badArgument('sides', 'one to three penalties', sides.length)
  }
  sides.forEach((side, s) => {
    checkPenalty(side, `sides[${s}]`)
  })
  const omegas = sides.map(asFunction)
  const value = new Float64Array(z.length)
  const parts = sides.map(() => new Float64Array(z.length))
  Array.from(z).forEach((whole, i) => {
    if (!(whole >= 1 && Number.isFinite(whole))) throw badArgument('z', 'values ≥ 1', whole)
    const best = split(omegas, Math.log(whole))
    value[i] = best.value
    best.logs.forEach((log, s) => {
      ;(parts[s] as Float64Array)[i] = Math.exp(log)
    })
  })
  return { value, z: parts }
}

interface Split {
  value: number
  /** log z of every side. */
  logs: number[]
}

function split(omegas: readonly Omega[], room: number): Split {
  const [first, ...others] = omegas as [Omega, ...Omega[]]
  const price = (omega: Omega, log: number) => (log > 0 ? omega(1 + Math.expm1(log)) : 0)
  if (others.length === 0) return { value: price(first, room), logs: [room] }
  if (room === 0) return { value: 0, logs: omegas.map(() => 0) }
  const at = (log: number) => price(first, log) + split(others, room - log).value
  // A coarser search inside a search: the outer one still refines every local minimum.
  const grid =
    others.length > 1 ? shares.filter((_, i) => i % 8 === 0 || i === shares.length - 1) : shares
  const costs = grid.map((share) => at(share * room))
  let best = { log: 0, value: Number.POSITIVE_INFINITY }
  grid.forEach((share, i) => {
    const cost = costs[i] as number
    if (cost < best.value) best = { log: share * room, value: cost }
    const before = costs[i - 1] ?? Number.POSITIVE_INFINITY
    const after = costs[i + 1] ?? Number.POSITIVE_INFINITY
    if (cost > before || cost > after) return
    const low = (grid[Math.max(i - 1, 0)] as number) * room
    const high = (grid[Math.min(i + 1, grid.length - 1)] as number) * room
    const log = lineMinimum(at, low, high)
    const refined = at(log)
    if (refined < best.value) best = { log, value: refined }
  })
  return { value: best.value, logs: [best.log, ...split(others, room - best.log).logs] }
}
