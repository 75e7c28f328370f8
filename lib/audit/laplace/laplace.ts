import { badArgument, mismatch, oneOf } from '../../core/errors.js'
import { checkCall } from '../../core/options.js'
import { timed } from '../../core/progress.js'
import { each, pause } from '../../core/turns.js'
import { outputsOf } from '../../fit/network.js'
import { held, heldInputs } from '../../io/held.js'
import type { NdArray } from '../../io/index.js'
import { type CallOptions, type Core, cores } from '../../model/core.js'
import type { Inputs } from '../../model/inputs.js'
import type { Network } from '../../network/network.js'
import { type Picker, picker } from '../kernels.js'
import { checkMemory } from '../memory.js'
import { selfKernel } from '../self.js'
import { addCovariance, type Block, factorsOf, type Precision } from './blocks.js'
import { FullCurvature } from './full.js'
import { blocksOf, eachFactors } from './gather.js'
import { type Curvature, curvatureOf, type Likelihood, softmax } from './likelihood.js'

/** The prior and the noise of a {@link LaplacePosterior}. */
export interface LaplaceSettings {
  /** 1/τ² of the prior N(0, τ²I) of the parameters (default: 1). */
  priorPrecision?: number | undefined
  /** σ, the noise's standard deviation; of regression only (default: 1). */
  noise?: number | undefined
}

/** Options of {@link LaplacePosterior.of}. */
export interface LaplaceOptions extends CallOptions {
  /**
   * What the generalised Gauss-Newton matrix is taken for: `full` (default), exact, through the kernel;
   * `kron`: for each parameter a Kronecker product; `diagonal`.
   */
  structure?: 'full' | 'kron' | 'diagonal' | undefined
  /** Default: `classification` for integers (N), else `regression`. */
  likelihood?: Likelihood | undefined
}

/** Terms of the log marginal likelihood. */
export interface LaplaceEvidence {
  /** logLikelihood − ½(logDetRatio + scatter). */
  log: number
  /** Of the targets at the network's own parameters. */
  logLikelihood: number
  /** log det of the posterior's precision less that of the prior's. */
  logDetRatio: number
  /** ‖θ0‖² times the prior's precision. */
  scatter: number
}

/** What {@link LaplacePosterior.predict} gives. */
export interface LaplacePrediction {
  /** f(x; θ0): (N, O). */
  mean: NdArray<Float64Array>
  /** Of f, without noise: (N, O, O), or (N, O) where the variances alone are asked for. */
  covariance: NdArray<Float64Array>
  /** Of classes: softmax(f / √(1 + π/8 · variance)) (MacKay 1992), (N, O); else null. */
  probabilities: NdArray<Float64Array> | null
}

/** Options of {@link LaplacePosterior.predict}. */
export interface LaplacePredictOptions extends CallOptions, LaplaceSettings {
  /** Default: `full`. `diagonal` for many outputs. */
  covariance?: 'full' | 'diagonal' | undefined
}

/**
 * The linearised Laplace approximation of a network's parameters that are not frozen, at the weights as they
 * are: posterior precision H/σ² + I/τ² with H the generalised Gauss-Newton matrix Σ_i J_iᵀ H_i J_i. Conventions
 * and numbers are those of laplace-torch (curvlinops backend): a sum over samples, prior mean 0; Kronecker products
 * B ⊗ A with A a mean and B a sum over samples and positions, weights and biases apart.
 *
 * The posterior of the last layer is that of a network whose other parameters are frozen: load it with
 * `parameters: lastLayer(network)`.
 *
 * ```ts
 * const posterior = await LaplacePosterior.of(network, x, y, { structure: 'kron' })
 * const { priorPrecision } = await posterior.choose()
 * const { mean, covariance } = await posterior.predict(test, { priorPrecision })
 * ```
 */
export class LaplacePosterior {
  readonly structure: 'full' | 'kron' | 'diagonal'
  readonly likelihood: Likelihood
  readonly samples: number
  readonly outputs: number
  readonly #network: Network
  readonly #x: Inputs
  readonly #curvature: Curvature
  readonly #parts: FullCurvature | readonly Block[]
  readonly #squares: number

