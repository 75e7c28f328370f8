// One training run in the worker: forward runs by onnxruntime, gradients by the addon, steps here.
import { TangentError } from '../errors.js'
import type { Layout, Plan, Weights } from '../forward/plan.js'
import type { Feed, FeedArray, WeightMessage } from '../forward/protocol.js'
import { type NativeFrame, type NativeJob, native } from '../native.js'
import { Factors } from './factors.js'
import { type LossSum, lossOf } from './loss.js'
import { Optimizer } from './optimizer.js'
import type { TrainingData, TrainingSetup, TrainingState } from './protocol.js'

/** Samples that are evaluated at once. */
const evaluated = 256

interface Block {
  id: number
  data: Float32Array
}

export class TrainingRun {
  readonly #setup: TrainingSetup
  readonly #plan: Plan
  readonly #layout: Layout
  /** The weights that forward runs use: a copy that full training changes. */
  readonly #weights: Weights
  readonly #factors: Factors | undefined
  /** What the optimiser changes. */
  readonly #arrays: Float32Array[]
  readonly #names: string[]
  readonly #optimizer: Optimizer
  readonly #gradients: Block[]
  readonly #changes: Block
  readonly #outputs: number[]

  private constructor(setup: TrainingSetup, plan: Plan, layout: Layout, weights: Weights) {
    this.#setup = setup
    this.#plan = plan
    this.#layout = layout
    this.#weights = weights
    const { parameters, model, threads } = setup
    this.#factors = model === 'adaptive' ? new Factors(parameters, threads) : undefined
    this.#names = this.#factors?.names ?? parameters.map(({ name }) => name)
    this.#arrays =
      this.#factors?.arrays ??
      parameters.map(({ id, count }) =>
        model === 'full'
          ? (weights.messages.get(id) as WeightMessage).data
          : new Float32Array(count),
      )
    this.#optimizer = new Optimizer(setup.optimizer, this.#arrays)
    this.#outputs = Array.from({ length: setup.outputs }, (_, o) => o)
    this.#gradients = parameters.map(({ count }) => allocate(count))
    this.#changes = allocate(Math.max(setup.batch, evaluated) * setup.outputs)
  }

  static async start(
    setup: TrainingSetup,
    plan: Plan,
    own: readonly WeightMessage[],
    weightsFrom: (messages: WeightMessage[]) => Weights,
  ): Promise<TrainingRun> {
    const copies = own.map((weight) => ({ ...weight, data: weight.data.slice() }))
    const weights = weightsFrom(copies)
    const layout = await plan.layout(setup.train.x, weights, setup.threads, 0)
    return new TrainingRun(setup, plan, layout, weights)
  }

  /** Steps over `order`, `size` samples each; sums of the losses before each step. */
  async steps(
    order: Uint32Array,
    size: number,
    rates: Float64Array,
    checkStop: () => void,
  ): Promise<LossSum> {
    const total: LossSum = { loss: 0, wrong: 0 }
    for (let step = 0; step < rates.length; step += 1) {
      checkStop()
      const rows = order.subarray(step * size, (step + 1) * size)
      const sum = await this.#step(rows, rates[step] as number)
      total.loss += sum.loss
      total.wrong += sum.wrong
    }
    return total
  }

