import { badArgument, TangentError, wholeNumber } from '../errors.js'
import { abortError } from '../forward/host.js'
import { type NativeSolveFit, native } from '../native.js'
import { checkTargets, notNegative } from './checks.js'
import type { TangentFeatures } from './features.js'
import { AdaptiveModel, type FitStatus } from './model.js'
import { call, callSync, memoryOf, type SolveOptions, threadsOf } from './native-call.js'
import { type BlockOptions, type BlockRule, blockRule, checkRule, nativeRule } from './rules.js'

/** What one iteration of the alternation did. */
export interface FitIteration {
  /** Counted from 1: kernel solves so far. */
  iteration: number
  /** Penalty + misfit / ridge. */
  objective: number
  /** Σ_blocks Ω̃(B). */
  penalty: number
  /** ‖r − fit‖². */
  misfit: number
  /** Relative decrease of the objective since the iteration before. */
  decrease: number
  /** sqrt(decrease that a plain step promised / objective) at the point it set out from. */
  stationarity: number
  /** A lower estimate of the condition number of the kernel that was factored. */
  condition: number
  /** How the new point was found. */
  step: 'plain' | 'anderson' | 'extended'
  /** Wall time of the iteration. */
  seconds: number
  /** Of that, building the adapted kernel, and factoring it with the solve. */
  kernelSeconds: number
  solveSeconds: number
  /** FLOPs of the products that the adapted kernel took. */
  kernelFlops: number
}

/** Options of an adaptive fit. */
export interface AdaptiveOptions extends SolveOptions, BlockOptions {
  /** λ ≥ 0: the misfit costs ‖r − fit‖²/λ (default 1e-3); 0 asks for exact interpolation. */
  ridge?: number | undefined
  /** Options of single blocks by name, over the common ones. */
  perBlock?: Readonly<Record<string, BlockOptions>> | undefined
  /** Stops when the relative decrease is below this (default 1e-11) … */
  tolerance?: number | undefined
  /** … and the stationarity residual below this (default 1e-6). */
  stationarity?: number | undefined
  /** Kernel solves at most (default 1000). */
  maxIterations?: number | undefined
  /**
   * How the equations of every iteration are solved: `kernel` (default) stores the (N·O)² kernel and
   * factors it; `products` stores no kernel, by preconditioned conjugate gradients on products with
   * the features: slower, for N·O too large for a kernel, and needs a ridge above 0.
   */
  solver?: 'kernel' | 'products' | undefined
  /** Depth of the Anderson extrapolation (default 8); 0: plain alternation. */
  depth?: number | undefined
  /** A model of the same blocks to start from: its transformations come first. */
  start?: AdaptiveModel | undefined
  /**
   * Continue from a checkpoint of the same features, targets, ridge and penalties (others are
   * refused): a fit that was cut off ends at the same bits as one that was not.
   */
  resume?: Float64Array | undefined
  /** Called after every iteration. */
  onIteration?: ((iteration: FitIteration) => void) | undefined
  /**
   * Receives the state every `checkpointEvery` iterations, and when the fit is aborted or
   * `maxIterations` is reached.
   */
  onCheckpoint?: ((state: Float64Array) => void | Promise<void>) | undefined
  /** Default 10. */
  checkpointEvery?: number | undefined
}

/**
 * Fits the adaptive tangent-feature model (METHOD.md section 3) to targets r:
 *
 *   min Σ_blocks Ω̃(B_b) + ‖r − Σ_b ⟨X, B_b⟩‖² / ridge
 *
 * by alternating two exact steps, accelerated by Anderson extrapolation that is only taken when the
 * objective falls at least as a share of the plain step would (LeJeune & Alemohammad 2024).
 * @param targets r = y − f(x; θ0), row (i, o) = i·O + o
 * @throws TangentError BAD_INPUT for targets or features that are not finite, BAD_ARGUMENT,
 *   MEMORY_BUDGET (says which route fits), NUMERICAL when ridge 0 asks for an impossible
 *   interpolation (names the least ridge that works); a DOMException named AbortError.
 */
export async function fitFeatures(
  features: TangentFeatures,
  targets: ArrayLike<number>,
  options: AdaptiveOptions = {},
): Promise<AdaptiveModel> {
  const checked = checkOptions(options)
  const { ridge, tolerance, stationarity, maxIterations, depth, solver } = checked
  const { signal } = options
  const residual = checkTargets(targets, features.rows)
  const rules = rulesOf(features, options)
  const fit = callSync(
    () =>
      new native.SolveFit(features.native, rules.map(nativeRule), residual, {
        ridge,
        tolerance,
        stationarity,
        depth,
        products: solver === 'products',
        memory: memoryOf(options),
        threads: threadsOf(options),
      }),
  )
  const { resume, start } = options
  if (resume) await call(signal, () => fit.restore(resume))
  else if (start) await warmStart(fit, features, start)

  const iterations = await iterate(fit, { ...options, ...checked })
  const status = statusOf(fit, maxIterations)
  if (iterations.length === 0 && fit.last().iteration === 0) {
    throw new TangentError('NUMERICAL', status.advice)
  }
  return AdaptiveModel.fromFit(fit, rules, residual, features.outputs, ridge, iterations, status)
}

