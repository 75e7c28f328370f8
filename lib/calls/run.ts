import type { NdArray } from '../arrays/index.js'
import { type CallOptions, type Core, threadCount } from '../core.js'
import type { RunResult } from '../forward/protocol.js'
import type { Inputs } from '../inputs.js'

/** Options of {@link Network.run}. */
export interface RunOptions extends CallOptions {
  /** Another value than the one chosen when the network was loaded: an output or what a node makes. */
  output?: string | undefined
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
  const request = { type: 'run', x, output, threads, batch, memory, ...core.whole(x) } as const
  const { result } = core.ask<RunResult>(request, options)
  const { data, shape } = await result
  return { data: data as NdArray['data'], shape }
}
