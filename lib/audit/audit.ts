import { badArgument, mismatch } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { timed } from '../core/progress.js'
import { type NetworkModel, residualOf } from '../fit/network.js'
import { held, heldInputs } from '../io/held.js'
import type { Floats, NdArray } from '../io/index.js'
import { notNegative } from '../linear/checks.js'
import { type Core, cores, type DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { software } from '../probe/software.js'
import { adaptedKernels, checkModel, fixedKernels, type KernelSource, picker } from './kernels.js'
import { labelsOf } from './labels.js'
import { checkMemory } from './memory.js'
import { duplicatesOf, nearestOf, outliers, traceOf } from './neighbours.js'
import { KernelPosterior } from './posterior.js'
import { queryOf } from './query.js'
import { type AuditRidge, chosenRidge } from './ridge.js'
import { meansOf } from './small.js'
import type { Audit, AuditSamples } from './types.js'

/** Options of {@link audit}. */
export interface AuditOptions
  extends Omit<DerivativeOptions, 'nonFinite' | 'block' | 'outputBlock'> {
  /**
   * λ ≥ 0, or `auto` (default): the one of least leave-one-out error, or that of `model`. Where there are
   * many rows, of some of the samples and of the kernel's mean over the outputs; `choice` tells.
   */
  ridge?: number | 'auto' | undefined
  /** Samples that the model is asked about. */
  query?: Inputs | undefined
  /** A model that was fitted to x and y: the audit is of its adapted features (default: fixed features). */
  model?: NetworkModel | undefined
  /** Pairs below this many median distances to the nearest neighbour are near-duplicates (default: 0.25). */
  duplicates?: number | undefined
}

/**
 * Which targets the other samples contradict, which samples are nearly the same, which stand alone, how far
 * other samples (`query`) are from all of these, and which training samples each prediction rests on: all from
 * one factorisation of the tangent kernel plus a ridge (METHOD.md, section 8).
 * @param samples N samples
 * @param targets as of `fitFixed`: integers (N) are classes, else numbers (N, O)
 * @throws TangentError as {@link fitFixed} and {@link Network.ntk} do; NUMERICAL for a ridge that is too small.
 * @since 0.2.0
 * @example
 * ```js
 * import { audit, buildMlp, Network } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [32], outputs: 2 }))
 * const x = { data: Float32Array.from({ length: 20 }, (_, i) => i / 10 - 0.95), shape: [20, 1] }
 *
 * // Right of 0 is class 1, but for a mistake.
 * const y = { data: Int32Array.from(x.data, (value) => Number(value > 0)), shape: [20] }
 * y.data[15] = 0
 * const { labels } = await audit(network, x, y)
 * console.log(labels.order[0], labels.given[15], labels.predicted[15])
 * await network.dispose()
 * // 15 0 1
 * ```
 */
export async function audit(
  network: Network,
  samples: Inputs,
  targets: NdArray,
  options: AuditOptions = {},
): Promise<Audit> {
  checkCall(options)
  const { model, ridge, signal, onProgress, threads, memory, duplicates = 0.25 } = options
  if (ridge !== 'auto' && ridge !== undefined) notNegative('options.ridge', ridge)
  notNegative('options.duplicates', duplicates)
  const core = cores.get(network) as Core | undefined
  if (!core) throw badArgument('network', 'a Network', network)
  checkModel(model)
  if (model && options.outputs !== undefined) {
    throw badArgument('options.outputs', 'none, as the model has its own', options.outputs)
  }
  const given = heldInputs(samples, 'x')
  const y = held(targets, 'y')
  const query = heldInputs(options.query, 'query')
  const outputs = model ? model.outputs : options.outputs
  const common = { signal, threads, memory, outputs }
  const budget = core.budget(options)
  // A stream of blocks can be read once only.
  const { all: x } = await picker(network, given, 'x', common)
  const found = await residualOf(network, x, y, common, ({ samples: n, chosen }) =>
    checkMemory(n, chosen.length, budget),
  )
  if (found.classes && found.classes.length < 2) {
    throw mismatch('y', 'labels of two classes or more', `${found.classes[0]} for all samples`)
  }
  // What would fail after the work should fail before it.
  const asked = query && (await picker(network, query, 'query', common))
  const progress = timed(onProgress)
  const source: KernelSource = model
    ? adaptedKernels(network, model, x, common)
    : fixedKernels(network, x, {
        ...common,
        onProgress: ({ fraction }) => progress(0.3 * fraction),
      })
  const kernel = await source.own()
  progress(0.3)
  const chosen: AuditRidge = await chosenRidge(kernel, found, ridge ?? model?.model.ridge, signal)
  progress(0.4)
  const base = found.targets.map((value, r) => value - (found.residual[r] as number))
  const posterior = await KernelPosterior.of(kernel, found.targets, {
    ...{ base, ridge: chosen.ridge, signal, threads },
  })
  progress(0.6)
  const left = await posterior.leaveOneOut({ signal })
  progress(0.75)
  const n: [number, number] = [found.samples, found.outputs]
  const { train, self } = await samplesOf(kernel, posterior, n, duplicates, signal)
  progress(0.8)
  const columns = outputs ?? Array.from({ length: found.outputs }, (_, o) => o)
  const marks = found.classes && Array.from(y.data as ArrayLike<number | bigint>, Number)
  const evidence = posterior.evidence()
  const deviation = meansOf(left.variance.data, found.outputs).map((value) =>
    Math.sqrt(evidence.prior * value + evidence.noise),
  )
  const labels = labelsOf(
    { classes: found.classes, given: marks, columns, targets: found.targets, deviation },
    left.predictions,
    left.residuals,
  )
  const answers =
    asked &&
    (await queryOf(network, posterior, source, asked, {
      ...{ self, variance: left.variance.data, budget, common },
      onFraction: (fraction) => progress(0.8 + 0.2 * fraction),
    }))
  progress(1)
  return {
    kind: 'adaptive-tangent/audit',
    version: 1,
    created: new Date().toISOString(),
    software: software(),
    samples: found.samples,
    outputs: found.outputs,
    chosen: outputs ? [...outputs] : null,
    features: model && model.model.largestStretch > 1 ? 'adaptive' : 'fixed',
    leaveOneOut: exactness(model),
    ridge: chosen.ridge,
    choice: chosen.choice,
    evidence,
    labels,
    train,
    query: answers ?? null,
  }
}

function exactness(model: NetworkModel | undefined): Audit['leaveOneOut'] {
  if (!model || model.model.largestStretch <= 1) {
    return { exact: true, note: 'Leave-one-out is exact: the features are fixed.' }
  }
  return {
    exact: false,
    note: 'Leave-one-out is conditional on the adapted features, which have seen the targets of all samples: residuals are smaller than those of models that were fitted again without each sample.',
  }
}

/** What the kernel says of the training samples, and k(x, x) of each. */
async function samplesOf(
  { data }: NdArray<Floats>,
  posterior: KernelPosterior,
  [samples, outputs]: readonly [number, number],
  limit: number,
  signal: AbortSignal | undefined,
): Promise<{ train: AuditSamples; self: Float64Array }> {
  const trace = await traceOf(data, [samples, samples, outputs], signal)
  const self = Float64Array.from({ length: samples }, (_, i) => trace[i * samples + i] as number)
  const { nearest, similarity } = await nearestOf(trace, self, self, true, signal)
  const pairs = await duplicatesOf(trace, self, similarity, limit, signal)
  const { variance } = await posterior.leaveOneOut({ signal })
  const means = meansOf(variance.data, outputs)
  const support = means.map((value, i) => {
    const size = self[i] as number
    return size > 0 ? 1 - (outputs * value) / size : 0
  })
  const train = {
    leverage: await posterior.leverage({ signal }),
    variance,
    support,
    unsupported: outliers(means),
    nearest,
    similarity,
    duplicates: pairs,
  }
  return { train, self }
}
