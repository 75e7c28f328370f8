import { mismatch, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { TangentKernel } from '../kernels/kernel.js'
import type { SolveOptions } from '../native/call.js'
import type { ChosenDevice } from '../native/device.js'
import type { FitIteration } from '../native/fit.js'
import {
  type NativeBlockSolution,
  type NativeSolveFit,
  type NativeTransform,
  native,
} from '../native/index.js'
import type { PriceSelection, StartSummary } from './choices.js'
import type { BlockShape, TangentFeatures } from './features.js'
import { identityTransform } from './features.js'
import type { FitPrice } from './price.js'
import { type BlockRule, isAdaptive, type Structure } from './rules.js'

/** How a fit ended, and what to try next. */
export interface FitStatus {
  name: 'converged' | 'iteration limit' | 'stalled' | 'singular'
  advice: string
}

/** One mode's matrix, M = I + Σ_j (z_j − 1) u_j u_jᵀ. */
export interface Stretch {
  /** Sizes of the stretches that differ from 1, as `vectors`. */
  z: Float64Array
  /** (z.length, dim), orthonormal rows. */
  vectors: Float64Array
  dim: number
}

/** What was found for one block. */
export interface BlockSolution extends BlockShape {
  readonly structure: Structure
  /** B (m, k). */
  readonly b: Float64Array
  /** Ω̃(B). */
  readonly penalty: number
  /**
   * σ of B, descending; `modes`: of every mode's unfolding with the other modes undone, one after
   * another; `diagonal`: |B|; `flat`: ‖B‖_F.
   */
  readonly singularValues: Float64Array
  /** z on each side or mode, as long as its singular values; empty where it is not transformed. */
  readonly stretches: readonly Float64Array[]
  /** Left and right singular vectors of B, (m, r) and (r, k); only of `matrix`. */
  readonly u: Float64Array
  readonly vt: Float64Array
  /** M per mode: [M_left, M_right] of `matrix`, one of dimension m·k of `flat`. */
  readonly transforms: readonly Stretch[]
  /** z for every number of the block; only of `diagonal`. */
  readonly numbers: Float64Array
  /** exp of the entropy of σ² / Σσ²: how many directions carry B. 0 when B is zero. */
  readonly effectiveRank: number
}

/** K_M ≈ kernel·K_0 + target·ŷŷᵀ + rest, by least squares on the entries. */
export interface KernelDecomposition {
  kernel: number
  target: number
  /** ‖rest‖_F / ‖K_M‖_F. */
  rest: number
  /** ⟨K, ŷŷᵀ⟩ / (‖K‖ ‖ŷ‖²), before (K_0) and after (K_M). */
  alignmentBefore: number
  alignmentAfter: number
}

/** Everything a model consists of; see {@link AdaptiveModel}. */
export interface ModelParts {
  blocks: BlockSolution[]
  ridge: number
  objective: number
  penalty: number
  misfit: number
  outputs: number
  iterations: FitIteration[]
  status: FitStatus
  fit: Float64Array
  dual: Float64Array
  targets: Float64Array
  redundant: number
  price: FitPrice
  device?: ChosenDevice | undefined
  selection?: PriceSelection | undefined
  starts?: StartSummary | undefined
}

/** A fitted tangent-feature model: fixed, adaptive, or both by blocks. */
export class AdaptiveModel implements ModelParts {
  readonly blocks!: BlockSolution[]
  readonly ridge!: number
  /** Penalty + misfit / ridge. */
  readonly objective!: number
  readonly penalty!: number
  /** ‖r − fit‖². */
  readonly misfit!: number
  readonly outputs!: number
  readonly iterations!: FitIteration[]
  readonly status!: FitStatus
  /** Σ_blocks ⟨X_r, B⟩ on the samples of the fit. */
  readonly fit!: Float64Array
  /** α of the last kernel solve: Θ = Σ_r α_r M(X_r). */
  readonly dual!: Float64Array
  /** r, as it was given. */
  readonly targets!: Float64Array
  /** Rows that were redundant at ridge 0. */
  readonly redundant!: number
  /** What Ω was multiplied by. */
  readonly price!: FitPrice
  /** Where it was fitted, and why there; not known of a model that was read from a file. */
  readonly device?: ChosenDevice | undefined
  /** How price and ridge were chosen, where they were. */
  readonly selection?: PriceSelection | undefined
  /** Where the other starts ended, where there were some. */
  readonly starts?: StartSummary | undefined

  constructor(parts: ModelParts) {
    Object.assign(this, parts)
  }

  /**
   * From the solver's state.
   * @internal
   */
  static async fromFit(
    fit: NativeSolveFit,
    rules: readonly BlockRule[],
    targets: Float64Array,
    outputs: number,
    about: Pick<ModelParts, 'ridge' | 'iterations' | 'status' | 'price' | 'device'>,
  ): Promise<AdaptiveModel> {
    const { objective, penalty, misfit } = fit.last()
    const blocks: BlockSolution[] = []
    for (const [b, rule] of rules.entries()) blocks.push(blockSolution(rule, await fit.block(b)))
    return new AdaptiveModel({
      ...about,
      blocks,
      objective,
      penalty,
      misfit,
      outputs,
      fit: fit.fit,
      dual: fit.dual,
      targets,
      redundant: fit.redundant,
    })
  }

  /**
   * The same with other descriptions.
   * @internal
   */
  with(parts: Partial<ModelParts>): AdaptiveModel {
    return new AdaptiveModel({ ...this, ...parts })
  }

  /** The largest z of any block, side and direction; 1 where nothing was stretched. */
  get largestStretch(): number {
    let largest = 1
    for (const { stretches } of this.blocks) {
      for (const z of stretches) for (const value of z) largest = Math.max(largest, value)
    }
    return largest
  }

  /**
   * All blocks' B, one after another.
   * @example
   * ```js
   * import { fitFeatures, TangentFeatures } from 'adaptive-tangent'
   *
   * const features = await TangentFeatures.from(2, 1, [
   *   { name: 'w', m: 1, k: 2, x: Float64Array.of(1, 0, 0, 1) },
   * ])
   * const model = await fitFeatures(features, [1, 2], {
   *   ridge: 1,
   *   perBlock: { w: { structure: 'fixed' } },
   * })
   * console.log([...model.coefficients()].map((value) => value.toFixed(2)).join(' '))
   * // 0.50 1.00
   * ```
   * @since 0.1.0
   */
  coefficients(): Float64Array {
    const size = this.blocks.reduce((sum, { b }) => sum + b.length, 0)
    const all = new Float64Array(size)
    let at = 0
    for (const { b } of this.blocks) {
      all.set(b, at)
      at += b.length
    }
    return all
  }

  /**
   * The model's change of the outputs on other samples: add f(x; θ0) for the prediction. Works on
   * factors where the features have them.
   * @returns (N·O)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { fitFeatures, TangentFeatures } from 'adaptive-tangent'
   *
   * const block = (x) => [{ name: 'w', m: 1, k: 2, x: Float64Array.from(x) }]
   * const train = await TangentFeatures.from(2, 1, block([1, 0, 0, 1]))
   * const test = await TangentFeatures.from(1, 1, block([1, 1]))
   * const model = await fitFeatures(train, [1, 2], {
   *   ridge: 1,
   *   perBlock: { w: { structure: 'fixed' } },
   * })
   * console.log((await model.predict(test))[0].toFixed(2))
   * // 1.50
   * ```
   * @since 0.1.0
   */
  async predict(features: TangentFeatures, options: SolveOptions = {}): Promise<Float64Array> {
    checkCall(options)
    this.#check(features)
    return features.apply(this.coefficients(), options)
  }

  /**
   * The adapted kernel K_M(x, x') = Σ_blocks ⟨M(X), M(X')⟩ between any samples.
   * @returns a `full` kernel (N1, O, N2, O)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { fitFeatures, TangentFeatures } from 'adaptive-tangent'
   *
   * const features = await TangentFeatures.from(2, 1, [
   *   { name: 'w', m: 2, k: 1, x: Float64Array.of(1, 0, 0, 1) },
   * ])
   * const model = await fitFeatures(features, [1, 0], { ridge: 0.1 })
   * const kernel = await model.kernel(features)
   * console.log(kernel.shape.join(' '), kernel.data[0] > kernel.data[3])
   * // 2 1 2 1 true
   * ```
   * @since 0.1.0
   */
  async kernel(
    features: TangentFeatures,
    other: TangentFeatures = features,
    options: SolveOptions = {},
  ): Promise<TangentKernel> {
    checkCall(options)
    this.#check(features)
    const data = await features.adaptedKernel(other, this.transforms(), options)
    const shape = [features.samples, features.outputs, other.samples, other.outputs]
    return new TangentKernel(Float32Array.from(data), shape, 'full', other === features)
  }

  /**
   * M of every block in the core's terms.
   * @internal
   */
  transforms(): NativeTransform[] {
    return this.blocks.map((block) => ({
      dims: block.numbers.length > 0 ? [block.m, block.k] : block.transforms.map((t) => t.dim),
      numbers: block.numbers,
      modes: block.transforms.map(({ z, vectors }) => ({ z, vectors })),
    }))
  }

  /**
   * What adapting did to the kernel on these samples: how much of K_M is the kernel it came from,
   * how much the target's outer product, and what is left.
   * @param features those of the fit
   * @param target ŷ (default: the model's fit on them)
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments or options.
   * @example
   * ```js
   * import { fitFeatures, TangentFeatures } from 'adaptive-tangent'
   *
   * const features = await TangentFeatures.from(2, 1, [
   *   { name: 'w', m: 2, k: 1, x: Float64Array.of(1, 0, 0, 1) },
   * ])
   * const model = await fitFeatures(features, [1, -1], { ridge: 0.1 })
   * const { alignmentBefore, alignmentAfter } = await model.decompose(features)
   * console.log(alignmentAfter >= alignmentBefore)
   * // true
   * ```
   * @since 0.1.0
   */
  async decompose(
    features: TangentFeatures,
    target: ArrayLike<number> = this.fit,
    options: SolveOptions = {},
  ): Promise<KernelDecomposition> {
    checkCall(options)
    this.#check(features)
    if (target.length !== features.rows) {
      throw mismatch('target', `${features.rows} numbers`, `${target.length} numbers`)
    }
    const before = await features.kernel(features, options)
    const after = await features.adaptedKernel(features, this.transforms(), options)
    return decompose(before, after, target)
  }

  #check(features: TangentFeatures): void {
    if (!features.matches(this.blocks)) {
      throw new TangentError(
        'BAD_ARGUMENT',
        'Expected features of the same blocks as the model was fitted to',
      )
    }
  }
}

