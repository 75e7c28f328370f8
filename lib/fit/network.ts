import { badArgument, mismatch, oneOf, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { shapeSize } from '../core/shape.js'
import { prepare } from '../derivatives/derive.js'
import type { ExportOptions } from '../export/jvp.js'
import { fittedClasses, integerClasses } from '../io/classes.js'
import { held, heldInputs } from '../io/held.js'
import { checkArray, type NdArray } from '../io/index.js'
import { writeFileAtomic } from '../io/write.js'
import type { TangentKernel } from '../kernels/kernel.js'
import { checkTargets } from '../linear/checks.js'
import { type CallOptions, type Core, cores, outputIndices } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { type AdaptiveOptions, fitShared } from './adaptive.js'
import {
  type BlockLayout,
  type BlockSplit,
  type NetworkFeatureOptions,
  networkFeatures,
  toParameters,
} from './blocks.js'
import { exportFitted } from './export.js'
import type { TangentFeatures } from './features.js'
import type { AdaptiveModel, KernelDecomposition } from './model.js'
import { checkFitMemory, checkOptions } from './options.js'
import { checkOrigin, type FitOrigin, originOf } from './origin.js'
import { SharedWork } from './shared.js'

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
 * @param samples N samples
 * @param targets numbers (N, O), or floats (N) for one output; integers (N) are classes: the numbers of
 *   outputs, fitted one-hot, or two labels of one output, fitted as −1 and 1
 * @throws TangentError as {@link fitFeatures} and {@link Network.features} do.
 * @example
 * ```js
 * import { buildMlp, fitAdaptive, Network } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [16], outputs: 1 }))
 * const at = Float32Array.from({ length: 20 }, (_, i) => i / 10 - 1)
 * const x = { data: at, shape: [20, 1] }
 * const y = { data: at.map((value) => Math.abs(value)), shape: [20, 1] }
 * const fitted = await fitAdaptive(network, x, y, { ridge: 0.01 })
 * const { data } = await fitted.predict(network, x)
 * console.log(
 *   fitted.model.status.name,
 *   Math.hypot(...data.map((value, i) => value - y.data[i])) < 0.5,
 * )
 * await network.dispose()
 * // converged true
 * ```
 * @since 0.1.0
 */
export async function fitAdaptive(
  network: Network,
  samples: Inputs,
  targets: NdArray,
  options: NetworkFitOptions = {},
): Promise<NetworkModel> {
  checkCall(options)
  const fitting = { ...options, device: options.device ?? cores.get(network)?.device }
  checkOptions(fitting)
  const x = heldInputs(samples, 'x')
  const y = held(targets, 'y')
  const found = await residualOf(network, x, y, options, ({ rows, numbers }) =>
    checkFitMemory(rows, numbers, fitting),
  )
  const { residual, classes } = found
  const { features, layout } = await networkFeatures(network, x, featureOptions(options))
  const judged = classes && found.targets
  const model = await fitShared(features, residual, fitting, new SharedWork(), judged)
  const origin = await originOf(network)
  const about = { origin, classes }
  return new NetworkModel(model, layout, options.outputs, options.blocks ?? 'layer', about)
}

/**
 * The same with the features as they are: tangent-kernel ridge regression.
 * @throws TangentError as {@link fitAdaptive} does.
 * @example
 * ```js
 * import { buildMlp, fitFixed, Network } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [16], outputs: 1 }))
 * const at = Float32Array.from({ length: 20 }, (_, i) => i / 10 - 1)
 * const x = { data: at, shape: [20, 1] }
 * const y = { data: at.map((value) => Math.abs(value)), shape: [20, 1] }
 * const fitted = await fitFixed(network, x, y, { ridge: 0.01 })
 * console.log((await fitted.predict(network, x)).shape.join(' '))
 * await network.dispose()
 * // 20 1
 * ```
 * @since 0.1.0
 */
export function fitFixed(
  network: Network,
  x: Inputs,
  y: NdArray,
  options: Omit<NetworkFitOptions, 'structure' | 'left' | 'right' | 'power' | 'perBlock'> = {},
): Promise<NetworkModel> {
  checkCall(options)
  return fitAdaptive(network, x, y, { ...options, structure: 'fixed' })
}

/** What a fit's features are computed with. */
export function featureOptions(options: NetworkFitOptions): NetworkFeatureOptions {
  const { blocks, outputs, signal, threads, memory, onProgress, device } = options
  const each = Object.values(options.perBlock ?? {})
  const separateModes =
    options.structure === 'modes' || each.some(({ structure }) => structure === 'modes')
  return { blocks, outputs, signal, threads, memory, onProgress, separateModes, device }
}

/** What a fit starts from. */
export interface Residual {
  /** r = y − f(x; θ0) of (N) samples and (O) outputs, row (i, o) = i·O + o. */
  residual: Float64Array
  /** y as it is fitted: numbers, one-hot, or −1 and 1. */
  targets: Float64Array
  samples: number
  outputs: number
  /** Labels that occur, where the targets are classes. */
  classes: number[] | undefined
}

/** What a fit is of, known from one sample: before anything is computed of all. */
interface FitSize {
  samples: number
  /** Flat outputs that are fitted. */
  chosen: number[]
  /** Samples times outputs. */
  rows: number
  /** Numbers of all parameters that are fitted. */
  numbers: number
}

/**
 * Targets less the network's outputs.
 * @param check throws what the size alone forbids, before the samples are run.
 */
export async function residualOf(
  network: Network,
  x: Inputs,
  y: NdArray,
  options: Pick<NetworkFitOptions, 'signal' | 'threads' | 'memory' | 'outputs'>,
  check: (size: FitSize) => unknown = () => {},
): Promise<Residual> {
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  checkArray(y, 'y')
  const size = await sizeOf(core, x, options)
  const { samples, chosen } = size
  const outputs = chosen.length
  const classes = integerClasses(y)
  const [rows, columns = 1, ...rest] = y.shape
  if (rest.length > 0 || rows !== samples || (columns !== outputs && !classes)) {
    const all = outputs === 1 ? `(${samples}) or (${samples}, 1)` : `(${samples}, ${outputs})`
    // One column of floats says of no output that it is the one meant.
    const instead =
      outputs > 1 && rows === samples && columns === 1
        ? '; integers would be classes, and outputs chooses one output'
        : ''
    throw mismatch('y', `targets ${all}`, `an array (${y.shape.join(', ')})${instead}`)
  }
  // Before the difference, so that the message blames the right array.
  const targets = classes
    ? fittedClasses(classes, { outputs: chosen }, 'y')
    : checkTargets(Float64Array.from(y.data as ArrayLike<number>, Number), size.rows)
  await check(size)
  const { f } = await outputsOf(network, x, options)
  const residual = targets.map((value, r) => value - (f[r] as number))
  return { residual, targets, samples, outputs, classes: classes?.labels }
}

async function sizeOf(
  core: Core,
  x: Inputs,
  options: CallOptions & { outputs?: readonly number[] | undefined },
): Promise<FitSize> {
  const { core: own, samples, allOutputs } = await prepare(core, x, options)
  const chosen = outputIndices(options.outputs, allOutputs)
  const numbers = own.architecture.active.reduce((sum, { parameter }) => {
    return sum + shapeSize(parameter.shape)
  }, 0)
  return { samples, chosen, rows: samples * chosen.length, numbers }
}

/** f(x; θ0) of the outputs that are fitted, (N·O), all finite. */
export async function outputsOf(
  network: Network,
  x: Inputs,
  options: CallOptions & { outputs?: readonly number[] | undefined },
): Promise<{ f: Float64Array; samples: number; chosen: number[] }> {
  const { signal, threads, memory, outputs } = options
  const { data, shape } = await network.run(x, { signal, threads, memory })
  const width = shapeSize(shape.slice(1))
  const samples = data.length / width
  const chosen = outputIndices(outputs, width)
  const f = Float64Array.from({ length: samples * chosen.length }, (_, r) => {
    const i = Math.floor(r / chosen.length)
    return Number(data[i * width + (chosen[r % chosen.length] as number)])
  })
  const bad = f.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0) {
    const [i, o] = [Math.floor(bad / chosen.length), chosen[bad % chosen.length]]
    throw new TangentError(
      'NUMERICAL',
      `The network's own output ${o} of sample ${i} is ${f[bad]}: no model can be fitted around it`,
    )
  }
  return { f, samples, chosen }
}

