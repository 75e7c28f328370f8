import { abortError } from '../core/abort.js'
import { badArgument, mismatch, oneOf } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { timed } from '../core/progress.js'
import { type NetworkModel, outputsOf, residualOf } from '../fit/network.js'
import { held, heldInputs } from '../io/held.js'
import type { Floats, NdArray } from '../io/index.js'
import { notNegative } from '../linear/checks.js'
import { type CallOptions, type Core, cores } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { type Head, HeadNetwork, headAt, headsOf, labelPlaces } from './heads.js'
import { adaptedKernels, checkModel, fixedKernels, type Picker, picker } from './kernels.js'
import { highest } from './labels.js'
import type { Block, Precision } from './laplace/blocks.js'
import { blocksOf } from './laplace/gather.js'
import { crossEntropyOf } from './laplace/likelihood.js'
import { checkMemory } from './memory.js'
import { type AdamMetric, checkAdam, metricProducts } from './metric.js'
import { KernelPosterior } from './posterior.js'
import { chosenRidge } from './ridge.js'
import { selfKernel } from './self.js'
import { each } from './small.js'

/** Ways to say what a training sample does to a query's head. */
export type InfluenceMethod = 'leave-one-out' | 'representer' | 'newton' | 'gradient' | 'cosine'

/** Options of {@link influence}. */
export interface InfluenceOptions extends CallOptions {
  /**
   * - `leave-one-out` (default): head(f(x*)) − head(f_{−j}(x*)) of the ridge model of fixed features, exactly.
   * - `representer`: head(f(x*)) − head(f(x*) − k*ᵀ_j α_j) of the same model.
   * - `newton`: a damped Newton step of the network's own margins, k*ᵀ(K + damping·I)⁻¹e_j (1 − p_j) with K the
   *   kernel of the margins' gradients (TRAK, Park et al. 2023, with exact features).
   * - `gradient`: what a step on the sample's cross-entropy does to the query's head, −⟨∇head, ∇loss⟩.
   * - `cosine`: the same over the sizes of both gradients.
   */
  method?: InfluenceMethod | undefined
  /** What of the query is asked for (default: `margin`; `logit` of targets that are numbers). */
  head?: Head | undefined
  /** Labels of the query (N2): whose logit, margin or loss (default: those predicted). */
  labels?: NdArray | undefined
  /** λ of the ridge model (default: `auto`, the one of least leave-one-out error, or that of `model`). */
  ridge?: number | 'auto' | undefined
  /**
   * Of `gradient` and `cosine`, in which the gradients are compared: `identity` (default); Adam's second moments
   * v, g/(√v + ε); `kron` or `diagonal`, (H + damping·I)⁻¹g with H the cross-entropy's generalised Gauss-Newton
   * matrix of all samples (with `gradient` the influence function, Koh & Liang 2017; Grosse et al. 2023).
   */
  metric?: 'identity' | 'kron' | 'diagonal' | AdamMetric | undefined
  /** A model that was fitted to x and y: its adapted features, given which the answer is exact. */
  model?: NetworkModel | undefined
  /**
   * Above 0. Of `newton` `auto` (default) is the mean diagonal of the margins' kernel: about where scores predict
   * trainings best, see docs/audit.md; of the metrics `kron` and `diagonal` a tenth of H's mean eigenvalue.
   */
  damping?: number | 'auto' | undefined
}

/** What {@link influence} found. */
export interface Influence {
  /** (N2, N): above 0 where the sample raises the query's head. */
  scores: NdArray<Float64Array>
  /** The query's head as it is, (N2). */
  values: Float64Array
  head: Head
  method: InfluenceMethod
  /** The ridge or the damping that was used; null where there is none. */
  damping: number | null
}