  async #step(rows: Uint32Array, rate: number): Promise<LossSum> {
    const { train, loss, model } = this.#setup
    const feed = picked(train.x, rows)
    const linear = model !== 'full'
    const { frame, output } = await this.#forward(feed, 0, rows.length, linear ? 'both' : 'reverse')
    try {
      const f = linear ? this.#plus(output, this.#jvp(frame, rows.length)) : output
      const cotangents = new Float32Array(f.length)
      const sum = lossOf(loss, f, train.targets, rows, cotangents)
      if (!Number.isFinite(sum.loss)) {
        throw new TangentError(
          'NUMERICAL',
          'Expected a finite loss but training diverged; lower the learning rate',
        )
      }
      this.#run(
        this.#layout.engine.vjp({
          ...this.#common(rows.length),
          cotangents,
          columns: 1,
          results: this.#gradients.map(({ id }) => id),
        }),
        frame,
      )
      const gradients = this.#gradients.map(({ data }) => data)
      const own = this.#factors?.gradients(gradients) ?? gradients
      this.#optimizer.step(this.#arrays, own, rate)
      return sum
    } finally {
      frame.release()
    }
  }

  /** Sums of loss and errors over all samples. */
  async evaluate({ x, targets }: TrainingData, checkStop: () => void): Promise<LossSum> {
    const total: LossSum = { loss: 0, wrong: 0 }
    const linear = this.#setup.model !== 'full'
    const changes = linear ? this.#present() : undefined
    for (let first = 0; first < x.samples; first += evaluated) {
      checkStop()
      const count = Math.min(evaluated, x.samples - first)
      const { frame, output } = await this.#forward(x, first, count, linear ? 'forward' : 'none')
      try {
        const f = changes && frame ? this.#plus(output, this.#jvp(frame, count, changes)) : output
        const rows = Array.from({ length: count }, (_, i) => first + i)
        const sum = lossOf(this.#setup.loss, f, targets, rows)
        total.loss += sum.loss
        total.wrong += sum.wrong
      } finally {
        frame?.release()
      }
    }
    return total
  }

  save(): TrainingState {
    return {
      names: this.#names,
      arrays: this.#arrays.map((array) => array.slice()),
      moments: this.#optimizer.moments.map((arrays) => arrays.map((array) => array.slice())),
      steps: this.#optimizer.steps,
      weights: this.#present().map((array) => array.slice()),
    }
  }

  restore({ arrays, moments, steps }: TrainingState): void {
    this.#arrays.forEach((array, a) => {
      array.set(arrays[a] as Float32Array)
    })
    this.#optimizer.moments.forEach((own, m) => {
      own.forEach((array, a) => {
        array.set(moments[m]?.[a] as Float32Array)
      })
    })
    this.#optimizer.steps = steps
  }

  end(): void {
    for (const { id } of [...this.#gradients, this.#changes]) native.releaseBlock(id)
  }

  /** The weights, or Δ, as they are now. */
  #present(): Float32Array[] {
    return this.#factors?.changes() ?? this.#arrays
  }

  #forward(
    x: Feed,
    first: number,
    count: number,
    passes: 'reverse' | 'both' | 'forward',
  ): Promise<{ frame: NativeFrame; output: Float32Array }>
  #forward(
    x: Feed,
    first: number,
    count: number,
    passes: 'reverse' | 'both' | 'forward' | 'none',
  ): Promise<{ frame: NativeFrame | undefined; output: Float32Array }>
  #forward(x: Feed, first: number, count: number, passes: 'reverse' | 'both' | 'forward' | 'none') {
    const { threads } = this.#setup
    return this.#plan.outputs(this.#layout, x, { first, count, passes }, this.#weights, threads)
  }

  #jvp(frame: NativeFrame, samples: number, directions = this.#present()): Float32Array {
    const result = this.#changes.id
    const job = { ...this.#common(samples), directions, columns: 1, result }
    this.#run(this.#layout.engine.jvp(job), frame)
    return this.#changes.data.subarray(0, samples * this.#setup.outputs)
  }

  #plus(a: Float32Array, b: Float32Array): Float32Array {
    return a.map((value, e) => value + (b[e] as number))
  }

  #common(samples: number) {
    const { threads, memory } = this.#setup
    return { samples, outputs: this.#outputs, threads, memory, block: samples }
  }

  /** One frame holds all samples of a step. */
  #run(job: NativeJob, frame: NativeFrame): void {
    try {
      job.feed(frame)
      if (!job.next()) return
      throw new TangentError(
        'MEMORY_BUDGET',
        `A batch of ${this.#setup.batch} does not fit the memory budget; take a smaller one`,
      )
    } finally {
      job.dispose()
    }
  }
}

function allocate(length: number): Block {
  const { buffer, id } = native.allocateBlock(4 * length)
  return { id, data: new Float32Array(buffer, 0, length) }
}

/** The given samples of a feed. */
function picked(x: Feed, rows: Uint32Array): Feed {
  const arrays = x.arrays.map((array): FeedArray => {
    const size = array.data.length / x.samples
    const Kind = array.data.constructor as new (length: number) => FeedArray['data']
    const data = new Kind(rows.length * size)
    rows.forEach((row, at) => {
      data.set(array.data.subarray(row * size, (row + 1) * size) as never, at * size)
    })
    return { ...array, data, shape: [rows.length, ...array.shape.slice(1)] }
  })
  return { samples: rows.length, arrays }
}
