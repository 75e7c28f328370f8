import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { printable } from '../core/printable.js'
import { stages } from '../core/progress.js'
import { held, heldInputs, isArray } from '../io/held.js'
import { isSource, type NdArray } from '../io/index.js'
import { readLabels } from '../io/labels.js'
import type { KernelMethod } from '../kernels/ntk.js'
import { targetKernel } from '../kernels/target.js'
import { type Core, cores, type DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { targetSums } from './left-out.js'
import { measure, type ProbeSubject } from './measure.js'
import { checkKernels } from './memory.js'
import type { MeasurePlan } from './plan.js'
import { rasterise, rasterSize } from './raster.js'
import { software } from './software.js'
import { thumbnailsOf } from './thumbnails.js'
import type { ProbeReport } from './types.js'

/** Options of {@link probe}. */
export interface ProbeOptions extends Omit<DerivativeOptions, 'block' | 'outputBlock'> {
  /** How the kernels are computed (default: `auto`). */
  method?: KernelMethod | undefined
  /** Names of the classes, by label. */
  classNames?: readonly string[] | undefined
  /** Where the samples and the target came from: shown, not read. */
  inputFiles?: Readonly<Record<string, string>> | undefined
  targetFile?: string | undefined
  /** Cells on a side of the kernels' pictures at most (default: 256). */
  cells?: number | undefined
  /**
   * Largest Gram matrix (N·O rows) whose spectrum is computed (default: 4096); above it the spectrum
   * is that of the (N, N) trace kernel, and the report says so.
   */
  spectrumLimit?: number | undefined
  /**
   * With a target: rows (samples times outputs) that the adaptive model is fitted to at most
   * (default: 600); 0 leaves the comparison out.
   */
  adaptiveRows?: number | undefined
  /** How many networks there are, where `networks` is not an array; for `onProgress`. */
  count?: number | undefined
}

/**
 * Measures the tangent kernels of networks on the same samples: by layer and in total, before and
 * after training, or along it.
 *
 * @param networks - taken one after another; an asynchronous iterable may load each when its turn
 *   comes and dispose of it after
 * @param given - x, N samples, as for {@link Network.ntk}
 * @param targets - classes (N,) or (N, O) one-hot, or real values (N,) or (N, k); without it the
 *   report holds no alignment
 * @returns plain numbers and texts for {@link renderReport} and for `report.json`
 * @throws TangentError BAD_ARGUMENT without networks, BAD_INPUT for samples or a target that
 *   do not
 *   fit, and what `Network.ntk` throws; a DOMException named AbortError
 * @example
 * ```js
 * import { buildMlp, Network, probe } from 'adaptive-tangent'
 *
 * const network = await Network.load(
 *   await buildMlp({ inputs: 2, hidden: [8, 8], outputs: 3 }),
 * )
 * const x = {
 *   data: Float32Array.from({ length: 60 }, (_, i) => Math.sin(i * i)),
 *   shape: [30, 2],
 * }
 * const labels = { data: Int32Array.from({ length: 30 }, (_, i) => i % 3), shape: [30] }
 * const report = await probe([{ name: 'mlp', network }], x, labels)
 * console.log(report.samples, report.networks[0].layers.map(({ name }) => name).join(' '))
 * await network.dispose()
 * // 30 dense1 dense2 dense3
 * ```
 * @since 0.1.0
 */
export async function probe(
  networks: Iterable<ProbeSubject> | AsyncIterable<ProbeSubject>,
  given: Inputs,
  targets?: NdArray,
  options: ProbeOptions = {},
): Promise<ProbeReport> {
  checkCall(options)
  const x = heldInputs(given, 'x')
  const target = held(targets, 'target')
  const { signal } = options
  const { cells = 256, spectrumLimit = 4096, adaptiveRows = 600 } = options
  wholeNumber('options.cells', cells, 1)
  wholeNumber('options.spectrumLimit', spectrumLimit, 1)
  wholeNumber('options.adaptiveRows', adaptiveRows, 0)
  checkSubjects(networks)
  const count = options.count ?? (Array.isArray(networks) ? networks.length : 0)
  const names = new Set<string>()
  const progress = stages(count, options.onProgress)
  let plan: MeasurePlan | undefined
  let report: ProbeReport | undefined
  for await (const subject of networks) {
    signal?.throwIfAborted()
    checkSubject(subject)
    if (names.has(subject.name)) throw badArgument('networks', 'names that differ', subject.name)
    names.add(subject.name)
    // Only a network tells how many samples there are.
    plan ??= await planOf(subject, x, target, options)
    report ??= await begun(subject, plan, cells, options)
    const place = report.networks.length
    const onProgress = (part: number) => progress(place, part)
    report.networks.push(await measure(subject, { ...plan, onProgress }))
  }
  if (!report) throw mismatch('networks', 'at least one network', 'none')
  return report
}

function checkSubjects(networks: unknown): void {
  const iterable = typeof networks === 'object' ? (networks ?? {}) : {}
  if (Symbol.iterator in iterable || Symbol.asyncIterator in iterable) return
  throw badArgument('networks', 'an iterable of { name, network }', networks)
}

function checkSubject(subject: ProbeSubject): void {
  const { name, network } = subject ?? {}
  if (typeof name === 'string' && cores.has(network)) return
  throw badArgument('networks', '{ name, network } each', subject)
}

async function planOf(
  { network }: ProbeSubject,
  x: Inputs,
  target: NdArray | undefined,
  options: ProbeOptions,
): Promise<MeasurePlan> {
  const { signal, threads, memory, outputs, method, classNames, targetFile } = options
  const { cells = 256, spectrumLimit = 4096, adaptiveRows = 600 } = options
  const core = cores.get(network) as Core
  const { samples } = await core.feed(x, 'x', { signal, threads, memory })
  checkKernels(network, samples, { target: target !== undefined, memory: core.budget({ memory }) })
  const labels = target
    ? readLabels(target, samples, { names: classNames, file: targetFile ?? null })
    : null
  const kernel = labels ? targetKernel(labels.array) : null
  return {
    x,
    samples,
    labels,
    targetKernel: kernel,
    targetSums: kernel && (await targetSums(kernel.data, samples)),
    first: new Map(),
    memory: core.budget({ memory }),
    order: labels?.order ?? Array.from({ length: samples }, (_, i) => i),
    cells: { whole: cells, layer: Math.min(cells, 128) },
    spectrumLimit,
    adaptiveRows,
    options: { signal, threads, memory, outputs, method },
  }
}

/** The report before anything is measured. */
async function begun(
  subject: ProbeSubject,
  { x, samples, labels, targetKernel: kernel, order }: MeasurePlan,
  cells: number,
  options: ProbeOptions,
): Promise<ProbeReport> {
  return {
    kind: 'adaptive-tangent/probe',
    version: 1,
    created: new Date().toISOString(),
    software: software(),
    samples,
    input: await inputsOf(subject, x, options),
    target: labels?.target ?? null,
    order: [...order],
    groups: labels?.groups ?? [],
    targetRaster: kernel && rasterise(kernel.data, order, cells),
    thumbnails: await thumbnailsOf(subject.network, x, shownSamples(order, cells)),
    networks: [],
  }
}

/** One sample for each cell of the kernels' pictures: its first. */
function shownSamples(order: readonly number[], cells: number): number[] {
  const size = rasterSize(order.length, cells)
  const chosen = Array.from({ length: size }, (_, cell) => {
    return order[Math.ceil((cell * order.length) / size)] as number
  })
  return chosen.sort((a, b) => a - b)
}

async function inputsOf(
  { network }: ProbeSubject,
  x: Inputs,
  options: ProbeOptions,
): Promise<ProbeReport['input']> {
  const { places, rows } = await (cores.get(network) as Core).reading(x, 'x')
  const single = isArray(rows) || isSource(rows)
  return network.inputs.map(({ name }, k) => {
    const given = single ? rows : (rows as Record<string, unknown>)[name]
    const shape = (given as Partial<NdArray>)?.shape ?? []
    const place = places[k] ?? 0
    const files = options.inputFiles ?? {}
    const file = Object.hasOwn(files, name) ? files[name] : undefined
    return {
      name: printable(name),
      file: file === undefined ? null : printable(file),
      shape: place === 'shared' ? [...shape] : shape.toSpliced(place === 'one' ? 0 : place, 1),
    }
  })
}
