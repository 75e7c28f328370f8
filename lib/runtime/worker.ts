// Entry of the worker thread that owns one architecture's onnxruntime sessions. Everything that
// blocks happens here: forward runs and the addon's jobs between them.
import { parentPort, workerData } from 'node:worker_threads'
import { TangentError } from '../core/errors.js'
import { axisToFirst } from '../io/axes.js'
import { type NativeEngine, type NativeJob, type NativeWant, native } from '../native/index.js'
import type * as ort from '../native/onnxruntime.js'
import { digestsOf } from '../train/identity.js'
import type { TrainingReply } from '../train/protocol.js'
import { TrainingRun } from '../train/run.js'
import { refuseNonFinite } from './faults.js'
import { inBlocks, kindOfFeed, repeated } from './feeds.js'
import { axisOfBlock } from './fixed.js'
import { samplesMeet } from './independence.js'
import { Inference } from './inference.js'
import { KeptFrames } from './kept.js'
import { PathWeights, weightsFrom } from './path.js'
import { MergedBatch, Plan, type Weights } from './plan.js'
import type {
  ComputeMessage,
  ComputeResult,
  DescribeResult,
  Feed,
  FixedBlock,
  FromWorker,
  Request,
  RunResult,
  ToWorker,
  TryResult,
  ValuesResult,
  WorkerInit,
} from './protocol.js'
import { Sessions, timeInOnnxruntime } from './sessions.js'
import { received, receivedWeight } from './shared.js'
import { tryReadings } from './trial.js'

const init = workerData as WorkerInit
const port = parentPort
if (!port) throw new Error('This file runs in a worker thread')
const sessions = new Sessions(init)
const inference = new Inference(init, sessions)
const plans = new Map<string, Plan>()
const weightSets = new Map<number, Weights>()
const trainings = new Map<number, TrainingRun>()
/** Of the last product. */
let kept: KeptFrames | undefined
/** Outputs whose samples are known to depend on each other, or not to. */
const meeting = new Map<string, boolean>()
/** The axis that holds an output's samples, by output and kind of feed. */
const outputAxes = new Map<string, number>()
/** Of files that take a fixed number of samples only, by output and kind of feed. */
const fixedBlocks = new Map<string, FixedBlock>()
/** Samples of one plain run: enough to keep the cores busy, few enough to stay small. */
const runBlock = 64

// One message after another: a request waits for the one before it.
let queue = Promise.resolve()
port.on('message', (message: ToWorker) => {
  queue = queue.then(() => handle(message))
})

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'plan':
      plans.set(message.plan.key, new Plan(init, sessions, message.plan))
      return
    case 'weights':
      weightSets.set(message.network, weightsFrom(message.weights.map(receivedWeight)))
      return
    case 'forget':
      weightSets.delete(message.network)
      forgetFrames()
      return
    case 'rest':
      forgetFrames()
      return
    default:
      return answer(message)
  }
}

function forgetFrames(): void {
  kept?.release()
  kept = undefined
}

async function answer(request: Request): Promise<void> {
  let reply: FromWorker
  const transfer: ArrayBuffer[] = []
  if (request.type !== 'compute' || request.keep === undefined || request.keep !== kept?.owner)
    forgetFrames()
  try {
    checkStop(request)
    // A training was described before it began.
    if (request.type !== 'train') await inference.check(request.memory)
    const result = await respond(request)
    if ('data' in result) transfer.push(result.data.buffer as ArrayBuffer)
    reply = { id: request.id, ok: true, result }
  } catch (error) {
    const { name, message, code = 'FAILED' } = error as Error & { code?: string }
    reply = { id: request.id, ok: false, name, code, message }
  }
  port?.postMessage(reply, transfer)
}

function respond(
  request: Request,
): Promise<
  RunResult | Opened | ValuesResult | TryResult | DescribeResult | ComputeResult | TrainingReply