  private constructor(
    network: Network,
    x: Inputs,
    structure: LaplacePosterior['structure'],
    curvature: Curvature,
    parts: FullCurvature | readonly Block[],
  ) {
    this.structure = structure
    this.likelihood = curvature.likelihood
    this.samples = curvature.samples
    this.outputs = curvature.outputs
    this.#network = network
    this.#x = x
    this.#curvature = curvature
    this.#parts = parts
    this.#squares = squaresOf(network)
  }

  /**
   * The posterior around the network's weights, from the curvature of all samples.
   * @param given N samples
   * @param targets classes (N), or numbers (N, O)
   * @throws TangentError as {@link Network.ntk} does; UNSUPPORTED, by name, for a Kronecker product of a weight
   *   that is no matrix used once.
   * @since 0.2.0
   * @example
   * ```js
   * import { buildMlp, LaplacePosterior, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.of(-1, 0, 1), shape: [3, 1] }
   * const y = { data: Float32Array.of(1, 0, 1), shape: [3, 1] }
   * const posterior = await LaplacePosterior.of(network, x, y, { structure: 'diagonal' })
   * const { covariance } = await posterior.predict({ data: Float32Array.of(0, 9), shape: [2, 1] })
   * console.log(covariance.shape.join(' × '), covariance.data[1] > covariance.data[0])
   * await network.dispose()
   * // 2 × 1 × 1 true
   * ```
   */
  static async of(
    network: Network,
    given: Inputs,
    targets: NdArray,
    options: LaplaceOptions = {},
  ): Promise<LaplacePosterior> {
    checkCall(options)
    const { onProgress, structure: asked, likelihood, ...common } = options
    const structure = oneOf(asked, ['full', 'kron', 'diagonal'] as const, 'options.structure')
    if (likelihood !== undefined)
      oneOf(likelihood, ['classification', 'regression'] as const, 'options.likelihood')
    const core = cores.get(network) as Core | undefined
    if (!core) throw badArgument('network', 'a Network', network)
    const y = held(targets, 'y')
    const x = await picker(network, heldInputs(given, 'x'), 'x', common)
    const { f } = await outputsOf(network, x.all, common)
    const curvature = curvatureOf(f, y, x.samples, likelihood)
    const progress = timed(onProgress)
    if (structure === 'full') {
      checkMemory(x.samples, curvature.outputs, core.budget(common))
      const kernel = await network.ntk(x.all, {
        ...{ ...common, onProgress: ({ fraction }) => progress(0.8 * fraction) },
      })
      const full = await FullCurvature.of(kernel, curvature, common)
      progress(1)
      return new LaplacePosterior(network, x.all, structure, curvature, full)
    }
    const blocks = await blocksOf(network, x, structure, curvature, common, (fraction) =>
      progress(0.8 * fraction),
    )
    progress(1)
    return new LaplacePosterior(network, x.all, structure, curvature, blocks)
  }

