import { threadCount } from '../core/threads.js'
import type { NdArray } from '../io/index.js'
import { type CallOptions, type Core, outputIndices } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { RunResult } from '../runtime/protocol.js'

/** Options of {@link Network.run}. */
export interface RunOptions extends CallOptions {
  /** Another value than the one chosen when the network was loaded: an output or what a node makes. */
  output?: string | undefined
  /** Flat indices of the outputs wanted, in the order wanted; default: all. */
  outputs?: readonly number[] | undefined
}

export async function run(given: Core, inputs: Inputs, options: RunOptions): Promise<NdArray> {
  given.checkAlive()
  const form = given.at(inputs, options)
  // Without a wait where none is needed: the request is sent before whatever the caller does next.
  const core = form instanceof Promise ? await form : form
  const { architecture } = core
  const output =
    options.output === undefined ? architecture.output : architecture.chooseOutput(options.output)
  const fed = core.feed(inputs, 'x', options)
  // Mostly known at once: then the run is queued before the caller goes on.
  const x = fed instanceof Promise ? await fed : fed
  const threads = threadCount(options.threads) ?? core.threads
  const batch = architecture.batch(x)
  const memory = core.budget(options)
  const axis = architecture.outputAxis(output)
  const how = { axis, threads, batch, memory, ...core.whole(x) }
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
