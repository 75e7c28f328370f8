import { badArgument } from '../core/errors.js'
import type { NativeBlockRule } from '../native/index.js'
import type { BlockShape } from './features.js'
import { checkPenalty, nativePenalty, type Penalty } from './penalty.js'

/**
 * Which transformations the features of a block may undergo (METHOD.md section 3):
 * - `matrix`: M_left X M_right, the penalty Σ ω̃(σ_j(B));
 * - `modes`: a matrix for every mode of a convolution (out, in, kernel position), found one mode at
 *   a time; the penalty has no closed form and the optimum may be a local one;
 * - `diagonal`: a factor for every number, Σ ω̃(|B_ij|);
 * - `flat`: one matrix on the flattened block, ω̃(‖B‖_F);
 * - `fixed`: none, ‖B‖_F².
 */
export type Structure = 'matrix' | 'modes' | 'diagonal' | 'flat' | 'fixed'

/** How one block adapts. */
export interface BlockOptions {
  /** Default `matrix`. */
  structure?: Structure | undefined
  /** ω of the left side of `matrix` (default 2: |z − 1|²), or `'none'`. */
  left?: Penalty | 'none' | undefined
  /** ω of the right side of `matrix` (default 2), or `'none'`. */
  right?: Penalty | 'none' | undefined
  /** ω of `diagonal`, `flat` and every mode of `modes` (default 2). */
  power?: Penalty | undefined
}

/** What was decided for one block, with all defaults filled in. */
export interface BlockRule extends BlockShape {
  readonly structure: Structure
  readonly left: Penalty | 'none'
  readonly right: Penalty | 'none'
  readonly power: Penalty
}

const structures: readonly Structure[] = ['matrix', 'modes', 'diagonal', 'flat', 'fixed']

/** Fills in the defaults and checks them. */
export function blockRule(block: BlockShape, options: BlockOptions): BlockRule {
  return { ...block, ...checkRule(options) }
}

/** What a block's options say, whatever the block. */
export function checkRule(options: BlockOptions) {
  if (typeof options !== 'object' || options === null) {
    throw badArgument('options.perBlock', 'options by name of a block', options)
  }
  const { structure = 'matrix', left = 2, right = 2, power = 2 } = options
  if (!structures.includes(structure)) {
    throw badArgument('structure', `one of ${structures.join(', ')}`, structure)
  }
  if (left !== 'none') checkPenalty(left, 'left')
  if (right !== 'none') checkPenalty(right, 'right')
  checkPenalty(power, 'power')
  return { structure, left, right, power }
}

/** Is anything of this block transformed? */
export function isAdaptive(rule: BlockRule): boolean {
  if (rule.structure === 'fixed') return false
  return rule.structure !== 'matrix' || rule.left !== 'none' || rule.right !== 'none'
}

/** The rule in the core's terms. */
export function nativeRule(rule: BlockRule): NativeBlockRule {
  const { m, k, structure } = rule
  const dims = [m, k]
  switch (structure) {
    case 'fixed':
      return { structure, dims, sides: [0, 0], penalties: [] }
    case 'matrix': {
      const sides = [rule.left, rule.right]
      const penalties = sides.filter((side) => side !== 'none')
      return {
        structure,
        dims,
        sides: sides.map((side) => (side === 'none' ? 0 : 1)),
        penalties: [nativePenalty(penalties)],
      }
    }
    case 'modes':
      return {
        structure,
        dims: [...rule.modes],
        sides: rule.modes.map(() => 1),
        penalties: rule.modes.map(() => nativePenalty([rule.power])),
      }
    default:
      return { structure, dims, sides: [1, 1], penalties: [nativePenalty([rule.power])] }
  }
}
