import { join } from 'node:path'
import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { timed } from '../core/progress.js'
import { checkSeparable } from '../derivatives/blocks.js'
import { prepare } from '../derivatives/derive.js'
import { held, heldInputs } from '../io/held.js'
import type { NdArray } from '../io/index.js'
import { makeFolder, writeSafetensors } from '../io/index.js'
import { permutation, stream } from '../linear/random.js'
import { type Core, cores } from '../model/core.js'
import type { LossSum } from '../native/train.js'
import type { Network } from '../network/network.js'
import { readState, stateTensors } from './checkpoint.js'
import { checkOptions, targetsOf } from './checks.js'
import { identityOf } from './identity.js'
import { factorLayouts } from './layout.js'
import { rateAt } from './optimizer.js'
import type { EpochReport, LabelledSamples, TrainOptions } from './options.js'
import type {
  TrainingAction,
  TrainingData,
  TrainingMessage,
  TrainingModel,
  TrainingReply,
  TrainingSetup,
  TrainingState,
} from './protocol.js'

/** A finished training. */
export interface Training {
  history: EpochReport[]
  /** The epoch of least test error, or of least training loss without a test set. */
  best: EpochReport
  model: TrainingModel
  /**
   * `full`: the weights, for `withParameters`; otherwise Δ, for `linearize().predict` (or added to
   * the weights).
   */
  weights: Map<string, NdArray<Float32Array>>
  /** Of the adaptive model: Θ (`name:theta`) and the factor of each mode (`name:mode0`, …). */
  factors: Map<string, NdArray<Float32Array>> | undefined
}

let nextTraining = 1

const heldSamples = <T extends LabelledSamples>(data: T, of: string): T => ({
  ...data,
  x: heldInputs(data.x, `${of}x`),
  target: held(data.target, `${of}target`),
})

/**
 * Trains a network, its linearisation, or the adaptive factors of that, by mini-batches. The
 * network itself stays as it is.
 * @throws TangentError `NUMERICAL` when the loss is not finite any more, `BAD_ARGUMENT`, `BAD_INPUT`;
 *   a DOMException named AbortError.
 */
export async function train(
  network: Network,
  given: LabelledSamples,
  settings: TrainOptions,
): Promise<Training> {
  const whole = cores.get(network)
  if (!whole) throw badArgument('network', 'a Network', network)
  whole.checkSingle('training')
  checkOptions(given, settings)
  const data = heldSamples(given, '')
  const options = settings.test
    ? { ...settings, test: heldSamples(settings.test, 'test.') }
    : settings
  const core = await whole.at(data.x, options)
  if (options.test && (await whole.at(options.test.x, options)) !== core) {
    throw mismatch('test.x', 'samples that take the branches that x takes', 'others')
  }
  const { epochs, schedule = 'constant', seed = 1, evaluateEvery = 1, signal } = options
  const setup = await setupOf(core, data, options)
  const { samples } = setup.train.x
  const perEpoch = options.samplesPerEpoch ?? samples
  wholeNumber('options.samplesPerEpoch', perEpoch, setup.batch, samples)
  const { checkpoints } = options
  if (checkpoints) await makeFolder(checkpoints.folder)
  const training = nextTraining++
  const plan = await core.plan()
  const ask = (action: TrainingAction, watched = true) =>
    core.ask<TrainingReply>(
      {
        type: 'service',
        service: 'train',
        message: { training, action } satisfies TrainingMessage,
      },
      watched ? { signal } : {},
      plan,
    ).result
  const save = async () => (await ask({ do: 'save' })).state as TrainingState
  const identify = checkpoints !== undefined || options.resume !== undefined
  const { digests } = await ask({ do: 'start', setup, identify })
  const identity =
    digests && identityOf(setup, digests, { schedule, epochs, samplesPerEpoch: perEpoch, seed })
  try {
    let history: EpochReport[] = []
    if (options.resume !== undefined && identity) {
      const resumed = await readState(options.resume, setup, identity)
      await ask({ do: 'restore', state: resumed.state })
      history = resumed.history
      if (history.length > epochs) {
        throw badArgument('options.epochs', `at least the ${history.length} already made`, epochs)
      }
    }
    const stepsPerEpoch = Math.floor(perEpoch / setup.batch)
    const before = history.length
    const progress = timed(options.onProgress, before / epochs)
    const moments = new Set(checkpoints?.at)
    const atStep = async (step: number) => {
      if (!checkpoints || !moments.has(step)) return
      await writeWeights(checkpoints.folder, `step-${step}`, whole, core, setup, await save(), {
        step,
      })
    }
    if (before === 0) await atStep(0)
    for (let epoch = before + 1; epoch <= epochs; epoch += 1) {
      const order = permutation(samples, stream(seed, epoch)).slice(0, stepsPerEpoch * setup.batch)
      const rates = Float64Array.from({ length: stepsPerEpoch }, (_, step) =>
        rateAt(
          schedule,
          options.optimizer.learningRate,
          (epoch - 1) * stepsPerEpoch + step,
          epochs * stepsPerEpoch,
        ),
      )
      // In pieces, where checkpoints are wanted within the epoch.
      const done = (epoch - 1) * stepsPerEpoch
      const sum: LossSum = { loss: 0, wrong: 0 }
      for (let from = 0; from < stepsPerEpoch; ) {
        let to = from + 1
        while (to < stepsPerEpoch && !moments.has(done + to)) to += 1
        const { loss = Number.NaN, wrong = Number.NaN } = await ask({
          do: 'steps',
          order: order.slice(from * setup.batch, to * setup.batch),
          size: setup.batch,
          rates: rates.slice(from, to),
        })
        sum.loss += loss
        sum.wrong += wrong
        from = to
        await atStep(done + to)
      }
      const due = setup.test && (epoch % evaluateEvery === 0 || epoch === epochs)
      const tested = due ? await ask({ do: 'evaluate', data: 'test' }) : undefined
      const report = reportOf(epoch, sum, order.length, tested, setup.test?.x.samples ?? 0)
      history.push(report)
      options.onEpoch?.(report)
      progress(epoch / epochs)
      const every = checkpoints?.every ?? 1
      if (checkpoints && identity && (epoch % every === 0 || epoch === epochs)) {
        const state = await save()
        const { folder, at } = checkpoints
        if (!at)
          await writeWeights(folder, `weights-${epoch}`, whole, core, setup, state, { epoch })
        const { arrays, metadata } = stateTensors(identity, history, state)
        await writeSafetensors(join(folder, 'state.safetensors'), arrays, { metadata })
      }
    }
    return resultOf(core, setup, history, await save())
  } finally {
    await ask({ do: 'end' }, false).catch(() => {})
  }
}

async function setupOf(
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

function reportOf(
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

function resultOf(
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

async function writeWeights(
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
