import { writeFileAtomic } from '../arrays/files.js'
import type { NdArray } from '../arrays/index.js'
import type { CallOptions } from '../core.js'
import { badArgument, TangentError } from '../errors.js'
import type { Inputs } from '../inputs.js'
import type { TangentKernel } from '../kernel.js'
import type { Network } from '../network.js'
import { type AdaptiveOptions, fitFeatures } from './adaptive.js'
import {
  type BlockLayout,
  type BlockSplit,
  type NetworkFeatureOptions,
  networkFeatures,
  toParameters,
} from './blocks.js'
import type { TangentFeatures } from './features.js'
import type { AdaptiveModel, KernelDecomposition } from './model.js'

/** Options of {@link fitAdaptive}. */
export interface NetworkFitOptions extends AdaptiveOptions {
  /** A block per layer, [W b] (default), or per parameter. */
  blocks?: BlockSplit | undefined
  /** Flat indices of the outputs to fit (default: all); the targets have as many columns. */
  outputs?: readonly number[] | undefined
  /** Progress of computing the features. */
  onProgress?: CallOptions['onProgress']
}

/**
 * Fits the adaptive tangent-feature model of a network to targets: f(x; θ0) + Σ ⟨X, B⟩ ≈ y, with
 * the features transformed while the model is fitted (METHOD.md section 3).
 * @param x N samples
 * @param y targets (N, O), or (N) for one output
 * @throws TangentError as {@link fitFeatures} and {@link Network.features} do.
 */
export async function fitAdaptive(
  network: Network,
  x: Inputs,
  y: NdArray,
  options: NetworkFitOptions = {},
): Promise<NetworkModel> {
  const { features, layout } = await networkFeatures(network, x, featureOptions(options))
  const residual = await residualOf(network, x, y, features, options)
  const model = await fitFeatures(features, residual, options)
  return new NetworkModel(model, layout, options.outputs, options.blocks ?? 'layer')
}

/** The same with the features as they are: tangent-kernel ridge regression. */
export function fitFixed(
  network: Network,
  x: Inputs,
  y: NdArray,
  options: Omit<NetworkFitOptions, 'structure' | 'left' | 'right' | 'power' | 'perBlock'> = {},
): Promise<NetworkModel> {
  return fitAdaptive(network, x, y, { ...options, structure: 'fixed' })
}

/** What a fit's features are computed with. */
export function featureOptions(options: NetworkFitOptions): NetworkFeatureOptions {
  const { blocks, outputs, signal, threads, memory, onProgress } = options
  const each = Object.values(options.perBlock ?? {})
  const separateModes =
    options.structure === 'modes' || each.some(({ structure }) => structure === 'modes')
  return { blocks, outputs, signal, threads, memory, onProgress, separateModes }
}

/** r = y − f(x; θ0), row (i, o) = i·O + o. */
export async function residualOf(
  network: Network,
  x: Inputs,
  y: NdArray,
  features: { samples: number; outputs: number },
  options: Pick<NetworkFitOptions, 'signal' | 'threads' | 'memory' | 'outputs'>,
): Promise<Float64Array> {
  const { samples, outputs } = features
  const flat = y.shape.length === 1 ? [y.shape[0], 1] : y.shape
  if (flat.length !== 2 || flat[0] !== samples || flat[1] !== outputs) {
    throw badArgument('y', `targets (${samples}, ${outputs})`, `an array (${y.shape.join(', ')})`)
  }
  if (y.data instanceof BigInt64Array || y.data instanceof BigUint64Array) {
    throw badArgument('y', 'targets as floats or small integers', 'an array of 64-bit integers')
  }
  const f = await outputsOf(network, x, options)
  return Float64Array.from(f, (value, r) => Number(y.data[r]) - value)
}

/** f(x; θ0) of the outputs that are fitted, (N·O). */
async function outputsOf(
  network: Network,
  x: Inputs,
  options: CallOptions & { outputs?: readonly number[] | undefined },
): Promise<Float64Array> {
  const { signal, threads, memory, outputs } = options
  const { data, shape } = await network.run(x, { signal, threads, memory })
  const width = shape.slice(1).reduce((product, size) => product * size, 1)
  const all = Float64Array.from(data as ArrayLike<number>, Number)
  if (outputs === undefined) return all
  const rows = all.length / width
  return Float64Array.from({ length: rows * outputs.length }, (_, r) => {
    const i = Math.floor(r / outputs.length)
    return all[i * width + (outputs[r % outputs.length] as number)] as number
  })
}

