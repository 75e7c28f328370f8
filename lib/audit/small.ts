// The small symmetric matrices of one sample's outputs.

/** The inverse of a symmetric positive definite matrix (size, size), by Cholesky; null where it is none. */
export function inverted(matrix: Float64Array, size: number): Float64Array | null {
  const lower = cholesky(matrix, size)
  if (!lower) return null
  const inverse = new Float64Array(size * size)
  const column = new Float64Array(size)
  for (let c = 0; c < size; c += 1) {
    column.fill(0)
    column[c] = 1
    solveLower(lower, column, size)
    for (let r = 0; r < size; r += 1) inverse[r * size + c] = column[r] as number
  }
  return inverse
}

/** L of L Lᵀ = matrix, row by row; null where the matrix is not positive definite. */
export function cholesky(matrix: Float64Array, size: number): Float64Array | null {
  const lower = new Float64Array(size * size)
  for (let r = 0; r < size; r += 1) {
    for (let c = 0; c <= r; c += 1) {
      let sum = matrix[r * size + c] as number
      for (let k = 0; k < c; k += 1)
        sum -= (lower[r * size + k] as number) * (lower[c * size + k] as number)
      if (r !== c) lower[r * size + c] = sum / (lower[c * size + c] as number)
      else if (sum > 0) lower[r * size + r] = Math.sqrt(sum)
      else return null
    }
  }
  return lower
}

/** x = (L Lᵀ)⁻¹ x in place. */
function solveLower(lower: Float64Array, x: Float64Array, size: number): void {
  for (let r = 0; r < size; r += 1) {
    let sum = x[r] as number
    for (let k = 0; k < r; k += 1) sum -= (lower[r * size + k] as number) * (x[k] as number)
    x[r] = sum / (lower[r * size + r] as number)
  }
  for (let r = size - 1; r >= 0; r -= 1) {
    let sum = x[r] as number
    for (let k = r + 1; k < size; k += 1) sum -= (lower[k * size + r] as number) * (x[k] as number)
    x[r] = sum / (lower[r * size + r] as number)
  }
}

/** Means of neighbouring numbers, `width` of them each. */
export function meansOf(values: Float64Array, width: number): Float64Array {
  return Float64Array.from({ length: values.length / width }, (_, i) => {
    let sum = 0
    for (let o = 0; o < width; o += 1) sum += values[i * width + o] as number
    return sum / width
  })
}
