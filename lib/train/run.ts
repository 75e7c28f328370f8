// One training run in the worker: forward runs by onnxruntime, everything else by the addon.
import { TangentError } from '../core/errors.js'
import { shapeSize } from '../core/shape.js'
import { gather } from '../io/gather.js'
import { deviceName } from '../native/device.js'
import { type NativeDeviceCounts, type NativePasses, native } from '../native/index.js'
import type { LossSum, NativeGrowth, NativeTraining } from '../native/train.js'
import { isRead } from '../runtime/loaded.js'
import type { BatchLayout, Plan } from '../runtime/plan.js'
import type { Feed, FeedArray, WeightMessage } from '../runtime/protocol.js'
import type { Weights } from '../runtime/tensors.js'
import { factorArrays } from './layout.js'
import { nativeOptimizer } from './optimizer.js'
import type { TrainingData, TrainingSetup, TrainingState } from './protocol.js'

/** Bytes of values that one run of many samples may make, and samples that it may have. */
const runBytes = 2 ** 26
const runSamples = 1024
/** Bytes of samples that are read for steps to come, at most. */
const aheadBytes = 2 ** 28
/** Numbers of a step below which a second thread of onnxruntime costs more than it brings. */
const smallStep = 2 ** 19

const sets = ['train', 'test'] as const
type SetName = (typeof sets)[number]

interface SharedFloats {
  id: number
  data: Float32Array
}

export class TrainingRun {
  readonly #setup: TrainingSetup
  readonly #plan: Plan
  readonly #layout: BatchLayout
  /** The weights that forward runs use; full training changes them in place. */
  readonly #weights: Weights
  readonly #names: string[]
  /** What the optimiser changes. */
  readonly #arrays: SharedFloats[]
  /** [moment][array]. */
  readonly #moments: SharedFloats[][]
  readonly #native: NativeTraining
  readonly #growth: NativeGrowth[]
  /** Samples of one run where there is no step. */
  readonly #block: number
  /** Threads of a step's forward run. */
  readonly #runThreads: number
  /** Whether forward runs are kept (the weights of the linear models' stay), once that is known. */
  readonly #kept = new Map<SetName, boolean>()
  #batch: Feed | undefined
  /** Samples of an epoch's steps that are read already. */
  #ahead: { order: Uint32Array; from: number; end: number; feed: Feed } | undefined

