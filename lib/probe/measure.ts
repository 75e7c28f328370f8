import { setImmediate as breathe } from 'node:timers/promises'
import { TangentError } from '../core/errors.js'
import { printable } from '../core/printable.js'
import type { NdArray } from '../io/index.js'
import { TangentKernel } from '../kernels/kernel.js'
import type { Network } from '../network/network.js'
import type { ValueInfo } from '../onnx/index.js'
import { compareAdaptive } from './adaptive.js'
import { classLimit, classMeans, classSums, withinAndBetween } from './classes.js'
import { layerGraph } from './graph.js'
import {
  alignments,
  combined,
  estimate,
  type LeftOut,
  meanOf,
  type ProbeEstimate,
  sumOf,
} from './left-out.js'
import type { MeasurePlan } from './plan.js'
import { rasterise } from './raster.js'
import { eigenvectorsOf, type MeasuredSpectrum, spectrumOf, vectorsFit } from './spectrum.js'
import type { ProbeAlignment, ProbeLayer, ProbeNetwork, ProbeValue } from './types.js'

/** A network by the name under which the report shows it. */
export interface ProbeSubject {
  name: string
  network: Network
  file?: string | null
}

/** Everything that the report says of one network. */
export async function measure(subject: ProbeSubject, plan: MeasurePlan): Promise<ProbeNetwork> {
  const start = performance.now()
  const { network, name, file = null } = subject
  const { x, options, samples } = plan
  const progress = (from: number, to: number) => ({
    onProgress: ({ fraction }: { fraction: number }) =>
      plan.onProgress?.(from + (to - from) * fraction),
  })
  const output = await network.run(x, pick(options))
  const outputs = options.outputs?.length ?? output.data.length / samples
  const byLayer = await network.ntk(x, {
    ...options,
    ...progress(0, 0.5),
    kernel: 'trace',
    by: 'layer',
  })
  const total = await summed([...byLayer.values()], samples)
  const trace = total.trace()
  const layers: ProbeLayer[] = []
  const estimates = new Estimates(plan)
  const diagonal = diagonalOf(total, samples)
  const traces = sumOf(diagonal)
  for (const [layer, kernel] of byLayer) {
    await breathe()
    options.signal?.throwIfAborted()
    const parameters = network.parameters.filter((one) => one.layer === layer && !one.frozen)
    const aligned = await alignment(kernel, plan)
    const own = sumOf(diagonalOf(kernel, samples))
    layers.push({
      name: printable(layer),
      parameters: parameters.map(({ label }) => printable(label)),
      count: sum(parameters.map(({ count }) => count)),
      trace: kernel.trace(),
      share: trace > 0 ? kernel.trace() / trace : 0,
      alignment: valuesOf(aligned),
      estimates: estimates.of(`layer ${layer} `, { ...aligned, share: shareOf(own, traces) }),
      raster: rasterise(kernel.data, plan.order, plan.cells.layer),
    })
  }
  const { gram, trace: traced } = await spectra(total, outputs, plan, () =>
    network.ntk(x, { ...options, ...progress(0.5, 0.9), kernel: 'full' }),
  )
  await breathe()
  const aligned = await alignment(total, plan)
  const right = hits(output, plan)
  const seen = await byClass(total, plan)
  const compared = await compareAdaptive(network, outputs, plan, plan.adaptiveRows)
  plan.onProgress?.(1)
  const frozen = network.parameters.filter((one) => one.frozen)
  return {
    name: printable(name),
    file: file && printable(file),
    inputs: network.inputs.map(declared),
    output: declared(network.outputs.find((one) => one.name === network.output) as ValueInfo),
    outputs,
    parameterCount: sum(layers.map(({ count }) => count)),
    frozenCount: sum(frozen.map(({ count }) => count)),
    operators: [...network.operators]
      .map(([operator, count]) => ({ name: printable(operator), count }))
      .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1)),
    accuracy: right && sum(right) / samples,
    layers,
    trace,
    alignment: valuesOf(aligned),
    estimates: estimates.of('', {
      ...aligned,
      trace: traces,
      traceRatio: estimates.ratio('trace', traces),
      effectiveRank: gram.logRank && combined([gram.logRank], Math.exp),
      accuracy: right && meanOf(right),
      ...seen?.means,
      gap: seen?.means && combined([seen.means.within, seen.means.between], (a, b) => a - b),
    }),
    classes: seen?.classes ?? null,
    pairs: seen?.means
      ? { within: seen.means.within.value, between: seen.means.between.value }
      : null,
    graph: layerGraph(network),
    eigenvectors: traced ? eigenvectorsOf(traced, plan.labels) : [],
    raster: rasterise(total.data, plan.order, plan.cells.whole),
    spectrum: gram.spectrum,
    adaptive: typeof compared === 'string' ? null : compared,
    adaptiveMissing: typeof compared === 'string' ? printable(compared) : null,
    method: options.method ?? 'auto',
    seconds: (performance.now() - start) / 1000,
  }
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

const pick = ({ threads, memory, signal }: MeasurePlan['options']) => ({ threads, memory, signal })