/**
 * What every training sample does to a head of every query.
 * @param x N training samples
 * @param y their classes (N); of `leave-one-out` and `representer` numbers (N, O) as well, for heads `logit`
 * @param query N2 samples
 * @throws TangentError as {@link audit} does.
 * @since 0.2.0
 * @example
 * ```js
 * import { buildMlp, influence, Network } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [32], outputs: 2 }))
 * const x = { data: Float32Array.from({ length: 20 }, (_, i) => i / 10 - 0.95), shape: [20, 1] }
 * const y = { data: Int32Array.from(x.data, (value) => Number(value > 0)), shape: [20] }
 * const query = { data: Float32Array.of(0.9), shape: [1, 1] }
 * const labels = { data: Int32Array.of(1), shape: [1] }
 * const { scores } = await influence(network, x, y, query, { method: 'cosine', labels })
 *
 * // A sample near the query, of its label, speaks for it.
 * console.log(scores.shape.join(' × '), scores.data[17] > 0)
 * await network.dispose()
 * // 1 × 20 true
 * ```
 */
export async function influence(
  network: Network,
  x: Inputs,
  y: NdArray,
  query: Inputs,
  options: InfluenceOptions = {},
): Promise<Influence> {
  checkCall(options)
  const core = cores.get(network) as Core | undefined
  if (!core) throw badArgument('network', 'a Network', network)
  const method = oneOf(
    options.method,
    ['leave-one-out', 'representer', 'newton', 'gradient', 'cosine'] as const,
    'options.method',
  )
  if (options.head !== undefined)
    oneOf(options.head, ['logit', 'margin', 'cross-entropy'] as const, 'options.head')
  for (const name of ['ridge', 'damping'] as const) {
    const value = options[name]
    if (value !== undefined && value !== 'auto') notNegative(`options.${name}`, value)
  }
  const { metric } = options
  if (typeof metric !== 'object' || metric === null)
    oneOf(metric as undefined, ['identity', 'kron', 'diagonal'] as never, 'options.metric')
  if (
    metric !== undefined &&
    metric !== 'identity' &&
    method !== 'gradient' &&
    method !== 'cosine'
  ) {
    throw badArgument('options.metric', `none with the method ${method}`, metric)
  }
  if (options.damping === 0) throw badArgument('options.damping', 'a number above 0', 0)
  const { signal, threads, memory, onProgress } = options
  const common = { signal, threads, memory }
  const task: Task = {
    ...{ network, core, method, common, options },
    x: await picker(network, heldInputs(x, 'x'), 'x', common),
    y: held(y, 'y'),
    query: await picker(network, heldInputs(query, 'query'), 'query', common),
    labels: held(options.labels, 'options.labels'),
    progress: timed(onProgress),
  }
  const ofModel = method === 'leave-one-out' || method === 'representer'
  const found = await (ofModel ? byModel(task) : byGradients(task))
  task.progress(1)
  return found
}

interface Task {
  network: Network
  core: Core
  method: InfluenceMethod
  common: CallOptions
  options: InfluenceOptions
  x: Picker
  y: NdArray
  query: Picker
  labels: NdArray | undefined
  progress(fraction: number): void
}

/** Labels of the query's samples from `first` on: given, or those of their outputs f. */
function queryLabels(
  { labels, query }: Task,
  f: Float64Array,
  outputs: number,
  pair: readonly number[] | undefined,
  first = 0,
): readonly number[] {
  const count = f.length / outputs
  if (labels) {
    const { places } = labelPlaces(labels, query.samples, outputs, 'options.labels', pair)
    return places.slice(first, first + count)
  }
  return Array.from({ length: count }, (_, q) => {
    if (outputs === 1) return pair && (f[q] as number) < 0 ? -1 : 1
    return highest(f.subarray(q * outputs, (q + 1) * outputs))
  })
}