  private constructor(
    setup: TrainingSetup,
    plan: Plan,
    layout: BatchLayout,
    weights: Weights,
    arrays: { name: string; array: SharedFloats }[],
  ) {
    this.#setup = setup
    this.#plan = plan
    this.#layout = layout
    this.#weights = weights
    this.#names = arrays.map(({ name }) => name)
    this.#arrays = arrays.map(({ array }) => array)
    const { parameters, optimizer, model, outputs, threads, memory, train, test } = setup
    this.#moments = Array.from({ length: optimizer.kind === 'sgd' ? 1 : 2 }, () =>
      this.#arrays.map(({ data }) => zeros(data.length)),
    )
    this.#native = layout.engine.training({
      model,
      optimizer: nativeOptimizer(optimizer),
      outputs,
      threads,
      device: deviceName(setup.device),
      // The other half is for runs that are kept.
      memory: Math.floor(model === 'full' ? memory : memory / 2),
      layouts: parameters.map((parameter) => parameter.layout),
      arrays: this.#arrays.map(({ id }) => id),
      moments: this.#moments.map((arrays) => arrays.map(({ id }) => id)),
      targets: [train, ...(test ? [test] : [])].map(({ targets }) => targets),
    })
    this.#growth = setup.single ? [] : plan.growth(layout, train.x, 'both')
    const size = setup.single
      ? plan.numbersOfOne(layout)
      : this.#growth.reduce((sum, growth) => sum + perSample(growth), 0)
    const bytes = Math.min(runBytes, memory / 8)
    const most = setup.single ? 1 : runSamples
    this.#block = Math.max(1, Math.min(most, Math.floor(bytes / (4 * size + 1))))
    const batch = setup.single ? 1 : setup.batch
    const numbers = parameters.reduce((sum, { count }) => sum + count, batch * size)
    this.#runThreads = numbers < smallStep ? 1 : threads
  }

  static async start(
    setup: TrainingSetup,
    plan: Plan,
    own: readonly WeightMessage[],
    weightsFrom: (messages: WeightMessage[]) => Weights,
  ): Promise<TrainingRun> {
    const arrays = arraysOf(setup, own)
    const trained = new Map(
      setup.model === 'full' ? setup.parameters.map(({ id }, p) => [id, arrays[p]]) : [],
    )
    const messages = own.map((weight) => ({
      ...weight,
      data: trained.get(weight.id)?.array.data ?? weight.data,
    }))
    const weights = weightsFrom(messages)
    const layout = await plan.layout(setup.train.x, weights, setup.threads, setup.single ? 1 : 0)
    return new TrainingRun(setup, plan, layout, weights, arrays)
  }

  /** Steps over `order`, `size` samples each; sums of the losses before each step. */
  async steps(
    order: Uint32Array,
    size: number,
    rates: Float64Array,
    control: BigInt64Array,
  ): Promise<LossSum> {
    if (await this.#keeps('train', control)) {
      return this.#native.steps(order, size, rates, control)
    }
    const total: LossSum = { loss: 0, wrong: 0 }
    const passes = this.#setup.model === 'full' ? 'reverse' : 'both'
    for (let step = 0; step < rates.length; step += 1) {
      const rows = order.subarray(step * size, (step + 1) * size)
      const feed = await this.#picked(order, step * size, size)
      const each = this.#setup.single ? 1 : size
      for (let first = 0; first < size; first += each) {
        const want = { first, count: each, passes } as const
        const { frame, output } = await this.#forward(feed, want, this.#runThreads)
        try {
          if (!frame) throw new TangentError('FAILED', 'A step needs the values of its run')
          const own = rows.subarray(first, first + each)
          add(total, this.#native.collect(frame, output, own, size, first === 0, control))
        } finally {
          frame?.release()
        }
      }
      this.#native.apply(rates[step] as number)
    }
    this.#ahead = undefined
    return total
  }

  /** Sums of loss and errors over all samples. */
  async evaluate(name: SetName, control: BigInt64Array): Promise<LossSum> {
    this.#native.renew()
    const set = sets.indexOf(name)
    if (await this.#keeps(name, control)) return this.#native.evaluate(set, this.#block, control)
    const total: LossSum = { loss: 0, wrong: 0 }
    const passes = this.#setup.model === 'full' ? 'none' : 'forward'
    for await (const { frame, output, first, count } of this.#runs(this.#data(name), passes)) {
      const sum = this.#native.evaluateRun(set, frame ?? null, output, first, count, control)
      add(total, sum)
    }
    return total
  }

  save(): TrainingState {
    const copies = (arrays: readonly SharedFloats[]) => arrays.map(({ data }) => data.slice())
    // First, since a device has the arrays.
    const weights = this.#native.present()
    return {
      names: this.#names,
      arrays: copies(this.#arrays),
      moments: this.#moments.map(copies),
      steps: this.#native.done,
      weights,
    }
  }

  restore({ arrays, moments, steps }: TrainingState): void {
    const set = (arrays: readonly SharedFloats[], from: readonly Float32Array[] | undefined) => {
      arrays.forEach(({ data }, a) => {
        data.set(from?.[a] as Float32Array)
      })
    }
    set(this.#arrays, arrays)
    this.#moments.forEach((arrays, m) => {
      set(arrays, moments[m])
    })
    this.#native.send()
    this.#native.done = steps
  }

  end(): void {
    this.#native.dispose()
    for (const { id } of [...this.#arrays, ...this.#moments.flat()]) native.releaseShared(id)
  }

  /** What the device was asked for so far. */
  get device(): NativeDeviceCounts | null {
    return this.#native.device
  }

  #data(name: SetName): TrainingData {
    return name === 'train' ? this.#setup.train : (this.#setup.test ?? this.#setup.train)
  }

  /** Whether the runs of these samples are kept; makes them the first time. */
  async #keeps(name: SetName, control: BigInt64Array): Promise<boolean> {
    const known = this.#kept.get(name)
    if (known !== undefined) return known
    const { x } = this.#data(name)
    // Runs of single samples cannot be put together to a batch.
    const { model, single } = this.#setup
    const kept = model !== 'full' && !single && this.#worthKeeping(name)
    this.#kept.set(name, false)
    if (kept) {
      const set = sets.indexOf(name)
      this.#native.store(set, x.samples, this.#plan.growth(this.#layout, x, 'both'))
      for await (const { frame, output, first } of this.#runs(this.#data(name), 'both')) {
        if (Atomics.load(control, 0) !== 0n) {
          throw Object.assign(new Error('aborted'), { code: 'ABORTED' })
        }
        if (frame) this.#native.remember(set, frame, output, first)
      }
    }
    this.#kept.set(name, kept)
    return kept
  }

  /** Kept runs may take half of the memory budget; a set that is hardly used is not kept. */
  #worthKeeping(name: SetName): boolean {
    const { memory, draws, train, test, outputs } = this.#setup
    if (name === 'train' && draws < train.x.samples) return false
    // What has to be read may be larger than memory.
    if (isRead(train.x) || (test && isRead(test.x))) return false
    const size = this.#growth.reduce(
      (sum, growth) => sum + (growth.data ? 0 : perSample(growth)),
      outputs,
    )
    const bytes = (data: TrainingData | undefined) => 4 * size * (data?.x.samples ?? 0)
    const taken = name === 'test' && this.#kept.get('train') ? bytes(train) : 0
    return taken + bytes(name === 'train' ? train : test) < memory / 2
  }

  async *#runs({ x }: TrainingData, passes: NativePasses | 'none') {
    for (let first = 0; first < x.samples; first += this.#block) {
      const count = Math.min(this.#block, x.samples - first)
      const run = await this.#forward(x, { first, count, passes }, this.#setup.threads)
      try {
        yield { ...run, first, count }
      } finally {
        run.frame?.release()
      }
    }
  }

  #forward(
    x: Feed,
    want: { first: number; count: number; passes: NativePasses | 'none' },
    threads: number,
  ) {
    return this.#plan.outputs(this.#layout, x, want, this.#weights, threads)
  }

  /** The training samples of a step, in memory that the next call takes again. */
  async #picked(order: Uint32Array, from: number, size: number): Promise<Feed> {
    const { x } = this.#setup.train
    if (isRead(x)) return this.#readAhead(order, from, size)
    const rows = order.subarray(from, from + size)
    if (this.#batch?.samples !== rows.length) {
      const arrays = x.arrays.map((array): FeedArray => {
        const data = new (kindOf(array))((array.data.length / x.samples) * rows.length)
        return { ...array, data, shape: [rows.length, ...array.shape.slice(1)] }
      })
      this.#batch = { ...x, samples: rows.length, arrays }
    }
    x.arrays.forEach(({ data }, a) => {
      const size = data.length / x.samples
      const to = (this.#batch as Feed).arrays[a]?.data as FeedArray['data']
      rows.forEach((row, at) => {
        to.set(data.subarray(row * size, (row + 1) * size) as never, at * size)
      })
    })
    return this.#batch
  }

  /** Samples that are read, those of several steps at a time. */
  async #readAhead(order: Uint32Array, from: number, size: number): Promise<Feed> {
    const before = this.#ahead
    if (before?.order === order && from >= before.from && from + size <= before.end) {
      return within(before.feed, from - before.from, size)
    }
    this.#ahead = undefined
    const { x } = this.#setup.train
    const bytes = x.arrays.reduce((sum, { data, shape }) => {
      return sum + data.BYTES_PER_ELEMENT * shapeSize(shape.slice(1))
    }, 0)
    const fitting = Math.floor(Math.min(aheadBytes, this.#setup.memory / 16) / Math.max(1, bytes))
    const end = Math.min(order.length, from + size * Math.max(1, Math.floor(fitting / size)))
    const feed = await pickedRows(x, order.subarray(from, end))
    this.#ahead = { order, from, end, feed }
    return within(feed, 0, size)
  }
}

