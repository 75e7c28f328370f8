import { isDeepStrictEqual } from 'node:util'
import { badArgument, mismatch, oneOf } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'
import { quote } from '../core/quote.js'
import { cut, cutKernel } from '../derivatives/blocks.js'
import { compute, prepare } from '../derivatives/derive.js'
import type { WeightPath } from '../derivatives/path.js'
import type { Prepared } from '../derivatives/prepared.js'
import type { Floats, NdArray } from '../io/index.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { KernelKind } from '../native/engine.js'
import { inBlocks } from '../runtime/feeds.js'
import type { Feed } from '../runtime/protocol.js'
import { TangentKernel } from './kernel.js'

/** How the work is split: one kernel, one per layer, one per parameter. */
export type KernelSplit = 'total' | 'layer' | 'parameter'

/** A way to compute a kernel. `auto` picks per parameter; all agree within rounding. */
export const kernelMethods = ['auto', 'jacobian', 'structured', 'products'] as const
export type KernelMethod = 'auto' | 'jacobian' | 'structured' | 'products'

/** Options of {@link Network.ntk}. */
export interface NtkOptions extends DerivativeOptions {
  /** What is kept of the outputs (default: `full`). */
  kernel?: KernelKind | undefined
  /** One kernel or its parts, which add up to it (default: `total`). */
  by?: KernelSplit | undefined
  /** Default: `auto`. */
  method?: KernelMethod | undefined
  /** Divide a `trace` kernel by the number of outputs, as neural-tangents does (default: false). */
  mean?: boolean | undefined
}

/** The kernels of a call by layer or parameter, in the network's order. */
export type TangentKernels<F extends Floats = Float32Array> = Map<string, TangentKernel<F>>

export async function ntk(
  core: Core,
  inputs: Inputs,
  inputs2: Inputs | undefined,
  options: NtkOptions,
): Promise<TangentKernels<Floats>> {
  return (await kernels(core, inputs, inputs2, options)).kernels
}

/** The same, with features averaged over a path where one is given. */
export async function kernels(
  core: Core,
  inputs: Inputs,
  inputs2: Inputs | undefined,
  options: NtkOptions,
  path?: WeightPath,
): Promise<{ kernels: TangentKernels<Floats>; change: NdArray<Floats> | undefined }> {
  const kind = oneOf<KernelKind>(options.kernel, ['full', 'trace', 'diagonal'], 'options.kernel')
  const by = oneOf<KernelSplit>(options.by, ['total', 'layer', 'parameter'], 'options.by')
  const method = oneOf<KernelMethod>(options.method, kernelMethods, 'options.method')
  if (options.mean && kind !== 'trace') {
    throw badArgument('options.mean', "no mean unless options.kernel is 'trace'", true)
  }
  const prepared = await prepare(core, inputs, options)
  if (inputs2 !== undefined && (await core.at(inputs2, options, 'x2')) !== prepared.core) {
    throw mismatch('x2', 'samples that take the branches that x takes', 'others')
  }
  const x2 = inputs2 && (await secondFeed(prepared.core, inputs2, prepared))
  const { names, groups } = grouping(prepared.core, by)
  const [n1, n2, o] = [prepared.samples, x2?.samples ?? prepared.samples, prepared.width]
  const shape = { full: [n1, o, n2, o], trace: [n1, n2], diagonal: [n1, n2, o] }[kind]
  const { block, x, outputs } = prepared
  const side2 = x2 && block ? inBlocks(x2, block.size) : x2
  // Of blocks only the whole kernel has all pairs of their samples.
  const length = block
    ? x.samples * outputs.length * (side2 ?? x).samples * outputs.length
    : shape.reduce((product, size) => product * size, 1)
  const { blocks } = await compute(
    prepared,
    path ? [...names.map(() => length), x.samples * outputs.length] : names.map(() => length),
    {
      kind: 'ntk',
      kernel: block ? 'full' : kind,
      method,
      groups,
      ...(path ? { path: path.job } : {}),
    },
    {
      what: `${names.length > 1 ? `${names.length} kernels` : 'A kernel'} of shape (${shape.join(', ')})`,
      fits: () => fitting(prepared, kind, x2, names.length),
    },
    { x2: side2, path: path?.message },
  )
  const change = blocks[names.length]
  const parts = new Map(
    names.map((name, g) => {
      const data = cutKernel(prepared, (blocks[g] as (typeof blocks)[number]).data, kind, [n1, n2])
      if (options.mean) for (let e = 0; e < data.length; e += 1) data[e] = (data[e] as number) / o
      return [name, new TangentKernel(data, shape, kind, x2 === undefined)]
    }),
  )
  return { kernels: parts, change: change && { data: cut(prepared, change.data), shape: [n1, o] } }
}

async function secondFeed(
  core: Core,
  inputs: Inputs,
  { x, samples, block, options }: Prepared,
): Promise<Feed> {
  const x2 = await core.feed(inputs, 'x2', options)
  const like2 = block ? inBlocks(x2, block.size) : x2
  like2.arrays.forEach((array, k) => {
    const like = x.arrays[k]?.shape.slice(1).join(', ')
    if (array.shape.slice(1).join(', ') === like) return
    throw mismatch('x2', `samples of x's shape (${like})`, `(${array.shape.slice(1).join(', ')})`)
  })
  if (core.architecture.whole && x2.samples !== samples) {
    throw mismatch('x2', `as many samples as in x (${samples}) with batch 'whole'`, `${x2.samples}`)
  }
  x2.shared?.forEach(({ name, data }, k) => {
    if (isDeepStrictEqual(data, x.shared?.[k]?.data)) return
    throw mismatch(`the shared input ${quote(name)} of x2`, "x's own value", 'another')
  })
  return x2
}

/** The result that each parameter adds to. */
export function grouping(core: Core, by: KernelSplit): { names: string[]; groups: number[] } {
  const keys = core.architecture.active.map(({ parameter }) =>
    by === 'total' ? 'total' : by === 'layer' ? parameter.layer : parameter.name,
  )
  const names = [...new Set(keys)]
  return { names, groups: keys.map((key) => names.indexOf(key)) }
}

/** What would fit the budget, in words. */
function fitting(
  { budget, outputs, x }: Prepared,
  kind: KernelKind,
  x2: Feed | undefined,
  kernels: number,
): string {
  // Half of the budget for the result leaves the other half to work in.
  const entries = budget / 2 / 4 / kernels
  const perPair = { full: outputs.length ** 2, diagonal: outputs.length, trace: 1 }[kind]
  const most = x2
    ? Math.floor(entries / perPair / x.samples)
    : Math.floor(Math.sqrt(entries / perPair))
  const [n1, n2] = [x.samples, (x2 ?? x).samples]
  const advice: string[] = []
  if (most >= 1) advice.push(`${most} samples ${x2 ? 'in x2 ' : ''}would fit`)
  if (kind !== 'trace' && n1 * n2 <= entries) {
    advice.push(`kernel 'trace' would take ${formatBytes(4 * n1 * n2 * kernels)}`)
  }
  advice.push('ntkProduct needs no kernel')
  return advice.join(', ')
}
