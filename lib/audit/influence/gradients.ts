// Influence by gradients of heads of the network itself, the mean of its checkpoints.
import { CheckpointReader } from '../../alignment/checkpoints.js'
import { abortError } from '../../core/abort.js'
import { badArgument, mismatch } from '../../core/errors.js'
import { roomBeside } from '../../core/memory.js'
import { each } from '../../core/turns.js'
import { outputsOf } from '../../fit/network.js'
import type { Floats, NdArray } from '../../io/index.js'
import { transposed } from '../../linear/transpose.js'
import { type CallOptions, type Core, cores } from '../../model/core.js'
import type { Inputs } from '../../model/inputs.js'
import type { Block, Precision } from '../laplace/blocks.js'
import { blocksOf } from '../laplace/gather.js'
import { crossEntropyOf } from '../laplace/likelihood.js'
import { checkMemory, checkSketches } from '../memory.js'
import { KernelPosterior } from '../posterior.js'
import { selfKernel } from '../self.js'
import { HeadNetwork } from './head-network.js'
import { type Head, headsOf, labelPlaces } from './heads.js'
import { queryLabels } from './labels.js'
import { type AdamMetric, checkAdam, metricProducts } from './metric.js'
import { sketched, sketchSize } from './sketched.js'
import type { Influence, Task } from './types.js'
import { askedValue } from './value.js'

/** What is the same for all checkpoints. */
interface Asked {
  outputs: number
  /** Of the training samples, as places of outputs. */
  places: readonly number[]
  /** Of the queries. */
  labels: readonly number[]
}

/** What the heads of one checkpoint say. */
type One = Pick<Influence, 'damping' | 'sketch'> & { data: Float64Array; values: Float64Array }

export async function byGradients(task: Task): Promise<Influence> {
  const { network, core, common, method, options, x, y, query, value } = task
  const budget = core.budget(common)
  if (method === 'newton') checkMemory(x.samples, 1, budget, newtonAdvice)
  if (method === 'trak') checkSketches(x.samples, options.sketch?.size ?? sketchSize, budget)
  const { f } = await outputsOf(network, x.all, common)
  const outputs = f.length / x.samples
  const { places, pair } = labelPlaces(y, x.samples, outputs, 'y')
  const { f: own } = await outputsOf(network, query.all, common)
  const two = outputs === 1 ? pair : undefined
  const labels = value ? [] : queryLabels(task, own, outputs, two)
  checkRoom(task, outputs)
  const asked: Asked = { outputs, places, labels }
  const head = value?.head ?? options.head ?? 'margin'
  const shape = [query.samples, x.samples]
  const result = ({ data, ...rest }: One): Influence => ({
    ...{ scores: { data, shape }, head, method },
    ...rest,
  })
  const { checkpoints } = options
  if (checkpoints === undefined) return result(await scoresOf(task, asked))
  return result(await averaged(task, asked, checkpoints))
}

const newtonAdvice = "method 'trak' needs less; a larger budget makes room"

/** Cotangents of the outputs and of the value, for all samples. */
function checkRoom({ value, x, query, core, common }: Task, outputs: number): void {
  if (!value) return
  const numbers = (x.samples + query.samples) * (outputs + value.width)
  const advice = () => 'fewer samples or a smaller value make room'
  roomBeside(4 * numbers, core.budget(common), `A value of ${value.width} numbers as head`, advice)
}

async function averaged(
  task: Task,
  asked: Asked,
  checkpoints: NonNullable<Task['options']['checkpoints']>,
): Promise<One> {
  const { network, query, options, labels, value, common, progress } = task
  const reader = new CheckpointReader(network, checkpoints)
  const all = Array.isArray(checkpoints) ? checkpoints.length : undefined
  let [sum, count]: [One | undefined, number] = [undefined, 0]
  try {
    for (;;) {
      const next = await reader.next()
      if (!next) break
      const done = count
      try {
        const own: Task = {
          ...{ ...task, network: next.network, core: cores.get(next.network) as Core },
          value: value && (await askedValue(next.network, query, value.head, labels, common)),
          progress: (fraction) => progress(all ? (done + fraction) / all : 0),
        }
        const one = await scoresOf(own, asked)
        sum = sum ? added(sum, one) : one
      } finally {
        if (next.own) await next.network.dispose()
      }
      count += 1
    }
  } finally {
    await reader.close()
  }
  if (!sum) throw badArgument('options.checkpoints', 'one checkpoint or more', options.checkpoints)
  return {
    ...sum,
    data: sum.data.map((one) => one / count),
    values: sum.values.map((one) => one / count),
    damping: sum.damping === null ? null : sum.damping / count,
  }
}

