// What all derivative calls do before and after their own part.

import { abortError } from '../core/abort.js'
import { oneOf, wholeNumber } from '../core/errors.js'
import { roomBeside } from '../core/memory.js'
import { shapeSize } from '../core/shape.js'
import { threadCount } from '../core/threads.js'
import {
  type Core,
  type DerivativeOptions,
  outputIndices,
  type SharedArray,
  withResults,
} from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import {
  chooseDevice,
  choosePrecision,
  type MeasuredError,
  withoutDevices,
} from '../native/device.js'
import { inBlocks } from '../runtime/feeds.js'
import type { OnTile } from '../runtime/host.js'
import { type Job, kindOf } from '../runtime/jobs/index.js'
import type {
  ComputeMessage,
  ComputeResult,
  Feed,
  PathMessage,
  TilesMessage,
} from '../runtime/protocol.js'
import { sent } from '../runtime/shared.js'
import { outputsOfBlock } from './blocks.js'
import { deviceForCall } from './choose.js'
import type { Prepared } from './prepared.js'

/** The core in the result is the network in the form that these samples want. */
export async function prepare(
  given: Core,
  inputs: Inputs,
  options: DerivativeOptions,
): Promise<Prepared> {
  given.checkAlive()
  given.architecture.checkSupported()
  if (options.signal?.aborted) throw abortError(options.signal)
  const core = await given.at(inputs, options)
  core.architecture.checkSupported()
  checkBlocks(options)
  return prepareFeed(core, await core.feed(inputs, 'x', options), options)
}

/** The same for samples that have been read, of a network in the form that they want. */
export async function prepareFeed(
  core: Core,
  x: Feed,
  options: DerivativeOptions,
): Promise<Prepared> {
  const threads = threadCount(options.threads) ?? core.threads
  const budget = core.budget(options)
  const nonFinite = checkBlocks(options)
  const asked = options.device ?? core.device
  const device = chooseDevice(asked)
  const precision = choosePrecision(options.precision ?? core.precision, {
    ...{ device: device.name, asked, float64: core.architecture.double },
  })
  const plan = await core.plan()
  const open = asked === 'auto' && device.name !== 'cpu'
  const described = await core.describe(x, threads, budget, options, open)
  const { outputs: allOutputs, batch, extent, block: fixed, costs } = described
  const outputs = outputIndices(options.outputs, allOutputs)
  const { samples } = x
  const width = outputs.length
  const whole = {
    ...{ core, plan, samples, threads, allOutputs, extent },
    ...{ width, batch, budget, nonFinite, device, precision, costs },
  }
  if (!fixed) return { ...whole, x, outputs, options }
  const blocks = inBlocks(x, fixed.size)
  return { ...whole, x: blocks, outputs: outputsOfBlock(outputs, fixed), block: fixed, options }
}

/** Checks what a caller says of blocks and of numbers that are not finite. */
function checkBlocks({ block, outputBlock, nonFinite }: DerivativeOptions): 'throw' | 'return' {
  if (block !== undefined) wholeNumber('options.block', block, 0)
  if (outputBlock !== undefined) wholeNumber('options.outputBlock', outputBlock, 0)
  return oneOf(nonFinite, ['throw', 'return'] as const, 'options.nonFinite')
}

/** What a job may have in addition to its inputs, and where its results go. */
interface More {
  x2?: Feed | undefined
  path?: PathMessage | undefined
  /** See ComputeMessage. */
  keep?: number | undefined
  results?: ComputeMessage['results']
  tiles?: TilesMessage
  onTile?: OnTile
  /** What is done with results that come too late. */
  discard?: (result: ComputeResult) => void
}

/** A call as a job, plain data, and what comes of it. */
export interface Planned {
  prepared: Prepared
  job: Job
  x2?: Feed | undefined
  path?: PathMessage | undefined
  /** The arrays that the job writes to. */
  results: { name: string; shape: readonly number[] }[]
  /** The results in words, for the message when the budget is too small, and what to do then. */
  words: { what: string; fits: () => string }
  keep?: number | undefined
}

/** Runs a job whose results stay in memory. */
export async function execute(
  planned: Planned,
): Promise<{ arrays: SharedArray[]; result: ComputeResult }> {
  const { prepared, job, x2, path, words, keep } = planned
  const { double } = prepared.core.architecture
  const lengths = planned.results.map(({ shape }) => shapeSize(shape))
  const bytes = (double ? 8 : 4) * lengths.reduce((sum, length) => sum + length, 0)
  const memory = roomBeside(bytes, prepared.budget, words.what, words.fits)
  prepared.core.checkAlive()
  return withResults(
    lengths,
    (arrays) => {
      const results = arrays.map(({ id, data }) => ({ id, count: data.length }))
      return askJob(prepared, job, memory, { x2, path, keep, results })
    },
    double,
  )
}

/** What the worker is told of the device. */
function deviceFor(
  prepared: Prepared,
  job: Job,
  { x2, results = [], tiles }: More,
): Pick<ComputeMessage, 'device' | 'precision'> {
  const { device, precision, core, options, samples } = prepared
  if (device.name === 'cpu') return {}
  if (!kindOf(job).devices) {
    withoutDevices({ device: options.device ?? core.device }, job.kind)
    return {}
  }
  if (prepared.costs) {
    const { widths = [] } = tiles ?? {}
    const numbers =
      widths.reduce((sum, width) => sum + width * samples * (x2?.samples ?? samples), 0) +
      results.reduce((sum, { count }) => sum + count, 0)
    const given = { pairs: job.kind === 'ntk', other: x2?.samples, numbers }
    core.chosen = deviceForCall(prepared, prepared.costs, given)
    if (core.chosen.name === 'cpu') return {}
  }
  // Only kernels tell the error of their products.
  return { device: device.name, ...(job.kind === 'ntk' ? { precision } : {}) }
}

/** What was found of a call's products in TF32. */
export function measuredError(
  { precision }: Prepared,
  { device }: ComputeResult,
): MeasuredError | undefined {
  if (precision !== 'tf32' || !device) return undefined
  return { error: device.tf32Error, sampled: device.tf32Sampled }
}

/**
 * What the samples of a call leave of its budget: arrays are kept as they were when it was made, and sent. They are as
 * large as the caller's own, and take no more than a quarter of it.
 */
function besideSamples(memory: number, feeds: readonly Feed[]): number {
  const bytes = feeds
    .flatMap(({ arrays }) => arrays)
    .reduce((sum, { block, data }) => sum + (block === undefined ? 2 : 1) * data.byteLength, 0)
  return Math.max(memory - bytes, Math.floor((3 * memory) / 4))
}

/** Sends one job to the worker, with `memory` bytes to use. */
export function askJob(prepared: Prepared, job: Job, memory: number, more: More = {}) {
  const { x2, path, keep, results = [], tiles, onTile, discard } = more
  const { core, plan, x, threads, outputs, batch, nonFinite, options } = prepared
  const left = besideSamples(memory, x2 ? [x, x2] : [x])
  return core.ask<ComputeResult>(
    {
      type: 'compute',
      x: sent(x),
      ...(x2 ? { x2 } : {}),
      ...(path ? { path } : {}),
      ...(keep === undefined ? {} : { keep }),
      outputs,
      threads,
      memory: left,
      batch,
      // Where one sample is run at a time the addon must not ask for more.
      block: batch === 1 ? 1 : (options.block ?? 0),
      outputBlock: options.outputBlock ?? 0,
      nonFinite,
      results,
      ...(tiles ? { tiles } : {}),
      ...deviceFor(prepared, job, more),
      job,
    },
    options,
    plan,
    discard,
    onTile,
  )
}
