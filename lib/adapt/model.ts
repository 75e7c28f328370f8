// What came out of an adaptation: the network with its head, the fitted model, and how good it is.
import { join } from 'node:path'
import { badArgument } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import type { NetworkModel } from '../fit/network.js'
import type { FitOrigin } from '../fit/origin.js'
import { printablePrice } from '../fit/price.js'
import { encodeModel } from '../fit/storage.js'
import { makeFolder, type NdArray, writeFileAtomic } from '../io/index.js'
import type { CallOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import type { AdaptSelection } from './choose.js'
import type { RidgeCandidate } from './linear-head.js'
import type { Scores } from './scores.js'

/** The linear probe's ridge, and what it was chosen from. */
export interface ProbeChoice {
  ridge: number
  /** All candidates. */
  grid: RidgeCandidate[]
}

/** Scores of held-out samples. */
export interface HoldoutScores {
  samples: number
  fitted: Scores
  /** Null where the network has no last affine layer. */
  probe: Scores | null
  /** The network as it was given; null where its outputs are not those of the targets. */
  network: Scores | null
}

/** Everything that {@link AdaptedModel} consists of. */
export interface AdaptedParts {
  network: Network
  own: boolean
  source: FitOrigin
  fitted: NetworkModel
  labels: readonly (number | string)[] | null
  samples: number
  selection: AdaptSelection
  probe: ProbeChoice | null
  holdout: HoldoutScores | null
  notes: readonly string[]
}

/** Files that {@link AdaptedModel.save} writes. */
export const adaptedFiles = ['network.onnx', 'model.safetensors', 'choice.json'] as const

/** A network adapted to labels. */
export class AdaptedModel {
  /** The network that the model is fitted around: with its new head, or the one that was given. */
  readonly network: Network
  readonly fitted: NetworkModel
  /** The network that was given. */
  readonly source: FitOrigin
  /** The label that each column stands for; null where the targets are numbers. */
  readonly labels: readonly (number | string)[] | null
  /** Samples that were fitted. */
  readonly samples: number
  /** Whether the last layer is a new one. */
  readonly newHead: boolean
  /** What was chosen, and from what. */
  readonly selection: AdaptSelection
  /** The linear probe; null where the network has no last affine layer. */
  readonly probe: ProbeChoice | null
  /** Null without a holdout. */
  readonly holdout: HoldoutScores | null
  /** What the caller may want to know, in sentences. */
  readonly notes: readonly string[]

  /** @internal */
  constructor({ own, ...parts }: AdaptedParts) {
    this.network = parts.network
    this.fitted = parts.fitted
    this.source = parts.source
    this.labels = parts.labels
    this.samples = parts.samples
    this.newHead = own
    this.selection = parts.selection
    this.probe = parts.probe
    this.holdout = parts.holdout
    this.notes = parts.notes
  }

  /**
   * The fitted model's outputs (N, columns), as {@link NetworkModel.predict} computes them.
   * @throws TangentError as that does
   * @example
   * ```js
   * import { adapt, buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [16], outputs: 1 }))
   * const at = Float32Array.from({ length: 20 }, (_, i) => i / 10 - 1)
   * const x = { data: at, shape: [20, 1] }
   * const y = { data: at.map((value) => 3 * value), shape: [20] }
   * const adapted = await adapt(network, x, y, { structure: 'fixed' })
   * const { data } = await adapted.predict({ data: Float32Array.of(0.5), shape: [1, 1] })
   * console.log(Math.abs(data[0] - 1.5) < 0.2)
   * await Promise.all([adapted.dispose(), network.dispose()])
   * // true
   * ```
   * @since 0.2.0
   */
  predict(x: Inputs, options: CallOptions = {}): Promise<NdArray<Float64Array>> {
    return this.fitted.predict(this.network, x, options)
  }

  /**
   * What was chosen, from what, and the scores, as JSON has them.
   * @example
   * ```js
   * import { adapt, buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [16], outputs: 1 }))
   * const at = Float32Array.from({ length: 20 }, (_, i) => i / 10 - 1)
   * const y = { data: at.map((value) => 3 * value), shape: [20] }
   * const adapted = await adapt(network, { data: at, shape: [20, 1] }, y, { structure: 'fixed' })
   * console.log(JSON.parse(JSON.stringify(adapted)).samples)
   * await Promise.all([adapted.dispose(), network.dispose()])
   * // 20
   * ```
   * @since 0.2.0
   */
  toJSON(): object {
    const { fitted, source, labels, samples, newHead, selection, probe, holdout, notes } = this
    const { loss, by, headRidge, ridge, price, gain, grid, end } = selection
    return {
      head: newHead ? { kind: 'new', ridge: headRidge } : { kind: 'kept' },
      network: newHead ? 'network.onnx' : null,
      source,
      labels,
      samples,
      loss,
      by,
      ridge,
      price: printablePrice(price),
      gain,
      end,
      largest_stretch: fitted.model.largestStretch,
      grid: grid.map(({ headRidge: head, standardError, price: cost, ...rest }) => ({
        ...(newHead ? { head_ridge: head } : {}),
        ...rest,
        price: printablePrice(cost),
        standard_error: standardError,
      })),
      probe,
      holdout,
      notes,
    }
  }

  /**
   * Writes `model.safetensors` (for `loadModel`), `choice.json` and, with a new head, `network.onnx`, the
   * network that the model belongs to. Each file is written whole, `choice.json` last.
   * @throws TangentError `FAILED` where they cannot be written
   * @example
   * ```js
   * import { adapt, buildMlp, loadModel, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [16], outputs: 1 }))
   * const at = Float32Array.from({ length: 20 }, (_, i) => i / 10 - 1)
   * const x = { data: at, shape: [20, 1] }
   * const labels = Array.from(at, (value) => (value < 0 ? 'below' : value < 0.5 ? 'near' : 'far'))
   * const adapted = await adapt(network, x, labels, { structure: 'fixed' })
   * await adapted.save('adapted')
   * const served = await Network.load('adapted/network.onnx')
   * const model = await loadModel('adapted/model.safetensors')
   * console.log((await model.predict(served, x)).shape.join(' × '))
   * await Promise.all([adapted.dispose(), network.dispose(), served.dispose()])
   * // 20 × 3
   * ```
   * @since 0.2.0
   */
  async save(folder: string, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    checkCall(options)
    if (typeof folder !== 'string') throw badArgument('folder', 'the path of a folder', folder)
    const model = encodeModel(this.fitted)
    const network = this.newHead ? await this.network.toOnnx() : undefined
    await makeFolder(folder)
    if (network) await writeFileAtomic(join(folder, 'network.onnx'), network, options)
    await writeFileAtomic(join(folder, 'model.safetensors'), model, options)
    const text = `${JSON.stringify(this, null, 2)}\n`
    await writeFileAtomic(join(folder, 'choice.json'), text, options)
  }

  /**
   * Ends the network with the new head; the one that was given stays.
   * @example
   * ```js
   * import { adapt, buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [16], outputs: 1 }))
   * const at = Float32Array.from({ length: 20 }, (_, i) => i / 10 - 1)
   * const y = { data: at.map((value) => 3 * value), shape: [20] }
   * const adapted = await adapt(network, { data: at, shape: [20, 1] }, y, { structure: 'fixed' })
   * await adapted.dispose()
   * console.log((await network.run({ data: at, shape: [20, 1] })).shape.join(' × '))
   * await network.dispose()
   * // 20 × 1
   * ```
   * @since 0.2.0
   */
  async dispose(): Promise<void> {
    if (this.newHead) await this.network.dispose()
  }
}
