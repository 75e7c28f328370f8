// Which parameters are matrices, and which biases go with them.
import { shapeSize } from '../core/shape.js'
import type { Architecture } from '../model/architecture.js'
import type { FactorLayout } from '../native/train.js'

/** What an adaptive training changes: per parameter Θ, then a square matrix per mode. */
export function factorArrays(
  parameters: readonly { name: string; count: number; layout: FactorLayout }[],
): { name: string; count: number; side?: number }[] {
  return parameters.flatMap(({ name, count, layout }) => [
    { name: `${name}:theta`, count },
    ...layout.modes.map((side, mode) => ({
      name: `${name}:mode${mode}`,
      count: side * side,
      side,
    })),
  ])
}

/**
 * The modes of every parameter in the addon's order: dense weights have two, convolutions three
 * (out, in, kernel position). A vector of a layer that has a weight is its bias, transformed by the
 * weight's output mode, when it has as many entries; all others are not transformed.
 */
export function factorLayouts(architecture: Architecture): FactorLayout[] {
  const { active, graph } = architecture
  const nodes = new Map(graph.native.nodes.map((node) => [node.name, node]))
  const outputs = new Map<string, { parameter: number; mode: number; size: number }>()
  const layouts = active.map(({ parameter: { layer, shape }, weight }, p): FactorLayout => {
    if (shape.length < 2) return { modes: [] }
    const [first = 1, second = 1, ...rest] = shape
    const op = weight.consumer?.op ?? ''
    const node = nodes.get(weight.consumer?.name ?? '')
    const transB = node?.attributes.transB
    const transposed = transB !== undefined && 'i' in transB && transB.i !== 0
    // (in, out) for x·W, (out, in) otherwise.
    const mode = (op === 'MatMul' || (op === 'Gemm' && !transposed)) && shape.length === 2 ? 1 : 0
    if (!outputs.has(layer)) {
      outputs.set(layer, { parameter: p, mode, size: shape[mode] as number })
    }
    if (shape.length === 2) return { modes: [first, second] }
    return { modes: [first, second, shapeSize(rest)] }
  })
  return layouts.map((layout, p) => {
    const { parameter } = active[p] as (typeof active)[number]
    const output = outputs.get(parameter.layer)
    if (parameter.shape.length !== 1 || output?.size !== parameter.count) return layout
    return { modes: [], follows: { parameter: output.parameter, mode: output.mode } }
  })
}
