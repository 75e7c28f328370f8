import { badArgument, mismatch, TangentError, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { shapeSize } from '../core/shape.js'
import type { Floats } from '../io/index.js'
import { call, callSync, type SolveOptions, threadsOf } from '../native/call.js'
import {
  type NativeNumbers,
  type NativeSolveFeatures,
  type NativeTransform,
  native,
} from '../native/index.js'

export type { Floats }

/**
 * The tangent features of one block (a parameter seen as a matrix, or a layer's [W b]): for every
 * row r = i·outputs + o an m × k matrix X_r, as such or in factors.
 */
export type FeatureBlock = BlockOf<Floats, Int32Array>

/**
 * The same where its numbers may lie in the addon's memory.
 * @internal
 */
export type NativeBlock = BlockOf<NativeNumbers, Int32Array> & {
  /** h tells columns, as an Int32Array does. */
  picked?: boolean
  /** So many samples after one another share their h, which is there once. */
  sharing?: number
  /** The numbers have been taken. */
  release?(): void
}

type BlockOf<Numbers, Columns> = {
  name: string
  m: number
  /** Columns of B, a bias's included. */
  k: number
  /** Sizes of the modes that the k columns stand for (a convolution: [in, positions]). */
  columns?: readonly number[]
} & (
  | {
      /** (N·O, m, k), or (N·O, k, m) when `transposed`; k less one with a bias. */
      x: Numbers
      transposed?: boolean
      /** (N·O, m): the last column. */
      bias?: Numbers
    }
  | {
      /** (N·O, T, m): X_r = Σ_t delta_{r,t} ⊗ h_{i,t} */
      delta: Numbers
      /**
       * (N, T, k), common to a sample's outputs; k less one with `ones`. Where every h_{i,t} holds a
       * single 1, an Int32Array (N, T) may tell its column instead.
       */
      h: Numbers | Columns
      /** T (default 1) */
      positions?: number
      /** The last column is as if every h ended in 1: that of a bias. */
      ones?: boolean
    }
)

/** Shape of one block of features. */
export interface BlockShape {
  readonly name: string
  readonly m: number
  readonly k: number
  /** [m, …modes of the columns] */
  readonly modes: readonly number[]
}

/**
 * Tangent features of N samples and O outputs in the solver's memory: what the fits see of a
 * network. Factors stay factors where that is cheaper.
 */
export class TangentFeatures {
  readonly samples: number
  readonly outputs: number
  readonly blocks: readonly BlockShape[]
  /** @internal */
  readonly native: NativeSolveFeatures

  private constructor(
    samples: number,
    outputs: number,
    blocks: BlockShape[],
    handle: NativeSolveFeatures,
  ) {
    this.samples = samples
    this.outputs = outputs
    this.blocks = blocks
    this.native = handle
  }

  /**
   * Copies the blocks into the solver's memory, off the JS thread.
   * @param samples N
   * @param outputs O
   * @throws TangentError BAD_ARGUMENT for wrong sizes.
   * @example
   * ```js
   * import { TangentFeatures } from 'adaptive-tangent'
   *
   * // Two samples of one output; the features of a weight of shape (1, 3).
   * const features = await TangentFeatures.from(2, 1, [
   *   { name: 'w', m: 1, k: 3, x: Float64Array.of(1, 0, 2, 0, 1, 1) },
   * ])
   * console.log(features.rows, features.size)
   * // 2 3
   * ```
   * @since 0.1.0
   */
  static async from(
    samples: number,
    outputs: number,
    blocks: readonly FeatureBlock[],
    options: SolveOptions = {},
  ): Promise<TangentFeatures> {
    return TangentFeatures.fromNative(samples, outputs, blocks, options)
  }

  /**
   * The same of numbers that may lie in the addon's memory, and stay there.
   * @internal
   */
  static async fromNative(
    samples: number,
    outputs: number,
    blocks: readonly NativeBlock[],
    options: SolveOptions = {},
  ): Promise<TangentFeatures> {
    checkCall(options)
    wholeNumber('samples', samples, 1)
    wholeNumber('outputs', outputs, 1)
    if (blocks.length === 0) throw mismatch('blocks', 'at least one block of features', 'none')
    const names = new Set(blocks.map((block) => block.name))
    if (names.size < blocks.length) throw badArgument('blocks', 'names that differ', [...names])
    const handle = callSync(() => new native.SolveFeatures(samples, outputs))
    for (const block of blocks) {
      await call(options.signal, () => add(handle, block))
      block.release?.()
    }
    const shapes = blocks.map(({ name, m, k, columns }) => {
      const modes = columns ?? [k]
      if (shapeSize(modes) !== k) {
        throw badArgument('columns', `sizes that multiply to ${k}`, modes)
      }
      return { name, m, k, modes: [m, ...modes] }
    })
    return new TangentFeatures(samples, outputs, shapes, handle)
  }

  /**
   * The features of some samples, in the order given.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { TangentFeatures } from 'adaptive-tangent'
   *
   * const all = await TangentFeatures.from(3, 1, [
   *   { name: 'w', m: 1, k: 2, x: Float64Array.of(1, 0, 0, 1, 2, 2) },
   * ])
   * const two = await all.select([2, 0])
   * console.log((await two.kernel()).join(' '))
   * // 8 2 2 1
   * ```
   * @since 0.1.0
   */
  async select(samples: readonly number[]): Promise<TangentFeatures> {
    for (const i of samples) {
      if (!Number.isInteger(i) || i < 0 || i >= this.samples) {
        throw badArgument('samples', `indices from 0 to ${this.samples - 1}`, i)
      }
    }
    const handle = callSync(() => new native.SolveFeatures(samples.length, this.outputs))
    await call(undefined, () => this.native.select(handle, [...samples]))
    return new TangentFeatures(samples.length, this.outputs, [...this.blocks], handle)
  }

  /** N·O. */
  get rows(): number {
    return this.samples * this.outputs
  }

  /** Numbers of all blocks' B together. */
  get size(): number {
    return this.blocks.reduce((sum, { m, k }) => sum + m * k, 0)
  }

  /** Bytes held by the solver; 0 after {@link free}. */
  get bytes(): number {
    return this.native.bytes
  }

  /**
   * Gives their memory back. Without it they stay until V8 finds that nobody needs them. Calls that are under way are
   * still answered, later ones are refused; models that were fitted to them need them no more.
   * @example
   * ```js
   * import { TangentFeatures } from 'adaptive-tangent'
   *
   * const features = await TangentFeatures.from(1, 1, [
   *   { name: 'w', m: 1, k: 2, x: Float64Array.of(1, 2) },
   * ])
   * features.free()
   * const error = await features.kernel().catch((problem) => problem)
   * console.log(error.code, features.bytes)
   * // DISPOSED 0
   * ```
   * @since 0.2.0
   */
  free(): void {
    this.native.free()
  }

  /**
   * Do these hold the same blocks as `other`, for other samples?
   * @example
   * ```js
   * import { TangentFeatures } from 'adaptive-tangent'
   *
   * const block = (name, x) => ({ name, m: 1, k: 2, x: Float64Array.from(x) })
   * const train = await TangentFeatures.from(2, 1, [block('w', [1, 0, 0, 1])])
   * const test = await TangentFeatures.from(1, 1, [block('w', [3, 4])])
   * console.log(train.matches(test.blocks))
   * // true
   * ```
   * @since 0.1.0
   */
  matches(blocks: readonly BlockShape[]): boolean {
    return (
      blocks.length === this.blocks.length &&
      this.blocks.every(({ m, k }, b) => blocks[b]?.m === m && blocks[b]?.k === k)
    )
  }

  /**
   * Σ_blocks ⟨X_r, B⟩ for every row: the first-order change of the outputs.
   * @param b all blocks' B (m, k), one after another
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { TangentFeatures } from 'adaptive-tangent'
   *
   * const features = await TangentFeatures.from(2, 1, [
   *   { name: 'w', m: 1, k: 2, x: Float64Array.of(1, 2, 3, 4) },
   * ])
   * console.log((await features.apply(Float64Array.of(10, 1))).join(' '))
   * // 12 34
   * ```
   * @since 0.1.0
   */
  apply(b: Float64Array, options: SolveOptions = {}): Promise<Float64Array> {
    checkCall(options)
    return call(options.signal, () => this.native.apply(b, threadsOf(options)))
  }

  /**
   * Σ_r a_r X_r, block after block: the adjoint of {@link apply}.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { TangentFeatures } from 'adaptive-tangent'
   *
   * const features = await TangentFeatures.from(2, 1, [
   *   { name: 'w', m: 1, k: 2, x: Float64Array.of(1, 2, 3, 4) },
   * ])
   * console.log((await features.adjoint(Float64Array.of(10, 1))).join(' '))
   * // 13 24
   * ```
   * @since 0.1.0
   */
  adjoint(a: Float64Array, options: SolveOptions = {}): Promise<Float64Array> {
    checkCall(options)
    return call(options.signal, () => this.native.adjoint(a, threadsOf(options)))
  }

  /**
   * The tangent kernel K_0 of these features with others of the same blocks.
   * @returns (rows, rows of other), C order.
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { TangentFeatures } from 'adaptive-tangent'
   *
   * const features = await TangentFeatures.from(2, 1, [
   *   { name: 'w', m: 1, k: 2, x: Float64Array.of(1, 2, 3, 4) },
   * ])
   * console.log((await features.kernel()).join(' '))
   * // 5 11 11 25
   * ```
   * @since 0.1.0
   */
  kernel(other: TangentFeatures = this, options: SolveOptions = {}): Promise<Float64Array> {
    checkCall(options)
    return this.adaptedKernel(
      other,
      this.blocks.map(({ m, k }) => identityTransform([m, k])),
      options,
    )
  }

  /**
   * The same under transformations of the blocks.
   * @internal
   */
  adaptedKernel(
    other: TangentFeatures,
    transforms: NativeTransform[],
    options: SolveOptions = {},
  ): Promise<Float64Array> {
    checkCall(options)
    if (!this.matches(other.blocks)) {
      throw new TangentError('BAD_ARGUMENT', 'Expected features of the same blocks for the kernel')
    }
    return call(options.signal, (control) =>
      this.native.kernel(other.native, transforms, threadsOf(options), control),
    )
  }
}

function add(handle: NativeSolveFeatures, block: NativeBlock): Promise<number> {
  const { m, k } = block
  if ('x' in block) {
    const { x, transposed = false, bias } = block
    return handle.addDense(x, m, bias ? k - 1 : k, transposed, bias)
  }
  const { delta, h, positions = 1, ones = false, columns = [k], sharing = 1 } = block
  const picked = block.picked ?? h instanceof Int32Array
  if (picked && columns.length > 1) {
    throw badArgument('columns', 'one mode where h tells columns', columns)
  }
  const sizes = { positions, m, k: ones ? k - 1 : k, ones, columns: picked, sharing }
  return handle.addFactors(delta, h, sizes)
}

export function identityTransform(dims: readonly number[]): NativeTransform {
  return {
    dims: [...dims],
    numbers: new Float64Array(0),
    modes: dims.map(() => ({ z: new Float64Array(0), vectors: new Float64Array(0) })),
  }
}

/** @throws TangentError BAD_ARGUMENT for what are no features. */
export function checkFeatures(features: unknown): void {
  if (features instanceof TangentFeatures) return
  throw badArgument('features', 'TangentFeatures', features)
}