  /**
   * The log marginal likelihood, to compare priors, noise, structures of networks and the layers that are free.
   * @throws TangentError `BAD_ARGUMENT` for wrong options.
   * @since 0.2.0
   * @example
   * ```js
   * import { buildMlp, LaplacePosterior, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.of(-1, 0, 1), shape: [3, 1] }
   * const y = { data: Float32Array.of(1, 0, 1), shape: [3, 1] }
   * const posterior = await LaplacePosterior.of(network, x, y)
   * const { log, logLikelihood } = await posterior.evidence({ noise: 0.5 })
   * console.log(log < logLikelihood)
   * await network.dispose()
   * // true
   * ```
   */
  async evidence(
    options: LaplaceSettings & { signal?: AbortSignal | undefined } = {},
  ): Promise<LaplaceEvidence> {
    checkCall(options)
    const precision = this.#precision(options)
    const { samples, outputs } = this
    const { loss, likelihood } = this.#curvature
    const noise = Math.sqrt(1 / precision.scale)
    const constant =
      likelihood === 'regression' ? samples * outputs * Math.log(noise * Math.sqrt(2 * Math.PI)) : 0
    const logLikelihood = -precision.scale * loss - constant
    const logDetRatio =
      this.#parts instanceof FullCurvature
        ? await this.#parts.logDetRatio(precision, options.signal)
        : await logDetRatioOf(this.#parts, precision, options.signal)
    const scatter = this.#squares * precision.prior
    return {
      log: logLikelihood - 0.5 * (logDetRatio + scatter),
      logLikelihood,
      logDetRatio,
      scatter,
    }
  }

  /**
   * The prior's precision of greatest evidence, and of regression the noise's standard deviation as well.
   * @throws TangentError `BAD_ARGUMENT` for wrong options.
   * @since 0.2.0
   * @example
   * ```js
   * import { buildMlp, LaplacePosterior, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.of(-1, 0, 1), shape: [3, 1] }
   * const y = { data: Float32Array.of(1, 0, 1), shape: [3, 1] }
   * const posterior = await LaplacePosterior.of(network, x, y)
   * const best = await posterior.choose()
   * console.log(best.log >= (await posterior.evidence()).log)
   * await network.dispose()
   * // true
   * ```
   */
  async choose(
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<{ priorPrecision: number; noise: number; log: number }> {
    checkCall(options)
    const { signal } = options
    const numbers = this.likelihood === 'regression'
    let best = { priorPrecision: 1, noise: 1, log: Number.NEGATIVE_INFINITY }
    const attempt = async (priorPrecision: number, noise: number) => {
      await pause(signal)
      const { log } = await this.evidence({ priorPrecision, noise, signal })
      if (log > best.log) best = { priorPrecision, noise, log }
    }
    // Along one and the other in turn, in ever smaller steps.
    for (let step = 2; step > 0.005; step /= 2) {
      for (let round = 0; round < 3; round += 1) {
        const { priorPrecision, noise, log } = best
        for (let k = -4; k <= 4; k += 1) await attempt(priorPrecision * Math.exp(k * step), noise)
        if (numbers) {
          const prior = best.priorPrecision
          for (let k = -4; k <= 4; k += 1) await attempt(prior, noise * Math.exp((k * step) / 2))
        }
        if (best.log === log) break
      }
    }
    return best
  }

  /**
   * The network's output and how unsure it is: J (H/σ² + I/τ²)⁻¹ Jᵀ at each sample.
   * @throws TangentError as {@link LaplacePosterior.of} does.
   * @since 0.2.0
   * @example
   * ```js
   * import { buildMlp, LaplacePosterior, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [8], outputs: 2 }))
   * const x = { data: Float32Array.of(-1, 0, 1), shape: [3, 1] }
   * const y = { data: Int32Array.of(1, 0, 1), shape: [3] }
   * const posterior = await LaplacePosterior.of(network, x, y, { structure: 'kron' })
   * const { probabilities } = await posterior.predict(x, { covariance: 'diagonal' })
   * console.log((probabilities.data[0] + probabilities.data[1]).toFixed(3))
   * await network.dispose()
   * // 1.000
   * ```
   */
  async predict(given: Inputs, options: LaplacePredictOptions = {}): Promise<LaplacePrediction> {
    checkCall(options)
    const precision = this.#precision(options)
    const full = oneOf(options.covariance, ['full', 'diagonal'] as const, 'options.covariance')
    const { priorPrecision: _, noise: __, covariance: ___, onProgress, ...common } = options
    const network = this.#network
    const { outputs } = this
    const x = await picker(network, heldInputs(given, 'x'), 'x', common)
    const { f } = await outputsOf(network, x.all, common)
    if (f.length !== x.samples * outputs) {
      throw mismatch('x', `samples of ${outputs} outputs`, `${f.length / x.samples}`)
    }
    const size = full === 'full' ? outputs * outputs : outputs
    const data =
      this.#parts instanceof FullCurvature
        ? await this.#fullCovariance(this.#parts, x, precision, full, common)
        : await blockCovariance(network, this.#parts, x, precision, size, { ...common, onProgress })
    const variance = (i: number, o: number) =>
      data[i * size + (full === 'full' ? o * (outputs + 1) : o)] as number
    return {
      mean: { data: f, shape: [x.samples, outputs] },
      covariance: {
        data,
        shape: full === 'full' ? [x.samples, outputs, outputs] : [x.samples, outputs],
      },
      probabilities:
        this.likelihood === 'classification' ? probit(f, x.samples, outputs, variance) : null,
    }
  }

  async #fullCovariance(
    parts: FullCurvature,
    x: Picker,
    precision: Precision,
    kind: 'full' | 'diagonal',
    common: CallOptions,
  ): Promise<Float64Array> {
    const cross = await this.#network.ntk(x.all, this.#x, common)
    const own = await selfKernel(this.#network, x.all, { ...common, kernel: 'full' })
    const all = await parts.covariance(cross, own.data, precision, common.signal)
    if (kind === 'full') return all
    const { outputs } = this
    return Float64Array.from({ length: x.samples * outputs }, (_, r) => {
      const [i, o] = [Math.floor(r / outputs), r % outputs]
      return all[(i * outputs + o) * outputs + o] as number
    })
  }

  #precision({ priorPrecision = 1, noise = 1 }: LaplaceSettings): Precision {
    for (const [name, value] of Object.entries({ priorPrecision, noise })) {
      if (!(typeof value === 'number' && value > 0 && Number.isFinite(value)))
        throw badArgument(`options.${name}`, 'a number above 0', value)
    }
    if (this.likelihood === 'classification' && noise !== 1) {
      throw badArgument('options.noise', 'none for classes', noise)
    }
    return { scale: 1 / (noise * noise), prior: priorPrecision }
  }
}

/**
 * Names of the parameters of the layer that the network uses last: those of a last-layer posterior.
 * @since 0.2.0
 * @example
 * ```js
 * import { buildMlp, lastLayer, Network } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [8], outputs: 2 }))
 * console.log(lastLayer(network).join(' '))
 * await network.dispose()
 * // dense2.weight dense2.bias
 * ```
 */
export function lastLayer(network: Network): string[] {
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  const { active, graph } = core.architecture
  const nodes = graph.native.nodes
  const place = ({ weight }: (typeof active)[number]) =>
    nodes.findLastIndex(({ inputs }) => inputs.includes(weight.id))
  const last = active.reduce<(typeof active)[number] | undefined>(
    (best, one) => (best && place(best) >= place(one) ? best : one),
    undefined,
  )
  const layer = last?.parameter.layer
  return active.flatMap(({ parameter }) => (parameter.layer === layer ? [parameter.name] : []))
}

/** ‖θ0‖² of the parameters that are not frozen. */
function squaresOf(network: Network): number {
  return network.parameters
    .filter(({ frozen }) => !frozen)
    .reduce((sum, { name }) => {
      const { data } = network.weight(name)
      return sum + data.reduce((all, value) => all + value * value, 0)
    }, 0)
}

async function logDetRatioOf(
  blocks: readonly Block[],
  { scale, prior }: Precision,
  signal: AbortSignal | undefined,
): Promise<number> {
  let sum = 0
  for (const { values, k } of blocks) {
    const row = (p: number) => {
      for (const value of values.subarray(p * k, (p + 1) * k))
        sum += Math.log1p((scale * Math.max(value, 0)) / prior)
    }
    // A logarithm takes as long as many numbers.
    await each(values.length / k, 16 * k, row, signal)
  }
  return sum
}

/** (N, O, O) or (N, O). */
async function blockCovariance(
  network: Network,
  blocks: readonly Block[],
  x: Picker,
  precision: Precision,
  size: number,
  { onProgress, ...common }: CallOptions,
): Promise<Float64Array> {
  const data = new Float64Array(x.samples * size)
  const progress = timed(onProgress)
  await eachFactors(network, x, common, async (found, first, count) => {
    for (const block of blocks) {
      const entry = found.get(block.name)
      if (!entry) throw new Error(`The features of ${block.name} are missing`)
      const own = factorsOf(block.name, entry)
      for (let i = 0; i < count; i += 1) {
        if (i > 0) await new Promise((resolve) => setImmediate(resolve))
        common.signal?.throwIfAborted()
        const at = (first + i) * size
        await addCovariance(block, own, i, precision, data.subarray(at, at + size), common)
      }
    }
    progress((first + count) / x.samples)
  })
  return data
}

function probit(
  f: Float64Array,
  samples: number,
  outputs: number,
  variance: (i: number, o: number) => number,
): NdArray<Float64Array> {
  const data = new Float64Array(f.length)
  for (let i = 0; i < samples; i += 1) {
    const at = i * outputs
    const scaled = Float64Array.from(
      { length: outputs },
      (_, o) => (f[at + o] as number) / Math.sqrt(1 + (Math.PI / 8) * variance(i, o)),
    )
    data.set(softmax(scaled), at)
  }
  return { data, shape: [samples, outputs] }
}
