// Fixed tangent features with the softmax loss: multinomial regression on the kernel.
import type { NdArray } from '../io/index.js'
import { checkSoftmaxMemory, solveSoftmax } from '../linear/softmax.js'
import { cores } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { memoryOf, type SolveOptions } from '../native/call.js'
import { deviceForWork, softmaxWork } from '../native/choose.js'
import type { DeviceName } from '../native/device.js'
import type { Network } from '../network/network.js'
import { networkFeatures } from './blocks.js'
import type { TangentFeatures } from './features.js'
import { fitOnce } from './fit.js'
import { AdaptiveModel } from './model.js'
import { featureOptions, type NetworkFitOptions, NetworkModel, residualOf } from './network.js'
import type { AdaptiveOptions } from './options.js'
import { originOf } from './origin.js'

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
  options: SolveOptions & { device: DeviceName },
) {
  const { signal, threads, memory, device } = options
  const { outputs } = features
  return solveSoftmax(kernel, target, { ridge, offset, outputs, signal, threads, memory, device })
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
  const device = await deviceForWork(options, softmaxWork(features.rows))
  checkSoftmaxMemory(features.rows, memoryOf(options), device)
  const on = device.name as DeviceName
  const kernel = await features.kernel(features, { signal, threads })
  const { alpha, fit } = await dualOf(problem, kernel, ridge, { ...options, device: on })
  const working = fit.map((value, r) => value + ridge * (alpha[r] as number))
  const common = { ridge, signal, threads, memory, device: on }
  const model = await fitOnce(features, working, { ...common, structure: 'fixed', price: fixed })
  return new AdaptiveModel({ ...model, device })
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
  const fitting = { ...options, device: options.device ?? cores.get(network)?.device }
  const { residual, targets } = await residualOf(network, x, y, options)
  const { features, layout } = await networkFeatures(network, x, featureOptions(options))
  const offset = targets.map((value, r) => value - (residual[r] as number))
  const model = await fitSoftmax({ features, offset, target: targets }, fitting)
  const about = { origin: await originOf(network) }
  return new NetworkModel(model, layout, options.outputs, options.blocks ?? 'layer', about)
}
