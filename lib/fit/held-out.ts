// How wrong held-out predictions are.

/** Predictions and truth of the rows (i, o) that one fold holds out. */
export interface HeldOut {
  prediction: Float64Array
  truth: Float64Array
}

/** What candidates are compared by. */
export type SelectionError = 'squared error' | 'cross-entropy'

/** Every fold's error, of rows (i, o) = i·O + o. */
export function errorsOf(folds: readonly HeldOut[], outputs: number, by: SelectionError): number[] {
  return by === 'cross-entropy' ? crossEntropies(folds, outputs) : folds.map(meanSquare)
}

/** Every fold's cross-entropy of softmax(f) as it is: of models that were fitted so. */
export function likelihoodErrors(folds: readonly HeldOut[], outputs: number): number[] {
  const parts = outputs === 1 ? folds.map(twoColumns) : folds
  return parts.map((fold) => entropy(fold, Math.max(outputs, 2), 1))
}

function meanSquare({ prediction, truth }: HeldOut): number {
  const square = truth.reduce((sum, y, r) => sum + (y - (prediction[r] as number)) ** 2, 0)
  return square / truth.length
}

/**
 * Cross-entropies of softmax(t·f), or of the logistic function of 2t·f for one output whose classes
 * are −1 and 1, with one t for all folds (temperature scaling; Guo et al. 2017). It is fitted to them
 * with each sample's class at probability (N + 1)/(N + O), so that it stays finite where all are right
 * (Platt 1999). Which class is largest and how clearly counts then, not how near its output comes to 1:
 * adapting makes the first better and the second often worse.
 */
function crossEntropies(folds: readonly HeldOut[], outputs: number): number[] {
  const columns = Math.max(outputs, 2)
  const parts = outputs === 1 ? folds.map(twoColumns) : folds
  const size = Math.max(0, ...parts.flatMap(({ prediction }) => [...prediction].map(Math.abs)))
  const at = (t: number, share?: number) => parts.map((fold) => entropy(fold, columns, t, share))
  if (size === 0 || !Number.isFinite(size)) return at(0)
  const samples = parts.reduce((sum, { truth }) => sum + truth.length, 0) / columns
  const share = (samples + 1) / (samples + columns)
  const total = (exponent: number) =>
    at(10 ** exponent / size, share).reduce(
      (sum, value, f) => sum + value * (parts[f]?.truth.length ?? 0),
      0,
    )
  return at(10 ** golden(total, -3, 3) / size)
}

/** f as −f and f, −1 and 1 as the class that is meant. */
function twoColumns({ prediction, truth }: HeldOut): HeldOut {
  const spread = (values: Float64Array) =>
    Float64Array.from([...values].flatMap((value) => [-value, value]))
  return { prediction: spread(prediction), truth: spread(truth) }
}

/** The mean over a fold's samples; the other classes have what the share of the true one leaves. */
function entropy({ prediction, truth }: HeldOut, columns: number, t: number, share = 1): number {
  const samples = truth.length / columns
  const rest = (1 - share) / (columns - 1)
  let sum = 0
  for (let i = 0; i < samples; i += 1) {
    const row = prediction.subarray(i * columns, (i + 1) * columns)
    const own = truth.subarray(i * columns, (i + 1) * columns)
    const most = Math.max(...row)
    const all = row.reduce((each, value) => each + Math.exp(t * (value - most)), 0)
    const below = row.reduce((each, value) => each + t * (most - value), 0)
    const mine = t * (most - (row[own.indexOf(Math.max(...own))] as number))
    sum += Math.log(all) + (share - rest) * mine + rest * below
  }
  return sum / samples
}

/** Where a function with one valley is least, to a hundred-thousandth of its interval. */
function golden(of: (x: number) => number, from: number, to: number): number {
  const share = (Math.sqrt(5) - 1) / 2
  let [low, high] = [from, to]
  let [a, b] = [high - share * (high - low), low + share * (high - low)]
  let [atA, atB] = [of(a), of(b)]
  while (high - low > 1e-5 * (to - from)) {
    if (atA <= atB) {
      ;[high, b, atB] = [b, a, atA]
      a = high - share * (high - low)
      atA = of(a)
    } else {
      ;[low, a, atA] = [a, b, atB]
      b = low + share * (high - low)
      atB = of(b)
    }
  }
  return (low + high) / 2
}
