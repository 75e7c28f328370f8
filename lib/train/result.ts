// What a training returns, and the weights that it writes on the way.
import { join } from 'node:path'
import { type NdArray, writeSafetensors } from '../io/index.js'
import type { Core } from '../model/core.js'
import type { ChosenDevice } from '../native/device.js'
import type { LossSum } from '../native/train.js'
import type { EpochReport } from './options.js'
import type { TrainingModel, TrainingSetup, TrainingState } from './protocol.js'

/** A finished training. */
export interface Training {
  history: EpochReport[]
  /** The epoch of least test error, or of least training loss without a test set. */
  best: EpochReport
  model: TrainingModel
  /** Where its passes and steps were computed, and why there. */
  device: ChosenDevice
  /**
   * `full`: the weights, for `withParameters`; otherwise Δ, for `linearize().predict` (or added to
   * the weights).
   */
  weights: Map<string, NdArray<Float32Array>>
  /** Of the adaptive model: Θ (`name:theta`) and the factor of each mode (`name:mode0`, …). */
  factors: Map<string, NdArray<Float32Array>> | undefined
}

export function reportOf(
  epoch: number,
  sum: Partial<LossSum>,
  trained: number,
  tested: Partial<LossSum> | undefined,
  samples: number,
): EpochReport {
  const mean = (value: number | undefined, count: number) => (value ?? Number.NaN) / count
  return {
    epoch,
    trainLoss: mean(sum.loss, trained),
    trainError: mean(sum.wrong, trained),
    testLoss: tested ? mean(tested.loss, samples) : null,
    testError: tested ? mean(tested.wrong, samples) : null,
  }
}

export function resultOf(
  core: Core,
  setup: TrainingSetup,
  history: EpochReport[],
  state: TrainingState,
): Training {
  const score = ({ testError, trainLoss }: EpochReport) =>
    setup.test ? (testError ?? Number.POSITIVE_INFINITY) : trainLoss
  const best = history.reduce((least, report) => (score(report) < score(least) ? report : least))
  return {
    history,
    best,
    model: setup.model,
    device: setup.device,
    weights: weightsOf(core, state),
    factors:
      setup.model === 'adaptive'
        ? new Map(
            state.names.map((name, a) => {
              const array = state.arrays[a] as Float32Array
              const side = Math.round(Math.sqrt(array.length))
              return [
                name,
                { data: array, shape: name.endsWith(':theta') ? [array.length] : [side, side] },
              ]
            }),
          )
        : undefined,
  }
}

function weightsOf(core: Core, { weights }: TrainingState): Map<string, NdArray<Float32Array>> {
  return new Map(
    core.architecture.active.map(({ parameter: { name, shape } }, p) => [
      name,
      { data: weights[p] as Float32Array, shape: [...shape] },
    ]),
  )
}

export async function writeWeights(
  folder: string,
  name: string,
  whole: Core,
  core: Core,
  setup: TrainingSetup,
  state: TrainingState,
  moment: { epoch: number } | { step: number },
): Promise<void> {
  const trained = weightsOf(core, state)
  // Whole checkpoints of the network, so that withParameters takes them.
  const tensors = new Map<string, NdArray>()
  for (const { name, shape } of whole.architecture.fed) {
    const own = whole.weights.get(name) as Float32Array
    const change = trained.get(name)?.data
    const moved = change && own.map((value, e) => value + (change[e] as number))
    tensors.set(name, { data: (setup.model === 'full' ? change : moved) ?? own, shape: [...shape] })
  }
  const [[kind, count]] = Object.entries(moment) as [[string, number]]
  const metadata = { model: setup.model, [kind]: String(count) }
  await writeSafetensors(join(folder, `${name}.safetensors`), tensors, { metadata })
}