const norm = (values: Float64Array) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))

/** What a file of θ0 + Δ says of itself. */
const weightsNote = {
  docString:
    'Weights of a fitted tangent-feature model: this network computes f(x; θ0 + Δ). The fitted model is f(x; θ0) + ⟨X, B⟩, its first-order expansion in Δ = B, and gives other numbers wherever f is not linear in the change.',
  metadata: {
    'adaptive_tangent.form': 'weights',
    'adaptive_tangent.computes': 'f(x; theta0 + Delta)',
    'adaptive_tangent.fitted': 'f(x; theta0) + <X, B>',
  },
}

/** What an exported file computes: the fitted model, or the network with θ0 + Δ as weights. */
export type ExportForm = 'linear' | 'weights'

/** A fitted model of a network: {@link AdaptiveModel} and which parameters its blocks are. */
export class NetworkModel {
  readonly model: AdaptiveModel
  readonly layout: readonly BlockLayout[]
  /** Flat outputs that were fitted; undefined: all. */
  readonly outputs: readonly number[] | undefined
  readonly split: BlockSplit
  /** The network that was fitted; undefined in models of version 0.1.0. */
  readonly origin: FitOrigin | undefined
  /** Labels that the targets held, ascending; undefined where they were numbers. */
  readonly classes: readonly number[] | undefined