function declared({ name, type, typeName, shape }: ValueInfo): ProbeValue {
  return { name: printable(name), type: type ?? typeName, shape }
}

/** The layers' kernels added up in float64. */
async function summed(kernels: readonly TangentKernel[], samples: number): Promise<TangentKernel> {
  const total = new Float64Array(samples * samples)
  for (const { data } of kernels) {
    await breathe()
    for (let e = 0; e < total.length; e++) total[e] = (total[e] as number) + (data[e] as number)
  }
  return new TangentKernel(Float32Array.from(total), [samples, samples], 'trace', true)
}

type Aligned = Awaited<ReturnType<typeof alignments>>

/** Null without a target, and for a kernel that is zero and has no direction. */
async function alignment(kernel: TangentKernel, plan: MeasurePlan): Promise<Aligned | null> {
  if (!plan.targetSums || kernel.data.every((value) => value === 0)) return null
  return alignments(kernel.data, plan.targetSums)
}

const valuesOf = (aligned: Aligned | null): ProbeAlignment | null =>
  aligned && { cosine: aligned.cosine.value || 0, centred: aligned.centred.value || 0 }

const diagonalOf = ({ data }: TangentKernel, samples: number) =>
  Float64Array.from({ length: samples }, (_, i) => data[i * samples + i] as number)

const shareOf = (part: LeftOut, whole: LeftOut) =>
  combined([part, whole], (a, b) => (b > 0 ? a / b : 0))

/** Standard errors of one network's numbers, and of their differences to the first network's. */
class Estimates {
  readonly #first: MeasurePlan['first']
  readonly #isFirst: boolean

  constructor({ first }: MeasurePlan) {
    this.#first = first
    this.#isFirst = first.size === 0
  }

  of<Q extends string>(
    prefix: string,
    quantities: Partial<Record<Q, LeftOut | null | undefined>>,
  ): Partial<Record<Q, ProbeEstimate>> {
    const found: Partial<Record<Q, ProbeEstimate>> = {}
    for (const [name, value] of Object.entries<LeftOut | null | undefined>(quantities)) {
      if (!value) continue
      const key = prefix + name
      found[name as Q] = estimate(value, this.#first.get(key))
      if (this.#isFirst) this.#first.set(key, value)
    }
    return found
  }

  /** To the first network's; null for that itself. */
  ratio(name: string, value: LeftOut): LeftOut | null {
    const first = this.#first.get(name)
    return first && !this.#isFirst ? combined([value, first], (a, b) => a / b) : null
  }
}

/** The kernel by classes, where there are some. */
async function byClass(kernel: TangentKernel, { labels, samples, cells }: MeasurePlan) {
  if (!labels?.classes || labels.groups.length > classLimit) return null
  const { classes, groups } = labels
  const unit = kernel.trace() / samples
  if (!(unit > 0)) return null
  const sums = await classSums(kernel.data, classes, groups.length)
  const sizes = groups.map(({ count }) => count)
  return {
    classes: classMeans(sums, { classes, groups }, unit, cells.layer),
    means: withinAndBetween(kernel.data, sums, classes, sizes),
  }
}

/**
 * The spectrum of the full Gram matrix where it is small enough (by rows, and for the memory budget),
 * else of the trace kernel; and the trace kernel's eigenvectors, where there is room for them.
 */
async function spectra(
  traceKernel: TangentKernel,
  outputs: number,
  plan: MeasurePlan,
  full: () => Promise<TangentKernel>,
): Promise<{ gram: MeasuredSpectrum; trace: MeasuredSpectrum['vectors'] }> {
  const { samples, spectrumLimit, memory, options } = plan
  const setup = { samples, memory, signal: options.signal }
  const gram = await fullSpectrum()
  if (gram) {
    const small = samples <= spectrumLimit && vectorsFit(samples, memory)
    const own = small ? await spectrumOf(traceKernel, 'trace', setup) : null
    return { gram, trace: own?.vectors ?? null }
  }
  const found = await spectrumOf(traceKernel, outputs === 1 ? 'gram' : 'trace', setup)
  return { gram: found, trace: found.vectors }

  async function fullSpectrum(): Promise<MeasuredSpectrum | null> {
    if (outputs === 1 || samples * outputs > spectrumLimit) return null
    try {
      return await spectrumOf(await full(), 'gram', setup)
    } catch (error) {
      if (!(error instanceof TangentError) || error.code !== 'MEMORY_BUDGET') throw error
      return null
    }
  }
}

/** 1 for each sample whose largest output is its label; null unless labels can be numbers of outputs. */
function hits({ data, shape }: NdArray, { labels, samples }: MeasurePlan): number[] | null {
  const outputs = data.length / samples
  const values = labels?.values ?? []
  if (!labels?.classes || shape.length !== 2 || outputs < 2) return null
  if (values.some((value) => value < 0 || value >= outputs)) return null
  return labels.classes.map((label, i) => {
    let best = 0
    for (let o = 1; o < outputs; o++) {
      if (Number(data[i * outputs + o]) > Number(data[i * outputs + best])) best = o
    }
    return best === values[label] ? 1 : 0
  })
}
