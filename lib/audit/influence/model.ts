// Influence in the ridge model of fixed or adapted features: predictions with and without a sample.
import { badArgument } from '../../core/errors.js'
import { each } from '../../core/turns.js'
import { outputsOf, residualOf } from '../../fit/network.js'
import type { Floats, NdArray } from '../../io/index.js'
import type { DerivativeOptions } from '../../model/core.js'
import type { Inputs } from '../../model/inputs.js'
import { adaptedKernels, checkModel, fixedKernels, type Picker } from '../kernels.js'
import { checkMemory } from '../memory.js'
import { KernelPosterior } from '../posterior.js'
import { asked as askedOf } from '../queries.js'
import { chosenRidge } from '../ridge.js'
import { HeadNetwork } from './head-network.js'
import { type Head, headAt } from './heads.js'
import { queryLabels } from './labels.js'
import type { Influence, Task } from './types.js'

/** By the ridge model of fixed features: the head of its prediction with and without a sample. */
export async function byModel(task: Task): Promise<Influence> {
  const { network, core, method, options, x, y, query, progress } = task
  const { model } = options
  checkModel(model)
  const common = { ...task.common, outputs: model?.outputs }
  const found = await residualOf(network, x.all, y, common, ({ samples, chosen }) =>
    checkMemory(samples, chosen.length, core.budget(common)),
  )
  const { outputs, samples, targets, classes } = found
  const head = task.value?.head ?? options.head ?? (classes ? 'margin' : 'logit')
  if (typeof head === 'string' && head !== 'logit' && !classes)
    throw badArgument('options.head', "'logit' for numbers", head)
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
  const result: Influence = {
    ...{ scores: { data: scores, shape: [query.samples, samples] }, values, head, method },
    ...{ damping: ridge, sketch: null },
  }
  const together = Math.max(1, Math.floor(core.budget(common) / 8 / (40 * outputs * posterior.n)))
  const fraction = (done: number) => progress(0.6 + (0.4 * done) / query.samples)
  if (task.value) {
    await valueScores(task, posterior, together, result, fraction)
    return result
  }
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
      const { value } = headAt(head as Head, now, label)
      values[first + q] = value
      for (let j = 0; j < samples; j += 1) {
        const without = now.map(
          (output, o) => output - (parts.data[(q * outputs + o) * samples + j] as number),
        )
        scores[(first + q) * samples + j] = value - headAt(head as Head, without, label).value
      }
    }
    await each(count, samples * outputs * 8, one, signal)
    fraction(first + count)
  }
  return result
}

/**
 * Of a value v of the graph, to first order in the model's change of the weights as its predictions are:
 * v(x*) + J_v(x*) J_f(X)ᵀ α.
 */
async function valueScores(
  task: Task,
  posterior: KernelPosterior,
  together: number,
  { scores, values }: Influence,
  onDone: (done: number) => void,
): Promise<void> {
  const { network, value, method, common, x, query } = task
  if (!value) return
  const { samples, outputs } = posterior
  const { f } = await outputsOf(network, await query.take(0, 1), common)
  const parts = { outputs: f.length, value, joint: true }
  const heads = await HeadNetwork.of(network, parts)
  try {
    const train = heads.inputs(x, new Float64Array(samples * heads.width))
    await heads.check(
      heads.inputs(query, value.weights, true),
      value.weights,
      value.numbers,
      common,
    )
    const columns = [...Array.from({ length: outputs }, (_, o) => o), f.length]
    for (let first = 0; first < query.samples; first += together) {
      const count = Math.min(together, query.samples - first)
      const some: Pick<Picker, 'all' | 'samples'> = {
        all: await query.take(first, count),
        samples: count,
      }
      const weights = value.weights.slice(first * value.width, (first + count) * value.width)
      const ask = heads.inputs(some, weights, true)
      const data = await lastRows(heads, ask, train, columns, common)
      const rows = { data, rows: count, base: value.values.subarray(first, first + count) }
      const found = await askedOf(posterior, rows, {
        ...{ mean: true, signal: common.signal },
        [method === 'leave-one-out' ? 'influence' : 'representers']: true,
      })
      values.set(found.mean, first)
      scores.data.set(
        method === 'leave-one-out' ? found.influence : found.representers,
        first * samples,
      )
      onDone(first + count)
    }
  } finally {
    await heads.dispose()
  }
}

/** The scalar's row of each query with the columns of the outputs, (n2, N·O). */
async function lastRows(
  heads: HeadNetwork,
  ask: Inputs,
  train: Inputs,
  columns: readonly number[],
  common: DerivativeOptions,
): Promise<Float64Array> {
  const whole: NdArray<Floats> = await heads.network.ntk(ask, train, {
    ...{ ...common, outputs: columns },
  })
  const [count = 0, width = 1, samples = 0] = whole.shape
  const outputs = width - 1
  const rows = new Float64Array(count * samples * outputs)
  const one = (q: number) => {
    for (let j = 0; j < samples; j += 1) {
      const from = ((q * width + outputs) * samples + j) * width
      for (let o = 0; o < outputs; o += 1)
        rows[(q * samples + j) * outputs + o] = whole.data[from + o] as number
    }
  }
  await each(count, samples * width, one, common.signal)
  return rows
}
