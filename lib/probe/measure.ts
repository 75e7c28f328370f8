import { setImmediate as breathe } from 'node:timers/promises'
import { TangentError } from '../core/errors.js'
import { printable } from '../core/printable.js'
import type { NdArray } from '../io/index.js'
import { TangentKernel } from '../kernels/kernel.js'
import type { Network } from '../network/network.js'
import type { ValueInfo } from '../onnx/index.js'
import { compareAdaptive } from './adaptive.js'
import type { MeasurePlan } from './plan.js'
import { rasterise } from './raster.js'
import type {
  ProbeAlignment,
  ProbeLayer,
  ProbeNetwork,
  ProbeSpectrum,
  ProbeValue,
} from './types.js'

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
  for (const [layer, kernel] of byLayer) {
    await breathe()
    options.signal?.throwIfAborted()
    const parameters = network.parameters.filter((one) => one.layer === layer && !one.frozen)
    layers.push({
      name: printable(layer),
      parameters: parameters.map(({ label }) => printable(label)),
      count: sum(parameters.map(({ count }) => count)),
      trace: kernel.trace(),
      share: trace > 0 ? kernel.trace() / trace : 0,
      alignment: await alignment(kernel, plan),
      raster: rasterise(kernel.data, plan.order, plan.cells.layer),
    })
  }
  const spectrum = await spectrumOf(total, outputs, plan, () =>
    network.ntk(x, { ...options, ...progress(0.5, 0.9), kernel: 'full' }),
  )
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
    accuracy: accuracy(output, plan),
    layers,
    trace,
    alignment: await alignment(total, plan),
    raster: rasterise(total.data, plan.order, plan.cells.whole),
    spectrum,
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

/** Null without a target, and for a kernel that is zero and has no direction. */
async function alignment(kernel: TangentKernel, plan: MeasurePlan): Promise<ProbeAlignment | null> {
  if (!plan.targetKernel || kernel.data.every((value) => value === 0)) return null
  return {
    cosine: await kernel.alignment(plan.targetKernel),
    centred: await kernel.alignment(plan.targetKernel, { centred: true }),
  }
}

/**
 * The spectrum of the full Gram matrix where it is small enough (by rows, and for the memory
 * budget), else of the trace kernel.
 */
async function spectrumOf(
  traceKernel: TangentKernel,
  outputs: number,
  { samples, spectrumLimit }: MeasurePlan,
  full: () => Promise<TangentKernel>,
): Promise<ProbeSpectrum> {
  if (outputs === 1) return spectrum(traceKernel, 'gram')
  if (samples * outputs > spectrumLimit) return spectrum(traceKernel, 'trace')
  try {
    return await spectrum(await full(), 'gram')
  } catch (error) {
    if (!(error instanceof TangentError) || error.code !== 'MEMORY_BUDGET') throw error
    return spectrum(traceKernel, 'trace')
  }
}

async function spectrum(kernel: TangentKernel, of: ProbeSpectrum['of']): Promise<ProbeSpectrum> {
  const values = await kernel.eigenvalues()
  return {
    of,
    size: values.length,
    eigenvalues: Array.from(values, (value) => Number(value.toPrecision(6))),
    effectiveRank: await kernel.effectiveRank(),
    participationRatio: await kernel.participationRatio(),
  }
}

/** Null unless the labels can be numbers of outputs. */
function accuracy({ data, shape }: NdArray, { labels, samples }: MeasurePlan): number | null {
  const outputs = data.length / samples
  const values = labels?.values ?? []
  if (!labels?.classes || shape.length !== 2 || outputs < 2) return null
  if (values.some((value) => value < 0 || value >= outputs)) return null
  const right = labels.classes.filter((label, i) => {
    let best = 0
    for (let o = 1; o < outputs; o++) {
      if (Number(data[i * outputs + o]) > Number(data[i * outputs + best])) best = o
    }
    return best === values[label]
  })
  return right.length / samples
}
