import { badArgument, oneOf, TangentError, wholeNumber } from '../core/errors.js'
import { roomBeside } from '../core/memory.js'
import { checkCall } from '../core/options.js'
import { stages } from '../core/progress.js'
import { checkSeparable } from '../derivatives/blocks.js'
import { askJob, prepare } from '../derivatives/derive.js'
import type { Prepared } from '../derivatives/prepared.js'
import { run } from '../derivatives/run.js'
import { held, heldInputs } from '../io/held.js'
import { type NdArray, toFloat32 } from '../io/index.js'
import { TangentKernel } from '../kernels/kernel.js'
import { grouping, kernelMethod } from '../kernels/ntk.js'
import type { Architecture } from '../model/architecture.js'
import { type Core, cores, type SharedArray } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { deviceName } from '../native/device.js'
import { native } from '../native/index.js'
import type { Network } from '../network/network.js'
import { CheckpointReader, type Checkpoints, type Loaded } from './checkpoints.js'
import { marginOf } from './margin.js'
import { type MeasureSetup, measure, named, spectrumBytes } from './measures.js'
import { KernelSets } from './sets.js'
import { labelsFactor, learnedFactor, learnedOutputs, type Outputs } from './targets.js'
import type { AlongOptions, CheckpointAlignment, KernelMeasures } from './types.js'

/**
 * Follows the tangent kernel along training: for each checkpoint in turn how its kernel, in total and
 * by layer, is aligned with what was learned and with the labels, how far it came from the first
 * and from the one before, its rank, and its split K ≈ w_0 K_0 + w_1 K_ŷ + K_rest (LeJeune &
 * Alemohammad 2024; formulas in {@link KernelMeasures}). The first checkpoint is the initial one.
 *
 * Memory does not grow with the number of checkpoints: the kernels of three of them are kept, and
 * the next one's weights are read meanwhile. Nothing is computed before the first is asked for; x and
 * the targets are taken as they are at the call, arrays among the checkpoints as their turn comes.
 *
 * ```ts
 * for await (const { name, total } of alignmentAlong(network, x, files, { target: labels })) {
 *   console.log(name, total.labels?.centred, total.initial.distance)
 * }
 * ```
 * @param network any network of the architecture; its own weights count only where it is among the
 *   checkpoints.
 * @param x N samples.
 * @param checkpoints in the order of training: files, Maps of arrays, or networks, or any of these
 *   with a name and a step.
 * @throws TangentError `BAD_FILE` or `BAD_ARGUMENT` naming the checkpoint that does not fit
 *   the
 *   network, `MEMORY_BUDGET`, `NUMERICAL` for weights that are not finite; a DOMException named
 *   AbortError.
 * @example
 * ```js
 * import { alignmentAlong, Network, readArray } from 'adaptive-tangent'
 *
 * const folder = 'examples/fashion-mnist'
 * const network = await Network.load(`${folder}/mlp_init.onnx`)
 * const x = await readArray(`${folder}/images.npy`)
 * const target = await readArray(`${folder}/labels.npy`)
 * const checkpoints = [`${folder}/mlp_init.onnx`, `${folder}/mlp_trained.onnx`]
 * for await (const { index, total } of alignmentAlong(network, x, checkpoints, { target })) {
 *   console.log(index, 'centred alignment', total.labels.centred.toFixed(2))
 * }
 * await network.dispose()
 * // 0 centred alignment 0.39
 * // 1 centred alignment 0.52
 * ```
 * @since 0.1.0
 */
export function alignmentAlong(
  network: Network,
  x: Inputs,
  checkpoints: Checkpoints,
  options: AlongOptions = {},
): AsyncGenerator<CheckpointAlignment, void, void> {
  checkCall(options)
  const { target, learned } = options
  return walk(network, heldInputs(x, 'x'), checkpoints, {
    ...options,
    target: held(target, 'options.target'),
    learned: held(learned, 'options.learned'),
  })
}

async function* walk(
  network: Network,
  x: Inputs,
  checkpoints: Checkpoints,
  options: AlongOptions,
): AsyncGenerator<CheckpointAlignment, void, void> {
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  core.checkSingle('alignment along a training')
  const reader = new CheckpointReader(network, checkpoints)
  const count = options.count ?? (Array.isArray(checkpoints) ? checkpoints.length : 0)
  const progress = stages(count, options.onProgress)
  let along: Along | undefined
  try {
    along = new Along(await prepare(core, x, { ...options, onProgress: undefined }), x, options)
    for (let index = 0; ; index += 1) {
      const loaded = await reader.next()
      if (!loaded) break
      try {
        yield await along.at(index, loaded, (part) => progress(index, part))
      } finally {
        if (loaded.own) await loaded.network.dispose()
      }
    }
  } finally {
    along?.dispose()
    await reader.close()
  }
}

