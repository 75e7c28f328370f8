import { badArgument, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { threadCount } from '../core/threads.js'
import { jacobians, type ParameterArrays } from '../derivatives/jacobian.js'
import { checkPath, type QuadratureRule, weightPath } from '../derivatives/path.js'
import { run } from '../derivatives/run.js'
import { heldInputs } from '../io/held.js'
import { type NdArray, toFloat32 } from '../io/index.js'
import { TangentKernel } from '../kernels/kernel.js'
import { kernels, type NtkOptions, type TangentKernels } from '../kernels/ntk.js'
import { type Core, cores, type DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { native } from '../native/index.js'
import type { Network } from './network.js'

/** How a path of weights is looked at. */
export interface PathOptions {
  /** Nodes of the quadrature on each piece of the path (default 50). */
  points?: number | undefined
  /** Midpoints of equal parts (default), or the Gauss–Legendre nodes, for smooth networks. */
  rule?: QuadratureRule | undefined
}

/** Options of {@link averageKernel}. */
export interface AverageOptions extends NtkOptions, PathOptions {}

/** Options of {@link averageFeatures}. */
export interface AverageFeatureOptions extends DerivativeOptions, PathOptions {}

/** Tangent features that were averaged over a path of weights. */
export interface AverageFeatures {
  /** F̄ by parameter, (N, O, …shape). */
  features: ParameterArrays
  residual: PathResidual
  points: number
  rule: QuadratureRule
}

/** How well averaged features explain the change of the outputs: it judges the quadrature. */
export interface PathResidual {
  /** ‖f1 − f0 − F̄Δθ‖ over all samples and outputs. */
  absolute: number
  /** That divided by ‖f1 − f0‖ (0 where both are 0). */
  relative: number
  /** f1 − f0, (N, O). */
  change: NdArray<Float32Array>
  /** F̄Δθ, (N, O); of a path of several pieces the sum of theirs. */
  explained: NdArray<Float32Array>
}

/** A tangent kernel of features that were averaged over a path of weights. */
export interface AverageKernel {
  /** K̄ = F̄F̄ᵀ. */
  kernel: TangentKernel
  /** Its parts by layer or parameter where `by` asks for them, which add up to it. */
  parts: TangentKernels | undefined
  residual: PathResidual
  points: number
  rule: QuadratureRule
}

/**
 * The kernel K̄ = F̄F̄ᵀ of tangent features averaged on the straight line between two sets of weights,
 * F̄(x) = ∫₀¹ ∂f(x; θ_t)/∂θ dt with θ_t = (1 − t)θ0 + tθ1, for which f(x; θ1) − f(x; θ0) = F̄(x)(θ1 − θ0)
 * exactly (LeJeune & Alemohammad 2024). With more networks, over the straight pieces between
 * neighbours, each for the same share of the time.
 *
 * Weights that are frozen or are no parameters (running statistics) move along the path but count
 * for nothing in F̄Δθ: where they differ, the residual shows it.
 * @param from network at θ0, or all networks of a path in order.
 * @param to network at θ1, made by `from.withParameters()`; undefined after a list.
 * @param given x, N samples.
 * @throws TangentError `BAD_ARGUMENT` when the networks do not share an architecture.
 * @example
 * ```js
 * import { averageKernel, buildMlp, initialize, Network } from 'adaptive-tangent'
 *
 * const from = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
 * const to = await from.withParameters(await initialize(from, { seed: 2 }))
 * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
 * const { kernel, residual } = await averageKernel(from, to, x, { points: 64 })
 * console.log(kernel.shape.join(' '), residual.relative < 0.05)
 * await Promise.all([from.dispose(), to.dispose()])
 * // 2 1 2 1 true
 * ```
 * @since 0.1.0
 */
export async function averageKernel(
  from: Network | readonly Network[],
  to: Network | undefined,
  given: Inputs,
  options: AverageOptions = {},
): Promise<AverageKernel> {
  checkCall(options)
  const x = heldInputs(given, 'x')
  const { path, points, rule } = await pathOf(from, to, x, options)
  const [first] = path as [Core]
  const split = options.by !== undefined && options.by !== 'total'
  const threads = threadCount(options.threads) ?? first.threads
  const { kernels: found, change } = await kernels(
    first,
    x,
    undefined,
    options,
    weightPath(path, rule, points),
  )
  const residual = await residualOf(path, x, change as NdArray<Float32Array>, options)
  const single = found as TangentKernels
  return {
    kernel: split ? await sum(single, threads) : (single.get('total') as TangentKernel),
    parts: split ? single : undefined,
    residual,
    points,
    rule,
  }
}

/**
 * The averaged features F̄(x) = ∫₀¹ ∂f(x; θ_t)/∂θ dt themselves, by parameter, with the arguments of
 * {@link averageKernel}, whose kernel is F̄F̄ᵀ. They take the memory of a Jacobian.
 * @throws TangentError `BAD_ARGUMENT` when the networks do not share an architecture,
 *   `MEMORY_BUDGET`.
 * @example
 * ```js
 * import { averageFeatures, buildMlp, initialize, Network } from 'adaptive-tangent'
 *
 * const from = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
 * const to = await from.withParameters(await initialize(from, { seed: 2 }))
 * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
 * const { features, residual } = await averageFeatures(from, to, x, { points: 64 })
 * for (const [name, { shape }] of features) console.log(name, shape.join(' '))
 * console.log(residual.relative < 0.05)
 * await Promise.all([from.dispose(), to.dispose()])
 * // dense1.weight 2 1 8 2
 * // dense1.bias 2 1 8
 * // dense2.weight 2 1 1 8
 * // dense2.bias 2 1 1
 * // true
 * ```
 * @since 0.1.0
 */
export async function averageFeatures(
  from: Network | readonly Network[],
  to: Network | undefined,
  given: Inputs,
  options: AverageFeatureOptions = {},
): Promise<AverageFeatures> {
  checkCall(options)
  const x = heldInputs(given, 'x')
  const { path, points, rule } = await pathOf(from, to, x, options)
  const found = await jacobians(path[0] as Core, x, options, weightPath(path, rule, points))
  const residual = await residualOf(path, x, found.change as NdArray<Float32Array>, options)
  return { features: found.features as ParameterArrays, residual, points, rule }
}

/** The networks of a path, and how it is looked at. */
async function pathOf(
  from: Network | readonly Network[],
  to: Network | undefined,
  x: Inputs,
  options: PathOptions & DerivativeOptions,
): Promise<{ path: Core[]; points: number; rule: QuadratureRule }> {
  const { points = 50, rule = 'uniform' } = options
  const networks = [...(Array.isArray(from) ? from : [from]), ...(to ? [to] : [])] as Network[]
  const whole = checkPath(
    networks.map((network) => cores.get(network)),
    'networks',
  )
  for (const core of whole) core.checkSingle('averages along a path')
  wholeNumber('options.points', points, 1, 100_000)
  if (rule !== 'uniform' && rule !== 'gauss-legendre') {
    throw badArgument('options.rule', 'uniform or gauss-legendre', rule)
  }
  // Branches that depend on weights may part along the path.
  const path = checkPath(await Promise.all(whole.map((core) => core.at(x, options))), 'networks')
  return { path, points, rule }
}

async function sum(parts: TangentKernels, threads: number): Promise<TangentKernel> {
  const [first] = parts.values()
  const { data, shape, kind, symmetric } = first as TangentKernel
  const total = new Float32Array(data.length)
  const arrays = Array.from(parts.values(), (part) => part.data)
  await native.addKernels(arrays, total, threads)
  return new TangentKernel(total, shape, kind, symmetric)
}

async function residualOf(
  path: readonly Core[],
  x: Inputs,
  explained: NdArray<Float32Array>,
  options: DerivativeOptions,
): Promise<PathResidual> {
  const { threads, signal } = options
  const [start, end] = await Promise.all(
    [path[0] as Core, path.at(-1) as Core].map(async (core) =>
      toFloat32(await run(core, x, { threads, signal })),
    ),
  )
  const [samples = 0, all = 0] = start?.shape ?? []
  const outputs = options.outputs ?? Array.from({ length: all }, (_, o) => o)
  const change = new Float32Array(samples * outputs.length)
  let missing = 0
  let size = 0
  for (let i = 0; i < samples; i += 1) {
    outputs.forEach((o, at) => {
      const e = i * outputs.length + at
      const moved = (end?.data[i * all + o] as number) - (start?.data[i * all + o] as number)
      change[e] = moved
      size += moved ** 2
      missing += (moved - (explained.data[e] as number)) ** 2
    })
  }
  const absolute = Math.sqrt(missing)
  return {
    absolute,
    relative: absolute === 0 ? 0 : absolute / Math.sqrt(size),
    change: { data: change, shape: [samples, outputs.length] },
    explained,
  }
}
