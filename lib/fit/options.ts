// What a fit may be asked for.
import { badArgument, wholeNumber } from '../core/errors.js'
import type { Progress } from '../core/progress.js'
import { notNegative } from '../linear/checks.js'
import { callSync, memoryOf, type SolveOptions } from '../native/call.js'
import { deviceForWork, fitWork } from '../native/choose.js'
import {
  type ChosenDevice,
  chooseDevice,
  type DeviceOptions,
  withoutDevices,
} from '../native/device.js'
import type { FitIteration } from '../native/fit.js'
import { native } from '../native/index.js'
import type { AdaptiveModel } from './model.js'
import { checkPrice, type Price } from './price.js'
import { type BlockOptions, checkRule } from './rules.js'

/** Options of an adaptive fit. */
export interface AdaptiveOptions extends SolveOptions, DeviceOptions, BlockOptions {
  /**
   * λ ≥ 0: the misfit costs ‖r − fit‖²/λ (default 1e-3); 0 asks for exact interpolation; `'auto'`
   * chooses it, for fixed features by leave-one-out of samples, else as `price: 'auto'` does, which
   * chooses the ridge, too, where none is given.
   */
  ridge?: number | 'auto' | undefined
  /**
   * What adapting costs (default 1, in units of the fixed model; see {@link Price}). Without effect
   * where all blocks are fixed.
   */
  price?: Price | undefined
  /** How `'auto'` chooses. */
  selection?: SelectionOptions | undefined
  /**
   * Starts, of which the best end is kept (default 1: the fixed model). The problem is not convex, least
   * so for powers up to 1 and `modes`. The second comes down from a price a hundred times higher, the
   * others begin at random B of rank 2; {@link AdaptiveModel.starts} tells how far the ends are apart.
   */
  starts?: number | undefined
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

/** How {@link Price} `'auto'` chooses. */
export interface SelectionOptions {
  /**
   * Candidates of `price: 'auto'`, in units of the fixed model (default 10, 3, 1, 0.3, 0.1); ∞, fixed
   * features, is always one.
   */
  prices?: readonly number[] | undefined
  /**
   * Candidates (default: the ridge that is given; else 0.1, 1, 10 and 100 times the one of least
   * leave-one-out error with fixed features, which is too small for adapted features).
   */
  ridges?: readonly number[] | undefined
  /** Parts that are held out in turn (default 5, at most the samples). */
  folds?: number | undefined
  /** Shuffles into folds (default 2). */
  repeats?: number | undefined
  /** Of the shuffles (default 1). */
  seed?: number | undefined
  /** Called after every candidate ridge of every fold. */
  onProgress?: ((progress: Progress) => void) | undefined
}

/**
 * The options that need no features to be checked, with their defaults.
 * @internal
 */
export function checkOptions(options: AdaptiveOptions) {
  const { ridge = 1e-3, tolerance = 1e-11, stationarity = 1e-6, maxIterations = 1000 } = options
  const { depth = 8, checkpointEvery = 10, solver = 'kernel', price = 1, starts = 1 } = options
  if (ridge !== 'auto') notNegative('options.ridge', ridge)
  notNegative('options.tolerance', tolerance)
  notNegative('options.stationarity', stationarity)
  wholeNumber('options.maxIterations', maxIterations, 1)
  wholeNumber('options.depth', depth, 0)
  wholeNumber('options.checkpointEvery', checkpointEvery, 1)
  const { resume, start } = options
  if (resume !== undefined && !(resume instanceof Float64Array)) {
    throw badArgument('options.resume', 'the Float64Array of a checkpoint', resume)
  }
  if (start !== undefined && !Array.isArray((start as AdaptiveModel | null)?.blocks)) {
    throw badArgument('options.start', 'an AdaptiveModel', start)
  }
  checkPrice(price)
  checkSelection(options)
  wholeNumber('options.starts', starts, 1)
  if (starts > 1 && (options.resume || options.onCheckpoint || options.start)) {
    throw badArgument('options.starts', '1 with start, resume or onCheckpoint', starts)
  }
  if (solver !== 'kernel' && solver !== 'products') {
    throw badArgument('options.solver', "'kernel' or 'products'", solver)
  }
  chooseDevice(options.device)
  checkRule(options)
  for (const own of Object.values(options.perBlock ?? {})) checkRule(own)
  return {
    ridge,
    tolerance,
    stationarity,
    maxIterations,
    depth,
    checkpointEvery,
    solver,
    price,
    starts,
  }
}

/**
 * Where a fit's kernels are built and factored: `auto` uses the processor for what has no code for devices.
 * @param numbers of one row's features
 * @internal
 */
export async function fitDevice(
  options: AdaptiveOptions,
  rows: number,
  numbers: number,
): Promise<ChosenDevice> {
  const { device, solver, ridge } = options
  if (device === 'auto' && solver === 'products') return withoutDevices(options, 'fits by products')
  if (device === 'auto' && ridge === 0)
    return withoutDevices(options, 'exact interpolation of dependent rows')
  return deviceForWork(options, fitWork(rows, numbers))
}

/**
 * Refuses a fit that cannot fit the budget, whatever its features take: before they are computed.
 * @param numbers numbers in B
 * @throws TangentError MEMORY_BUDGET
 * @internal
 */
export async function checkFitMemory(
  rows: number,
  numbers: number,
  options: AdaptiveOptions,
): Promise<void> {
  const { depth, ridge, solver } = checkOptions(options)
  const device = (await fitDevice(options, rows, numbers)).name
  const limits = { depth, products: solver === 'products', memory: memoryOf(options), device }
  // One that is chosen is above 0.
  callSync(() =>
    native.checkFitMemory(rows, numbers, { ...limits, ridge: ridge === 'auto' ? 1 : ridge }),
  )
}

function checkSelection({ selection = {} }: AdaptiveOptions): void {
  if (typeof selection !== 'object' || selection === null) {
    throw badArgument('options.selection', 'an object', selection)
  }
  const { prices = [], ridges = [], folds = 5, repeats = 2 } = selection
  for (const [name, list] of Object.entries({ prices, ridges })) {
    if (!Array.isArray(list)) throw badArgument(`options.selection.${name}`, 'a list', list)
  }
  for (const price of prices) {
    if (typeof price !== 'number') {
      throw badArgument('options.selection.prices', 'numbers above 0', price)
    }
    checkPrice(price, 'options.selection.prices')
  }
  for (const ridge of ridges) {
    if (!(ridge > 0 && Number.isFinite(ridge))) {
      throw badArgument('options.selection.ridges', 'numbers above 0', ridge)
    }
  }
  wholeNumber('options.selection.folds', folds, 2)
  wholeNumber('options.selection.repeats', repeats, 1)
}
