import type { NdArray } from '../arrays/index.js'
import { type CallOptions, type Core, threadCount } from '../core.js'
import { badArgument } from '../errors.js'
import type { RunResult } from '../forward/protocol.js'
import type { Inputs } from '../inputs.js'
import { quote } from '../onnx/index.js'

/** Options of {@link Network.run}. */
export interface RunOptions extends CallOptions {
  /** Another output of the network than the one chosen when it was loaded. */
  output?: string | undefined
}

export async function run(core: Core, inputs: Inputs, options: RunOptions): Promise<NdArray> {
  core.checkAlive()
  const { architecture } = core
  const output = options.output ?? architecture.output
  const names = architecture.outputs.map(({ name }) => name)
  if (!names.includes(output)) {
    throw badArgument(
      'options.output',
      `an output of the network (${names.map(quote).join(', ')})`,
      output,
    )
  }
  const x = core.feed(inputs, 'x')
  const threads = threadCount(options.threads) ?? core.threads
  const { batch } = architecture
  const memory = core.budget(options)
  const request = { type: 'run', x, output, threads, batch, memory } as const
  const { result } = core.ask<RunResult>(request, options)
  const { data, shape } = await result
  return { data: data as NdArray['data'], shape }
}