> {
  switch (request.type) {
    case 'run':
      return run(request)
    case 'open':
      return open(request)
    case 'values':
      return values(request)
    case 'try':
      return tryReadings(sessions, request, weightsOf(request.network))
    case 'describe':
      return describe(request)
    case 'compute':
      return compute(request)
    case 'train':
      return train(request)
  }
}

type Opened = Record<string, never>

/** Only to see whether onnxruntime takes the network. */
async function open({ output, threads }: Request & { type: 'open' }): Promise<Opened> {
  const { taken } = await sessions.inferred()
  if (!taken) await sessions.get(`run ${output}`, threads, { values: [output], shapes: [] })
  return {}
}

async function values({ names }: Request & { type: 'values' }): Promise<ValuesResult> {
  const { values: known } = await sessions.inferred()
  const wanted = new Set(names)
  return {
    inferred: new Map(
      [...known]
        .filter(([name]) => wanted.has(name))
        .map(([name, { type, shape }]) => [name, { type, shape: [...shape] }]),
    ),
  }
}

async function train(request: Request & { type: 'train' }): Promise<TrainingReply> {
  const { training, action } = request
  if (action.do === 'start') {
    const own = [...weightsOf(request.network).messages.values()]
    const plan = planOf(action.setup.plan)
    trainings.set(training, await TrainingRun.start(action.setup, plan, own, weightsFrom))
    return { digests: action.identify ? digestsOf(action.setup, own) : undefined }
  }
  const run = trainings.get(training)
  if (!run) throw new TangentError('FAILED', 'The training is not there')
  switch (action.do) {
    case 'steps':
      return run.steps(action.order, action.size, action.rates, request.control)
    case 'evaluate':
      return run.evaluate(action.data, request.control)
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

function checkStop({ control }: Request): void {
  if (Atomics.load(control, 0) !== 0n)
    throw Object.assign(new Error('aborted'), { code: 'ABORTED' })
}

function weightsOf(network: number): Weights {
  const weights = weightSets.get(network)
  if (!weights) throw new TangentError('FAILED', 'The weights of the network are not there')
  return weights
}

function planOf(key: string): Plan {
  const plan = plans.get(key)
  if (!plan) throw new TangentError('FAILED', 'The plan of the network is not there')
  return plan
}

/**
 * Files that call the batch free may still hold nodes made for one sample, or an output that has no axis
 * for the samples alone; one whose batch was several may take that many only.
 */
async function orOneByOne<T>(
  request: Request & { type: 'run' | 'describe' },
  work: (batch: number) => Promise<T>,
  inBlock: (block: FixedBlock) => Promise<T>,
): Promise<T> {
  const { batch } = request
  try {
    return await work(batch)
  } catch (error) {
    const { code = '' } = error as { code?: string }
    const merged = error instanceof MergedBatch && batch === 0
    if (batch === 1 || !(merged || ['FAILED', 'BAD_INPUT', 'BAD_FILE'].includes(code))) throw error
    const other = batch > 1 ? fixedBlock(request, batch).then(inBlock) : work(1)
    return other.catch((second: { code?: string }) => {
      throw second.code === 'UNSUPPORTED' ? second : error
    })
  }
}

async function fixedBlock(
  request: Request & { type: 'run' | 'describe' },
  size: number,
): Promise<FixedBlock> {
  const { x, threads, network } = request
  const output = request.type === 'run' ? request.output : planOf(request.plan).output
  const key = `${output} ${kindOfFeed(x)}`
  let block = fixedBlocks.get(key)
  if (!block) {
    block = { size, ...(await axisOfBlock(sessions, output, x, size, weightsOf(network), threads)) }
    fixedBlocks.set(key, block)
  }
  return block
}

function run(request: Request & { type: 'run' }): Promise<RunResult> {
  if (request.whole !== undefined) return runBlocks(request, request.x.samples)
  return orOneByOne(
    request,
    async (batch) => {
      if (batch > 1 && (await doMeet(request))) {
        throw new TangentError(
          'UNSUPPORTED',
          `Expected a network that treats each sample by itself but samples meet in a batch, which the file fixes at ${batch}; export the network with a dynamic batch dimension`,
        )
      }
      return runBlocks(request, batch === 1 ? 1 : await blockFor(request))
    },
    inFixedBlocks,
  )

  /** The last block was filled up: what comes of that goes. */
  async function inFixedBlocks({ size, axis, dims }: FixedBlock): Promise<RunResult> {
    const x = inBlocks(request.x, size)
    const { data } = await runBlocks({ ...request, x }, 1)
    const { samples } = request.x
    const outputs = data.length / x.samples / size
    const sorted = data.slice()
    const length = size * outputs
    for (let start = 0; start < data.length; start += length) {
      const part = data.slice(start, start + length)
      sorted.set((axis > 0 ? axisToFirst(part, dims, axis) : part) as never, start)
    }
    return { data: sorted.slice(0, samples * outputs), shape: [samples, outputs] }
  }
}

/** Samples of one run; all, where they meet and mean something together only. */
async function blockFor(request: Request & { type: 'run' }): Promise<number> {
  const { samples } = request.x
  return samples <= runBlock || (await doMeet(request)) ? samples : runBlock
}

async function doMeet(request: Request & { type: 'run' }): Promise<boolean> {
  const { x, output, threads, network } = request
  let meet = meeting.get(output)
  if (meet === undefined) {
    meet = await samplesMeet(sessions, output, x, weightsOf(network), threads)
    meeting.set(output, meet)
  }
  return meet
}

async function runBlocks(request: Request & { type: 'run' }, block: number): Promise<RunResult> {
  const { x, output, threads } = request
  const weights = weightsOf(request.network)
  const session = await sessions.get(`run ${output}`, threads, { values: [output], shapes: [] })
  let whole: RunResult | undefined
  for (let first = 0; first < x.samples; first += block) {
    checkStop(request)
    const count = Math.min(block, x.samples - first)
    const { values } = await session.run(x, first, count, weights.tensors)
    const tensor = values.get(output) as ort.Tensor
    const data = tensor.data as RunResult['data']
    const axis = block > 1 ? await outputAxis(request, tensor.dims, count) : 0
    const size = data.length / count
    if (!whole) {
      const Kind = data.constructor as new (length: number) => RunResult['data']
      whole = { data: new Kind(x.samples * size), shape: [x.samples, size] }
    }
    whole.data.set((axis > 0 ? axisToFirst(data, tensor.dims, axis) : data) as never, first * size)
  }
  return whole as RunResult
}

/** The axis of the output that holds the samples: the one that is named, or that grows with them. */
async function outputAxis(
  request: Request & { type: 'run' },
  dims: readonly number[],
  count: number,
): Promise<number> {
  const { x, output, threads, network } = request
  const key = `${output} ${kindOfFeed(x)}`
  let axis = outputAxes.get(key) ?? request.axis
  // Names may be wrong.
  if (axis === undefined || dims[axis] !== count) {
    // One sample is in order whatever the axis.
    if (count === 1 && dims.includes(1)) return 0
    const other = count === 2 ? 3 : 2
    const session = await sessions.get(`run ${output}`, threads, { values: [output], shapes: [] })
    const some = repeated(x, other)
    const { values } = await session.run(some, 0, other, weightsOf(network).tensors)
    const sizes = values.get(output)?.dims ?? []
    const grown = dims.flatMap((size, k) => (size === sizes[k] ? [] : [k]))
    axis = grown.length === 1 && sizes[grown[0] as number] === other ? grown[0] : undefined
  }
  if (axis !== undefined && dims[axis] === count) {
    outputAxes.set(key, axis)
    return axis
  }
  throw new MergedBatch(
    'UNSUPPORTED',
    `Expected ${count} samples along one axis of output ${JSON.stringify(output)} but it has the shape (${dims.join(', ')})`,
  )
}

/** The block that all samples are. */
async function wholeBlock(
  request: Request & { type: 'describe' },
  size: number,
): Promise<FixedBlock> {
  const { threads, network } = request
  const { output } = planOf(request.plan)
  const x = repeated(request.x, size)
  const session = await sessions.get(`run ${output}`, threads, { values: [output], shapes: [] })
  const { values } = await session.run(x, 0, size, weightsOf(network).tensors)
  const dims = [...(values.get(output) as ort.Tensor).dims]
  const asked = { ...request, type: 'run', output, axis: undefined, x } as const
  const axis = await outputAxis(asked, dims, size)
  return { size, axis, dims }
}

function describe(request: Request & { type: 'describe' }): Promise<DescribeResult> {
  const { x, plan, threads, network, whole } = request
  const layoutOf = (feed: Feed, batch: number) =>
    planOf(plan).layout(feed, weightsOf(network), threads, batch)
  const inBlock = async (block: FixedBlock) => {
    const { outputs } = await layoutOf(inBlocks(x, block.size), 1)
    return { outputs: outputs / block.size, batch: 1, axis: block.axis, block }
  }
  if (whole !== undefined) return wholeBlock(request, whole).then(inBlock)
  const work = async (batch: number) => {
    const { outputs, axis } = await layoutOf(x, batch)
    return { outputs, batch, ...(batch === 1 ? {} : { axis }) }
  }
  return orOneByOne(request, work, inBlock)
}

async function compute(request: Request & { type: 'compute' }): Promise<ComputeResult> {
  const { x2, threads, batch, keep } = request
  const x = received(request.x)
  const plan = planOf(request.plan)
  const weights = weightsOf(request.network)
  const layout = await plan.layout(x, weights, threads, batch)
  const along = request.path && new PathWeights(request.path)
  let { memory } = request
  if (request.job.kind === 'product') {
    const share = Math.floor(memory / 4)
    memory -= share
    kept ??= new KeptFrames(keep, share)
  }
  const job = startJob(layout.engine, { ...request, memory }, request.control)
  const before = timeInOnnxruntime.milliseconds
  let computing = 0
  try {
    for (let want = job.next(); want; want = job.next()) {
      checkStop(request)
      const side = (want.side === 0 ? x : x2) as Feed
      const present = along?.at(want.node) ?? weights
      const known = kept?.find(want)
      const run = known ?? (await plan.frame(layout, side, want, present, threads))
      const start = performance.now()
      try {
        job.feed(run.frame)
        computing += performance.now() - start
      } finally {
        if (!known && !kept?.take(want, run)) run.frame.release()
      }
    }
    const { methods, peakBytes } = job
    const seconds = (computing + timeInOnnxruntime.milliseconds - before) / 1000
    checkStop(request)
    const features = request.job.kind === 'features' ? job.features() : undefined
    if (request.nonFinite === 'throw') {
      const frame = (want: NativeWant, side: Feed) =>
        plan.frame(layout, side, want, along?.at(want.node) ?? weights, threads)
      const nameOf = (id: number) => init.graph.values[id]?.name ?? ''
      await refuseNonFinite({ request: { ...request, x }, layout, features, nameOf, frame })
    }
    return { methods, peakBytes, seconds, ...(features ? { features } : {}) }
  } finally {
    job.dispose()
    if (keep === undefined) forgetFrames()
  }
}

function startJob(
  engine: NativeEngine,
  { x, x2, outputs, threads, memory, block, outputBlock, job }: ComputeMessage,
  control: BigInt64Array,
): NativeJob {
  native.reserveThreads(threads)
  const common = {
    samples: x.samples,
    outputs,
    threads,
    memory,
    control,
    ...(block === undefined ? {} : { block }),
    ...(outputBlock === undefined ? {} : { outputBlock }),
  }
  switch (job.kind) {
    case 'ntk':
      return engine.ntk({ ...common, ...job, ...(x2 ? { samples2: x2.samples } : {}) })
    case 'jacobian':
      return engine.jacobian({ ...common, ...job })
    case 'vjp':
      return engine.vjp({ ...common, ...job })
    case 'jvp':
      return engine.jvp({ ...common, ...job })
    case 'product':
      return engine.product({ ...common, ...job })
    case 'features':
      return engine.features(common)
    case 'normal':
      return engine.normal({ ...common, ...job })
  }
}
