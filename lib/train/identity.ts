// What a training has in common with the one whose state it goes on from.
import { numbersOf } from '../derivatives/identity.js'
import { identify } from '../io/identify.js'
import type { FeedArray, WeightMessage } from '../runtime/protocol.js'
import type { Loss } from './loss.js'
import { nativeOptimizer, type Schedule } from './optimizer.js'
import type { TrainingDigests, TrainingModel, TrainingSetup } from './protocol.js'

/** All that decides what follows from a state. */
export interface TrainingIdentity extends TrainingDigests {
  model: TrainingModel
  loss: Loss
  optimizer: Record<string, string | number>
  schedule: Schedule
  /** Where the rates depend on it. */
  epochs: number | null
  batch: number
  samplesPerEpoch: number
  seed: number
}

type Numbers = Pick<FeedArray, 'name' | 'shape' | 'data' | 'read'>

export async function digestsOf(
  { model, parameters, train }: TrainingSetup,
  own: readonly WeightMessage[],
): Promise<TrainingDigests> {
  const trained = new Set(model === 'full' ? parameters.map(({ id }) => id) : [])
  const staying = own.filter(({ id }) => !trained.has(id))
  const { arrays, shared } = train.x
  const numbers = (all: readonly Numbers[]) =>
    new Map(all.map((array) => [array.name, { shape: array.shape, data: numbersOf(array) }]))
  return {
    data: await identify({
      arrays: numbers(arrays),
      shared: numbers(shared ?? []),
      targets: train.targets,
    }),
    weights: await identify(numbers(staying)),
  }
}

export function identityOf(
  { model, loss, optimizer, batch }: TrainingSetup,
  digests: TrainingDigests,
  steps: { schedule: Schedule; epochs: number; samplesPerEpoch: number; seed: number },
): TrainingIdentity {
  const { schedule, epochs, samplesPerEpoch, seed } = steps
  const { learningRate } = optimizer
  return {
    ...{ model, loss, schedule, batch, samplesPerEpoch, seed, ...digests },
    optimizer: { ...nativeOptimizer(optimizer), learningRate },
    epochs: schedule === 'constant' ? null : epochs,
  }
}

const words: Record<keyof TrainingIdentity, string> = {
  ...{ model: 'model', loss: 'loss', optimizer: 'optimizer', schedule: 'schedule' },
  ...{ epochs: 'epochs', batch: 'batch', samplesPerEpoch: 'samplesPerEpoch', seed: 'seed' },
  ...{ data: 'samples and targets', weights: 'weights at the start' },
}

/** In words, what of the two differs. */
export function differences(own: TrainingIdentity, other: Partial<TrainingIdentity>): string[] {
  const keys = Object.keys(words) as (keyof TrainingIdentity)[]
  return keys
    .filter((key) => JSON.stringify(own[key]) !== JSON.stringify(other[key]))
    .filter((key) => key !== 'weights' || own.model === other.model)
    .map((key) => words[key])
}
