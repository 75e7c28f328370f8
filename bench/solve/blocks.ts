// The blocks of a fit as arrays, for what is measured next to the solver.
import type { FeatureArrays, ParameterFeatures } from '../../lib/derivatives/features.js'
import type { BlockLayout } from '../../lib/fit/blocks.js'
import type { FeatureBlock } from '../../lib/fit/features.js'

export function toBlock(
  { name, m, k, bias, weight, transposed }: BlockLayout,
  found: FeatureArrays,
): FeatureBlock {
  const entry = found.get(weight) as ParameterFeatures
  if (entry.kind === 'rows') {
    const { delta, columns } = entry
    return { name, m, k, delta: delta.data, h: columns.data, positions: columns.shape[1] as number }
  }
  if (entry.kind === 'factors') {
    const { delta, h } = entry
    const positions = h.shape[1] as number
    return { name, m, k, delta: delta.data, h: h.data, positions, ones: bias !== undefined }
  }
  const shared = { name, m, k, x: entry.x.data, transposed }
  const column = bias && found.get(bias.name)
  return column?.kind === 'dense' ? { ...shared, bias: column.x.data } : shared
}