/** The state between checkpoints. */
class Along {
  readonly #x: Inputs
  readonly #options: AlongOptions
  readonly #architecture: Architecture
  readonly #names: string[]
  readonly #groups: number[]
  readonly #where: Outputs
  readonly #sets: KernelSets
  readonly #learned: Float64Array | null
  readonly #setup: Omit<MeasureSetup, 'learned'>
  /** Bytes in addition to the kernels that are kept. */
  readonly #room: number
  readonly #spectrum: { total: boolean; parts: boolean }
  #learnedFactor: MeasureSetup['learned'] = null
  /** When whoever was writing to the kernels or reading them has let go. */
  #settled: Promise<void> = Promise.resolve()

  constructor(prepared: Prepared, x: Inputs, options: AlongOptions) {
    this.#x = x
    this.#options = options
    const { kernel, by, spectrum, top, limit } = checkOptions(options)
    checkSeparable(prepared, 'to walk along checkpoints')
    const { samples } = prepared.x
    this.#where = { samples, outputs: prepared.outputs, kernel }
    this.#architecture = prepared.core.architecture
    const { names, groups } = grouping(prepared.core, by)
    this.#names = by === 'total' ? [] : names
    this.#groups = groups
    this.#learned = learnedOutputs(options.learned, options.target, this.#where)
    const labels = labelsFactor(options.target, this.#where)
    const rows = samples * (kernel === 'full' ? prepared.outputs.length : 1)
    const wanted = rows <= limit && spectrum !== 'none'
    this.#spectrum = { total: wanted, parts: wanted && spectrum === 'parts' }
    const kept = this.#names.length + 1
    const scratch = wanted ? spectrumBytes(rows) : 0
    this.#room = roomFor(kept, rows, scratch, prepared)
    this.#sets = new KernelSets(kept, rows * rows)
    const atOnce = scratch > 0 ? Math.floor(this.#room / scratch) : kept
    this.#setup = {
      rows,
      labels,
      top,
      threads: prepared.threads,
      atOnce: Math.max(1, Math.min(atOnce, prepared.threads)),
      device: deviceName(prepared.device),
    }
  }

  async at(
    index: number,
    { name, step, unit, network }: Loaded,
    onProgress: (part: number) => void,
  ): Promise<CheckpointAlignment> {
    const start = performance.now()
    const core = cores.get(network) as Core
    const prepared = await prepare(core, this.#x, {
      ...this.#options,
      onProgress: ({ fraction }) => onProgress(0.9 * fraction),
    })
    if (prepared.core.architecture !== this.#architecture) {
      throw badArgument('checkpoints', 'networks that take the same branches on x', name)
    }
    const outputs = await this.#run(core)
    if (!outputs.data.every(Number.isFinite)) {
      throw new TangentError(
        'NUMERICAL',
        `Expected finite outputs at every checkpoint but those at ${name} are not`,
      )
    }
    if (index === 0) {
      this.#learnedFactor = learnedFactor(this.#learned, outputs.data, this.#where)
    }
    const seconds = await this.#compute(prepared, index)
    const measuring = performance.now()
    const measured = await this.#measure(index, name)
    const end = performance.now()
    onProgress(1)
    const whole = (end - start) / 1000
    const native = seconds + (end - measuring) / 1000
    return { index, name, step, unit, outputs, ...measured, seconds: { whole, native } }
  }

