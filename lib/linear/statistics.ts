// What is asked of lists of numbers: their middle, and how alike two of them are in order.

/** The middle value, or the mean of the two middle ones. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort()
  const half = sorted.length >> 1
  const upper = sorted[half] as number
  return sorted.length % 2 ? upper : (upper + (sorted[half - 1] as number)) / 2
}

/** Spearman's rank correlation, equal values sharing their mean rank. */
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return correlation(ranks(a), ranks(b))
}

/** Ranks from 0, equal values sharing their mean. */
function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i).sort(
    (a, b) => (values[a] as number) - (values[b] as number),
  )
  const result = new Float64Array(values.length)
  for (let from = 0; from < order.length; ) {
    let to = from + 1
    while (to < order.length && values[order[to] as number] === values[order[from] as number]) to++
    for (let k = from; k < to; k += 1) result[order[k] as number] = (from + to - 1) / 2
    from = to
  }
  return result
}

function correlation(a: Float64Array, b: Float64Array): number {
  const mean = (a.length - 1) / 2
  let [ab, aa, bb] = [0, 0, 0]
  a.forEach((value, i) => {
    const [u, v] = [value - mean, (b[i] as number) - mean]
    ab += u * v
    aa += u * u
    bb += v * v
  })
  return ab / Math.sqrt(aa * bb)
}
