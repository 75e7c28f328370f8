// The one way in which the tests compare numbers: what was off, by how much and where.
import type { ExecutionContext } from 'ava'

/** A number, a list of them or an array with a shape. */
export type Numbers =
  | number
  | null
  | undefined
  | ArrayLike<number | bigint | string>
  | { readonly data: ArrayLike<number | bigint | string>; readonly shape: readonly number[] }

/** A share of the truth's largest entry (or of `floor`, if that is larger), or a distance. */
export type Tolerance =
  | number
  | { readonly share: number; readonly floor: number }
  | { readonly absolute: number }

export interface Worst {
  /** The largest difference: infinite where one side alone is no number. */
  difference: number
  /** That difference over the truth's largest finite entry. */
  error: number
  /** Where it lies, and what stands there. */
  at: string
  found: number
  truth: number
}

function plain(numbers: Numbers) {
  if (numbers === undefined || numbers === null || typeof numbers !== 'object') {
    return { data: [numbers ?? Number.NaN], shape: [] }
  }
  return 'shape' in numbers ? numbers : { data: numbers, shape: undefined }
}

/**
 * What differs most; NaN is equal to NaN in arrays only, where it is meant.
 * @param floor what the truth's largest entry counts for at least
 * @throws where shapes differ, or lengths where one has no shape
 */
export function farthest(found: Numbers, truth: Numbers, floor = 0): Worst {
  const [f, v] = [plain(found), plain(truth)]
  const shape = v.shape ?? f.shape ?? [v.data.length]
  const [own, wanted] = [f.shape ?? [f.data.length], v.shape ?? [v.data.length]]
  const same = f.shape && v.shape ? own.join() === wanted.join() : f.data.length === v.data.length
  if (!same) throw new Error(`shape (${own.join(', ')}) instead of (${wanted.join(', ')})`)
  let [place, difference, largest] = [0, 0, floor]
  for (let e = 0; e < v.data.length; e += 1) {
    const [a, b] = [Number(f.data[e]), Number(v.data[e])]
    if (Number.isFinite(b)) largest = Math.max(largest, Math.abs(b))
    if (a === b || (Number.isNaN(a) && Number.isNaN(b) && shape.length > 0)) continue
    const gap = Number.isFinite(a - b) ? Math.abs(a - b) : Number.POSITIVE_INFINITY
    if (gap > difference) [place, difference] = [e, gap]
  }
  return {
    difference,
    error: difference === 0 ? 0 : difference / largest,
    at: coordinates(place, shape),
    found: Number(f.data[place]),
    truth: Number(v.data[place]),
  }
}

/** Largest difference over the largest entry of the truth (or over `floor`, if that is larger). */
export function relativeError(found: Numbers, truth: Numbers, floor = 0): number {
  return farthest(found, truth, floor).error
}

/** One sentence on what is off by more than the tolerance, or undefined where nothing is. */
export function complaint(
  found: Numbers,
  truth: Numbers,
  tolerance: Tolerance,
  what = 'the result',
): string | undefined {
  const rule = typeof tolerance === 'number' ? { share: tolerance, floor: 0 } : tolerance
  let worst: Worst
  try {
    worst = farthest(found, truth, 'floor' in rule ? rule.floor : 0)
  } catch (error) {
    return `${what} has the ${(error as Error).message}`
  }
  const [error, most, measure] =
    'absolute' in rule
      ? [worst.difference, rule.absolute, '']
      : [worst.error, rule.share, ' of the largest entry']
  if (error <= most) return undefined
  const place = worst.at === '' ? '' : ` at [${worst.at}]`
  return `${what} is off by ${error.toExponential(2)}${measure} (tolerance ${most})${place}: ${worst.found} instead of ${worst.truth}`
}

/** Passes where no number differs from the truth by more than the tolerance. */
export function near(
  t: ExecutionContext,
  found: Numbers,
  truth: Numbers,
  tolerance: Tolerance,
  what?: string,
): void {
  const text = complaint(found, truth, tolerance, what)
  if (text === undefined) t.pass()
  else t.fail(`${text} (${caller()})`)
}

/** The same where no test is at hand: throws the sentence. */
export function mustBeNear(...what: Parameters<typeof complaint>): void {
  const text = complaint(...what)
  if (text !== undefined) throw new Error(text)
}

/** The line of the test: ava itself names the line of its own assertion. */
function caller(): string {
  const lines = new Error().stack?.split('\n') ?? []
  return lines.find((line) => !/^Error|support\/near\./.test(line))?.trim() ?? ''
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
