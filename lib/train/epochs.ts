// The epochs of one training: steps, reports, checkpoints.
import { join } from 'node:path'
import { badArgument } from '../core/errors.js'
import { timed } from '../core/progress.js'
import { writeSafetensors } from '../io/index.js'
import { permutation, stream } from '../linear/random.js'
import type { Core } from '../model/core.js'
import type { LossSum } from '../native/train.js'
import { readState, stateTensors } from './checkpoint.js'
import type { TrainingIdentity } from './identity.js'
import { rateAt } from './optimizer.js'
import type { EpochReport, TrainOptions } from './options.js'
import type { TrainingAction, TrainingReply, TrainingSetup, TrainingState } from './protocol.js'
import { reportOf, resultOf, type Training, writeWeights } from './result.js'

/** A training that the worker has started. */
export interface Started {
  setup: TrainingSetup
  options: TrainOptions
  /** As it was given, and in the form that its samples want. */
  whole: Core
  core: Core
  /** Samples of an epoch. */
  perEpoch: number
  /** Where states are written or read. */
  identity: TrainingIdentity | undefined
  ask(action: TrainingAction): Promise<TrainingReply>
}

export class Epochs {
  readonly #started: Started
  readonly #steps: number
  readonly #moments: ReadonlySet<number>
  #history: EpochReport[] = []

  constructor(started: Started) {
    this.#started = started
    this.#steps = Math.floor(started.perEpoch / started.setup.batch)
    this.#moments = new Set(started.options.checkpoints?.at)
  }

  async run(): Promise<Training> {
    const { core, setup, options } = this.#started
    const { epochs } = options
    await this.#resume()
    const before = this.#history.length
    const progress = timed(options.onProgress, before / epochs)
    if (before === 0) await this.#atStep(0)
    for (let epoch = before + 1; epoch <= epochs; epoch += 1) {
      const report = await this.#epoch(epoch)
      this.#history.push(report)
      options.onEpoch?.(report)
      progress(epoch / epochs)
      await this.#atEpoch(epoch)
    }
    return resultOf(core, setup, this.#history, await this.#save())
  }

  async #resume(): Promise<void> {
    const { options, identity, setup, ask } = this.#started
    const { resume, epochs } = options
    if (resume === undefined || !identity) return
    const { state, history } = await readState(resume, setup, identity)
    await ask({ do: 'restore', state })
    this.#history = history
    if (history.length > epochs) {
      throw badArgument('options.epochs', `at least the ${history.length} already made`, epochs)
    }
  }

  async #epoch(epoch: number): Promise<EpochReport> {
    const { setup, options, ask } = this.#started
    const { epochs, seed = 1, evaluateEvery = 1 } = options
    const order = permutation(setup.train.x.samples, stream(seed, epoch))
    const taken = order.slice(0, this.#steps * setup.batch)
    const sum = await this.#walk(taken, (epoch - 1) * this.#steps)
    const due = setup.test && (epoch % evaluateEvery === 0 || epoch === epochs)
    const tested = due ? await ask({ do: 'evaluate', data: 'test' }) : undefined
    return reportOf(epoch, sum, taken.length, tested, setup.test?.x.samples ?? 0)
  }

  /** The steps of an epoch, in pieces where checkpoints are wanted within it. */
  async #walk(order: Uint32Array, done: number): Promise<LossSum> {
    const { setup, ask } = this.#started
    const { batch } = setup
    const rates = this.#rates(done)
    const sum: LossSum = { loss: 0, wrong: 0 }
    for (let from = 0; from < this.#steps; ) {
      let to = from + 1
      while (to < this.#steps && !this.#moments.has(done + to)) to += 1
      const { loss = Number.NaN, wrong = Number.NaN } = await ask({
        do: 'steps',
        order: order.slice(from * batch, to * batch),
        size: batch,
        rates: rates.slice(from, to),
      })
      sum.loss += loss
      sum.wrong += wrong
      from = to
      await this.#atStep(done + to)
    }
    return sum
  }

  #rates(done: number): Float64Array {
    const { schedule = 'constant', optimizer, epochs } = this.#started.options
    const all = epochs * this.#steps
    return Float64Array.from({ length: this.#steps }, (_, step) =>
      rateAt(schedule, optimizer.learningRate, done + step, all),
    )
  }

  async #save(): Promise<TrainingState> {
    return (await this.#started.ask({ do: 'save' })).state as TrainingState
  }

  async #atStep(step: number): Promise<void> {
    const { whole, core, setup, options } = this.#started
    if (!options.checkpoints || !this.#moments.has(step)) return
    const { folder } = options.checkpoints
    await writeWeights(folder, `step-${step}`, whole, core, setup, await this.#save(), { step })
  }

  async #atEpoch(epoch: number): Promise<void> {
    const { whole, core, setup, options, identity } = this.#started
    const { checkpoints, epochs } = options
    const every = checkpoints?.every ?? 1
    if (!checkpoints || !identity || (epoch % every !== 0 && epoch !== epochs)) return
    const state = await this.#save()
    const { folder, at } = checkpoints
    if (!at) await writeWeights(folder, `weights-${epoch}`, whole, core, setup, state, { epoch })
    const { arrays, metadata } = stateTensors(identity, this.#history, state)
    await writeSafetensors(join(folder, 'state.safetensors'), arrays, { metadata })
  }
}