  /** Fills the kernels of a checkpoint. @returns the seconds that it took. */
  async #compute(prepared: Prepared, index: number): Promise<number> {
    const [total, ...parts] = this.#sets.at(index) as [SharedArray, ...SharedArray[]]
    const split = parts.length > 0
    const job = askJob(
      // What is not finite is told by the measures.
      { ...prepared, nonFinite: 'return' },
      {
        kind: 'ntk',
        kernel: this.#where.kernel,
        method: kernelMethod(this.#options.method),
        groups: this.#groups,
      },
      this.#room,
      {
        results: (split ? parts : [total]).map(({ id, data }) => {
          return { id, count: data.length }
        }),
      },
    )
    this.#settled = job.settled
    const { seconds } = await job.result
    if (split) {
      await native.addKernels(parts.map(numbersOf), numbersOf(total), this.#setup.threads)
    }
    return seconds
  }

  /** Compares the kernels of a checkpoint with the first ones and with those before. */
  async #measure(
    index: number,
    name: string,
  ): Promise<Pick<CheckpointAlignment, 'total' | 'parts' | 'kernels'>> {
    const arrays = this.#sets.at(index)
    const before = index > 0 ? this.#sets.at(index - 1) : undefined
    const first = this.#sets.at(0)
    const work = measure(
      arrays.map((array, k) => ({
        kernel: numbersOf(array),
        initial: first[k] && numbersOf(first[k]),
        previous: before?.[k] && numbersOf(before[k]),
        spectrum: k === 0 ? this.#spectrum.total : this.#spectrum.parts,
      })),
      { ...this.#setup, learned: this.#learnedFactor },
      this.#options.signal,
    )
    this.#settled = work.settled
    const found = await work.result.catch((error: unknown) => {
      throw named(error, name)
    })
    const kernels = arrays.map((array) => this.#kernel(numbersOf(array)))
    const [total, ...others] = found.map((one, k) => ({
      ...one,
      margin: marginOf(kernels[k] as TangentKernel, this.#learned),
    })) as [KernelMeasures, ...KernelMeasures[]]
    return {
      total,
      parts: new Map(this.#names.map((part, k) => [part, others[k] as KernelMeasures])),
      kernels: {
        total: kernels[0] as TangentKernel,
        parts: new Map(this.#names.map((part, k) => [part, kernels[k + 1] as TangentKernel])),
      },
    }
  }

  /** The outputs wanted. */
  async #run(core: Core): Promise<NdArray<Float32Array>> {
    const { threads, signal } = this.#options
    const { samples, outputs } = this.#where
    const { data, shape } = toFloat32(await run(core, this.#x, { threads, signal }))
    const all = shape[1] as number
    const wanted = new Float32Array(samples * outputs.length)
    for (let i = 0; i < samples; i += 1) {
      outputs.forEach((o, at) => {
        wanted[i * outputs.length + at] = data[i * all + o] as number
      })
    }
    return { data: wanted, shape: [samples, outputs.length] }
  }

  #kernel(data: Float32Array): TangentKernel {
    const { samples: n, outputs, kernel } = this.#where
    const o = outputs.length
    return new TangentKernel(data, kernel === 'full' ? [n, o, n, o] : [n, n], kernel, true)
  }

  dispose(): void {
    void this.#settled.then(() => this.#sets.dispose())
  }
}

/** Networks in float64 are refused. */
function numbersOf({ data }: SharedArray): Float32Array {
  return data as Float32Array
}

/** The options that need no samples, checked, with their defaults. */
function checkOptions(options: AlongOptions) {
  const kernel = oneOf(options.kernel, ['trace', 'full'] as const, 'options.kernel')
  const by = oneOf(options.by, ['layer', 'parameter', 'total'] as const, 'options.by')
  const spectra = ['parts', 'total', 'none'] as const
  const spectrum = oneOf(options.spectrum, spectra, 'options.spectrum')
  const { top = [1, 5, 10, 50], spectrumLimit: limit = 2048 } = options
  if (!Array.isArray(top)) throw badArgument('options.top', 'a list of whole numbers', top)
  for (const k of top) wholeNumber('options.top', k, 1)
  kernelMethod(options.method)
  wholeNumber('options.spectrumLimit', limit, 1)
  return { kernel, by, spectrum, top, limit }
}

/**
 * Bytes that the kernels of three checkpoints, `kept` of rows × rows each, and the scratch memory of
 * spectra take.
 * @throws TangentError MEMORY_BUDGET with the number of samples that would fit.
 */
function roomFor(kept: number, rows: number, scratch: number, { budget, x }: Prepared): number {
  const one = 3 * kept * 4 + (scratch > 0 ? 24 : 0)
  const fitting = Math.floor((Math.sqrt(budget / 2 / one) * x.samples) / rows)
  const kernels = kept === 1 ? 'the kernel' : `${kept} kernels`
  const spectrum = scratch > 0 ? ' and a spectrum' : ''
  const left = roomBeside(
    KernelSets.bytes(kept, rows * rows) + scratch,
    budget,
    `Keeping ${kernels} of ${rows} × ${rows} for three checkpoints${spectrum}`,
    () => `${fitting} samples would fit`,
  )
  return left + scratch
}
