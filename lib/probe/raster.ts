/** An (N, N) kernel in the report's sample order, averaged over square blocks when N is large. */
export interface ProbeRaster {
  /** Cells on each side. */
  size: number
  /** size² numbers, row by row, 4 significant digits. */
  values: number[]
}

/** Cells on a side, as equal blocks as can be: 1000 samples on at most 256 give 250 cells of 4. */
export const rasterSize = (samples: number, limit: number) =>
  samples <= limit ? samples : Math.ceil(samples / Math.ceil(samples / limit))

/**
 * A symmetric (N, N) matrix with rows and columns put into `order`, averaged over blocks of
 * neighbours so that no more than `limit` cells remain on a side.
 */
export function rasterise(
  matrix: ArrayLike<number>,
  order: readonly number[],
  limit: number,
): ProbeRaster {
  const n = order.length
  const size = rasterSize(n, limit)
  const cell = (i: number) => Math.floor((i * size) / n)
  const sums = new Float64Array(size * size)
  const counts = new Float64Array(size * size)
  for (let i = 0; i < n; i++) {
    const row = (order[i] as number) * n
    const base = cell(i) * size
    for (let j = 0; j < n; j++) {
      const at = base + cell(j)
      sums[at] = (sums[at] as number) + (matrix[row + (order[j] as number)] as number)
      counts[at] = (counts[at] as number) + 1
    }
  }
  const values = Array.from(sums, (sum, at) =>
    Number((sum / (counts[at] as number)).toPrecision(4)),
  )
  return { size, values }
}