/**
 * The options that need no features to be checked, with their defaults.
 * @internal
 */
export function checkOptions(options: AdaptiveOptions) {
  const { ridge = 1e-3, tolerance = 1e-11, stationarity = 1e-6, maxIterations = 1000 } = options
  const { depth = 8, checkpointEvery = 10, solver = 'kernel' } = options
  notNegative('options.ridge', ridge)
  notNegative('options.tolerance', tolerance)
  notNegative('options.stationarity', stationarity)
  wholeNumber('options.maxIterations', maxIterations, 1)
  wholeNumber('options.depth', depth, 0)
  wholeNumber('options.checkpointEvery', checkpointEvery, 1)
  if (solver !== 'kernel' && solver !== 'products') {
    throw badArgument('options.solver', "'kernel' or 'products'", solver)
  }
  checkRule(options)
  for (const own of Object.values(options.perBlock ?? {})) checkRule(own)
  return { ridge, tolerance, stationarity, maxIterations, depth, checkpointEvery, solver }
}

async function iterate(
  fit: NativeSolveFit,
  options: AdaptiveOptions & { maxIterations: number; checkpointEvery: number },
): Promise<FitIteration[]> {
  const { signal, onCheckpoint, onIteration, maxIterations, checkpointEvery } = options
  const iterations: FitIteration[] = []
  try {
    while (fit.status === 'running' && fit.last().iteration < maxIterations) {
      const began = performance.now()
      const { status, ...numbers } = await call(signal, (control) => fit.iterate(control))
      if (status === 'singular') break
      const iteration = { ...numbers, seconds: (performance.now() - began) / 1000 }
      iterations.push(iteration)
      onIteration?.(iteration)
      const due = numbers.iteration % checkpointEvery === 0 || numbers.iteration === maxIterations
      if (due) await onCheckpoint?.(fit.save())
    }
    // A checkpoint of a fit that had come to its end.
    const { status: _, ...last } = fit.last()
    if (iterations.length === 0 && last.iteration > 0) iterations.push({ ...last, seconds: 0 })
    if (signal?.aborted) throw abortError(signal)
  } catch (error) {
    if (signal?.aborted) await onCheckpoint?.(fit.save())
    throw error
  }
  return iterations
}

async function warmStart(
  fit: NativeSolveFit,
  features: TangentFeatures,
  start: AdaptiveModel,
): Promise<void> {
  if (!features.matches(start.blocks)) {
    throw badArgument('options.start', 'a model of the same blocks', start.blocks.length)
  }
  await call(undefined, () => fit.warmStart(start.coefficients()))
}

function statusOf(fit: NativeSolveFit, maxIterations: number): FitStatus {
  switch (fit.status) {
    case 'converged':
      return { name: 'converged', advice: 'Nothing: the optimum was reached.' }
    case 'stalled':
      return {
        name: 'stalled',
        advice:
          'Rounding hides further progress: loosen options.stationarity, or raise the ridge so ' +
          'that the kernel is better conditioned.',
      }
    case 'singular':
      return {
        name: 'singular',
        advice:
          'The kernel plus ridge is not positive definite in double precision: raise the ridge, ' +
          'or leave out duplicated samples.',
      }
    default:
      return {
        name: 'iteration limit',
        advice:
          `More iterations are needed than ${maxIterations}: raise options.maxIterations, start ` +
          'from this model (options.start), or loosen options.tolerance.',
      }
  }
}

/** The rule of every block, from the common options and the block's own. */
export function rulesOf(
  features: TangentFeatures,
  options: BlockOptions & { perBlock?: AdaptiveOptions['perBlock'] },
): BlockRule[] {
  const own = new Map(Object.entries(options.perBlock ?? {}))
  const rules = features.blocks.map((block) => {
    const given = own.get(block.name)
    own.delete(block.name)
    const { structure, left, right, power } = options
    return blockRule(block, { structure, left, right, power, ...given })
  })
  for (const name of own.keys()) {
    const known = features.blocks.map((block) => block.name).join(', ')
    throw badArgument('options.perBlock', `names of blocks (${known})`, name)
  }
  return rules
}
