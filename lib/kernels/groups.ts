// Kernels of many groups of samples in one call.

import { mismatch, wholeNumber } from '../core/errors.js'
import { cutKernel } from '../derivatives/blocks.js'
import { execute, prepare, prepareFeed } from '../derivatives/derive.js'
import type { Prepared } from '../derivatives/prepared.js'
import type { Floats, NdArray } from '../io/index.js'
import type { Core, SharedArray } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Job } from '../runtime/jobs/index.js'
import { loaded } from '../runtime/loaded.js'
import type { Feed } from '../runtime/protocol.js'
import { divide, grouping, kernelChoices, type NtkOptions } from './ntk.js'

/** Options of {@link Network.ntkGroups}. */
export type GroupOptions = Omit<NtkOptions, 'by'>

export async function ntkGroups(
  given: Core,
  inputs: Inputs,
  size: number,
  options: GroupOptions,
): Promise<NdArray<Floats>> {
  wholeNumber('size', size, 1)
  const { kind, method } = kernelChoices(options)
  const prepared = await prepare(given, inputs, options)
  const { core, samples, width } = prepared
  const count = samples / size
  if (!Number.isInteger(count)) {
    throw mismatch('size', `a number that divides that of the samples, ${samples},`, `${size}`)
  }
  const one = {
    full: [size, width, size, width],
    trace: [size, size],
    diagonal: [size, size, width],
  }
  const shape = [count, ...one[kind]]
  const { groups } = grouping(core, 'total')
  const of = { kernel: kind, method, groups, size } as const
  const data = prepared.block
    ? await apart(prepared, await core.feed(inputs, 'x', options), of)
    : await kernel(prepared, { kind: 'grouped', ...of }, shape)
  if (options.mean) divide(data, width)
  return { data, shape }
}

/** The result of a job that has one. */
async function kernel(prepared: Prepared, job: Job, shape: number[]): Promise<Floats> {
  const what = `A kernel of shape (${shape.join(', ')})`
  const words = { what, fits: () => 'fewer or smaller groups would fit' }
  const { arrays } = await execute({ prepared, job, results: [{ name: 'total', shape }], words })
  return (arrays[0] as SharedArray).data
}

/** Where a file takes a fixed number of samples, or a batch is one input, each group is a call. */
async function apart(
  { core, samples, options }: Prepared,
  x: Feed,
  { size, kernel: kind, ...of }: Omit<Job<'grouped'>, 'kind'>,
): Promise<Floats> {
  const parts: Floats[] = []
  for (let first = 0; first < samples; first += size) {
    const prepared = await prepareFeed(core, await loaded(x, first, size), options)
    const [n, o] = [prepared.x.samples, prepared.outputs.length]
    const job = { kind: 'ntk', kernel: 'full', ...of } as const
    const whole = await kernel(prepared, job, [n, o, n, o])
    parts.push(cutKernel(prepared, whole, kind, [size, size]))
  }
  const [like] = parts as [Floats]
  const Kind = like.constructor as new (length: number) => Floats
  const all = new Kind(parts.length * like.length)
  parts.forEach((part, g) => {
    all.set(part, g * like.length)
  })
  return all
}
