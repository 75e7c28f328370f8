// Losses of a batch and their gradients at the outputs.

/** `squared`: ½‖f − y‖². `cross-entropy`: −log softmax(f)_y of classes. Means over the batch. */
export type Loss = 'squared' | 'cross-entropy'

/** Targets: (N, O) numbers, or N classes. */
export type Targets = Float32Array | Int32Array

/** Sums over samples. */
export interface LossSum {
  loss: number
  /** Wrong classes; for one output wrong signs. */
  wrong: number
}

/**
 * Loss of outputs f (n, O) whose targets are rows `rows` of `targets`; writes the gradient of the
 * mean over the n samples into `gradient` (n, O) where one is given.
 */
export function lossOf(
  kind: Loss,
  f: Float32Array,
  targets: Targets,
  rows: ArrayLike<number>,
  gradient?: Float32Array,
): LossSum {
  const n = rows.length
  const width = f.length / n
  const sum: LossSum = { loss: 0, wrong: 0 }
  for (let i = 0; i < n; i += 1) {
    const own = f.subarray(i * width, (i + 1) * width)
    const slope = gradient?.subarray(i * width, (i + 1) * width)
    const row = rows[i] as number
    if (kind === 'squared') squared(own, targets, row, n, slope, sum)
    else crossEntropy(own, targets[row] as number, n, slope, sum)
  }
  return sum
}

function squared(
  f: Float32Array,
  targets: Targets,
  row: number,
  n: number,
  slope: Float32Array | undefined,
  sum: LossSum,
): void {
  const y = targets.subarray(row * f.length, (row + 1) * f.length)
  for (let o = 0; o < f.length; o += 1) {
    const difference = (f[o] as number) - (y[o] as number)
    sum.loss += difference ** 2 / 2
    if (slope) slope[o] = difference / n
  }
  const right =
    f.length === 1 ? (f[0] as number) > 0 === (y[0] as number) > 0 : largest(f) === largest(y)
  if (!right) sum.wrong += 1
}

function crossEntropy(
  f: Float32Array,
  label: number,
  n: number,
  slope: Float32Array | undefined,
  sum: LossSum,
): void {
  const top = largest(f)
  const most = f[top] as number
  let total = 0
  for (const value of f) total += Math.exp(value - most)
  sum.loss += Math.log(total) + most - (f[label] as number)
  if (top !== label) sum.wrong += 1
  if (!slope) return
  for (let o = 0; o < f.length; o += 1) {
    const share = Math.exp((f[o] as number) - most) / total
    slope[o] = (share - (o === label ? 1 : 0)) / n
  }
}

function largest(values: ArrayLike<number>): number {
  let at = 0
  for (let o = 1; o < values.length; o += 1) {
    if ((values[o] as number) > (values[at] as number)) at = o
  }
  return at
}
