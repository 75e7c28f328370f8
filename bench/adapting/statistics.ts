// Is one method better than another, over the same splits and many sets?

export interface Paired {
  /** Mean of the differences. */
  mean: number
  /** Student's t of them, and the probability of one as large, either way, if there is no difference. */
  t: number
  p: number
}

/** The paired t test of a − b. */
export function pairedTest(a: readonly number[], b: readonly number[]): Paired {
  if (a.length !== b.length || a.length < 2) {
    throw new Error(`Expected as many values twice, but received ${a.length} and ${b.length}`)
  }
  const differences = a.map((value, i) => value - (b[i] as number))
  const mean = average(differences)
  const error = standardError(differences)
  // Methods that agree on all splits do not differ.
  if (error === 0) return mean === 0 ? { mean, t: 0, p: 1 } : { mean, t: mean / 0, p: 0 }
  const t = mean / error
  return { mean, t, p: studentTail(t, differences.length - 1) }
}

export const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** Of the mean. */
export function standardError(values: readonly number[]): number {
  const mean = average(values)
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(square / (values.length - 1) / values.length)
}

/**
 * P(|T| ≥ |t|) of Student's distribution with a whole number of degrees of freedom, by the finite sums
 * of Abramowitz & Stegun, 26.7.3 and 26.7.4.
 */
export function studentTail(t: number, freedom: number): number {
  const angle = Math.atan2(Math.abs(t), Math.sqrt(freedom))
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)]
  const odd = freedom % 2 === 1
  let term = odd ? cosine : 1
  let sum = freedom === 1 ? 0 : term
  for (let k = odd ? 3 : 2; k <= freedom - 2; k += 2) {
    term *= ((k - 1) / k) * cosine ** 2
    sum += term
  }
  const within = odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum
  return Math.max(0, 1 - within)
}

/** Holm's adjusted probabilities (1979): below a level, all of them together are wrong as rarely. */
export function holm(probabilities: readonly number[]): number[] {
  const order = probabilities.map((_, i) => i)
  order.sort((i, j) => (probabilities[i] as number) - (probabilities[j] as number))
  const adjusted = new Array<number>(probabilities.length)
  let most = 0
  order.forEach((i, rank) => {
    most = Math.max(most, Math.min(1, (order.length - rank) * (probabilities[i] as number)))
    adjusted[i] = most
  })
  return adjusted
}
