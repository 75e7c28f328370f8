// What a training comes to, by which `auto` chooses its device.
import { ratesFor } from '../derivatives/choose.js'
import type { Prepared } from '../derivatives/prepared.js'
import { hostNodes } from '../model/devices.js'
import { fasterDevice, type Work } from '../native/choose.js'
import type { ChosenDevice } from '../native/device.js'
import type { FactorLayout } from '../native/train.js'
import type { Costs, MatrixLayer } from '../runtime/protocol.js'
import { factorArrays } from './layout.js'
import type { TrainingModel } from './protocol.js'

/** What decides what a training costs. */
export interface TrainingCall {
  model: TrainingModel
  layers: readonly MatrixLayer[]
  parameters: readonly { name: string; count: number; layout: FactorLayout }[]
  /** Of the optimiser, for each number. */
  moments: number
  steps: number
  /** Samples of a step, in so many forward runs. */
  batch: number
  runs: number
  outputs: number
  /** Numbers of all values of one sample. */
  extent: number
  /** Nodes with derivatives, and those of them that a card leaves to the processor. */
  nodes: number
  onHost: number
}

const BYTES = 4
/** Launches and products of a node in a pass, and of an array in a step. */
const OF_NODE = 4
const OF_ARRAY = 3

/**
 * Counted from shapes: what a forward run multiplies, twice for each pass, since cotangents are multiplied by
 * weights and by inputs, and so are tangents; what the optimiser reads and writes; and what crosses as docs/gpu.md
 * has it. Forward runs are onnxruntime's whatever is chosen.
 */
export function trainingWork(call: TrainingCall): Work {
  const { model, layers, parameters, moments, steps, batch: n, outputs, extent } = call
  const passes = model === 'full' ? 1 : 2
  const sum = (numbers: readonly number[]) => numbers.reduce((all, each) => all + each, 0)
  const run = sum(layers.map(({ rows, columns, positions }) => 2 * n * positions * rows * columns))
  const factors = sum(
    layers.map(({ rows, columns, positions }) => n * positions * (rows + columns)),
  )
  const weights = sum(parameters.map(({ count }) => count))
  const arrays =
    model === 'adaptive'
      ? factorArrays(parameters).map(({ count }) => count)
      : parameters.map(({ count }) => count)
  const numbers = sum(arrays)
  // Δ, and the gradients of Θ and of the matrices, through all modes each.
  const along =
    model === 'adaptive'
      ? sum(parameters.map(({ count, layout }) => 3 * 2 * count * sum(layout.modes)))
      : 0
  const fetched = call.nodes === 0 ? 0 : (2 * passes * n * extent * call.onHost) / call.nodes
  const step = {
    flops: 2 * passes * run + along,
    moved: passes * (3 * n * extent + 2 * factors) + (3 + 2 * moments) * numbers,
    traffic: n * (extent + outputs) + fetched + (model === 'full' ? weights : n * outputs),
    launches: call.runs * passes * OF_NODE * call.nodes + OF_ARRAY * arrays.length,
  }
  return {
    flops: steps * step.flops,
    moved: steps * BYTES * step.moved,
    traffic: BYTES * (steps * step.traffic + (1 + moments) * numbers + weights),
    launches: steps * step.launches,
  }
}

/** The device for a training that may choose. */
export function deviceForTraining(
  { core, device, extent, allOutputs, threads, batch: separate }: Prepared,
  { layers, rates }: Costs,
  rest: Pick<TrainingCall, 'model' | 'parameters' | 'moments' | 'steps' | 'batch'>,
): ChosenDevice {
  const { nodes, onHost } = hostNodes(core.architecture)
  const work = trainingWork({
    ...rest,
    ...{ layers, extent, outputs: allOutputs, nodes, onHost: onHost.length },
    runs: separate === 1 ? rest.batch : 1,
  })
  return fasterDevice(device, work, { ...ratesFor(rates, false), threads }, false)
}
