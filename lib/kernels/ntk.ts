import { isDeepStrictEqual } from 'node:util'
import { badArgument, mismatch, oneOf } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'
import { quote } from '../core/quote.js'
import { cut, cutKernel } from '../derivatives/blocks.js'
import { execute, measuredError, type Planned, prepare } from '../derivatives/derive.js'
import type { WeightPath } from '../derivatives/path.js'
import type { Prepared } from '../derivatives/prepared.js'
import { fill, type SinkOptions } from '../derivatives/tiles.js'
import type { Floats, NdArray } from '../io/index.js'
import type { TileReport } from '../io/sink.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { KernelKind } from '../native/engine.js'
import { inBlocks } from '../runtime/feeds.js'
import type { Feed } from '../runtime/protocol.js'
import { TangentKernel } from './kernel.js'

/** How the work is split: one kernel, one per layer, one per parameter. */
export type KernelSplit = 'total' | 'layer' | 'parameter'

export const kernelMethods = ['auto', 'jacobian', 'structured', 'mixed'] as const

/**
 * A way to compute a kernel; all agree within rounding. For a weight whose features are X = Σ_t δ_t h_tᵀ:
 * - `auto`: for each parameter what is cheapest by a cost model.
 * - `jacobian`: X is formed, then X Xᵀ. Wins for small weights: early convolutions, biases.
 * - `structured`: Gram matrices of δ and of h. Wins where positions t are few: dense layers.
 * - `mixed`: X formed on one side, δ and h on the other. Wins in between: many positions, large weights.
 * - `products`: deprecated, the old name of `mixed`. Products with a kernel that is never formed are
 *   those of {@link Network.kernelOperator}.
 */
export type KernelMethod = (typeof kernelMethods)[number] | 'products'

/** @throws TangentError BAD_ARGUMENT for what is no method. */
export function kernelMethod(value: KernelMethod | undefined): (typeof kernelMethods)[number] {
  return oneOf(value === 'products' ? 'mixed' : value, kernelMethods, 'options.method')
}

/** Options of {@link Network.ntk}. */
export interface NtkOptions extends DerivativeOptions {
  /** What is kept of the outputs (default: `full`). */
  kernel?: KernelKind | undefined
  /** One kernel or its parts, which add up to it (default: `total`). */
  by?: KernelSplit | undefined
  /** For all parameters, or by name for some of them (default: `auto`). */
  method?: KernelMethod | Readonly<Record<string, KernelMethod>> | undefined
  /** Divide a `trace` kernel by the number of outputs, as neural-tangents does (default: false). */
  mean?: boolean | undefined
  /** @internal Samples a side for which `auto` chooses (default: those there are). */
  expected?: number | undefined
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

/** The same, its tiles to a sink. */
export async function ntkTo(
  core: Core,
  inputs: Inputs,
  inputs2: Inputs | undefined,
  options: NtkOptions & SinkOptions,
): Promise<TileReport> {
  const planned = await planKernels(core, inputs, inputs2, options)
  return fill(
    planned,
    options,
    options.mean ? (data) => divide(data, planned.prepared.width) : undefined,
  )
}

/** The same, with features averaged over a path where one is given. */
export async function kernels(
  core: Core,
  inputs: Inputs,
  inputs2: Inputs | undefined,
  options: NtkOptions,
  path?: WeightPath,
): Promise<{ kernels: TangentKernels<Floats>; change: NdArray<Floats> | undefined }> {
  const planned = await planKernels(core, inputs, inputs2, options, path)
  const { prepared, names, kind, shape } = planned
  const { arrays, result } = await execute(planned)
  const tf32 = measuredError(prepared, result)
  const [n1, n2] = [prepared.samples, shape[kind === 'full' ? 2 : 1] as number]
  const change = arrays[names.length]
  const parts = new Map(
    names.map((name, g) => {
      const { data: all } = arrays[g] as (typeof arrays)[number]
      const data = cutKernel(prepared, all, kind, [n1, n2])
      if (options.mean) divide(data, prepared.width)
      return [name, new TangentKernel(data, shape, kind, inputs2 === undefined, tf32)]
    }),
  )
  const rows = [n1, prepared.width]
  return { kernels: parts, change: change && { data: cut(prepared, change.data), shape: rows } }
}

/** A kernel over a number of outputs, in place. */
export function divide(data: Floats, outputs: number): void {
  for (let e = 0; e < data.length; e += 1) data[e] = (data[e] as number) / outputs
}

/** With the kernels' names, and the shape of each. */
export interface PlannedKernels extends Planned {
  kind: KernelKind
  names: string[]
  shape: number[]
}

/** What a caller chooses of a kernel, checked. */
export function kernelChoices(options: NtkOptions) {
  const kind = oneOf<KernelKind>(options.kernel, ['full', 'trace', 'diagonal'], 'options.kernel')
  const by = oneOf<KernelSplit>(options.by, ['total', 'layer', 'parameter'], 'options.by')
  const method = kernelMethod(options.method as KernelMethod | undefined)
  if (options.mean && kind !== 'trace') {
    throw badArgument('options.mean', "no mean unless options.kernel is 'trace'", true)
  }
  return { kind, by, method }
}

export async function planKernels(
  core: Core,
  inputs: Inputs,
  inputs2: Inputs | undefined,
  options: NtkOptions,
  path?: WeightPath,
): Promise<PlannedKernels> {
  const named = typeof options.method === 'object' ? { ...options.method } : undefined
  const { kind, by, method } = kernelChoices(named ? { ...options, method: 'auto' } : options)
  const prepared = await prepare(core, inputs, options)
  if (inputs2 !== undefined && (await core.at(inputs2, options, 'x2')) !== prepared.core) {
    throw mismatch('x2', 'samples that take the branches that x takes', 'others')
  }
  const second = inputs2 && (await secondFeed(prepared.core, inputs2, prepared))
  const { names, groups } = grouping(prepared.core, by)
  const [n1, n2, o] = [prepared.samples, second?.samples ?? prepared.samples, prepared.width]
  const shape = { full: [n1, o, n2, o], trace: [n1, n2], diagonal: [n1, n2, o] }[kind]
  const { block, x, outputs } = prepared
  const x2 = second && block ? inBlocks(second, block.size) : second
  const width = outputs.length
  // Of blocks only the whole kernel has all pairs of their samples.
  const own = block ? [x.samples, width, (x2 ?? x).samples, width] : shape
  const several = names.length > 1 ? `${names.length} kernels` : 'A kernel'
  return {
    ...{ prepared, kind, names, shape, x2, path: path?.message },
    job: {
      kind: 'ntk',
      kernel: block ? 'full' : kind,
      method,
      ...(named ? { methods: methodsOf(prepared.core, named) } : {}),
      ...(options.expected === undefined ? {} : { expected: options.expected }),
      groups,
      ...(path ? { path: path.job } : {}),
    },
    results: [
      ...names.map((name) => ({ name, shape: own })),
      ...(path ? [{ name: 'change', shape: [x.samples, width] }] : []),
    ],
    words: {
      what: `${several} of shape (${shape.join(', ')})`,
      fits: () => fitting(prepared, kind, second, names.length),
    },
  }
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

/** For each parameter the number of its method. */
function methodsOf(core: Core, named: Readonly<Record<string, KernelMethod>>): number[] {
  const names = core.architecture.active.map(({ parameter }) => parameter.name)
  const unknown = Object.keys(named).find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw badArgument('options.method', 'methods of parameters that are not frozen', unknown)
  }
  return names.map((name) => kernelMethods.indexOf(kernelMethod(named[name])))
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
