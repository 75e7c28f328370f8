import { badArgument, mismatch, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { timed } from '../core/progress.js'
import { NetworkModel } from '../fit/network.js'
import { type InputSources, sampleBlocks } from '../fit/rows.js'
import { heldInputs } from '../io/held.js'
import type { NdArray } from '../io/index.js'
import { notNegative } from '../linear/checks.js'
import { type CallOptions, type Core, cores } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { adaptedKernels, picker } from './kernels.js'
import { checkMemory } from './memory.js'
import { KernelPosterior } from './posterior.js'

/** Options of {@link deviationRows}. */
export interface DeviationOptions extends CallOptions {
  /**
   * τ², the prior variance of the parameters' changes (default: 1, the kernel's units), or `evidence`: that
   * of greatest evidence.
   */
  prior?: number | 'evidence' | undefined
}

/**
 * Posterior standard deviations of a fitted model's predictions, without noise:
 * τ·√(diag(k** − k*ᵀ(K + ridge·I)⁻¹k*)), block by block, so that samples may be larger than memory. Of adapted
 * features K is that of the model, and the deviation is given them.
 * @param train the samples that the model was fitted to
 * @returns (n, O) for each block of n samples, in order
 * @throws TangentError as {@link NetworkModel.predict} does; BAD_ARGUMENT for other samples than those of the
 *   fit, MEMORY_BUDGET where the kernel of these does not fit.
 * @since 0.2.0
 * @example
 * ```js
 * import { buildMlp, deviationRows, fitFixed, Network, openArray, writeNpy } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [16], outputs: 1 }))
 * const x = { data: Float32Array.of(-1, 0, 1), shape: [3, 1] }
 * const y = { data: Float32Array.of(1, 0, 1), shape: [3, 1] }
 * const fitted = await fitFixed(network, x, y, { ridge: 0.1 })
 * await writeNpy('more.npy', { data: Float32Array.of(0, 9), shape: [2, 1] })
 * const more = await openArray('more.npy')
 * for await (const { data } of deviationRows(fitted, network, x, more))
 *   console.log(data[1] > 2 * data[0])
 * await more.close?.()
 * await network.dispose()
 * // true
 * ```
 */
export async function* deviationRows(
  fitted: NetworkModel,
  network: Network,
  train: Inputs,
  x: InputSources,
  options: DeviationOptions = {},
): AsyncGenerator<NdArray<Float64Array>> {
  checkCall(options)
  if (!(fitted instanceof NetworkModel)) throw badArgument('fitted', 'a NetworkModel', fitted)
  const { prior = 1, onProgress, ...common } = options
  if (prior !== 'evidence') notNegative('options.prior', prior)
  const core = cores.get(network) as Core | undefined
  if (!core) throw badArgument('network', 'a Network', network)
  const { model } = fitted
  const { outputs } = model
  const { all, samples } = await picker(network, heldInputs(train, 'train'), 'train', common)
  if (samples * outputs !== model.targets.length) {
    const fit = model.targets.length / outputs
    throw mismatch('train', `the ${fit} samples of the fit`, `${samples} samples`)
  }
  const budget = core.budget(common)
  checkMemory(samples, outputs, budget)
  const progress = timed(onProgress)
  const source = adaptedKernels(network, fitted, all, common)
  const posterior = await KernelPosterior.of(await source.own(), model.targets, {
    ...{ ridge: model.ridge, signal: common.signal, threads: common.threads },
  })
  checkSamples(fitted, posterior)
  progress(0.2)
  const scale = Math.sqrt(prior === 'evidence' ? posterior.evidence().prior : prior)
  const together = Math.max(1, Math.floor(budget / 8 / (20 * outputs * posterior.n)))
  for await (const { rows, inputs } of sampleBlocks(network, x, common)) {
    const block = await picker(network, inputs, 'x', common)
    const data = new Float64Array(block.samples * outputs)
    for (let first = 0; first < block.samples; first += together) {
      const some = await block.take(first, together)
      const own = Float64Array.from(await source.self(some), (value) => Math.max(0, value))
      const { signal } = common
      const variance = await posterior.variance(await source.cross(some), own, { signal })
      data.set(
        variance.data.map((value) => scale * Math.sqrt(value)),
        first * outputs,
      )
    }
    progress(rows ? 0.2 + (0.8 * (rows.from + rows.count)) / rows.length : 1)
    yield { data, shape: [block.samples, outputs] }
  }
}

/** How far from the fit's own values those of these samples may be. */
const apart = { fixed: 1e-2, adaptive: 0.2 }

/** The kernel of the fit's samples gives the fit's own values again. */
function checkSamples({ model }: NetworkModel, { alpha, ridge }: KernelPosterior): void {
  let [difference, size] = [0, 0]
  model.targets.forEach((target, r) => {
    const value = target - ridge * (alpha[r] as number)
    difference += (value - (model.fit[r] as number)) ** 2
    size += (model.fit[r] as number) ** 2
  })
  const limit = model.largestStretch > 1 ? apart.adaptive : apart.fixed
  if (Math.sqrt(difference) <= limit * Math.sqrt(size)) return
  throw new TangentError(
    'BAD_ARGUMENT',
    'Expected the samples of the fit for train, in its order, but on these the model has other values',
  )
}
