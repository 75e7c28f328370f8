// How good predictions are, with an interval.
import { stream } from '../linear/random.js'
import type { Targets } from './targets.js'

/** An estimate and the interval that holds the truth in 95 of 100 cases. */
export interface Score {
  /** The estimate. */
  value: number
  /** Where the interval begins … */
  low: number
  /** … and ends. */
  high: number
}

/** Of one model on held-out samples. */
export interface Scores {
  /** Share of right classes, with Wilson's interval (1927). */
  accuracy?: Score
  /** Root of the mean squared error over samples and columns, interval by bootstrap of the samples. */
  rmse?: Score
  /** 1 − squared error / squared distance from the held-out targets' own mean; bootstrap as well. */
  r2?: Score
}

/** The 97.5 % quantile of the standard normal distribution. */
const z = 1.959963984540054
const resamples = 1000

/** Wilson's score interval for a share of `right` among `count` (Wilson 1927). */
export function wilson(right: number, count: number): Score {
  const share = right / count
  const middle = (share + (z * z) / (2 * count)) / (1 + (z * z) / count)
  const half =
    (z / (1 + (z * z) / count)) *
    Math.sqrt((share * (1 - share)) / count + (z * z) / (4 * count * count))
  return { value: share, low: Math.max(0, middle - half), high: Math.min(1, middle + half) }
}

/**
 * Scores of predictions.
 * @param predictions (N, columns)
 */
export function scoresOf(predictions: ArrayLike<number>, targets: Targets): Scores {
  if (targets.kind === 'classes') {
    const right = rightOf(predictions, targets.of)
    return { accuracy: wilson(right, targets.of.length) }
  }
  return errorsOf(predictions, targets.values, targets.columns)
}

/** How many samples have their largest column, or the sign of a single one, right. */
function rightOf(predictions: ArrayLike<number>, of: Int32Array): number {
  const columns = predictions.length / of.length
  return of.reduce((right, own, i) => {
    let best = columns === 1 && (predictions[i] as number) >= 0 ? 1 : 0
    for (let k = 1; k < columns; k += 1) {
      const [value, most] = [predictions[i * columns + k], predictions[i * columns + best]]
      if ((value as number) > (most as number)) best = k
    }
    return right + (best === own ? 1 : 0)
  }, 0)
}

function errorsOf(
  predictions: ArrayLike<number>,
  values: Float64Array,
  columns: number,
): Pick<Scores, 'rmse' | 'r2'> {
  const count = values.length / columns
  // Distances from the means are the same for numbers from which anything is subtracted.
  const centred = values.map((value, e) => value - (values[e % columns] as number))
  const squares = new Float64Array(count)
  values.forEach((value, e) => {
    const row = Math.floor(e / columns)
    squares[row] = (squares[row] as number) + (value - (predictions[e] as number)) ** 2
  })
  const measure = (rows: ArrayLike<number>) => {
    let error = 0
    const sums = new Float64Array(2 * columns)
    for (let i = 0; i < count; i += 1) {
      const row = rows[i] as number
      error += squares[row] as number
      for (let c = 0; c < columns; c += 1) {
        const value = centred[row * columns + c] as number
        sums[2 * c] = (sums[2 * c] as number) + value
        sums[2 * c + 1] = (sums[2 * c + 1] as number) + value * value
      }
    }
    let spread = 0
    for (let c = 0; c < columns; c += 1) {
      spread += (sums[2 * c + 1] as number) - (sums[2 * c] as number) ** 2 / count
    }
    return { rmse: Math.sqrt(error / (count * columns)), r2: spread > 0 ? 1 - error / spread : 0 }
  }
  const own = measure(Float64Array.from({ length: count }, (_, i) => i))
  const drawn = Array.from({ length: resamples }, (_, b) => {
    const uniform = stream(1, b)
    return measure(Float64Array.from({ length: count }, () => Math.floor(uniform() * count)))
  })
  const between = (name: 'rmse' | 'r2'): Score => {
    const sorted = drawn.map((one) => one[name]).sort((a, b) => a - b)
    const at = (share: number) => sorted[Math.round(share * (resamples - 1))] as number
    return { value: own[name], low: at(0.025), high: at(0.975) }
  }
  return { rmse: between('rmse'), r2: between('r2') }
}