/** Least squares of `after` on `before` and ŷŷᵀ. */
function decompose(
  before: Float64Array,
  after: Float64Array,
  target: ArrayLike<number>,
): KernelDecomposition {
  const n = target.length
  let [kk, kt, tt, ak, at, aa] = [0, 0, 0, 0, 0, 0]
  for (let r = 0; r < n; r++) {
    for (let c = 0; c < n; c++) {
      const k = before[r * n + c] as number
      const a = after[r * n + c] as number
      const y = (target[r] as number) * (target[c] as number)
      kk += k * k
      kt += k * y
      tt += y * y
      ak += a * k
      at += a * y
      aa += a * a
    }
  }
  const determinant = kk * tt - kt * kt
  const separable = determinant > 1e-14 * kk * tt
  const kernel = separable ? (ak * tt - at * kt) / determinant : kk > 0 ? ak / kk : 0
  const share = separable ? (at * kk - ak * kt) / determinant : 0
  const rest = aa - kernel * ak - share * at
  const cosine = (inner: number, norm: number) =>
    norm > 0 && tt > 0 ? inner / Math.sqrt(norm * tt) : 0
  return {
    kernel,
    target: share,
    rest: aa > 0 ? Math.sqrt(Math.max(rest, 0) / aa) : 0,
    alignmentBefore: cosine(kt, kk),
    alignmentAfter: cosine(at, aa),
  }
}

