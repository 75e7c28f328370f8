// Images of another size as Pillow makes them (Image.resize with BILINEAR): the mean of the pixels that a
// new one covers, weighted by a triangle, in whole numbers.

const bits = 22

interface Weights {
  first: number[]
  of: Int32Array[]
}

function weightsOf(from: number, to: number): Weights {
  const scale = from / to
  const support = Math.max(scale, 1)
  const weights: Weights = { first: [], of: [] }
  for (let x = 0; x < to; x += 1) {
    const center = (x + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - support + 0.5))
    const end = Math.min(from, Math.trunc(center + support + 0.5))
    const own = Array.from({ length: end - first }, (_, k) =>
      Math.max(0, 1 - Math.abs((k + first - center + 0.5) / support)),
    )
    const sum = own.reduce((total, value) => total + value, 0)
    weights.first.push(first)
    weights.of.push(Int32Array.from(own, (value) => Math.floor(0.5 + (value / sum) * 2 ** bits)))
  }
  return weights
}

/** One axis: (outer, from, inner) as (outer, to, inner). */
function resized(data: Uint8Array, outer: number, from: number, to: number, inner: number) {
  if (from === to) return data
  const { first, of } = weightsOf(from, to)
  const out = new Uint8Array(outer * to * inner)
  for (let o = 0; o < outer; o += 1) {
    for (let x = 0; x < to; x += 1) {
      const [weights, start] = [of[x] as Int32Array, o * from + (first[x] as number)]
      for (let i = 0; i < inner; i += 1) {
        let sum = 2 ** (bits - 1)
        for (let k = 0; k < weights.length; k += 1) {
          sum += (weights[k] as number) * (data[(start + k) * inner + i] as number)
        }
        out[(o * to + x) * inner + i] = Math.min(255, Math.max(0, sum >> bits))
      }
    }
  }
  return out
}

/** Pixels (height, width, channels) as (size, channels). */
export function resizePixels(
  data: Uint8Array,
  [height, width, channels]: readonly [number, number, number],
  [rows, columns]: readonly [number, number],
): Uint8Array {
  const wide = resized(data, height, width, columns, channels)
  return resized(wide, 1, height, rows, columns * channels)
}
