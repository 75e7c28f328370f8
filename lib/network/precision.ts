// Is float32 enough for a network? Its own numbers next to those in float64.

import { badArgument } from '../core/errors.js'
import type { Floats, NdArray } from '../io/index.js'
import { cores } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from './network.js'

/** What {@link precisionOf} found. */
export interface Precision {
  /** Largest difference of the outputs from float64, over the largest output. */
  output: number
  /** The same of the trace kernel's entries. */
  kernel: number
  /** Both are below 1e-3. */
  sufficient: boolean
}

const enough = 1e-3

/**
 * How far a network's float32 numbers are from float64: its outputs and trace kernel are computed in
 * both.
 *
 * ```ts
 * const { kernel, sufficient } = await precisionOf(network, x)
 * if (!sufficient) console.log(`kernel off by ${kernel}: load it with float64: true`)
 * ```
 *
 * @param x two or three samples are enough.
 * @param options.outputs flat indices of the outputs in the kernel (default: the first three).
 * @throws TangentError `UNSUPPORTED` where the network has no float64 form.
 * @example
 * ```js
 * import { buildMlp, Network, precisionOf } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
 * const { sufficient } = await precisionOf(network, {
 *   data: Float32Array.of(1, 0, 0, 1),
 *   shape: [2, 2],
 * })
 * console.log(sufficient)
 * await network.dispose()
 * // true
 * ```
 * @since 0.1.0
 */
export async function precisionOf(
  network: Network,
  x: Inputs,
  options: { outputs?: readonly number[]; signal?: AbortSignal } = {},
): Promise<Precision> {
  const { signal } = options
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  core.checkSingle('a look at its precision')
  const double = await network.inDouble()
  try {
    const [single, wide] = [await network.run(x, { signal }), await double.run(x, { signal })]
    const count = wide.shape[1] ?? 1
    const outputs = options.outputs ?? Array.from({ length: Math.min(3, count) }, (_, o) => o)
    const how = { kernel: 'trace', outputs, signal } as const
    const output = distance(single, wide)
    const kernel = distance(await network.ntk(x, how), await double.ntk(x, how))
    return { output, kernel, sufficient: Math.max(output, kernel) < enough }
  } finally {
    await double.dispose()
  }
}

function distance(found: NdArray, truth: NdArray<Floats> | NdArray): number {
  let [difference, largest] = [0, 0]
  truth.data.forEach((value: number | bigint, e: number) => {
    difference = Math.max(difference, Math.abs(Number(found.data[e]) - Number(value)))
    largest = Math.max(largest, Math.abs(Number(value)))
  })
  return largest === 0 ? difference : difference / largest
}
