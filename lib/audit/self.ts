import { badArgument, oneOf } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { prepare } from '../derivatives/derive.js'
import { heldInputs } from '../io/held.js'
import type { Floats, NdArray } from '../io/index.js'
import type { Tile, TilePlace } from '../io/sink.js'
import type { NtkOptions } from '../kernels/ntk.js'
import { type Core, cores } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'

/** Samples that are computed together. */
const together = 4

/**
 * The kernel of every sample with itself, k(x, x), without the N × N kernel: memory grows with N alone, and
 * outputs are carried back in blocks that fit the budget.
 * @param options as of `ntk`; `kernel` is `diagonal` by default
 * @returns `diagonal`: (N, O), the entries k(x, x)_oo; `trace`: (N), their sums; `full`: (N, O, O)
 * @throws TangentError as {@link Network.ntk} does.
 * @since 0.2.0
 * @example
 * ```js
 * import { buildMlp, Network, selfKernel } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 3 }))
 * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
 * const { shape, data } = await selfKernel(network, x)
 * const kernel = await network.ntk(x, { kernel: 'diagonal' }) // (2, 2, 3)
 * console.log(shape.join(' × '), Math.abs(data[0] - kernel.data[0]) < 1e-4)
 * await network.dispose()
 * // 2 × 3 true
 * ```
 */
export async function selfKernel(
  network: Network<Floats>,
  x: Inputs,
  options: Omit<NtkOptions, 'by'> = {},
): Promise<NdArray<Floats>> {
  checkCall(options)
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  const kernel = oneOf(options.kernel, ['diagonal', 'trace', 'full'] as const, 'options.kernel')
  const own = heldInputs(x, 'x')
  const { samples, width, block } = await prepare(core as Core, own, options)
  const Kind = core.architecture.double ? Float64Array : Float32Array
  const size = { diagonal: width, trace: 1, full: width * width }[kernel]
  const data = new Kind(samples * size)
  // Of a tile, or of the whole kernel: (n, …, n, …).
  const take = (first: number, n: number, part: ArrayLike<number>) => {
    const lines = kernel === 'full' ? width : 1
    const run = size / lines
    for (let i = 0; i < n; i += 1) {
      for (let line = 0; line < lines; line += 1) {
        const from = ((i * lines + line) * n + i) * run
        for (let e = 0; e < run; e += 1)
          data[(first + i) * size + line * run + e] = part[from + e] as number
      }
    }
  }
  if (block) {
    // Files of a fixed batch have no tiles.
    const whole = await network.ntk(own, { ...options, kernel })
    take(0, samples, whole.data)
  } else {
    const sink = {
      has: ({ row, column }: TilePlace) => row !== column,
      write: ({ rows, arrays }: Tile) => {
        take(rows.first, rows.count, arrays.get('total')?.data as Floats)
      },
    }
    await network.ntk(own, { ...options, kernel, sink, tile: Math.min(together, samples) })
  }
  const shape = { diagonal: [width], trace: [], full: [width, width] }[kernel]
  return { data, shape: [samples, ...shape] }
}
