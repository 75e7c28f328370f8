// The weights that a network uses as matrices, and how often: what the cost of a call is counted from.
import { shapeSize } from '../core/shape.js'
import { type NativeGraph, native } from '../native/index.js'
import type { BatchLayout } from './plan.js'
import type { MatrixLayer } from './protocol.js'

/** Of the nodes with derivatives; counts, not exact where an operator uses its weight in another way. */
export function matrixLayers({ analysis, shape }: BatchLayout, graph: NativeGraph): MatrixLayer[] {
  const parameters = new Set(analysis.parameters)
  const known = new Set(analysis.shapes)
  return analysis.nodes.flatMap((index) => {
    const { op, attributes, inputs, outputs } = graph.nodes[index] as NativeGraph['nodes'][number]
    const weight = inputs.find((id) => parameters.has(id) && known.has(id) && rank(id, shape) > 1)
    const output = outputs.find((id) => known.has(id))
    if (weight === undefined || output === undefined) return []
    const dims = shape(weight, 1)
    const { transB } = attributes
    const turned = transB !== undefined && 'i' in transB && transB.i !== 0
    const last = op === 'MatMul' || (op === 'Gemm' && !turned)
    const rows = (last ? dims.at(-1) : dims[0]) || 1
    const positions = Math.max(1, Math.round(shapeSize(shape(output, 1)) / rows))
    return [{ rows, columns: shapeSize(dims) / rows, positions }]
  })
}

const rank = (id: number, shape: BatchLayout['shape']) => shape(id, 1).length

const measured = new Map<number, { flops: number; bandwidth: number }>()

/** What this machine does in a second on so many threads; measured once, which takes part of a second. */
export function ratesOf(threads: number): { flops: number; bandwidth: number } {
  const known = measured.get(threads)
  if (known) return known
  const { gemm, copy } = native.machine(512, threads)
  // A copy reads and writes.
  const rates = { flops: 1e9 * gemm, bandwidth: 2e9 * copy }
  measured.set(threads, rates)
  return rates
}
