// What a training needs to know before it starts, checked.
import { badArgument, oneOf, TangentError, wholeNumber } from '../core/errors.js'
import { checkSeparable } from '../derivatives/blocks.js'
import { prepare } from '../derivatives/derive.js'
import type { Core } from '../model/core.js'
import type { Feed } from '../runtime/protocol.js'
import { targetsOf } from './checks.js'
import { deviceForTraining } from './choose.js'
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
  refuseTf32(options)
  const { threads, memory, signal, device: asked } = options
  const prepared = await prepare(core, data.x, {
    ...{ threads, memory, signal, precision: 'float32', device: asked },
  })
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
  const { samplesPerEpoch = x.samples } = options
  const steps = options.epochs * Math.floor(samplesPerEpoch / batch)
  const moments = optimizer.kind === 'sgd' ? 1 : 2
  const device = prepared.costs
    ? deviceForTraining(prepared, prepared.costs, { model, parameters, moments, steps, batch })
    : prepared.device
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
    device,
    single: prepared.batch === 1,
    parameters,
    train: { x, targets: targetsOf(data.target, loss, x.samples, allOutputs, 'target') },
    test,
    draws: options.epochs * samplesPerEpoch,
  }
}

function refuseTf32({ precision }: TrainOptions): void {
  if (oneOf(precision, ['float32', 'tf32'] as const, 'options.precision') === 'float32') return
  throw new TangentError(
    'UNSUPPORTED',
    "There is no code for TF32 in training; leave precision: 'tf32' out",
  )
}

/** The same with the samples as they are sent or received. */
export function withSamples(
  setup: TrainingSetup,
  { x, x2 }: { x: Feed; x2: Feed | undefined },
): TrainingSetup {
  const { train, test } = setup
  return { ...setup, train: { ...train, x }, test: test && { ...test, x: x2 ?? test.x } }
}