/** By the ridge model of fixed features: the head of its prediction with and without a sample. */
async function byModel(task: Task): Promise<Influence> {
  const { network, core, method, options, x, y, query, progress } = task
  const { model } = options
  checkModel(model)
  const common = { ...task.common, outputs: model?.outputs }
  const found = await residualOf(network, x.all, y, common, ({ samples, chosen }) =>
    checkMemory(samples, chosen.length, core.budget(common)),
  )
  const { outputs, samples, targets, classes } = found
  const head = options.head ?? (classes ? 'margin' : 'logit')
  if (head !== 'logit' && !classes) throw badArgument('options.head', "'logit' for numbers", head)
  const source = model
    ? adaptedKernels(network, model, x.all, common)
    : fixedKernels(network, x.all, common)
  const kernel = await source.own()
  progress(0.3)
  const { ridge } = await chosenRidge(
    kernel,
    found,
    options.ridge ?? model?.model.ridge,
    common.signal,
  )
  const base = targets.map((value, r) => value - (found.residual[r] as number))
  const { signal, threads } = common
  const posterior = await KernelPosterior.of(kernel, targets, { base, ridge, signal, threads })
  progress(0.6)
  const scores = new Float64Array(query.samples * samples)
  const values = new Float64Array(query.samples)
  const together = Math.max(1, Math.floor(core.budget(common) / 8 / (40 * outputs * posterior.n)))
  for (let first = 0; first < query.samples; first += together) {
    const some = await query.take(first, together)
    const cross = await source.cross(some)
    const { f: own } = await outputsOf(network, some, common)
    const { data: f } = await posterior.predict(cross, { base: own, signal })
    const parts =
      method === 'leave-one-out'
        ? await posterior.influence(cross, { signal })
        : await posterior.representers(cross, { signal })
    const count = f.length / outputs
    const labels = queryLabels(task, f, outputs, classes, first)
    const one = (q: number) => {
      const now = f.subarray(q * outputs, (q + 1) * outputs)
      const label = labels[q] as number
      const { value } = headAt(head, now, label)
      values[first + q] = value
      for (let j = 0; j < samples; j += 1) {
        const without = now.map(
          (output, o) => output - (parts.data[(q * outputs + o) * samples + j] as number),
        )
        scores[(first + q) * samples + j] = value - headAt(head, without, label).value
      }
    }
    await each(count, samples * outputs * 8, one, signal)
    progress(0.6 + (0.4 * (first + count)) / query.samples)
  }
  const shape = [query.samples, samples]
  return { scores: { data: scores, shape }, values, head, method, damping: ridge }
}

/** By gradients of heads of the network itself. */
async function byGradients(task: Task): Promise<Influence> {
  const { network, method, common, options, x, y, query, progress } = task
  const { f } = await outputsOf(network, x.all, common)
  const outputs = f.length / x.samples
  const { places, pair } = labelPlaces(y, x.samples, outputs, 'y')
  const { f: asked } = await outputsOf(network, query.all, common)
  const head = options.head ?? 'margin'
  const labels = queryLabels(task, asked, outputs, outputs === 1 ? pair : undefined)
  const own = headsOf(method === 'newton' ? 'margin' : 'cross-entropy', f, places)
  const other = headsOf(head, asked, labels)
  const heads = await HeadNetwork.of(network, outputs)
  try {
    const train = heads.inputs(x, own.cotangents, outputs)
    const ask = heads.inputs(query, other.cotangents, outputs)
    const shape = [query.samples, x.samples]
    const result = (data: Float64Array, damping: number | null): Influence => {
      return { scores: { data, shape }, values: other.values, head, method, damping }
    }
    if (method === 'newton') {
      const cross = await heads.network.ntk(ask, train, common)
      progress(0.4)
      const kernel = await heads.network.ntk(train, common)
      progress(0.7)
      const rest = own.probabilities.map((p) => 1 - p)
      const { data, damping } = await newton(kernel, cross, rest, options.damping, common)
      return result(data, damping)
    }
    const { products, sizes, damping } = await compared(task, heads, f, places, { ask, train })
    const data = products.map((value) => -value)
    if (method === 'gradient') return result(data, damping)
    const [a, b] = [await sizes(ask, query.samples), await sizes(train, x.samples)]
    return result(
      data.map((value, e) => {
        const size = Math.sqrt(
          (a[Math.floor(e / x.samples)] as number) * (b[e % x.samples] as number),
        )
        return size > 0 ? value / size : 0
      }),
      damping,
    )
  } finally {
    await heads.dispose()
  }
}

