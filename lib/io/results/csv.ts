import { shapeSize } from '../../core/shape.js'
import type { NdArray } from '../ndarray.js'

/** Rows as lines: the first axis down, all others across, in C order. Numbers read back the same. */
export function* csvLines(array: NdArray): Generator<Uint8Array> {
  const { data, shape } = array
  const [rows = 1, ...rest] = shape
  const columns = shapeSize(rest)
  const write = data instanceof Float32Array ? shortFloat : word
  const lines: string[] = []
  for (let i = 0; i < rows; i += 1) {
    let line = ''
    for (let k = 0; k < columns; k += 1) {
      if (k > 0) line += ','
      line += write(data[i * columns + k] as number)
    }
    lines.push(line)
    if (lines.length * (columns + 1) > 65536) {
      yield Buffer.from(`${lines.splice(0).join('\n')}\n`)
    }
  }
  if (lines.length > 0) yield Buffer.from(`${lines.join('\n')}\n`)
}

/** As numpy and pandas write and read it. */
function word(value: number | bigint): string {
  if (value === Number.POSITIVE_INFINITY) return 'inf'
  if (value === Number.NEGATIVE_INFINITY) return '-inf'
  if (Object.is(value, -0)) return '-0'
  return Number.isNaN(value) ? 'nan' : String(value)
}

/** The shortest digits that are the same float32. */
function shortFloat(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return word(value)
  for (let digits = 7; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return String(short)
  }
  return String(Number(value.toPrecision(9)))
}
