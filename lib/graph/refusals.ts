// Nodes without a derivative, and how they are told.
import { quote } from '../core/quote.js'

/** A node on the way from the parameters to the output that has no derivative here. */
export interface Refusal {
  /** Name of the node. */
  readonly node: string
  /** Its operator. */
  readonly operator: string
  readonly why: string
  /** What to do about it. */
  readonly remedy: string
}

/** All refusals, those of one kind together: `Loop (nodes "a", "b"): why; remedy`. */
export function listed(refusals: readonly Refusal[]): string {
  const kinds = new Map<string, string[]>()
  for (const { node, operator, why, remedy } of refusals) {
    const kind = JSON.stringify([operator, remedy === '' ? why : `${why}; ${remedy}`])
    kinds.set(kind, [...(kinds.get(kind) ?? []), quote(node)])
  }
  const parts = [...kinds].map(([kind, nodes]) => {
    const [operator, why] = JSON.parse(kind) as [string, string]
    return `${operator} (${nodes.length > 1 ? 'nodes' : 'node'} ${nodes.join(', ')}): ${why}`
  })
  return parts.join(' | ')
}
