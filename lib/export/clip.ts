// Clip behind a convolution: onnxruntime computes it within the convolution, which it cannot once the
// tangent reads what lies between the two. With bounds one step of float32 further apart the results
// themselves tell on which side of a bound the convolution's were, so that nothing else has to be read.

import type { NdArray } from '../io/index.js'
import { makeNode } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import type { NodeProto } from '../protobuf/index.js'
import { uses } from './fold.js'
import { nextTo, usableBound } from './maths.js'

export interface ClipSource {
  nodes: readonly NodeProto[]
  /** The network's outputs, which must stay. */
  outputs: readonly string[]
  /** May this node be written in another way? */
  isFree(index: number): boolean
  stored(name: string): readonly number[] | undefined
  /** Stores an array under a name like this one. */
  store(name: string, array: NdArray<Float32Array>): string
}

/** Readers for which a step of float32 is one of rounding, whatever the numbers. */
const linear = new Set(['Conv', 'Gemm', 'MatMul', 'AveragePool', 'GlobalAveragePool'])

/**
 * Clips between convolutions, or a Relu and a Clip, as one Clip that tells its bounds apart: of a Relu's
 * what is 0 is below it, as its derivative has it; all other bounds belong to what lies between them.
 * @returns as many nodes as before, and the outputs of those Clips
 */
export function widenClips(source: ClipSource): { nodes: NodeProto[]; widened: Set<string> } {
  const nodes = [...source.nodes]
  const widened = new Set<string>()
  const counts = uses(nodes, source.outputs)
  const makers = new Map(nodes.flatMap((node, at) => node.output.map((name) => [name, at])))
  const maker = (name: string) => makers.get(name) ?? -1
  const readers = (name: string) => nodes.filter(({ input }) => input.includes(name))
  const isConvolved = (name: string): boolean => {
    const node = nodes[maker(name)]
    return node?.opType === 'Identity' ? isConvolved(node.input[0] ?? '') : node?.opType === 'Conv'
  }
  const fits = (node: NodeProto | undefined, at: number) =>
    node?.domain === '' && source.isFree(at) && !source.outputs.includes(node.output[0] ?? '')

  for (const [at, node] of nodes.entries()) {
    const [x = '', low = '', high = ''] = node.input
    const [y = ''] = node.output
    if (node.opType !== 'Clip' || !fits(node, at) || high === '') continue
    const bounds = [low, high].map((name) => (name === '' ? undefined : source.stored(name)))
    const [least, most] = bounds.map((known) =>
      usableBound(known?.length === 1 ? known[0] : undefined),
    )
    if (most === undefined || (low !== '' && least === undefined)) continue
    const own = readers(y)
    const plain =
      own.length > 0 && own.every(({ opType, input }) => linear.has(opType) && input[0] === y)
    if (!plain || counts.get(y) !== own.length) continue
    const before = maker(x)
    const relu = nodes[before]
    const joined = relu?.opType === 'Relu' && fits(relu, before) && counts.get(x) === 1
    if (joined ? !((least ?? 0) <= 0 && most > 0) : least === undefined) continue
    if (!isConvolved(joined ? (relu.input[0] ?? '') : x)) continue
    const from = joined ? 0 : nextTo(least as number, false)
    const bound = (name: string, value: number) =>
      source.store(`${name}/next`, { data: Float32Array.of(value), shape: [] })
    if (joined) nodes[before] = makeNode('Identity', [relu.input[0] ?? ''], [x], relu.name)
    nodes[at] = changed(node, {
      input: [x, bound(low || `${y}/low`, from), bound(high, nextTo(most, true))],
    })
    widened.add(y)
  }
  return { nodes, widened }
}
