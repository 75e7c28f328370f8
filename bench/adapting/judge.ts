// How wrong predictions are.
import type { Split, Task } from './task.js'

export interface Errors {
  /** Mean squared error, over the variance of the test targets. */
  error: number
  /** Share of wrong classes; undefined of numbers. */
  wrong?: number
}

/** @param prediction (N·O) of the test samples */
export function judge(
  { kind }: Pick<Task, 'kind'>,
  { test: { y }, outputs }: Pick<Split, 'test' | 'outputs'>,
  prediction: ArrayLike<number>,
): Errors {
  const samples = y.shape[0] as number
  const width = prediction.length / samples
  const truth = targetsOf(kind, y.data as ArrayLike<number>, outputs, width)
  let [square, scatter, wrong] = [0, 0, 0]
  const means = Array.from({ length: width }, (_, o) => {
    let sum = 0
    for (let i = 0; i < samples; i += 1) sum += (truth[i * width + o] as number) / samples
    return sum
  })
  for (let i = 0; i < samples; i += 1) {
    for (let o = 0; o < width; o += 1) {
      const target = truth[i * width + o] as number
      square += (target - (prediction[i * width + o] as number)) ** 2
      scatter += (target - (means[o] as number)) ** 2
    }
    const row = (values: ArrayLike<number>) =>
      Array.from({ length: width }, (_, o) => values[i * width + o] as number)
    if (classOf(row(prediction)) !== classOf(row(truth))) wrong += 1
  }
  const error = square / scatter
  return kind === 'classes' ? { error, wrong: wrong / samples } : { error }
}

function targetsOf(
  kind: Task['kind'],
  y: ArrayLike<number>,
  outputs: readonly number[] | undefined,
  width: number,
): number[] {
  const values = Array.from(y)
  if (kind === 'numbers') return values
  // Two classes of one output are −1 and 1.
  if (width === 1) return values.map((label) => 2 * label - 1)
  const columns = outputs ?? Array.from({ length: width }, (_, o) => o)
  return values.flatMap((label) => columns.map((o) => Number(o === label)))
}

const classOf = (row: readonly number[]) =>
  row.length === 1 ? Number((row[0] as number) > 0) : row.indexOf(Math.max(...row))
