// How far inner products of sketches are from the kernel, next to how far theory says they are.

import type { NdArray } from '../io/index.js'
import { type KernelSplit, ntk } from '../kernels/ntk.js'
import type { ErrorPair, SketchError, SketchMap } from '../kernels/sketch/types.js'
import { permutation, stream } from '../linear/random.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { samplesOf } from '../model/inputs.js'
import type { KernelKind } from '../native/engine.js'
import type { TangentSketch } from './features.js'

/** Rows of the exact kernel at most, and outputs of one sample. */
const mostRows = 512
const mostOutputs = 8

/** Which samples and outputs are compared: some of both, the same for the same seed. */
function comparedRows(
  { samples, outputs }: Measured,
  count: number,
  seed: number,
  heads: boolean,
): { samples: number[]; outputs: number[] } {
  const some = (all: number, most: number, index: number) => {
    const order = permutation(all, stream(seed, index)).slice(0, most)
    return Array.from(order).sort((a, b) => a - b)
  }
  const chosen = heads
    ? Array.from({ length: outputs }, (_, h) => h)
    : some(outputs, mostOutputs, 1)
  const most = Math.max(1, Math.floor(mostRows / chosen.length))
  return { samples: some(samples, Math.min(count, most), 0), outputs: chosen }
}

/** The exact kernel of each parameter on the compared rows. */
async function exactKernels(
  core: Core,
  x: Inputs,
  rows: { samples: number[]; outputs: number[] },
  options: DerivativeOptions,
  heads?: (sample: number) => ArrayLike<number>,
): Promise<Float64Array[]> {
  const { rows: own, ...declared } = await core.reading(x, 'x', options)
  const some = await samplesOf(own, declared, rows.samples)
  const { signal, threads, memory } = options
  const all = options.outputs
  const chosen = heads ? all : rows.outputs.map((o) => (all ? (all[o] as number) : o))
  const call = { signal, threads, memory, outputs: chosen }
  const asked = { kernel: 'full' as KernelKind, by: 'parameter' as KernelSplit, ...call }
  const kernels = await ntk(core, some, undefined, asked)
  return [...kernels.values()].map(({ data, shape }) => {
    const [n = 0, o = 0] = shape
    if (!heads) return Float64Array.from(data)
    const weights = rows.samples.map(heads)
    const columns = (weights[0] as ArrayLike<number>).length / o
    const result = new Float64Array((n * columns) ** 2)
    // Σ_o Σ_p u[i,o,a] K[i,o,j,p] u[j,p,b]
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < n; j += 1) {
        const half = new Float64Array(columns * o)
        for (let a = 0; a < columns; a += 1) {
          for (let q = 0; q < o; q += 1) {
            const u = (weights[i] as ArrayLike<number>)[q * columns + a] as number
            for (let p = 0; p < o; p += 1) {
              ;(half[a * o + p] as number) += u * (data[((i * o + q) * n + j) * o + p] as number)
            }
          }
          for (let b = 0; b < columns; b += 1) {
            let sum = 0
            for (let p = 0; p < o; p += 1) {
              sum +=
                (half[a * o + p] as number) *
                ((weights[j] as ArrayLike<number>)[p * columns + b] as number)
            }
            result[((i * columns + a) * n + j) * columns + b] = sum
          }
        }
      }
    }
    return result
  })
}

/** What is measured: a sketch, or one that is made again of the compared samples alone. */
export interface Measured {
  samples: number
  outputs: number
  map: SketchMap
  at(samples: readonly number[], outputs: readonly number[]): TangentSketch | Promise<TangentSketch>
}

/** Compares a sketch with the exact kernel of some of its samples. */
export async function measureError(
  core: Core,
  x: Inputs,
  sketch: Measured,
  { check, ...options }: DerivativeOptions & { check: number },
  heads?: (sample: number) => ArrayLike<number>,
): Promise<SketchError> {
  const rows = comparedRows(sketch, check, sketch.map.seed, heads !== undefined)
  const exact = await exactKernels(core, x, rows, options, heads)
  const some = await sketch.at(rows.samples, rows.outputs)
  const { signal, threads } = options
  const found = (await some.kernel({ signal, threads })).data
  const n = rows.samples.length * rows.outputs.length
  const total = new Float64Array(n * n)
  for (const part of exact) addTo(total, part)
  const variance = varianceOf(sketch.map, exact, n) ?? maskVariance(some, n)
  const of = (entry: (i: number, j: number) => number): ErrorPair => {
    const sums = { on: 0, off: 0, rows: 0, pairs: 0 }
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < n; j += 1) {
        const scale = (total[i * n + i] as number) * (total[j * n + j] as number)
        if (!(scale > 0)) continue
        const value = entry(i, j) / scale
        sums[i === j ? 'on' : 'off'] += value
        sums[i === j ? 'rows' : 'pairs'] += 1
      }
    }
    const { on, off, rows: count, pairs } = sums
    return {
      diagonal: Math.sqrt(on / Math.max(1, count)),
      offDiagonal: Math.sqrt(off / Math.max(1, pairs)),
    }
  }
  const measured = of((i, j) => {
    const e = i * n + j
    return ((found[e] as number) - (total[e] as number)) ** 2
  })
  return { ...measured, expected: variance && of(variance), ...rows }
}

function addTo(sum: Float64Array, part: Float64Array): void {
  part.forEach((value, e) => {
    ;(sum[e] as number) += value
  })
}

/** The variance of K̂ij by theory; null where the map alone does not tell it. */
function varianceOf(
  map: SketchMap,
  exact: readonly Float64Array[],
  n: number,
): ((i: number, j: number) => number) | null {
  if (map.kind === 'mask' || map.kind === 'nystrom') return null
  const { size, parameters, parts } = map
  const groups = parts.map((_, g) => {
    const own = new Float64Array(n * n)
    parameters.forEach(({ part }, p) => {
      if (part === g) addTo(own, exact[p] as Float64Array)
    })
    return own
  })
  // Of one δhᵀ; 1/k1 + 1/k2 twice, where a side is made smaller, or what sums in buckets add.
  const stages = parameters.map(({ stage: [left, right], independent = 0 }) => {
    if (independent > 0) return 2 / independent
    return left > 0 ? 2 / left + 2 / right : 0
  })
  const at = (k: Float64Array, i: number, j: number) => k[i * n + j] as number
  return (i, j) => {
    // Numbers that meet in a place: all of a part, or those of other parameters only.
    let sum = 0
    for (const own of groups) sum += at(own, i, i) * at(own, j, j) + at(own, i, j) ** 2
    let variance = 0
    exact.forEach((own, p) => {
      const square = at(own, i, i) * at(own, j, j)
      if (map.kind === 'factored') sum -= square + at(own, i, j) ** 2
      variance += (stages[p] as number) * square
    })
    variance += Math.max(0, sum) / size
    return variance
  }
}

/** Of a mask, from the numbers that it kept. */
function maskVariance(sketch: TangentSketch, n: number): ((i: number, j: number) => number) | null {
  if (sketch.map.kind !== 'mask') return null
  return (i, j) => {
    let variance = 0
    for (const { data } of sketch.parts.values() as Iterable<NdArray>) {
      const size = data.length / n
      let [sum, squares] = [0, 0]
      for (let q = 0; q < size; q += 1) {
        const product = Number(data[i * size + q]) * Number(data[j * size + q])
        sum += product
        squares += product * product
      }
      variance += Math.max(0, squares - (sum * sum) / size)
    }
    return variance
  }
}
