// Compares numbers with a truth, and tells what was off and where.
import type { ExecutionContext } from 'ava'
import type { NdArray } from '../../lib/index.js'

/** Where the largest difference lies, in words. */
export function farthest(
  found: NdArray,
  truth: NdArray,
): { error: number; at: string; found: number; truth: number } {
  let [place, difference, largest] = [0, 0, 0]
  for (let e = 0; e < truth.data.length; e += 1) {
    const [u, v] = [Number(found.data[e]), Number(truth.data[e])]
    if (Number.isFinite(v)) largest = Math.max(largest, Math.abs(v))
    if (Object.is(u, v) || u === v) continue
    const gap = Number.isFinite(u - v) ? Math.abs(u - v) : Infinity
    if (gap > difference) [place, difference] = [e, gap]
  }
  const error = difference === 0 ? 0 : difference / largest
  const at = coordinates(place, truth.shape)
  return { error, at, found: Number(found.data[place]), truth: Number(truth.data[place]) }
}

/**
 * Passes where no number differs from the truth by more than `tolerance` of the truth's largest
 * entry, and the shapes are equal.
 */
export function near(
  t: ExecutionContext,
  found: NdArray,
  truth: NdArray,
  tolerance: number,
  what = 'the result',
): void {
  const shapes = [found.shape, truth.shape].map((shape) => `(${shape.join(', ')})`)
  if (shapes[0] !== shapes[1]) {
    t.fail(`${what} has the shape ${shapes[0]} instead of ${shapes[1]}`)
    return
  }
  const worst = farthest(found, truth)
  t.true(
    worst.error <= tolerance,
    `${what} is off by ${worst.error.toExponential(2)} of the largest entry (tolerance ${tolerance}), most at [${worst.at}]: ${worst.found} instead of ${worst.truth}`,
  )
}

function coordinates(place: number, shape: readonly number[]): string {
  const places: number[] = []
  let rest = place
  for (const size of [...shape].reverse()) {
    places.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  return places.join(', ')
}