/** Inner products of gradients in the metric that is asked for, and gradients' own squared sizes. */
async function compared(
  { core, network, x, query, common, options, progress }: Task,
  heads: HeadNetwork,
  f: Float64Array,
  places: readonly number[],
  { ask, train }: { ask: Inputs; train: Inputs },
): Promise<{
  products: Float64Array
  sizes(inputs: Inputs, count: number): Promise<Float64Array>
  damping: number | null
}> {
  const { metric = 'identity' } = options
  if (metric === 'identity') {
    const cross = await heads.network.ntk(ask, train, common)
    const sizes = async (inputs: Inputs) => {
      const own = await selfKernel(heads.network, inputs, { ...common, kernel: 'trace' })
      return Float64Array.from(own.data)
    }
    return { products: Float64Array.from(cross.data), sizes, damping: null }
  }
  let [own, precision, damping]: [readonly Block[] | AdamMetric, Precision, number | null] = [
    metric as AdamMetric,
    { scale: 1, prior: 0 },
    null,
  ]
  if (metric === 'kron' || metric === 'diagonal') {
    const curvature = crossEntropyOf(f, places)
    const blocks = await blocksOf(network, x, metric, curvature, common, (fraction) =>
      progress(0.5 * fraction),
    )
    const { damping: given } = options
    damping = typeof given === 'number' ? given : meanEigenvalue(blocks) / 10
    own = blocks
    precision = { scale: 1, prior: damping }
  } else
    checkAdam(
      metric,
      core.architecture.active.map(({ parameter }) => parameter),
    )
  const headCore = cores.get(heads.network) as Core
  const between = (rows: Inputs, columns: Inputs, counts: [number, number]) =>
    metricProducts({ core: headCore, rows, columns, counts }, own, precision, common)
  return {
    products: await between(ask, train, [query.samples, x.samples]),
    sizes: async (inputs, count) => {
      const all = await between(inputs, inputs, [count, count])
      return Float64Array.from({ length: count }, (_, i) => all[i * (count + 1)] as number)
    },
    damping,
  }
}

function meanEigenvalue(blocks: readonly Block[]): number {
  const count = blocks.reduce((sum, { values }) => sum + values.length, 0)
  const sum = blocks.reduce((all, { values }) => all + values.reduce((a, b) => a + b, 0), 0)
  if (!(sum > 0)) throw mismatch('x', 'samples whose loss has curvature', 'none of them')
  return sum / count
}

/** k*ᵀ(K + λI)⁻¹ diag(1 − p). */
async function newton(
  kernel: NdArray<Floats>,
  cross: NdArray<Floats>,
  rest: Float64Array,
  given: number | 'auto' | undefined,
  { signal, threads }: CallOptions,
): Promise<{ data: Float64Array; damping: number }> {
  const n = rest.length
  const trace = rest.reduce((sum, _, i) => sum + (kernel.data[i * (n + 1)] as number), 0)
  if (!(trace > 0)) throw mismatch('x', 'samples whose margins have gradients', 'none of them')
  const damping = typeof given === 'number' ? given : trace / n
  const gram = { data: kernel.data, shape: [n, n] }
  const posterior = await KernelPosterior.of(gram, rest, { ridge: damping, signal, threads })
  if (signal?.aborted) throw abortError(signal)
  const rows = cross.data.length / n
  const columns = new Float64Array(n * rows)
  for (let q = 0; q < rows; q += 1)
    for (let j = 0; j < n; j += 1) columns[j * rows + q] = cross.data[q * n + j] as number
  const solved = await posterior.factor.solve(columns)
  const data = new Float64Array(rows * n)
  for (let q = 0; q < rows; q += 1)
    for (let j = 0; j < n; j += 1)
      data[q * n + j] = (solved[j * rows + q] as number) * (rest[j] as number)
  return { data, damping }
}
