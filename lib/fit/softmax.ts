// Fixed tangent features with the softmax loss: multinomial regression on the kernel.
import { abortError } from '../core/abort.js'
import { badArgument } from '../core/errors.js'
import { timed } from '../core/progress.js'
import type { NdArray } from '../io/index.js'
import { checkSoftmaxMemory, solveSoftmax } from '../linear/softmax.js'
import type { Inputs } from '../model/inputs.js'
import { memoryOf, type SolveOptions } from '../native/call.js'
import type { Network } from '../network/network.js'
import { networkFeatures } from './blocks.js'
import type { PriceSelection } from './choices.js'
import type { TangentFeatures } from './features.js'
import { fitOnce } from './fit.js'
import { heldOut } from './folds.js'
import type { AdaptiveModel } from './model.js'
import { featureOptions, type NetworkFitOptions, NetworkModel, residualOf } from './network.js'
import type { AdaptiveOptions } from './options.js'
import { originOf } from './origin.js'
import { best, type FoldSource } from './selection.js'

const fixed = Number.POSITIVE_INFINITY

/** Softmax regression on features: logits are f0 + ⟨X, B⟩. */
export interface SoftmaxFeatures {
  features: TangentFeatures
  /** f(x; θ0), rows (sample, output). */
  offset: Float64Array
  /** One-hot. */
  target: Float64Array
}

async function dualOf(
  { features, offset, target }: SoftmaxFeatures,
  kernel: Float64Array,
  ridge: number,
  options: SolveOptions,
) {
  const { signal, threads, memory } = options
  const { outputs } = features
  return solveSoftmax(kernel, target, { ridge, offset, outputs, signal, threads, memory })
}

/**
 * The model of least Σ −log softmax(f0 + ⟨X, B⟩)_y + ridge/2 ‖B‖². It is also the ridge regression of
 * ⟨X, B⟩ + ridge·α, which is how it is stored: B = Σ α_r X_r.
 */
export async function fitSoftmax(
  problem: SoftmaxFeatures,
  options: AdaptiveOptions & { ridge: number },
): Promise<AdaptiveModel> {
  const { features } = problem
  const { ridge, signal, threads, memory } = options
  checkSoftmaxMemory(features.rows, memoryOf(options))
  const kernel = await features.kernel(features, { signal, threads })
  const { alpha, fit } = await dualOf(problem, kernel, ridge, options)
  const working = fit.map((value, r) => value + ridge * (alpha[r] as number))
  const common = { ridge, signal, threads, memory }
  return fitOnce(features, working, { ...common, structure: 'fixed', price: fixed })
}

/**
 * The same of a network.
 * @param y (N, O) one-hot, as floats
 */
export async function fitSoftmaxNetwork(
  network: Network,
  x: Inputs,
  y: NdArray,
  options: NetworkFitOptions & { ridge: number },
): Promise<NetworkModel> {
  const { residual, targets } = await residualOf(network, x, y, options)
  const { features, layout } = await networkFeatures(network, x, featureOptions(options))
  const offset = targets.map((value, r) => value - (residual[r] as number))
  const model = await fitSoftmax({ features, offset, target: targets }, options)
  const about = { origin: await originOf(network) }
  return new NetworkModel(model, layout, options.outputs, options.blocks ?? 'layer', about)
}

/** Mean −log of the probability of the right class. */
function crossEntropy(logits: Float64Array, target: Float64Array, outputs: number): number {
  let sum = 0
  for (let at = 0; at < logits.length; at += outputs) {
    const own = logits.subarray(at, at + outputs)
    const most = own.reduce((a, b) => Math.max(a, b))
    const level = most + Math.log(own.reduce((all, value) => all + Math.exp(value - most), 0))
    own.forEach((value, o) => {
      sum += (target[at + o] as number) * (level - value)
    })
  }
  return (sum * outputs) / logits.length
}

/** The ridge of least held-out cross-entropy over repeated folds. */
export async function searchSoftmax(
  source: FoldSource,
  ridges: readonly number[],
  options: AdaptiveOptions,
): Promise<PriceSelection> {
  const { samples } = source
  const { repeats = 2 } = options.selection ?? {}
  if (samples < 4) throw badArgument('the samples of a fit by folds', 'at least four', samples)
  const folds = Math.min(options.selection?.folds ?? 5, samples)
  const { signal, threads } = options
  const progress = timed(options.selection?.onProgress)
  const errors = ridges.map(() => [[] as number[]])
  let done = 0
  for (let repeat = 0; repeat < repeats; repeat++) {
    const order = source.order(repeat)
    for (let fold = 0; fold < folds; fold++) {
      const { train, known, test, truth, offsets } = await source.part(
        ...heldOut(order, fold, folds),
      )
      const y = (residual: Float64Array, f: Float64Array) =>
        residual.map((value, r) => value + (f[r] as number))
      const problem = { features: train, offset: offsets.train, target: y(known, offsets.train) }
      const target = y(truth, offsets.test)
      const kernel = await train.kernel(train, { signal, threads })
      for (const [i, ridge] of ridges.entries()) {
        if (signal?.aborted) throw abortError(signal)
        const { alpha } = await dualOf(problem, kernel, ridge, options)
        const change = await test.apply(await train.adjoint(alpha, { signal, threads }), {
          signal,
          threads,
        })
        const logits = change.map((value, r) => value + (offsets.test[r] as number))
        errors[i]?.[0]?.push(crossEntropy(logits, target, train.outputs))
        done += 1
        progress(done / (repeats * folds * ridges.length))
      }
    }
  }
  return { ...best(ridges, [fixed], errors, folds), by: 'cross-entropy' }
}
