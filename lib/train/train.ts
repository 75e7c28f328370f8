import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { held, heldInputs } from '../io/held.js'
import { makeFolder } from '../io/index.js'
import { cores } from '../model/core.js'
import type { Network } from '../network/network.js'
import { checkOptions } from './checks.js'
import { Epochs } from './epochs.js'
import { identityOf } from './identity.js'
import type { LabelledSamples, TrainOptions } from './options.js'
import type { TrainingAction, TrainingMessage, TrainingReply } from './protocol.js'
import type { Training } from './result.js'
import { setupOf, withSamples } from './setup.js'

let nextTraining = 1

const heldSamples = <T extends LabelledSamples>(data: T, of: string): T => ({
  ...data,
  x: heldInputs(data.x, `${of}x`),
  target: held(data.target, `${of}target`),
})

/**
 * Trains a network, its linearisation, or the adaptive factors of that, by mini-batches. The
 * network itself stays as it is.
 * @throws TangentError `NUMERICAL` when the loss is not finite any more, `BAD_ARGUMENT`,
 *   `BAD_INPUT`;
 *   a DOMException named AbortError.
 * @example
 * ```js
 * import { buildMlp, Network, train } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [16], outputs: 1 }))
 * const at = Float32Array.from({ length: 20 }, (_, i) => i / 10 - 1)
 * const samples = {
 *   x: { data: at, shape: [20, 1] },
 *   target: { data: at.map((value) => Math.abs(value)), shape: [20, 1] },
 * }
 * const { history } = await train(network, samples, {
 *   loss: 'squared',
 *   optimizer: { kind: 'adam', learningRate: 0.01 },
 *   epochs: 20,
 *   seed: 1,
 * })
 * console.log(history.at(-1).trainLoss < history[0].trainLoss)
 * await network.dispose()
 * // true
 * ```
 * @since 0.1.0
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
  const { epochs, schedule = 'constant', seed = 1, signal, checkpoints, resume } = options
  const setup = await setupOf(core, data, options)
  const { samples } = setup.train.x
  const perEpoch = options.samplesPerEpoch ?? samples
  wholeNumber('options.samplesPerEpoch', perEpoch, setup.batch, samples)
  if (checkpoints) await makeFolder(checkpoints.folder)
  const training = nextTraining++
  const plan = await core.plan()
  const send = (action: TrainingAction, watched = true) => {
    const message: TrainingMessage = { training, action }
    const request = { type: 'service', service: 'train', message } as const
    return core.ask<TrainingReply>(request, watched ? { signal } : {}, plan).result
  }
  const identify = checkpoints !== undefined || resume !== undefined
  const { sources } = core.architecture.host
  const lent = sources.lend({ x: setup.train.x, x2: setup.test?.x })
  const { digests } = await send({ do: 'start', setup: withSamples(setup, lent.request), identify })
  const decided = { schedule, epochs, samplesPerEpoch: perEpoch, seed }
  const identity = digests && identityOf(setup, digests, decided)
  try {
    const ask = (action: TrainingAction) => send(action)
    return await new Epochs({ setup, options, whole, core, perEpoch, identity, ask }).run()
  } finally {
    await send({ do: 'end' }, false).catch(() => {})
    lent.release()
  }
}
