import { badArgument, mismatch } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import type { NdArray } from '../io/index.js'
import { checkArray } from '../io/index.js'
import type { TangentKernel } from '../kernels/kernel.js'
import { checkKernel } from '../kernels/kernel.js'
import { median, rankCorrelation } from '../linear/statistics.js'
import type { KernelMargin } from './types.js'

/** Options of {@link diagonalByMargin}. */
export interface MarginOptions {
  /** The classes (N,) of scores with several columns (default: each sample's largest score). */
  classes?: ArrayLike<number> | undefined
  /** Share of the samples that count as near the boundary (default: 0.05). */
  share?: number | undefined
}

/** The diagonal of a kernel against the distance from the decision boundary. */
export interface MarginDiagonal {
  /** For each sample: |y| of one score, or its class's score less the largest other one. */
  margin: Float64Array
  /** K(x_i, x_i), summed over outputs. */
  diagonal: Float64Array
  /** Mean diagonal of the `share` of samples with the least margin, over the median of all. */
  near: number
  /** Largest diagonal over the median of all. */
  peak: number
  /** Spearman's correlation of margin and diagonal; NaN where one of them is constant. */
  correlation: number
}

/**
 * Is the kernel large where the target is undecided? For path-averaged kernels of networks that
 * learned sign(y) the diagonal peaks where |y| is small (LeJeune & Alemohammad 2024, figure 1).
 * @param kernel of N samples with themselves, trace or full.
 * @param scores (N,) or (N, 1) signed distances from the boundary, or (N, k) scores of classes.
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
 * @example
 * ```js
 * import { averageKernel, diagonalByMargin, Network, readArray } from 'adaptive-tangent'
 *
 * const folder = 'examples/fashion-mnist'
 * const from = await Network.load(`${folder}/mlp_init.onnx`)
 * const to = await from.withParameters(`${folder}/mlp_trained.onnx`)
 * const x = await readArray(`${folder}/images.npy`)
 * const { kernel } = await averageKernel(from, to, x, {
 *   kernel: 'full',
 *   points: 2,
 *   outputs: [3, 6],
 * })
 * const scores = await to.run(x, { outputs: [3, 6] })
 * const { margin, diagonal, near } = diagonalByMargin(kernel, scores)
 * console.log(margin.length, diagonal.length, near.toFixed(1))
 * await Promise.all([from.dispose(), to.dispose()])
 * // 240 240 0.7
 * ```
 * @since 0.1.0
 */
export function diagonalByMargin(
  kernel: TangentKernel,
  scores: NdArray,
  options: MarginOptions = {},
): MarginDiagonal {
  checkCall(options)
  const { classes, share = 0.05 } = options
  checkKernel(kernel)
  checkArray(scores, 'scores')
  const [samples = 0] = kernel.shape
  if (!kernel.symmetric || kernel.kind === 'diagonal') {
    throw badArgument('kernel', 'a trace or full kernel of one input with itself', kernel.kind)
  }
  const columns = scores.data.length / samples
  if (scores.shape[0] !== samples || !Number.isInteger(columns) || scores.shape.length > 2) {
    throw mismatch(
      'scores',
      `an array (${samples}) or (${samples}, k)`,
      `an array (${scores.shape.join(', ')})`,
    )
  }
  if (!(typeof share === 'number' && share > 0 && share <= 1))
    throw badArgument('options.share', 'a share from 0 to 1', share)
  const values = Float64Array.from(scores.data as ArrayLike<number | bigint>, Number)
  const margin = margins(values, samples, columns, classes)
  const { outputs: o, data } = kernel
  const diagonal = Float64Array.from({ length: samples }, (_, i) => {
    let sum = 0
    for (let p = 0; p < o; p += 1) sum += data[((i * o + p) * samples + i) * o + p] as number
    return sum
  })
  const order = Array.from(margin.keys()).sort(
    (a, b) => (margin[a] as number) - (margin[b] as number),
  )
  const nearest = order.slice(0, Math.max(1, Math.round(share * samples)))
  const mean = nearest.reduce((sum, i) => sum + (diagonal[i] as number), 0) / nearest.length
  const middle = median(diagonal)
  return {
    margin,
    diagonal,
    near: mean / middle,
    peak: Math.max(...diagonal) / middle,
    correlation: rankCorrelation(margin, diagonal),
  }
}

/** Of ŷ (N, O): null where that or the diagonal tells nothing. */
export function marginOf(kernel: TangentKernel, learned: Float64Array | null): KernelMargin | null {
  if (!learned) return null
  const [samples = 0] = kernel.shape
  const shape = [samples, learned.length / samples]
  const { margin, near, peak, correlation } = diagonalByMargin(kernel, { data: learned, shape })
  if (margin.every((value) => value === margin[0]) || !Number.isFinite(peak)) return null
  return { near, peak, correlation: Number.isNaN(correlation) ? null : correlation }
}

function margins(
  values: Float64Array,
  samples: number,
  columns: number,
  classes: ArrayLike<number> | undefined,
): Float64Array {
  if (columns === 1) return values.map(Math.abs)
  return Float64Array.from({ length: samples }, (_, i) => {
    const row = values.subarray(i * columns, (i + 1) * columns)
    const own = classes ? (classes[i] as number) : row.indexOf(Math.max(...row))
    if (!(own >= 0 && own < columns)) {
      throw badArgument(`options.classes[${i}]`, `a class from 0 to ${columns - 1}`, own)
    }
    return (row[own] as number) - Math.max(...row.filter((_, c) => c !== own))
  })
}
