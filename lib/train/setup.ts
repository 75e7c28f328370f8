// What a training needs to know before it starts, checked.
import { badArgument, wholeNumber } from '../core/errors.js'
import { checkSeparable } from '../derivatives/blocks.js'
import { prepare } from '../derivatives/derive.js'
import type { Core } from '../model/core.js'
import { refuseDevice } from '../native/device.js'
import type { Feed } from '../runtime/protocol.js'
import { targetsOf } from './checks.js'
import { factorLayouts } from './layout.js'
import type { LabelledSamples, TrainOptions } from './options.js'
import type { TrainingData, TrainingSetup } from './protocol.js'

export async function setupOf(
  core: Core,
  data: LabelledSamples,
  options: TrainOptions,
): Promise<TrainingSetup> {
  const { model = 'full', loss = 'cross-entropy', optimizer } = options
  if (!['full', 'fixed', 'adaptive'].includes(model)) {
    throw badArgument('options.model', 'full, fixed or adaptive', model)
  }
  if (loss !== 'squared' && loss !== 'cross-entropy') {
    throw badArgument('options.loss', 'squared or cross-entropy', loss)
  }
  refuseDevice({ device: options.device ?? core.device }, 'training')
  const { threads, memory, signal } = options
  const prepared = await prepare(core, data.x, { threads, memory, signal })
  const { x, allOutputs } = prepared
  checkSeparable(prepared, 'to train')
  const batch = options.batch ?? Math.min(50, x.samples)
  wholeNumber('options.batch', batch, 1, x.samples)
  const layouts = factorLayouts(core.architecture)
  const parameters = core.architecture.active.map(({ parameter, weight }, p) => ({
    id: weight.id,
    name: parameter.name,
    count: parameter.count,
    layout: layouts[p] ?? { modes: [] },
  }))
  let test: TrainingData | undefined
  if (options.test) {
    const feed = await core.feed(options.test.x, 'test.x', options)
    test = {
      x: feed,
      targets: targetsOf(
        options.test.target,
        loss,
        feed.samples,
        allOutputs,
        'test.target',
        data.target,
      ),
    }
  }
  return {
    model,
    loss,
    optimizer,
    threads: prepared.threads,
    memory: prepared.budget,
    outputs: allOutputs,
    batch,
    single: prepared.batch === 1,
    parameters,
    train: { x, targets: targetsOf(data.target, loss, x.samples, allOutputs, 'target') },
    test,
    draws: options.epochs * (options.samplesPerEpoch ?? x.samples),
  }
}

/** The same with the samples as they are sent or received. */
export function withSamples(
  setup: TrainingSetup,
  { x, x2 }: { x: Feed; x2: Feed | undefined },
): TrainingSetup {
  const { train, test } = setup
  return { ...setup, train: { ...train, x }, test: test && { ...test, x: x2 ?? test.x } }
}