const kindOf = ({ data }: FeedArray) =>
  data.constructor as new (
    length: number,
  ) => FeedArray['data']

/** Samples that are read, in the order wanted. */
async function pickedRows(x: Feed, rows: Uint32Array): Promise<Feed> {
  const arrays: FeedArray[] = []
  for (const { read, source, block, ...array } of x.arrays) {
    const [, ...sizes] = array.shape
    const size = shapeSize(sizes)
    const data = new (kindOf(array))(size * rows.length)
    const some = async (first: number, count: number) =>
      read ? read(first, count) : array.data.subarray(first * size, (first + count) * size)
    arrays.push({
      ...array,
      data: await gather(rows, data, size, some),
      shape: [rows.length, ...sizes],
    })
  }
  return { ...x, samples: rows.length, arrays }
}

/** Samples [first, first + count) of some in memory, without a copy. */
function within(x: Feed, first: number, count: number): Feed {
  const arrays = x.arrays.map((array): FeedArray => {
    const [, ...sizes] = array.shape
    const size = shapeSize(sizes)
    const data = array.data.subarray(first * size, (first + count) * size)
    return { ...array, data: data as FeedArray['data'], shape: [count, ...sizes] }
  })
  return { ...x, samples: count, arrays }
}

function arraysOf({ model, parameters }: TrainingSetup, own: readonly WeightMessage[]) {
  if (model === 'adaptive') {
    return factorArrays(parameters).map(({ name, count, side = 0 }) => {
      const array = zeros(count)
      for (let i = 0; i < side; i += 1) array.data[i * side + i] = 1
      return { name, array }
    })
  }
  return parameters.map(({ id, name, count }) => {
    const array = zeros(count)
    const weight = own.find((message) => message.id === id)
    if (model === 'full' && weight) array.data.set(weight.data)
    return { name, array }
  })
}

function zeros(length: number): SharedFloats {
  const { buffer, id } = native.allocateShared(4 * length)
  return { id, data: new Float32Array(buffer, 0, length).fill(0) }
}

/** Numbers of a value that one more sample brings. */
function perSample({ base, slope }: NativeGrowth): number {
  const count = (samples: number) =>
    base.reduce((product, size, d) => product * (size + samples * (slope[d] as number)), 1)
  return count(1) - count(0)
}

function add(total: LossSum, { loss, wrong }: LossSum): void {
  total.loss += loss
  total.wrong += wrong
}
