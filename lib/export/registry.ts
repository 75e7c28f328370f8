// All tangent rules, by operator.

import type { Rules } from './rule.js'
import { arithmetic } from './rules/arithmetic.js'
import { contractions } from './rules/contractions.js'
import { activations, functions } from './rules/functions.js'
import { normalizations } from './rules/normalizations.js'
import { pooling } from './rules/pooling.js'
import { recurrents } from './rules/recurrent.js'
import { reductions } from './rules/reductions.js'
import { shapes } from './rules/shapes.js'

const rules: Rules = {
  ...activations,
  ...functions,
  ...arithmetic,
  ...contractions,
  ...shapes,
  ...reductions,
  ...normalizations,
  ...pooling,
  ...recurrents,
}

/** Operators whose tangent can be written in standard operators: 'Relu', 'com.microsoft::Gelu'. */
export const exportedOperators: readonly string[] = Object.keys(rules)

export function ruleFor(domain: string, op: string) {
  const name = domain === '' ? op : `${domain}::${op}`
  return Object.hasOwn(rules, name) ? rules[name] : undefined
}
