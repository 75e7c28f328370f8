// What a job is, whatever process runs it: one digest of its parts.
import { identify } from '../io/identify.js'
import { networkDigests } from '../model/digests.js'
import type { Feed } from '../runtime/protocol.js'
import type { Planned } from './derive.js'

/** Everything that decides a job's numbers but the number of threads and the memory budget. */
export async function digestOfJob({
  prepared,
  job,
  x2,
  path,
  results,
}: Pick<Planned, 'prepared' | 'job' | 'x2' | 'path' | 'results'>): Promise<string> {
  const { core, outputs, nonFinite, options } = prepared
  const { architecture } = core
  return identify({
    ...(await networkDigests(core)),
    output: architecture.output,
    parameters: architecture.active.map(({ parameter }) => parameter.name),
    float64: architecture.double,
    whole: architecture.whole,
    x: await digestOfFeed(prepared.x),
    x2: x2 && (await digestOfFeed(x2)),
    outputs,
    nonFinite,
    block: options.block,
    outputBlock: options.outputBlock,
    job,
    path,
    results: results.map(({ name, shape }) => ({ name, shape: [...shape] })),
  })
}

export function digestOfFeed({ samples, arrays, shared = [] }: Feed): Promise<string> {
  const numbers = (all: Feed['arrays']) =>
    all.map(({ name, type, shape, data, axis }) => ({ name, type, shape, data, axis }))
  return identify({ samples, arrays: numbers(arrays), shared: numbers(shared) })
}
