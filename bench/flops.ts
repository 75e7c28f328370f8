// The work that a kernel needs on the cheapest way, in FLOPs (docs/METHOD.md section 2: a layer’s
// features are X = Σ_t δ_t h_tᵀ, m × n, at T positions, for N samples and O outputs).
//
// Passes:      forward    2·N·T·m·n            every layer
//              backward   2·N·O·T·m·n          every layer but the first (nothing needs its dx)
// Contraction, of K with itself, half of it computed:
//   jacobian   2·(N·O·T·m·n + ½·N²·O²·m·n)     form X, then X Xᵀ
//   structured 2·½·N²·(T²·n + O²·T²·m)         Gram of δ times Gram of h
//   one-sided  2·N²·(T²·n + O·T²·m + O²·T·m)   the Gram of h applied to one side first
//   bias       2·½·N²·O²·m
// The share of the GEMM rate that the tables show is (passes + cheapest contraction) / time over
// the rate of native.machine(): what a way computes beyond the cheapest counts for nothing.

/** One weight used as a matrix. */
export interface MatrixLayer {
  name: string
  /** Rows m of the weight: outputs of the layer (channels). */
  rows: number
  /** Columns n: inputs of the layer (channels × kernel). */
  columns: number
  /** Positions T: 1 for a dense layer on a vector, pixels of the output for a convolution. */
  positions: number
}

export interface Work {
  passes: number
  contraction: number
  /** The cheapest way for each layer. */
  ways: string[]
}

/** FLOPs of a full kernel of N samples with themselves. */
export function cheapestWork(
  layers: readonly MatrixLayer[],
  samples: number,
  outputs: number,
): Work {
  let passes = 0
  let contraction = 0
  const ways: string[] = []
  layers.forEach(({ name, rows: m, columns: n, positions: t }, index) => {
    const product = 2 * samples * t * m * n
    passes += product + (index === 0 ? 0 : product * outputs)
    const pairs = samples ** 2
    const costs = {
      jacobian: 2 * (samples * outputs * t * m * n + 0.5 * pairs * outputs ** 2 * m * n),
      structured: pairs * (t ** 2 * n + outputs ** 2 * t ** 2 * m),
      'one-sided': 2 * pairs * (t ** 2 * n + outputs * t ** 2 * m + outputs ** 2 * t * m),
    }
    const [way, cost] = Object.entries(costs).reduce((best, next) =>
      next[1] < best[1] ? next : best,
    )
    contraction += cost + pairs * outputs ** 2 * m
    ways.push(`${name}: ${way}`)
  })
  return { passes, contraction, ways }
}
