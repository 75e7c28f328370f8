// The fixed model of a network whose kernel is too large to store.

import { badArgument } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { shapeSize } from '../core/shape.js'
import type { NdArray } from '../io/index.js'
import { solveByProducts } from '../linear/conjugate-gradients.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import type { BlockLayout } from './blocks.js'
import { AdaptiveModel, type BlockSolution } from './model.js'
import { type NetworkFitOptions, NetworkModel, residualOf } from './network.js'
import { originOf } from './origin.js'

/** Options of {@link fitByProducts}. */
export interface ProductFitOptions
  extends Pick<NetworkFitOptions, 'outputs' | 'signal' | 'threads' | 'memory' | 'maxIterations'> {
  /** ‖r − (K + λI)α‖ / ‖r‖ at which to stop (default 1e-6: products are float32). */
  tolerance?: number | undefined
  /** Rank of the preconditioner (see {@link solveByProducts}). */
  rank?: number | undefined
  /** λ ≥ 0 (default 1e-3). */
  ridge?: number | undefined
  /** Features stay as they are: Infinity, if anything. */
  price?: number | undefined
  /** Called after every iteration. */
  onIteration?: ((iteration: { iteration: number; residual: number }) => void) | undefined
}

/**
 * Tangent-kernel ridge regression by preconditioned conjugate gradients on products K·v = J(Jᵀv):
 * neither the kernel nor features are stored, so any number of samples fits.
 * @param y as for {@link fitAdaptive}
 * @returns a model with a block per parameter
 * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
 * @example
 * ```js
 * import { buildMlp, fitByProducts, Network } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
 * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
 * const y = { data: Float32Array.of(1, 2, 3), shape: [3, 1] }
 * const fitted = await fitByProducts(network, x, y, { ridge: 0.1 })
 * console.log(fitted.model.status.name)
 * await network.dispose()
 * // converged
 * ```
 * @since 0.1.0
 */
export async function fitByProducts(
  network: Network,
  x: Inputs,
  y: NdArray,
  options: ProductFitOptions = {},
): Promise<NetworkModel> {
  checkCall(options)
  const { ridge = 1e-3, tolerance = 1e-6, signal, threads, memory, outputs } = options
  const { price = Number.POSITIVE_INFINITY } = options
  if (price !== Number.POSITIVE_INFINITY) {
    const instead =
      "Infinity (this fits fixed features; fitAdaptive with solver 'products' adapts them)"
    throw badArgument('options.price', instead, price)
  }
  const call = { signal, threads, memory, outputs }
  const found = await residualOf(network, x, y, options)
  const { residual, samples, outputs: width } = found
  const kernel = await network.kernelOperator(x, call)
  const solution = await solveByProducts((v, columns) => kernel.product(v, columns), residual, {
    ridge,
    tolerance,
    signal,
    maxIterations: options.maxIterations,
    rank: options.rank,
    onIteration: options.onIteration,
  })
  const cotangents = { data: Float32Array.from(solution.alpha), shape: [samples, width] }
  const gradient = await network.vjp(x, cotangents, call)
  const layout: BlockLayout[] = []
  const blocks = [...gradient].map(([name, array]): BlockSolution => {
    const [m = 1, ...rest] = array.shape
    const k = shapeSize(rest)
    const b = Float64Array.from(array.data)
    layout.push({
      name,
      m,
      k,
      weight: name,
      transposed: false,
      shape: array.shape,
      bias: undefined,
    })
    return fixedBlock(name, m, k, b)
  })
  const penalty = blocks.reduce((sum, block) => sum + block.penalty, 0)
  const misfit = residual.reduce((sum, r, i) => sum + (r - (solution.fit[i] as number)) ** 2, 0)
  const model = new AdaptiveModel({
    blocks,
    ridge,
    objective: ridge > 0 ? penalty + misfit / ridge : penalty,
    penalty,
    misfit,
    outputs: width,
    iterations: [],
    status: {
      name: solution.status,
      advice: solution.advice,
    },
    fit: solution.fit,
    dual: solution.alpha,
    targets: residual,
    redundant: 0,
    price: { value: Number.POSITIVE_INFINITY, relative: null },
  })
  const about = { origin: await originOf(network), classes: found.classes }
  return new NetworkModel(model, layout, outputs, 'parameter', about)
}

function fixedBlock(name: string, m: number, k: number, b: Float64Array): BlockSolution {
  const none = () => new Float64Array(0)
  return {
    name,
    m,
    k,
    modes: [m, k],
    structure: 'fixed',
    b,
    penalty: b.reduce((sum, value) => sum + value * value, 0),
    singularValues: none(),
    stretches: [],
    u: none(),
    vt: none(),
    transforms: [m, k].map((dim) => ({ z: none(), vectors: none(), dim })),
    numbers: none(),
    effectiveRank: 0,
  }
}
