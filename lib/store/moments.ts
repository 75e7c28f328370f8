// Sums over kernels that come in parts.
/** Inner products of two kernels, which come by rows, and what centring needs. */
export class Moments {
  readonly #columns: number
  readonly #rows: readonly [Float64Array, Float64Array]
  readonly #sums: readonly [Float64Array, Float64Array]
  #products: [number, number, number] = [0, 0, 0]

  constructor(rows: number, columns: number) {
    this.#columns = columns
    this.#rows = [new Float64Array(rows), new Float64Array(rows)]
    this.#sums = [new Float64Array(columns), new Float64Array(columns)]
  }

  add(one: ArrayLike<number>, other: ArrayLike<number>, firstRow: number): void {
    const columns = this.#columns
    for (let e = 0; e < one.length; e += 1) {
      const [a, b] = [one[e] as number, other[e] as number]
      const [row, column] = [firstRow + Math.floor(e / columns), e % columns]
      this.#products[0] += a * b
      this.#products[1] += a * a
      this.#products[2] += b * b
      ;(this.#rows[0][row] as number) += a
      ;(this.#rows[1][row] as number) += b
      ;(this.#sums[0][column] as number) += a
      ;(this.#sums[1][column] as number) += b
    }
  }

  cosine(centred: boolean): number {
    const [ab, aa, bb] = centred
      ? [this.#centred(0, 1, 0), this.#centred(0, 0, 1), this.#centred(1, 1, 2)]
      : this.#products
    const norms = Math.sqrt(aa * bb)
    return norms > 0 ? ab / norms : 0
  }

  /** ⟨HAH, HBH⟩ = ⟨A, B⟩ − ⟨A1, B1⟩/columns − ⟨Aᵀ1, Bᵀ1⟩/rows + (1ᵀA1)(1ᵀB1)/(rows·columns). */
  #centred(a: 0 | 1, b: 0 | 1, product: 0 | 1 | 2): number {
    const dot = (one: Float64Array, other: Float64Array) =>
      one.reduce((sum, value, k) => sum + value * (other[k] as number), 0)
    const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0)
    const [rows, columns] = [this.#rows[0].length, this.#columns]
    return (
      this.#products[product] -
      dot(this.#rows[a], this.#rows[b]) / columns -
      dot(this.#sums[a], this.#sums[b]) / rows +
      (total(this.#rows[a]) * total(this.#rows[b])) / (rows * columns)
    )
  }
}

/** ‖HKH‖² of a symmetric kernel from ‖K‖² and K1. */
export function centredSquare(square: number, sums: Float64Array): number {
  const n = sums.length
  const total = sums.reduce((sum, value) => sum + value, 0)
  const rows = sums.reduce((sum, value) => sum + value * value, 0)
  return Math.max(0, square - (2 * rows) / n + (total / n) ** 2)
}

/** ‖R Rᵀ‖ = ‖Rᵀ R‖ of R (rows, width). */
export function gramNorm(matrix: Float64Array, width: number): number {
  let sum = 0
  for (let a = 0; a < width; a += 1) {
    for (let b = 0; b < width; b += 1) {
      let inner = 0
      for (let e = 0; e < matrix.length; e += width) {
        inner += (matrix[e + a] as number) * (matrix[e + b] as number)
      }
      sum += inner * inner
    }
  }
  return Math.sqrt(sum)
}