/** A fitted model of a network: {@link AdaptiveModel} and which parameters its blocks are. */
export class NetworkModel {
  readonly model: AdaptiveModel
  readonly layout: readonly BlockLayout[]
  /** Flat outputs that were fitted; undefined: all. */
  readonly outputs: readonly number[] | undefined
  readonly split: BlockSplit

  constructor(
    model: AdaptiveModel,
    layout: readonly BlockLayout[],
    outputs: readonly number[] | undefined,
    split: BlockSplit,
  ) {
    this.model = model
    this.layout = layout
    this.outputs = outputs
    this.split = split
  }

  /**
   * f(x; θ0) + ⟨X_x, B⟩ by one forward-mode pass: no features are formed.
   * @param network the one that was fitted, or one of its architecture with the same weights
   * @returns (N, O)
   */
  async predict(
    network: Network,
    x: Inputs,
    options: CallOptions = {},
  ): Promise<NdArray<Float64Array>> {
    const base = await outputsOf(network, x, { ...options, outputs: this.outputs })
    const change = await network.jvp(x, this.#direction(network), {
      ...options,
      outputs: this.outputs,
    })
    const data = base.map((value, r) => value + (change.data[r] as number))
    return { data, shape: [...change.shape] }
  }

  /** The adapted kernel K_M between samples, `full`: (N1, O, N2, O). */
  async kernel(
    network: Network,
    x: Inputs,
    x2?: Inputs,
    options: CallOptions = {},
  ): Promise<TangentKernel> {
    const first = await this.features(network, x, options)
    const second = x2 === undefined ? first : await this.features(network, x2, options)
    return this.model.kernel(first, second, options)
  }

  /** What adapting did to the kernel of these samples (those of the fit). */
  async decompose(
    network: Network,
    x: Inputs,
    options: CallOptions = {},
  ): Promise<KernelDecomposition> {
    const features = await this.features(network, x, options)
    return this.model.decompose(features, this.model.fit, options)
  }

  /** The features of samples in this model's blocks. */
  async features(network: Network, x: Inputs, options: CallOptions = {}): Promise<TangentFeatures> {
    const separateModes = this.model.blocks.some(({ structure }) => structure === 'modes')
    const { features } = await networkFeatures(network, x, {
      ...options,
      blocks: this.split,
      outputs: this.outputs,
      separateModes,
    })
    return features
  }

  /**
   * B as a change of the network's weights: f(x; θ0) + ⟨X, B⟩ is the first-order expansion of
   * f(x; θ0 + Δ).
   * @returns arrays of the parameters' shapes by name
   */
  toDelta(): Map<string, NdArray<Float64Array>> {
    return toParameters(
      this.layout,
      this.model.blocks.map(({ b }) => b),
    )
  }

  /** θ0 + Δ by parameter name, for {@link Network.withParameters}. */
  weights(network: Network): Map<string, NdArray<Float32Array>> {
    const changed = new Map<string, NdArray<Float32Array>>()
    for (const [name, { data, shape }] of this.toDelta()) {
      const { data: before } = network.weight(name)
      changed.set(name, {
        data: before.map((value, i) => value + (data[i] as number)),
        shape: [...shape],
      })
    }
    return changed
  }

  /** Writes the network with the weights θ0 + Δ as an ONNX file, which any runtime serves. */
  async exportOnnx(
    network: Network,
    path: string,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    const changed = await network.withParameters(this.weights(network))
    try {
      await writeFileAtomic(path, await changed.toOnnx(), options)
    } finally {
      await changed.dispose()
    }
  }

  #direction(network: Network): Map<string, NdArray<Float32Array>> {
    const known = new Set(network.parameters.map(({ name }) => name))
    const direction = new Map<string, NdArray<Float32Array>>()
    for (const [name, { data, shape }] of this.toDelta()) {
      if (!known.has(name)) {
        throw new TangentError(
          'BAD_ARGUMENT',
          `Expected the network that the model was fitted to, with a parameter ${JSON.stringify(name)}`,
        )
      }
      direction.set(name, { data: Float32Array.from(data), shape })
    }
    return direction
  }
}