  constructor(
    model: AdaptiveModel,
    layout: readonly BlockLayout[],
    outputs: readonly number[] | undefined,
    split: BlockSplit,
    about: { origin?: FitOrigin | undefined; classes?: readonly number[] | undefined } = {},
  ) {
    this.model = model
    this.layout = layout
    this.outputs = outputs
    this.split = split
    this.origin = about.origin
    this.classes = about.classes
  }

  /**
   * f(x; θ0) + ⟨X_x, B⟩ by one forward-mode pass: no features are formed.
   * @param network the one that was fitted, or one of its architecture with the same weights
   * @returns (N, O)
   * @throws TangentError BAD_ARGUMENT for another network, or other weights
   * @example
   * ```js
   * import { buildMlp, fitFixed, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
   * const fitted = await fitFixed(
   *   network,
   *   x,
   *   { data: Float32Array.of(1, 2, 3), shape: [3, 1] },
   *   { ridge: 1e-6 },
   * )
   * const { data } = await fitted.predict(network, x)
   * console.log([...data].map((value) => value.toFixed(2)).join(' '))
   * await network.dispose()
   * // 1.00 2.00 3.00
   * ```
   * @since 0.1.0
   */
  async predict(
    network: Network,
    x: Inputs,
    options: CallOptions = {},
  ): Promise<NdArray<Float64Array>> {
    checkCall(options)
    await checkOrigin(this.origin, network)
    const { f } = await outputsOf(network, x, { ...options, outputs: this.outputs })
    const change = await network.jvp(x, this.#direction(network), {
      ...options,
      outputs: this.outputs,
    })
    const data = f.map((value, r) => value + (change.data[r] as number))
    return { data, shape: [...change.shape] }
  }

  /**
   * The adapted kernel K_M between samples, `full`: (N1, O, N2, O).
   * @throws TangentError `BAD_ARGUMENT` for another network, or other weights.
   * @example
   * ```js
   * import { buildMlp, fitFixed, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
   * const fitted = await fitFixed(
   *   network,
   *   x,
   *   { data: Float32Array.of(1, 2, 3), shape: [3, 1] },
   *   { ridge: 0.1 },
   * )
   * console.log((await fitted.kernel(network, x)).shape.join(' '))
   * await network.dispose()
   * // 3 1 3 1
   * ```
   * @since 0.1.0
   */
  async kernel(
    network: Network,
    x: Inputs,
    x2?: Inputs,
    options: CallOptions = {},
  ): Promise<TangentKernel> {
    checkCall(options)
    const first = await this.features(network, x, options)
    const second = x2 === undefined ? first : await this.features(network, x2, options)
    return this.model.kernel(first, second, options)
  }

  /**
   * What adapting did to the kernel of these samples (those of the fit).
   * @throws TangentError `BAD_ARGUMENT` for another network, or other weights.
   * @example
   * ```js
   * import { buildMlp, fitAdaptive, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
   * const fitted = await fitAdaptive(
   *   network,
   *   x,
   *   { data: Float32Array.of(1, 2, 3), shape: [3, 1] },
   *   { ridge: 0.1 },
   * )
   * const { alignmentBefore, alignmentAfter } = await fitted.decompose(network, x)
   * console.log(alignmentAfter >= alignmentBefore)
   * await network.dispose()
   * // true
   * ```
   * @since 0.1.0
   */
  async decompose(
    network: Network,
    x: Inputs,
    options: CallOptions = {},
  ): Promise<KernelDecomposition> {
    checkCall(options)
    const features = await this.features(network, x, options)
    return this.model.decompose(features, this.model.fit, options)
  }

  /**
   * The features of samples in this model's blocks.
   * @throws TangentError `BAD_ARGUMENT` for another network, or other weights.
   * @example
   * ```js
   * import { buildMlp, fitFixed, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
   * const fitted = await fitFixed(
   *   network,
   *   x,
   *   { data: Float32Array.of(1, 2, 3), shape: [3, 1] },
   *   { ridge: 0.1 },
   * )
   * const features = await fitted.features(network, x)
   * console.log(features.samples, features.blocks.map(({ name }) => name).join(' '))
   * await network.dispose()
   * // 3 dense1 dense2
   * ```
   * @since 0.1.0
   */
  async features(network: Network, x: Inputs, options: CallOptions = {}): Promise<TangentFeatures> {
    checkCall(options)
    await checkOrigin(this.origin, network)
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
   * @example
   * ```js
   * import { buildMlp, fitFixed, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
   * const fitted = await fitFixed(
   *   network,
   *   x,
   *   { data: Float32Array.of(1, 2, 3), shape: [3, 1] },
   *   { ridge: 0.1 },
   * )
   * for (const [name, { shape }] of fitted.toDelta()) console.log(name, shape.join(' × '))
   * await network.dispose()
   * // dense1.weight 16 × 2
   * // dense1.bias 16
   * // dense2.weight 1 × 16
   * // dense2.bias 1
   * ```
   * @since 0.1.0
   */
  toDelta(): Map<string, NdArray<Float64Array>> {
    return toParameters(
      this.layout,
      this.model.blocks.map(({ b }) => b),
    )
  }

  /**
   * θ0 + Δ by parameter name, for {@link Network.withParameters}. With these weights the network
   * computes f(x; θ0 + Δ), which is not what was fitted: see {@link NetworkModel.exportDifference}.
   * @throws TangentError BAD_ARGUMENT for another network, or other weights
   * @example
   * ```js
   * import { buildMlp, fitFixed, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
   * const fitted = await fitFixed(
   *   network,
   *   x,
   *   { data: Float32Array.of(1, 2, 3), shape: [3, 1] },
   *   { ridge: 0.1 },
   * )
   * const moved = await network.withParameters(await fitted.weights(network))
   * console.log((await moved.run(x)).shape.join(' '))
   * await Promise.all([network.dispose(), moved.dispose()])
   * // 3 1
   * ```
   * @since 0.1.0
   */
  async weights(network: Network): Promise<Map<string, NdArray<Float32Array>>> {
    await checkOrigin(this.origin, network)
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

  /**
   * Writes an ONNX file in standard operators, which any runtime serves. It says of itself what it
   * computes (`doc_string` and `metadata_props`):
   * - `linear` (default): the fitted model, f(x; θ0) + ⟨X, B⟩, exactly what
   *   {@link NetworkModel.predict} computes; its output `prediction` is (N, O).
   * - `weights`: the network with the weights θ0 + Δ. It computes f(x; θ0 + Δ), another function: see
   *   {@link NetworkModel.exportDifference}.
   * @throws TangentError `BAD_ARGUMENT` for another network, or other weights; `UNSUPPORTED`
   *   with every
   *   node whose tangent has no form in standard operators (`linear`).
   * @example
   * ```js
   * import { buildMlp, fitFixed, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
   * const fitted = await fitFixed(
   *   network,
   *   x,
   *   { data: Float32Array.of(1, 2, 3), shape: [3, 1] },
   *   { ridge: 0.1 },
   * )
   * await fitted.exportOnnx(network, 'fitted.onnx')
   * const served = await Network.load('fitted.onnx', { unsupported: 'defer' })
   * const [there, here] = [await served.run(x), await fitted.predict(network, x)]
   * console.log(
   *   Math.max(...here.data.map((value, i) => Math.abs(value - there.data[i]))) < 1e-5,
   * )
   * await Promise.all([network.dispose(), served.dispose()])
   * // true
   * ```
   * @since 0.1.0
   */
  async exportOnnx(
    network: Network,
    path: string,
    options: ExportOptions & { form?: ExportForm | undefined } = {},
  ): Promise<void> {
    checkCall(options)
    const form = oneOf(options.form, ['linear', 'weights'] as const, 'options.form')
    if (form === 'linear') {
      await checkOrigin(this.origin, network)
      await writeFileAtomic(path, await exportFitted(this, network, options), options)
      return
    }
    const changed = await network.withParameters(await this.weights(network))
    try {
      await writeFileAtomic(path, await changed.toOnnx(weightsNote), options)
    } finally {
      await changed.dispose()
    }
  }

  /**
   * How far the network with the weights θ0 + Δ is from the fitted model on these samples:
   * ‖f(x; θ0 + Δ) − (f(x; θ0) + ⟨X, B⟩)‖ / ‖f(x; θ0) + ⟨X, B⟩‖ over samples and fitted outputs.
   * @throws TangentError `BAD_ARGUMENT` for another network, or other weights.
   * @example
   * ```js
   * import { buildMlp, fitFixed, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [64], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1, -1, 0), shape: [3, 2] }
   * const fitted = await fitFixed(
   *   network,
   *   x,
   *   { data: Float32Array.of(1, 2, 3), shape: [3, 1] },
   *   { ridge: 0.1 },
   * )
   * console.log((await fitted.exportDifference(network, x)) > 0)
   * await network.dispose()
   * // true
   * ```
   * @since 0.1.0
   */
  async exportDifference(network: Network, x: Inputs, options: CallOptions = {}): Promise<number> {
    checkCall(options)
    const fitted = await this.predict(network, x, options)
    const changed = await network.withParameters(await this.weights(network))
    try {
      const { f } = await outputsOf(changed, x, { ...options, outputs: this.outputs })
      return norm(f.map((value, r) => value - (fitted.data[r] as number))) / norm(fitted.data)
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
