// The maps of sketches, written out from their definition in docs/sketches.md: an independent truth.
import { createHash } from 'node:crypto'
import type { NdArray, SketchMap } from '../../lib/index.js'

/** Philox4x32-10 of Random123, in whole numbers of any size. */
export function philox(counter: readonly number[], key: readonly number[]): number[] {
  const mask = 0xffffffffn
  let [a, b, c, d] = counter.map(BigInt) as [bigint, bigint, bigint, bigint]
  let [k, l] = key.map(BigInt) as [bigint, bigint]
  for (let round = 0; round < 10; round += 1) {
    const [p, q] = [0xd2511f53n * a, 0xcd9e8d57n * c]
    ;[a, b, c, d] = [(q >> 32n) ^ b ^ k, q & mask, (p >> 32n) ^ d ^ l, p & mask]
    ;[k, l] = [(k + 0x9e3779b9n) & mask, (l + 0xbb67ae85n) & mask]
  }
  return [a, b, c, d].map(Number)
}

const words = (seed: number, stream: number, purpose: number) => (index: number) =>
  philox([index, 0, stream, purpose], [seed, 0])

/** Place and sign of each of `length` numbers. */
function sparse(length: number, size: number, run: number, of: [number, number, number]) {
  const [seed, stream, purpose] = of
  const [shifts, signs] = [words(seed, stream, purpose), words(seed, stream, purpose + 1)]
  return Array.from({ length }, (_, e) => {
    const r = Math.floor(e / run)
    const word = shifts(Math.floor(r / 4))[r % 4] as number
    const shift = Number((BigInt(word) * BigInt(size)) >> 32n)
    const bits = signs(Math.floor(e / 128))[Math.floor((e % 128) / 32)] as number
    return { place: (shift + (e % run)) % size, sign: ((bits >>> (e % 32)) & 1) === 1 ? -1 : 1 }
  })
}

type Places = ReturnType<typeof sparse>

/** Rows (rows, cols) of a matrix, its columns mapped. */
function mapColumns(x: Float64Array, rows: number, places: Places, size: number): Float64Array {
  const out = new Float64Array(rows * size)
  for (let r = 0; r < rows; r += 1) {
    places.forEach(({ place, sign }, j) => {
      ;(out[r * size + place] as number) += sign * (x[r * places.length + j] as number)
    })
  }
  return out
}

function transposed(x: Float64Array, rows: number, cols: number): Float64Array {
  return Float64Array.from(
    { length: rows * cols },
    (_, e) => x[(e % rows) * cols + Math.floor(e / rows)] as number,
  )
}

/** Bit e of a stream of words. */
const bit = (of: (index: number) => number[], e: number) =>
  ((of(Math.floor(e / 128))[Math.floor((e % 128) / 32)] as number) >>> (e % 32)) & 1

/** Places and signs of δhᵀ with so many columns, whose factors are added up before they are multiplied. */
function split(cols: number, size: number, run: number, [seed, stream]: readonly [number, number]) {
  const [buckets, signs] = [words(seed, stream, 2), words(seed, stream, 4)]
  const sums = Math.ceil(cols / run)
  return (r: number, q: number) => {
    const e = r * sums + (q % sums)
    const word = buckets(Math.floor(e / 4))[e % 4] as number
    const bucket = Number((BigInt(word) * BigInt(Math.floor(size / run))) >> 32n)
    const sign = (word & 1) === bit(signs, q) ? 1 : -1
    return { place: bucket * run + Math.floor(q / sums), sign }
  }
}

/**
 * What a map makes of a Jacobian (N, O, …shape) by parameter: (N·O, size) of each part.
 * @param matrices rows and columns of the parameters with a factored stage
 */
export function projected(
  jacobian: ReadonlyMap<string, NdArray>,
  { kind, size, seed, parts, parameters }: SketchMap,
): Float64Array[] {
  const [first] = jacobian.values()
  const rows = ((first as NdArray).shape[0] as number) * ((first as NdArray).shape[1] as number)
  const out = parts.map(() => new Float64Array(rows * size))
  const counts = parts.map((_, g) =>
    parameters.reduce((sum, { name, part }) => {
      return part === g ? sum + (jacobian.get(name) as NdArray).data.length / rows : sum
    }, 0),
  )
  const starts = parts.map(() => 0)
  for (const { name, part, stage, run: own = 0, independent } of parameters) {
    const { data, shape } = jacobian.get(name) as NdArray
    const count = data.length / rows
    const to = out[part] as Float64Array
    if (kind === 'mask') {
      const each = (counts[part] as number) / size
      const start = starts[part] as number
      for (let q = 0; q < size; q += 1) {
        const u = (words(seed, part, 6)(q)[0] as number) / 2 ** 32
        const e = Math.floor((q + u) * each) - start
        if (e < 0 || e >= count) continue
        for (let r = 0; r < rows; r += 1) {
          to[r * size + q] = Math.sqrt(each) * Number(data[r * count + e])
        }
      }
      starts[part] = start + count
      continue
    }
    const key = createHash('sha256').update(name).digest().readUInt32LE(0)
    const [left, right] = stage
    const m = shape[2] as number
    const k = count / m
    if (own > 0) {
      // Stored as δhᵀ, or as hδᵀ.
      const straight = Math.floor(size / own) * Math.ceil(k / own) === independent
      const place = split(straight ? k : m, size, own, [seed, key])
      for (let e = 0; e < count; e += 1) {
        const at = [Math.floor(e / k), e % k] as const
        const { place: q, sign } = place(...(straight ? at : ([at[1], at[0]] as const)))
        for (let r = 0; r < rows; r += 1) {
          ;(to[r * size + q] as number) += sign * Number(data[r * count + e])
        }
      }
      continue
    }
    const length = left > 0 ? left * right : count
    const run = kind === 'factored' && length <= size ? length : Math.min(256, size)
    const last = sparse(length, size, run, [seed, key, 0])
    const sides = { left: sparse(m, left || 1, left || 1, [seed, key, 2]), right: [] as Places }
    if (right > 0) sides.right = sparse(k, right, right, [seed, key, 4])
    for (let r = 0; r < rows; r += 1) {
      let x: Float64Array = Float64Array.from(
        data.subarray(r * count, (r + 1) * count) as Float64Array,
      )
      if (right > 0 && right < k) x = mapColumns(x, m, sides.right, right)
      if (left > 0 && left < m) {
        const cols = x.length / m
        x = transposed(mapColumns(transposed(x, m, cols), cols, sides.left, left), cols, left)
      }
      const mapped = mapColumns(x, 1, last, size)
      mapped.forEach((value, q) => {
        ;(to[r * size + q] as number) += value
      })
    }
  }
  return out
}
