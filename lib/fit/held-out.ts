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
  return folds.map((fold) => entropy(fold, outputs, 1))
}

function meanSquare({ prediction, truth }: HeldOut): number {
  const square = truth.reduce((sum, y, r) => sum + (y - (prediction[r] as number)) ** 2, 0)
  return square / truth.length
}

/**
 * Cross-entropies of softmax(t·f), or of the logistic function of 2t·f for one output whose classes
 * are −1 and 1, t the same for all folds and such that their sum is least (temperature scaling; Guo et
 * al. 2017). Which class is largest and how clearly counts then, not how near its output comes to 1:
 * adapting makes the first better and the second often worse.
 */
function crossEntropies(folds: readonly HeldOut[], outputs: number): number[] {
  const size = Math.max(0, ...folds.flatMap(({ prediction }) => [...prediction].map(Math.abs)))
  if (size === 0 || !Number.isFinite(size)) return folds.map((fold) => entropy(fold, outputs, 0))
  const at = (exponent: number) => {
    const t = 10 ** exponent / size
    return folds.map((fold) => entropy(fold, outputs, t))
  }
  const total = (exponent: number) => {
    const values = at(exponent)
    return values.reduce((sum, value, f) => sum + value * (folds[f]?.truth.length ?? 0), 0)
  }
  return at(golden(total, -3, 3))
}

/** The mean over a fold's samples. */
function entropy({ prediction, truth }: HeldOut, outputs: number, t: number): number {
  const samples = truth.length / outputs
  let sum = 0
  for (let i = 0; i < samples; i += 1) {
    const row = prediction.subarray(i * outputs, (i + 1) * outputs)
    const own = truth.subarray(i * outputs, (i + 1) * outputs)
    if (outputs === 1) {
      const margin = 2 * t * (row[0] as number) * Math.sign(own[0] as number)
      sum += Math.max(0, -margin) + Math.log1p(Math.exp(-Math.abs(margin)))
      continue
    }
    const most = row.reduce((a, b) => Math.max(a, b))
    const all = row.reduce((each, value) => each + Math.exp(t * (value - most)), 0)
    sum += Math.log(all) - t * ((row[own.indexOf(Math.max(...own))] as number) - most)
  }
  return sum / samples
}

/** Where a function with one valley is least, to a thousandth of its interval. */
function golden(of: (x: number) => number, from: number, to: number): number {
  const share = (Math.sqrt(5) - 1) / 2
  let [low, high] = [from, to]
  let [a, b] = [high - share * (high - low), low + share * (high - low)]
  let [atA, atB] = [of(a), of(b)]
  while (high - low > 1e-3 * (to - from)) {
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