function added(a: One, b: One): One {
  const plus = (p: Float64Array, q: Float64Array) => p.map((one, e) => one + (q[e] as number))
  const worse = (b.sketch?.error?.offDiagonal ?? 0) > (a.sketch?.error?.offDiagonal ?? 0)
  return {
    data: plus(a.data, b.data),
    values: plus(a.values, b.values),
    damping: a.damping === null || b.damping === null ? null : a.damping + b.damping,
    sketch: worse ? b.sketch : a.sketch,
  }
}

/** Of one network. */
async function scoresOf(task: Task, { outputs, places, labels }: Asked): Promise<One> {
  const { network, method, common, options, x, query, value, progress } = task
  const { f } = await outputsOf(network, x.all, common)
  const { f: askedAt } = await outputsOf(network, query.all, common)
  const solved = method === 'newton' || method === 'trak'
  const own = headsOf(solved ? 'margin' : 'cross-entropy', f, places)
  const other = value
    ? { values: value.values, cotangents: value.weights, numbers: value.numbers }
    : { ...headsOf((options.head as Head) ?? 'margin', askedAt, labels), numbers: askedAt }
  const heads = await HeadNetwork.of(network, { outputs, value })
  try {
    const train = heads.inputs(x, own.cotangents)
    const ask = heads.inputs(query, other.cotangents, value !== undefined)
    await heads.check(train, own.cotangents, f, common)
    await heads.check(ask, other.cotangents, other.numbers, common)
    const { values } = other
    if (solved) {
      const rest = own.probabilities.map((p) => 1 - p)
      const { damping } = options
      if (method === 'trak') {
        const inputs = { network: heads.network, train, ask }
        const found = await sketched(inputs, x.samples, options, {
          ...common,
          onFraction: progress,
        })
        const data = await weighted(found.data, rest, common)
        return { data, values, damping: found.damping, sketch: found.sketch }
      }
      const cross = await heads.network.ntk(ask, train, common)
      progress(0.4)
      const kernel = await heads.network.ntk(train, common)
      progress(0.7)
      const found = await newton(kernel, cross, rest, damping, common)
      return { ...found, values, sketch: null }
    }
    const { products, sizes, damping } = await compared(task, heads, f, places, { ask, train })
    const data = products.map((product) => -product)
    if (method === 'gradient') return { data, values, damping, sketch: null }
    const [a, b] = [await sizes(ask, query.samples), await sizes(train, x.samples)]
    const one = (q: number) => {
      for (let j = 0; j < x.samples; j += 1) {
        const size = Math.sqrt((a[q] as number) * (b[j] as number))
        const at = q * x.samples + j
        data[at] = size > 0 ? (data[at] as number) / size : 0
      }
    }
    await each(query.samples, x.samples, one, common.signal)
    return { data, values, damping, sketch: null }
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
  common: CallOptions,
): Promise<{ data: Float64Array; damping: number }> {
  const { signal, threads } = common
  const n = rest.length
  const trace = rest.reduce((sum, _, i) => sum + (kernel.data[i * (n + 1)] as number), 0)
  if (!(trace > 0)) throw mismatch('x', 'samples whose margins have gradients', 'none of them')
  const damping = typeof given === 'number' ? given : trace / n
  const gram = { data: kernel.data, shape: [n, n] }
  const posterior = await KernelPosterior.of(gram, rest, { ridge: damping, signal, threads })
  if (signal?.aborted) throw abortError(signal)
  const rows = cross.data.length / n
  const columns = await transposed(cross.data, rows, n, signal)
  const solved = await posterior.factor.solve(columns)
  return { data: await weighted(await transposed(solved, n, rows, signal), rest, common), damping }
}

/** Rows of scores times 1 − p of each sample, in place. */
async function weighted(
  data: Float64Array,
  rest: Float64Array,
  { signal }: CallOptions,
): Promise<Float64Array> {
  const n = rest.length
  const row = (q: number) => {
    for (let j = 0; j < n; j += 1)
      data[q * n + j] = (data[q * n + j] as number) * (rest[j] as number)
  }
  await each(data.length / n, n, row, signal)
  return data
}
