// Which known name did the caller mean?
import { distance } from 'fastest-levenshtein'
import { quote } from './quote.js'

/** Names compared at most: a large network has tens of thousands. */
const compared = 20_000

/** The known names nearest to a wrong one, the nearest first; empty where none is near. */
export function nearest(word: string, names: readonly string[], most = 3): string[] {
  const plain = word.toLowerCase()
  const scored = names.slice(0, compared).flatMap((name) => {
    const other = name.toLowerCase()
    const long = Math.min(plain.length, other.length) > 2
    const parts = long && (other.includes(plain) || plain.includes(other))
    const steps = distance(plain, other)
    const near = steps <= Math.max(1, 0.4 * Math.max(plain.length, other.length))
    return near || parts ? [{ name, steps: near ? steps : steps + plain.length }] : []
  })
  scored.sort((a, b) => a.steps - b.steps)
  return scored.slice(0, most).map(({ name }) => name)
}

/** `; did you mean "a" or "b"?`, or nothing. */
export function didYouMean(word: unknown, names: readonly string[]): string {
  const near = typeof word === 'string' ? nearest(word, names) : []
  return near.length > 0 ? `; did you mean ${near.map(quote).join(' or ')}?` : ''
}
