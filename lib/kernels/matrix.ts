// Sums over large matrices in float64 that let the event loop breathe.

export interface Matrix {
  data: Float32Array | Float64Array
  rows: number
  columns: number
}

/** Entries between two looks at the event loop: some ten milliseconds. */
const slice = 1 << 23

async function overRows(
  matrix: Matrix,
  visit: (row: number, start: number) => void,
): Promise<void> {
  let since = 0
  for (let row = 0; row < matrix.rows; row += 1) {
    visit(row, row * matrix.columns)
    since += matrix.columns
    if (since >= slice) {
      since = 0
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

/** Σ a². */
export async function squaredNorm(a: Matrix): Promise<number> {
  return inner(a, a, false)
}

/** Σ a·b, of the doubly centred matrices where asked. */
export async function inner(a: Matrix, b: Matrix, centred: boolean): Promise<number> {
  const { columns } = a
  const [left, right] = [a.data, b.data]
  let sum = 0
  const shift = centred ? await means(a) : null
  const other = centred ? (a === b ? shift : await means(b)) : null
  await overRows(a, (row, start) => {
    let partial = 0
    if (shift && other) {
      const u = (shift.rows[row] as number) - shift.whole
      const v = (other.rows[row] as number) - other.whole
      for (let j = 0; j < columns; j += 1) {
        const x = (left[start + j] as number) - u - (shift.columns[j] as number)
        partial += x * ((right[start + j] as number) - v - (other.columns[j] as number))
      }
    } else {
      for (let e = start; e < start + columns; e += 1) {
        partial += (left[e] as number) * (right[e] as number)
      }
    }
    sum += partial
  })
  return sum
}

interface Means {
  rows: Float64Array
  columns: Float64Array
  whole: number
}

async function means(a: Matrix): Promise<Means> {
  const result: Means = {
    rows: new Float64Array(a.rows),
    columns: new Float64Array(a.columns),
    whole: 0,
  }
  await overRows(a, (row, start) => {
    let sum = 0
    for (let j = 0; j < a.columns; j += 1) {
      const value = a.data[start + j] as number
      sum += value
      result.columns[j] = (result.columns[j] as number) + value
    }
    result.rows[row] = sum / a.columns
    result.whole += sum / a.columns / a.rows
  })
  for (let j = 0; j < a.columns; j += 1) result.columns[j] = (result.columns[j] as number) / a.rows
  return result
}
