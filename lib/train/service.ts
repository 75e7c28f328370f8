// Trainings in the worker.
import { TangentError } from '../core/errors.js'
import { weightsFrom } from '../runtime/path.js'
import type { ServiceContext } from '../runtime/service.js'
import { digestsOf } from './identity.js'
import type { TrainingMessage, TrainingReply } from './protocol.js'
import { TrainingRun } from './run.js'
import { withSamples } from './setup.js'

const trainings = new Map<number, TrainingRun>()

/** Answers one TrainingMessage. */
export async function trainingService(
  message: unknown,
  context: ServiceContext,
): Promise<TrainingReply> {
  const { training, action } = message as TrainingMessage
  if (action.do === 'start') {
    const own = [...context.weights().messages.values()]
    const { train, test } = action.setup
    const samples = { x: context.reading(train.x), x2: test && context.reading(test.x) }
    const setup = withSamples(action.setup, samples)
    const run = await TrainingRun.start(setup, context.plan(), own, weightsFrom)
    trainings.set(training, run)
    return { digests: action.identify ? await digestsOf(setup, own) : undefined }
  }
  const run = trainings.get(training)
  if (!run) throw new TangentError('FAILED', 'The training is not there')
  switch (action.do) {
    case 'steps':
      return {
        ...(await run.steps(action.order, action.size, action.rates, context.control)),
        device: run.device,
      }
    case 'evaluate':
      return run.evaluate(action.data, context.control)
    case 'save':
      return { state: run.save() }
    case 'restore':
      run.restore(action.state)
      return {}
    case 'end':
      trainings.delete(training)
      run.end()
      return {}
  }
}
