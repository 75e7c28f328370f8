// Jobs as plain data: described here, run anywhere.

import { resolve } from 'node:path'
import { badArgument, TangentError } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'
import { checkCall } from '../core/options.js'
import { quote } from '../core/quote.js'
import { shapeSize } from '../core/shape.js'
import { checkSeparable } from '../derivatives/blocks.js'
import { execute, type Planned, prepareFeed } from '../derivatives/derive.js'
import type { Direction } from '../derivatives/direction.js'
import { digestOfJob } from '../derivatives/identity.js'
import { planJacobian } from '../derivatives/jacobian.js'
import { planJvp } from '../derivatives/jvp.js'
import { fill, type SinkOptions, toSink } from '../derivatives/tiles.js'
import { planVjp } from '../derivatives/vjp.js'
import { held, heldInputs, heldMap } from '../io/held.js'
import type { Floats, NdArray } from '../io/index.js'
import type { TileReport } from '../io/sink.js'
import { type NtkOptions, planKernels } from '../kernels/ntk.js'
import { type CallOptions, type Core, cores, type DerivativeOptions } from '../model/core.js'
import { networkDigests } from '../model/digests.js'
import type { Inputs } from '../model/inputs.js'
import { checkFields } from '../runtime/jobs/fields.js'
import { type Job, jobKinds } from '../runtime/jobs/index.js'
import { isRead, loaded } from '../runtime/loaded.js'
import type { Feed } from '../runtime/protocol.js'
import { type JobParts, jobFields } from './job-fields.js'
import type { LoadOptions } from './load-options.js'
import { Network } from './network.js'

/** What a job is asked for: the call of the same name, with its arguments. */
export type JobRequest =
  | ({ kind: 'ntk'; x: Inputs; x2?: Inputs } & Omit<NtkOptions, keyof CallOptions | 'mean'> & Given)
  | ({ kind: 'jacobian'; x: Inputs } & Options)
  | ({ kind: 'vjp'; x: Inputs; cotangents: NdArray } & Options)
  | ({ kind: 'jvp'; x: Inputs; direction: Direction } & Options)

type Given = Pick<CallOptions, 'threads' | 'memory'>
type Options = Omit<DerivativeOptions, keyof CallOptions> & Given

/**
 * A job as plain data: everything that decides its result. It can be stored ({@link writeJob}), sent to
 * another process or machine, and run there ({@link runJob}): on the same kind of processor to the same bits.
 */
export interface JobDescription extends Omit<JobParts, 'job'> {
  /** The kind and what belongs to it, as declared in lib/runtime/jobs. */
  job: Job
}

/**
 * Describes a call as a job, without running it. Thread count and memory budget become part of it.
 *
 * ```ts
 * const job = await describeJob(network, { kind: 'ntk', x, kernel: 'trace' })
 * console.log(job.digest)
 * const kernel = (await runJob(job, { network })).get('total')
 * ```
 *
 * @throws TangentError as the call itself does; `UNSUPPORTED` for networks that leave branches
 *   to their
 *   samples and for files that take a fixed number of samples at once.
 * @since 0.2.0
 * @example
 * ```js
 * import { buildMlp, describeJob, Network } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
 * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
 * const job = await describeJob(network, { kind: 'ntk', x, kernel: 'trace' })
 * console.log(job.format)
 * await network.dispose()
 * // 1
 * ```
 */
export async function describeJob(
  network: Network<Floats>,
  request: JobRequest,
): Promise<JobDescription> {
  checkCall(request)
  const core = coreOf(network)
  const planned = await plan(core, request)
  const { prepared, job, x2, results } = planned
  checkSeparable(prepared, 'for a job that others run')
  const { block, outputBlock, device = core.device ?? 'cpu' } = prepared.options
  return {
    format: 1,
    digest: await digestOfJob(planned),
    device,
    ...(prepared.precision === 'tf32' ? { precision: prepared.precision } : {}),
    network: await describeNetwork(core),
    x: await inMemory(prepared.x, prepared.budget),
    ...(x2 ? { x2: await inMemory(x2, prepared.budget) } : {}),
    job,
    outputs: prepared.outputs,
    threads: prepared.threads,
    memory: prepared.budget,
    ...(block === undefined ? {} : { block }),
    ...(outputBlock === undefined ? {} : { outputBlock }),
    nonFinite: prepared.nonFinite,
    results: results.map(({ name, shape }) => ({ name, shape: [...shape] })),
  }
}

/** Options of {@link runJob}. */
export interface RunJobOptions extends Pick<CallOptions, 'signal' | 'onProgress'> {
  /** The network; default: it is read from the job's file, and disposed of at the end. */
  network?: Network<Floats> | undefined
}

/**
 * Runs a job that was described here or elsewhere.
 * @returns its arrays by name; with a `sink` what was done.
 * @throws TangentError `BAD_ARGUMENT` for another network than the job's, in one sentence that
 *   says what of
 *   it is another; what the call itself throws.
 * @since 0.2.0
 * @example
 * ```js
 * import { describeJob, Network, readArray, runJob } from 'adaptive-tangent'
 *
 * const network = await Network.load('model.onnx')
 * const job = await describeJob(network, {
 *   kind: 'ntk',
 *   x: await readArray('x.npy'),
 *   kernel: 'trace',
 * })
 * await network.dispose()
 * console.log((await runJob(job)).get('total').shape.join(' '))
 * // 20 20
 * ```
 */
