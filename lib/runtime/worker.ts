// The worker thread that owns one architecture's onnxruntime sessions. Everything that blocks happens
// here: forward runs and the addon's jobs between them.
import { parentPort } from 'node:worker_threads'
import { TangentError } from '../core/errors.js'
import { axisToFirst } from '../io/axes.js'
import { native } from '../native/index.js'
import type * as ort from '../native/onnxruntime.js'
import { architecture } from './begin.js'
import { computeJob } from './compute.js'
import { Deliveries } from './deliveries.js'
import { inBlocks, kindOfFeed, repeated } from './feeds.js'
import { axisOfBlock } from './fixed.js'
import { samplesMeet } from './independence.js'
import { Inference } from './inference.js'
import { kindOf } from './jobs/index.js'
import { KeptFrames } from './kept.js'
import { matrixLayers, ratesOf } from './layers.js'
import { fewOf, runnable } from './loaded.js'
import { weightsFrom } from './path.js'
import { type BatchLayout, MergedBatch, Plan } from './plan.js'
import type {
  ComputeResult,
  DescribeResult,
  Feed,
  FixedBlock,
  Reply,
  Request,
  RunResult,
  ToWorker,
  TryResult,
  ValuesResult,
  WorkerInit,
} from './protocol.js'
import { RowRequests } from './rows.js'
import type { Service } from './service.js'
import type { Session } from './session.js'
import { Sessions } from './sessions.js'
import { receivedWeight } from './shared.js'
import { checkStop } from './stop.js'
import type { Weights } from './tensors.js'
import { tryReadings } from './trial.js'

const port = parentPort
if (!port) throw new Error('This file runs in a worker thread')
/** What the worker is for: see `serve`. */
let init: WorkerInit
let sessions: Sessions
let inference: Inference
let present: Plan | undefined
const weightSets = new Map<number, Weights>()
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

/** Of the request that runs. */
const tiles = new Deliveries((message) => port.postMessage(message))
const rows = new RowRequests((message) => port.postMessage(message))
let services: Readonly<Record<string, Service>> = {}

/**
 * Answers the main thread once there is something to work on.
 * @param others what parts of the package above this one do.
 */
export async function serve(others: Readonly<Record<string, Service>>): Promise<void> {
  init = await architecture()
  sessions = new Sessions(init)
  inference = new Inference(init, sessions)
  services = others
  // One message after another: a request waits for the one before it.
  let queue = Promise.resolve()
  port?.on('message', (message: ToWorker) => {
    // Waited for by the request that runs.
    if (message.type === 'written') return tiles.written(message)
    if (message.type === 'rows') return rows.received(message)
    queue = queue.then(() => handle(message))
  })
}

async function handle(message: Exclude<ToWorker, { type: 'written' | 'rows' }>): Promise<void> {
  switch (message.type) {
    case 'plan':
      present = new Plan(init, sessions, message.plan)
      return
    case 'weights':
      know(message.network, weightsFrom(message.weights.map(receivedWeight)))
      return
    case 'forget':
      forget(message.network)
      forgetFrames()
      return
    case 'rest':
      forgetFrames()
      present?.rest()
      // After what went back just now.
      return native.releaseSpareMemory()
    case 'end':
      // Of this thread alone.
      return process.exit()
    default:
      return answer(message)
  }
}

function know(network: number, weights: Weights): void {
  weightSets.set(network, weights)
  sessions.packed.know(weights)
}

function forget(network: number): void {
  const weights = weightSets.get(network)
  if (weights) sessions.packed.forget(weights)
  weightSets.delete(network)
}

function forgetFrames(): void {
  kept?.release()
  kept = undefined
}

async function answer(given: Request): Promise<void> {
  const request = reading(given)
  rows.request = request.id
  let reply: Reply
  const transfer: ArrayBuffer[] = []
  if (request.type !== 'compute' || request.keep !== kept?.owner) forgetFrames()
  if (request.type !== 'compute') present?.rest()
  sessions.packed.none()
  try {
    checkStop(request)
    // What a service works on was described before it began.
    if (request.type !== 'service') await inference.check(request.memory)
    const result = await respond(request)
    if ('data' in result) transfer.push(result.data.buffer as ArrayBuffer)
    reply = { id: request.id, ok: true, result }
  } catch (error) {
    const { name, message, code = 'FAILED' } = error as Error & { code?: string }
    reply = { id: request.id, ok: false, name, code, message }
  }
  port?.postMessage(reply, transfer)
}

/** With what reads the samples that were not sent. */
function reading(request: Request): Request {
  if (request.type === 'run') return { ...request, x: rows.reading(request.x) }
  if (request.type !== 'compute') return request
  const { x2 } = request
  const second = x2 && { x2: rows.reading(x2) }
  return { ...request, x: rows.reading(request.x), ...second }
}

function respond(
  request: Request,
): Promise<
  RunResult | Opened | ValuesResult | TryResult | DescribeResult | ComputeResult | object
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
    case 'service':
      return service(request)
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

