import { badArgument } from '../core/errors.js'
import { threadCount } from '../core/threads.js'
import { identify } from '../io/identify.js'
import type { NdArray } from '../io/index.js'
import type { TileReport } from '../io/sink.js'
import { type CallOptions, type Core, outputIndices } from '../model/core.js'
import { networkDigests } from '../model/digests.js'
import type { Inputs } from '../model/inputs.js'
import { loaded } from '../runtime/loaded.js'
import type { Feed, RunResult } from '../runtime/protocol.js'
import { digestOfFeed } from './identity.js'
import { fillRows, type SinkOptions } from './tiles.js'

/** Options of {@link Network.run}. */
export interface RunOptions extends CallOptions {
  /** Another value than the one chosen when the network was loaded: an output or what a node makes. */
  output?: string | undefined
  /** Flat indices of the outputs wanted, in the order wanted; default: all. */
  outputs?: readonly number[] | undefined
}

/** The same, in tiles of samples to a sink. */
export async function runTo(
  given: Core,
  inputs: Inputs,
  options: RunOptions & SinkOptions,
): Promise<TileReport> {
  given.checkAlive()
  const core = await given.at(inputs, options)
  if (core.architecture.whole) {
    throw badArgument('the network', "batch 'each' for results that leave in tiles", 'whole')
  }
  const x = await core.feed(inputs, 'x', options)
  const { outputs } = options
  const name = options.output ?? core.architecture.output
  const own = { ...options, onProgress: undefined }
  const rows = async (first: number, count: number) => {
    const part = await loaded(x, first, count)
    return new Map([[name, await runFeed(core, part, own, true)]])
  }
  const parts = { ...(await networkDigests(core)), x: await digestOfFeed(x), outputs }
  return fillRows(
    {
      samples: x.samples,
      one: await rows(0, 1),
      size: options.tile ?? 256,
      digest: await identify({ ...parts, run: name, float64: core.architecture.double }),
      rows,
    },
    options,
  )
}

export async function run(given: Core, inputs: Inputs, options: RunOptions): Promise<NdArray> {
  given.checkAlive()
  const form = given.at(inputs, options)
  // Without a wait where none is needed: the request is sent before whatever the caller does next.
  const core = form instanceof Promise ? await form : form
  const fed = core.feed(inputs, 'x', options)
  // Mostly known at once: then the run is queued before the caller goes on.
  return runFeed(core, fed instanceof Promise ? await fed : fed, options)
}

/** @param apart refuses a network whose samples meet. */
async function runFeed(core: Core, x: Feed, options: RunOptions, apart = false): Promise<NdArray> {
  const { architecture } = core
  const output =
    options.output === undefined ? architecture.output : architecture.chooseOutput(options.output)
  const threads = threadCount(options.threads) ?? core.threads
  const batch = architecture.batch(x)
  const memory = core.budget(options)
  const axis = architecture.outputAxis(output)
  const how = { axis, threads, batch, memory, apart, ...core.whole(x) }
  const request = { type: 'run', x, output, ...how } as const
  const { result } = core.ask<RunResult>(request, options)
  const { data, shape } = await result
  const all = { data: data as NdArray['data'], shape }
  return options.outputs === undefined ? all : chosen(all, options.outputs)
}

/** Columns of (N, O). */
function chosen({ data, shape }: NdArray, outputs: readonly number[]): NdArray {
  const [samples = 0, width = 0] = shape
  const columns = outputIndices(outputs, width)
  const Kind = data.constructor as new (length: number) => typeof data
  const picked = new Kind(samples * columns.length)
  for (let i = 0; i < samples; i += 1) {
    columns.forEach((o, at) => {
      picked[i * columns.length + at] = data[i * width + o] as never
    })
  }
  return { data: picked, shape: [samples, columns.length] }
}