function blockSolution(rule: BlockRule, found: NativeBlockSolution): BlockSolution {
  const { name, m, k, modes, structure } = rule
  const identity = identityTransform([m, k])
  const transform = isAdaptive(rule) ? found.transform : identity
  return {
    name,
    m,
    k,
    modes,
    structure,
    b: found.b,
    penalty: found.penalty,
    singularValues: found.singular,
    stretches: stretchesOf(rule, found),
    u: found.u,
    vt: found.vt,
    transforms: transform.modes.map(({ z, vectors }, d) => ({
      z,
      vectors,
      dim: transform.dims[d] as number,
    })),
    numbers: transform.numbers,
    effectiveRank: effectiveRank(structure, found.singular, m, k),
  }
}

function stretchesOf(rule: BlockRule, found: NativeBlockSolution): Float64Array[] {
  const { stretches } = found
  const r = found.singular.length
  const empty = new Float64Array(0)
  switch (rule.structure) {
    case 'fixed':
      return []
    case 'matrix': {
      let side = 0
      return [rule.left, rule.right].map((penalty) => {
        if (penalty === 'none') return empty
        return stretches.slice(side * r, ++side * r)
      })
    }
    case 'modes': {
      const size = rule.m * rule.k
      let at = 0
      return rule.modes.map((d) => {
        const count = Math.min(d, size / d)
        at += count
        return stretches.slice(at - count, at)
      })
    }
    default:
      return [stretches]
  }
}

/**
 * exp of the entropy of σ² over their sum; of `modes` the first unfolding's, with the other modes
 * undone.
 */
export function effectiveRank(
  structure: Structure,
  singular: Float64Array,
  m: number,
  k: number,
): number {
  const values = structure === 'modes' ? singular.subarray(0, Math.min(m, k)) : singular
  return native.effectiveRank(values.map((sigma) => sigma * sigma))
}