async function service(request: Request & { type: 'service' }): Promise<object> {
  const { network, control, message } = request
  const own = services[request.service]
  if (!own) throw new TangentError('FAILED', `There is no service ${request.service}`)
  const read = (feed: Feed) => rows.reading(feed)
  return own(message, { weights: () => weightsOf(network), plan, control, reading: read })
}

function weightsOf(network: number): Weights {
  const weights = weightSets.get(network)
  if (!weights) throw new TangentError('FAILED', 'The weights of the network are not there')
  return weights
}

function plan(): Plan {
  if (!present) throw new TangentError('FAILED', 'The plan of the network is not there')
  return present
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
  const output = request.type === 'run' ? request.output : plan().output
  const key = `${output} ${kindOfFeed(x)}`
  let block = fixedBlocks.get(key)
  if (!block) {
    const few = await fewOf(x)
    const found = await axisOfBlock(sessions, output, few, size, weightsOf(network), threads)
    block = { size, ...found }
    fixedBlocks.set(key, block)
  }
  return block
}

function run(request: Request & { type: 'run' }): Promise<RunResult> {
  // Rows that leave in tiles are the same whichever process makes them after however many calls.
  if (!request.apart) sessions.packed.begin(weightsOf(request.network), 'run', request.memory)
  if (request.whole !== undefined) return runBlocks(request, request.x.samples)
  return orOneByOne(
    request,
    async (batch) => {
      if (request.apart && batch !== 1 && (await doMeet(request))) {
        throw new TangentError(
          'UNSUPPORTED',
          'Expected a network that treats each sample by itself for results that leave in tiles but samples of a batch meet',
        )
      }
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
    meet = await samplesMeet(sessions, output, await fewOf(x), weightsOf(network), threads)
    meeting.set(output, meet)
  }
  return meet
}

function sessionOf({ output, threads, network }: Request & { type: 'run' }): Promise<Session> {
  const wanted = { values: [output], shapes: [] }
  return sessions.of(weightsOf(network), `run ${output}`, threads, wanted)
}

async function runBlocks(request: Request & { type: 'run' }, block: number): Promise<RunResult> {
  const { x, output } = request
  const weights = weightsOf(request.network)
  const session = await sessionOf(request)
  let whole: RunResult | undefined
  for (let first = 0; first < x.samples; first += block) {
    checkStop(request)
    const count = Math.min(block, x.samples - first)
    const { feed, from } = await runnable(x, first, count)
    const { values } = await session.run(feed, from, count, weights.tensors)
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
  const { x, output, network } = request
  const key = `${output} ${kindOfFeed(x)}`
  let axis = outputAxes.get(key) ?? request.axis
  // Names may be wrong.
  if (axis === undefined || dims[axis] !== count) {
    // One sample is in order whatever the axis.
    if (count === 1 && dims.includes(1)) return 0
    const other = count === 2 ? 3 : 2
    const session = await sessionOf(request)
    const some = repeated(await fewOf(x), other)
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
  const { output } = plan()
  const x = repeated(request.x, size)
  const session = await sessions.get(`run ${output}`, threads, { values: [output], shapes: [] })
  const { values } = await session.run(x, 0, size, weightsOf(network).tensors)
  const dims = [...(values.get(output) as ort.Tensor).dims]
  const asked = { ...request, type: 'run', output, axis: undefined, x } as const
  const axis = await outputAxis(asked, dims, size)
  return { size, axis, dims }
}

function describe(request: Request & { type: 'describe' }): Promise<DescribeResult> {
  const { x, threads, network, whole, costs } = request
  const priced = (layout: BatchLayout) =>
    costs ? { costs: { layers: matrixLayers(layout, init.graph), rates: ratesOf(threads) } } : {}
  const layoutOf = (feed: Feed, batch: number) =>
    plan().layout(feed, weightsOf(network), threads, batch)
  const inBlock = async (block: FixedBlock) => {
    const layout = await layoutOf(inBlocks(x, block.size), 1)
    const { extent } = layout.engine
    const outputs = layout.outputs / block.size
    return { outputs, extent, batch: 1, axis: block.axis, block, ...priced(layout) }
  }
  if (whole !== undefined) return wholeBlock(request, whole).then(inBlock)
  const work = async (batch: number) => {
    const layout = await layoutOf(x, batch)
    const { outputs, axis, engine } = layout
    const along = batch === 1 ? {} : { axis }
    return { outputs, extent: engine.extent, batch, ...along, ...priced(layout) }
  }
  return orOneByOne(request, work, inBlock)
}

async function compute(request: Request & { type: 'compute' }): Promise<ComputeResult> {
  const { keep, job, memory, network } = request
  // Tiles are the same whichever process makes them after however many calls.
  const often = !request.tiles && !request.path
  let left = memory - (often ? sessions.packed.begin(weightsOf(network), 'compute', memory) : 0)
  if (kindOf(job).keepsRuns) {
    const share = Math.floor(memory / 4)
    left -= share
    kept ??= new KeptFrames(keep, share)
  }
  try {
    const weights = weightsOf(request.network)
    const deliver = tiles.of(request)
    const context = { init, plan: plan(), weights, kept, deliver }
    const result = await computeJob({ ...request, memory: left }, context)
    await tiles.all()
    return result
  } finally {
    if (keep === undefined) forgetFrames()
  }
}
