// Kernel measures by the book, on arrays of rows in double.
export type Rows = number[][]

export const rowsOf = (data: ArrayLike<number>, n: number): Rows =>
  Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) => data[i * n + j] as number),
  )

export const inner = (a: Rows, b: Rows): number =>
  a.reduce(
    (sum, row, i) => sum + row.reduce((part, value, j) => part + value * (b[i]?.[j] as number), 0),
    0,
  )

export const cosine = (a: Rows, b: Rows): number =>
  inner(a, b) / Math.sqrt(inner(a, a) * inner(b, b))

export const combine = (a: Rows, b: Rows, f: (x: number, y: number) => number): Rows =>
  a.map((row, i) => row.map((value, j) => f(value, b[i]?.[j] as number)))

/** H K H with H = I − 11ᵀ/n as products of matrices. */
export function centre(k: Rows): Rows {
  const n = k.length
  const h = k.map((_, i) => k.map((_, j) => (i === j ? 1 : 0) - 1 / n))
  return product(product(h, k), h)
}

export const product = (a: Rows, b: Rows): Rows =>
  a.map((row) =>
    (b[0] as number[]).map((_, j) => row.reduce((sum, v, m) => sum + v * (b[m]?.[j] as number), 0)),
  )

export const transposed = (a: Rows): Rows =>
  (a[0] as number[]).map((_, j) => a.map((row) => row[j] as number))

/** Eigenvalues, descending, and eigenvectors as rows, by Jacobi's rotations. */
export function eigen(matrix: Rows): { values: number[]; vectors: Rows } {
  const n = matrix.length
  let a = matrix.map((row) => [...row])
  let v: Rows = matrix.map((_, i) => matrix.map((_, j) => (i === j ? 1 : 0)))
  const whole = inner(matrix, matrix)
  for (let sweep = 0; sweep < 60; sweep += 1) {
    const off = a
      .flatMap((row, i) => row.filter((_, j) => i !== j))
      .reduce((sum, value) => sum + value * value, 0)
    if (off <= 1e-30 * whole) break
    for (let p = 0; p < n; p += 1) {
      for (let q = p + 1; q < n; q += 1) {
        const off = a[p]?.[q] as number
        if (off === 0) continue
        const angle = 0.5 * Math.atan2(2 * off, (a[q]?.[q] as number) - (a[p]?.[p] as number))
        const [c, s] = [Math.cos(angle), Math.sin(angle)]
        const rotate = (m: Rows) =>
          m.map((row) =>
            row.map((value, j) =>
              j === p
                ? c * value - s * (row[q] as number)
                : j === q
                  ? s * (row[p] as number) + c * value
                  : value,
            ),
          )
        a = transposed(rotate(transposed(rotate(a))))
        v = rotate(v)
      }
    }
  }
  const order = a.map((_, j) => j).sort((i, j) => (a[j]?.[j] as number) - (a[i]?.[i] as number))
  const columns = transposed(v)
  return {
    values: order.map((j) => a[j]?.[j] as number),
    vectors: order.map((j) => columns[j] as number[]),
  }
}