export function runJob(
  job: JobDescription,
  options: RunJobOptions & SinkOptions,
): Promise<TileReport>
export function runJob(
  job: JobDescription,
  options?: RunJobOptions,
): Promise<Map<string, NdArray<Floats>>>
export async function runJob(
  job: JobDescription,
  options: RunJobOptions & Partial<SinkOptions> = {},
): Promise<Map<string, NdArray<Floats>> | TileReport> {
  checkCall(options)
  checkJob(job)
  const given = options.network
  const network = given === undefined ? await opened(job) : given
  try {
    const planned = await resumed(coreOf(network), job, options)
    if (toSink(options)) return await fill(planned, options)
    const { arrays } = await execute(planned)
    return new Map(
      job.results.map(({ name, shape }, k) => {
        const { data } = arrays[k] as (typeof arrays)[number]
        return [name, { data, shape: [...shape] }]
      }),
    )
  } finally {
    if (given === undefined) await network.dispose()
  }
}

/** @throws TangentError BAD_ARGUMENT for what is no job. */
export function checkJob(given: unknown): asserts given is JobDescription {
  checkFields(jobFields, given, 'job')
  const { job } = given as JobDescription
  const { kind, ...values } = job
  checkFields(jobKinds[kind].fields, values, 'job.job')
}

/** A job as plain data holds its samples. */
function inMemory(x: Feed, budget: number): Feed | Promise<Feed> {
  if (!isRead(x)) return x
  const bytes = x.arrays.reduce(
    (sum, { data, shape }) => sum + data.BYTES_PER_ELEMENT * shapeSize(shape),
    0,
  )
  if (bytes <= budget) return loaded(x, 0, x.samples)
  throw new TangentError(
    'MEMORY_BUDGET',
    `A job holds its samples, which take ${formatBytes(bytes)} but the memory budget is ${formatBytes(budget)}`,
  )
}

/** What a network is, and how it is read again. */
export async function describeNetwork(core: Core): Promise<JobDescription['network']> {
  const { file } = core.architecture.model
  return {
    file: file === undefined ? null : resolve(file),
    ...(await networkDigests(core)),
    options: plainOptions(core),
  }
}

export function coreOf(network: Network<Floats>): Core {
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  if (!core.architecture.pending) return core
  throw new TangentError(
    'UNSUPPORTED',
    'Expected a network whose branches do not depend on its samples for a job',
  )
}

function plan(core: Core, request: JobRequest): Promise<Planned> {
  const x = heldInputs(request.x, 'x')
  switch (request.kind) {
    case 'ntk':
      return planKernels(core, x, heldInputs(request.x2, 'x2'), request)
    case 'jacobian':
      return planJacobian(core, x, request)
    case 'vjp':
      return planVjp(core, x, held(request.cotangents, 'cotangents'), request)
    case 'jvp':
      return planJvp(core, x, heldMap(request.direction, 'direction'), request)
    default:
      throw badArgument('request.kind', 'ntk, jacobian, vjp or jvp', (request as JobRequest).kind)
  }
}

/** How the same network is read again. */
function plainOptions({ architecture }: Core): LoadOptions {
  const { parameters, options, output } = architecture
  const { float64, batch, batchAxis, shared, tied, untied, constants, externalData } =
    options as LoadOptions
  const active = parameters.filter(({ frozen }) => !frozen).map(({ name }) => name)
  return {
    output,
    ...(float64 ? { float64 } : {}),
    ...(batch ? { batch } : {}),
    ...(batchAxis ? { batchAxis: { ...batchAxis } } : {}),
    ...(shared ? { shared: [...shared] } : {}),
    ...(tied === undefined ? {} : { tied }),
    ...(untied === undefined ? {} : { untied }),
    ...(constants === undefined ? {} : { constants }),
    ...(externalData === undefined ? {} : { externalData }),
    ...(active.length < parameters.length ? { parameters: active } : {}),
  }
}

async function opened({ network: { file, options } }: JobDescription): Promise<Network<Floats>> {
  if (file !== null) return Network.load(file, options)
  throw badArgument('options.network', 'the network, which was not read from a file,', undefined)
}

/** The job as a call of this process, if the network is its own. */
async function resumed(
  core: Core,
  job: JobDescription,
  { signal, onProgress }: RunJobOptions,
): Promise<Planned> {
  const { threads, memory, block, outputBlock, nonFinite, outputs, x2, device } = job
  const own = await networkDigests(core)
  const { file, network, weights } = job.network
  const other =
    own.network !== network
      ? 'is another network'
      : own.weights !== weights
        ? 'has other weights'
        : ''
  const name = quote(core.architecture.model.name)
  const refuse = (what: string) =>
    new TangentError(
      'BAD_ARGUMENT',
      `Expected the network of the job${file === null ? '' : `, ${quote(file)},`} but ${name} ${what}`,
    )
  if (other !== '') throw refuse(other)
  const { precision = 'float32' as const } = job
  const where = { threads, memory, device, precision }
  const call = { ...where, block, outputBlock, nonFinite, outputs, signal, onProgress }
  const prepared = await prepareFeed(core, job.x, call)
  const planned: Planned = {
    prepared,
    job: job.job,
    x2,
    results: job.results,
    words: {
      what: 'The result of the job',
      fits: () => 'a sink takes it tile by tile',
    },
  }
  if ((await digestOfJob(planned)) !== job.digest) {
    throw refuse('was loaded for another output or other parameters, or the job was changed')
  }
  return planned
}
