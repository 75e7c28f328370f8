import { checkCall } from '../core/options.js'
import { checkTargets } from '../linear/checks.js'
import type { TangentFeatures } from './features.js'
import { checkFeatures } from './features.js'
import { fitOnce } from './fit.js'
import type { AdaptiveModel } from './model.js'
import { type AdaptiveOptions, checkOptions } from './options.js'
import type { SettledPrice } from './price.js'
import { selectPrice } from './selection.js'
import { SharedWork } from './shared.js'
import { fitFromStarts } from './starts.js'

export type { FitIteration } from '../native/fit.js'
export type { AdaptiveOptions } from './options.js'

/**
 * Fits the adaptive tangent-feature model (METHOD.md section 3) to targets r:
 *
 *   min Σ_blocks Ω̃(B_b) + ‖r − Σ_b ⟨X, B_b⟩‖² / ridge,  Ω̃ = Σ_j min_z price·ω(z) + σ_j²/z²
 *
 * by alternating two exact steps, accelerated by Anderson extrapolation that is only taken when the
 * objective falls at least as a share of the plain step would (LeJeune & Alemohammad 2024).
 * @param targets r = y − f(x; θ0), row (i, o) = i·O + o
 * @throws TangentError BAD_INPUT for targets or features that are not finite, BAD_ARGUMENT,
 *   MEMORY_BUDGET (says which route fits), NUMERICAL when ridge 0 asks for an impossible
 *   interpolation (names the least ridge that works); a DOMException named AbortError.
 * @example
 * ```js
 * import { fitFeatures, TangentFeatures } from 'adaptive-tangent'
 *
 * // Four samples whose feature is a 2 × 2 matrix; the target reads one entry of it.
 * const x = Float64Array.of(1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 2, 0, 1, 1)
 * const features = await TangentFeatures.from(4, 1, [{ name: 'layer', m: 2, k: 2, x }])
 * const model = await fitFeatures(features, [1, 1, 0, 2], { ridge: 0.01 })
 * console.log(model.status.name, [...model.fit].map((value) => value.toFixed(1)).join(' '))
 * // converged 1.0 1.0 0.0 2.0
 * ```
 * @since 0.1.0
 */
export async function fitFeatures(
  features: TangentFeatures,
  targets: ArrayLike<number>,
  options: AdaptiveOptions = {},
): Promise<AdaptiveModel> {
  checkCall(options)
  checkFeatures(features)
  return fitShared(features, targets, options, new SharedWork())
}

/**
 * Fits that have work in common: of the same features and targets.
 * @param classes y = r + f of all rows where they are classes
 * @internal
 */
export async function fitShared(
  features: TangentFeatures,
  targets: ArrayLike<number>,
  options: AdaptiveOptions,
  shared: SharedWork,
  classes?: Float64Array,
): Promise<AdaptiveModel> {
  const { price, starts, ridge } = checkOptions(options)
  const residual = checkTargets(targets, features.rows)
  const open = price === 'auto' || ridge === 'auto'
  const chosen = open ? await selectPrice(features, residual, options, classes) : undefined
  const settled = {
    ...options,
    price: chosen?.price ?? (price as SettledPrice),
    ridge: chosen?.ridge ?? (ridge as number),
  }
  const model =
    starts > 1
      ? await fitFromStarts(features, residual, settled, starts, shared)
      : await fitOnce(features, residual, settled, { shared })
  return chosen ? model.with({ selection: chosen }) : model
}
