// What all derivative calls do before and after their own part.

import { abortError } from '../core/abort.js'
import { oneOf, wholeNumber } from '../core/errors.js'
import { roomBeside } from '../core/memory.js'
import { threadCount } from '../core/threads.js'
import {
  type Block,
  type Core,
  type DerivativeOptions,
  outputIndices,
  withBlocks,
} from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { inBlocks } from '../runtime/feeds.js'
import type { Job } from '../runtime/jobs/index.js'
import type { ComputeMessage, ComputeResult, Feed, PathMessage } from '../runtime/protocol.js'
import { sent } from '../runtime/shared.js'
import { outputsOfBlock } from './blocks.js'
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
  const threads = threadCount(options.threads) ?? core.threads
  const budget = core.budget(options)
  const { block, outputBlock } = options
  const nonFinite = oneOf(options.nonFinite, ['throw', 'return'] as const, 'options.nonFinite')
  if (block !== undefined) wholeNumber('options.block', block, 0)
  if (outputBlock !== undefined) wholeNumber('options.outputBlock', outputBlock, 0)
  const x = await core.feed(inputs, 'x', options)
  const plan = await core.plan()
  const described = await core.describe(x, threads, budget, options)
  const { outputs: allOutputs, batch, block: fixed } = described
  const outputs = outputIndices(options.outputs, allOutputs)
  const { samples } = x
  const width = outputs.length
  const whole = { core, plan, samples, threads, allOutputs, width, batch, budget, nonFinite }
  if (!fixed) return { ...whole, x, outputs, options }
  const blocks = inBlocks(x, fixed.size)
  return { ...whole, x: blocks, outputs: outputsOfBlock(outputs, fixed), block: fixed, options }
}

/** What a job may have beside its inputs. */
interface More {
  x2?: Feed | undefined
  path?: PathMessage | undefined
  /** See ComputeMessage. */
  keep?: number | undefined
}

/** What the worker is told of results, and what is done with those that come too late. */
interface Told {
  results?: ComputeMessage['results']
  discard?: (result: ComputeResult) => void
}

/**
 * Runs one job whose results are arrays of the given lengths.
 * @param what the results in words, for the message when the budget is too small.
 * @param fits what to do then.
 */
export async function compute(
  prepared: Prepared,
  lengths: readonly number[],
  job: Job,
  words: { what: string; fits: () => string },
  more: More = {},
): Promise<{ blocks: Block[]; result: ComputeResult }> {
  const { double } = prepared.core.architecture
  const bytes = (double ? 8 : 4) * lengths.reduce((sum, length) => sum + length, 0)
  const memory = roomBeside(bytes, prepared.budget, words.what, words.fits)
  prepared.core.checkAlive()
  return withBlocks(
    lengths,
    (blocks) => {
      const results = blocks.map(({ id, data }) => ({ id, count: data.length }))
      return askJob(prepared, job, memory, { ...more, results })
    },
    double,
  )
}

/** Sends one job to the worker, with `memory` bytes to use. */
export function askJob(
  { core, plan, x, threads, outputs, batch, nonFinite, options }: Prepared,
  job: Job,
  memory: number,
  { x2, path, keep, results = [], discard }: More & Told = {},
) {
  return core.ask<ComputeResult>(
    {
      type: 'compute',
      x: sent(x),
      ...(x2 ? { x2 } : {}),
      ...(path ? { path } : {}),
      ...(keep === undefined ? {} : { keep }),
      outputs,
      threads,
      memory,
      batch,
      // Where one sample is run at a time the addon must not ask for more.
      block: batch === 1 ? 1 : (options.block ?? 0),
      outputBlock: options.outputBlock ?? 0,
      nonFinite,
      results,
      job,
    },
    options,
    plan,
    discard,
  )
}
