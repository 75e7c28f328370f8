import { alignmentAlong } from '../alignment/along.js'
import type { Checkpoints } from '../alignment/checkpoints.js'
import { type PlainMeasures, plainCheckpoint } from '../alignment/table.js'
import type { AlongOptions, CheckpointAlignment } from '../alignment/types.js'
import { badArgument, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { printable } from '../core/printable.js'
import { held } from '../io/held.js'
import type { NdArray } from '../io/index.js'
import { type Labels, readLabels } from '../io/labels.js'
import { targetKernel } from '../kernels/target.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { alignments, estimate, type LeftOut, type TargetSums, targetSums } from './left-out.js'
import { rasterise } from './raster.js'
import { thinned } from './thinned.js'
import type { ProbeFrame, ProbeTraining } from './training-types.js'

/** Options of {@link probeTraining}. */
export interface ProbeTrainingOptions extends Omit<AlongOptions, 'kernel' | 'by' | 'target'> {
  /** What `learned` is, in words (default: "the target", where there is one). */
  learnedName?: string | undefined
  /** Cells on a side of the kernels' pictures at most (default: 64). */
  cells?: number | undefined
}

/** Checkpoints that are shown in full at most. */
const frameLimit = 24

/**
 * The part of a report that follows the kernel along checkpoints: give it to the report as
 * `training`. Its size does not grow with the samples, and only by some numbers with each checkpoint.
 * @param targets as for {@link probe}; its order of samples is the pictures'.
 * @throws what {@link alignmentAlong} throws.
 * @example
 * ```js
 * import { buildMlp, initialize, Network, probeTraining } from 'adaptive-tangent'
 *
 * const network = await Network.load(
 *   await buildMlp({ inputs: 2, hidden: [8, 8], outputs: 3 }),
 * )
 * const x = {
 *   data: Float32Array.from({ length: 60 }, (_, i) => Math.sin(i * i)),
 *   shape: [30, 2],
 * }
 * const labels = { data: Int32Array.from({ length: 30 }, (_, i) => i % 3), shape: [30] }
 * const checkpoints = [1, 2].map(async (seed) => ({
 *   source: await initialize(network, { seed }),
 * }))
 * const { checkpoints: found } = await probeTraining(
 *   network,
 *   x,
 *   await Promise.all(checkpoints),
 *   labels,
 * )
 * console.log(found.map(({ name }) => name).join(', '))
 * await network.dispose()
 * // checkpoint 0, checkpoint 1
 * ```
 * @since 0.1.0
 */
export async function probeTraining(
  network: Network,
  x: Inputs,
  checkpoints: Checkpoints,
  targets?: NdArray,
  given: ProbeTrainingOptions = {},
): Promise<ProbeTraining> {
  checkCall(given)
  const { learnedName, cells = 64, ...options } = given
  wholeNumber('options.cells', cells, 1)
  if (!Array.isArray(given.top ?? [])) throw badArgument('options.top', 'a list', given.top)
  const target = held(targets, 'target')
  const top = [...(options.top ?? [1, 5, 10, 50])]
  const training: ProbeTraining = { learned: null, top, parts: [], checkpoints: [], frames: [] }
  let labels: Labels | null = null
  let order: readonly number[] = []
  let sums: TargetSums | null = null
  let start: LeftOut | undefined
  let stride = 1
  let last: ProbeFrame | undefined
  for await (const item of alignmentAlong(network, x, checkpoints, { ...options, target })) {
    const samples = item.outputs.shape[0] as number
    if (item.index === 0) {
      labels = target ? readLabels(target, samples) : null
      order = labels?.order ?? Array.from({ length: samples }, (_, i) => i)
      sums = labels && (await targetSums(targetKernel(labels.array).data, samples))
      training.parts = [...item.parts.keys()].map(printable)
      training.learned = item.total.learned && (learnedName ?? 'the target')
    }
    const { index, step, unit, total, parts } = plainCheckpoint(item)
    const aligned = sums && total.labels ? await alignments(item.kernels.total.data, sums) : null
    training.checkpoints.push({
      index,
      name: printable(item.name),
      step,
      unit,
      error: errorOf(item, labels),
      total: rounded(total),
      ...(aligned && { centred: estimate(aligned.centred, start) }),
      parts: Object.values(parts).map(rounded),
    })
    start ??= aligned?.centred
    last = frameOf(item, order, cells)
    if (index % stride === 0) training.frames.push(last)
    if (training.frames.length === frameLimit) {
      // One place stays free for the last checkpoint.
      stride *= 2
      training.frames = training.frames.filter((frame) => frame.index % stride === 0)
    }
  }
  if (last && training.frames.at(-1) !== last) training.frames.push(last)
  return training
}

function frameOf(
  { index, kernels, total }: CheckpointAlignment,
  order: readonly number[],
  cells: number,
): ProbeFrame {
  const spectrum = total.eigenvalues ? thinned([...total.eigenvalues], 20, 30) : []
  return {
    index,
    raster: rasterise(kernels.total.data, order, cells),
    spectrum: spectrum.map(({ rank, value }) => ({ rank, value: digits(value) })),
  }
}

/** Null unless the labels are numbers of outputs that are all there, or the signs of one output. */
function errorOf({ outputs }: CheckpointAlignment, labels: Labels | null): number | null {
  const { data, shape } = outputs
  const [samples = 0, count = 0] = shape
  if (!labels?.classes || count < 2) return null
  const { classes, values } = labels
  if (values.some((value) => value < 0 || value >= count)) return null
  const wrong = classes.filter((label, i) => {
    const row = data.subarray(i * count, (i + 1) * count)
    return row.indexOf(Math.max(...row)) !== values[label]
  })
  return wrong.length / samples
}

const digits = (value: number) => Number(value.toPrecision(6))

/** All numbers to 6 significant digits. */
function rounded(measures: PlainMeasures): PlainMeasures {
  return JSON.parse(
    JSON.stringify(measures, (_, value) => (typeof value === 'number' ? digits(value) : value)),
  ) as PlainMeasures
}
