// A matrix as a product of two thin ones, where it is one.
import type { NdArray } from '../io/index.js'

/** Relative to the whole: what float32 numbers do not hold. */
const tolerance = 3e-8
/** Work between two looks at other events. */
const piece = 4e6
/** Work that looking for a rank is worth: some seconds. */
const most = 4e9

export interface ThinFactors {
  /** (m, r) and (r, k). */
  left: NdArray<Float32Array>
  right: NdArray<Float32Array>
}

/** Are factors of this rank worth it: half of the matrix's own numbers at most? */
export function isThin(m: number, k: number, rank: number): boolean {
  return 2 * rank * (m + k) <= m * k
}

function float32(data: Float64Array, shape: number[]): NdArray<Float32Array> {
  return { data: Float32Array.from(data), shape }
}

/**
 * B = U diag(σ) Vᵀ without the directions that float32 does not see.
 * @param u (m, r), `vt` (r, k), r as many as singular values.
 */
export function fromSingular(
  { u, vt, singularValues }: { u: Float64Array; vt: Float64Array; singularValues: Float64Array },
  m: number,
  k: number,
): ThinFactors | undefined {
  const all = singularValues.length
  if (all === 0 || u.length !== m * all || vt.length !== all * k) return undefined
  const total = Math.sqrt(singularValues.reduce((sum, s) => sum + s * s, 0))
  let rank = all
  let rest = 0
  while (rank > 0) {
    rest += (singularValues[rank - 1] as number) ** 2
    if (Math.sqrt(rest) > tolerance * total) break
    rank -= 1
  }
  if (rank === 0 || !isThin(m, k, rank)) return undefined
  const left = new Float64Array(m * rank)
  const right = new Float64Array(rank * k)
  for (let j = 0; j < rank; j += 1) {
    const root = Math.sqrt(singularValues[j] as number)
    for (let i = 0; i < m; i += 1) left[i * rank + j] = root * (u[i * all + j] as number)
    for (let i = 0; i < k; i += 1) right[j * k + i] = root * (vt[j * k + i] as number)
  }
  return { left: float32(left, [m, rank]), right: float32(right, [rank, k]) }
}

/**
 * B as (columns) × (rows) by elimination of the largest row left, each made orthogonal to those before
 * twice: B is of rank r where after r of them nothing is left.
 */
export async function byElimination(
  b: Float64Array,
  m: number,
  k: number,
): Promise<ThinFactors | undefined> {
  const rest = b.slice()
  const norms = new Float64Array(m)
  const square = (i: number) => {
    let sum = 0
    for (let e = i * k; e < (i + 1) * k; e += 1) sum += (rest[e] as number) ** 2
    return sum
  }
  for (let i = 0; i < m; i += 1) norms[i] = square(i)
  const total = norms.reduce((sum, value) => sum + value, 0)
  if (total === 0) return undefined
  const lefts: Float64Array[] = []
  const rights: Float64Array[] = []
  let work = 0
  for (;;) {
    const left = norms.reduce((sum, value) => sum + value, 0)
    if (left <= tolerance ** 2 * total) break
    const rank = rights.length + 1
    if (!isThin(m, k, rank) || 3 * m * k * rank > most) return undefined
    const pivot = norms.reduce((best, value, i) => (value > (norms[best] as number) ? i : best), 0)
    const q = rest.slice(pivot * k, (pivot + 1) * k)
    orthogonalise(q, rights)
    const column = new Float64Array(m)
    for (let i = 0; i < m; i += 1) {
      let along = 0
      for (let e = 0; e < k; e += 1) along += (rest[i * k + e] as number) * (q[e] as number)
      column[i] = along
      for (let e = 0; e < k; e += 1) {
        rest[i * k + e] = (rest[i * k + e] as number) - along * (q[e] as number)
      }
      norms[i] = square(i)
    }
    lefts.push(column)
    rights.push(q)
    work += 3 * m * k
    if (work > piece) {
      work = 0
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const rank = rights.length
  const leftData = new Float64Array(m * rank)
  const rightData = new Float64Array(rank * k)
  for (let j = 0; j < rank; j += 1) {
    rightData.set(rights[j] as Float64Array, j * k)
    for (let i = 0; i < m; i += 1) leftData[i * rank + j] = lefts[j]?.[i] as number
  }
  return { left: float32(leftData, [m, rank]), right: float32(rightData, [rank, k]) }
}

/** Makes a row orthogonal to the others, and of length 1. */
function orthogonalise(q: Float64Array, others: readonly Float64Array[]): void {
  for (let time = 0; time < 2; time += 1) {
    for (const other of others) {
      let along = 0
      for (let e = 0; e < q.length; e += 1) along += (q[e] as number) * (other[e] as number)
      for (let e = 0; e < q.length; e += 1) {
        q[e] = (q[e] as number) - along * (other[e] as number)
      }
    }
  }
  let size = 0
  for (const value of q) size += value * value
  const scale = 1 / Math.sqrt(size)
  for (let e = 0; e < q.length; e += 1) q[e] = (q[e] as number) * scale
}
