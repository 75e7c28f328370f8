// Sums of several terms in an order that onnxruntime computes within convolutions.
import { changed } from '../onnx/message.js'
import type { Fresh } from '../onnx/writer.js'
import type { NodeProto } from '../protobuf/index.js'
import { uses } from './fold.js'

const isAdd = (node: NodeProto | undefined) => node?.opType === 'Add' && node.domain === ''

/**
 * A convolution adds one other term to its result in passing. So terms that no convolution makes come
 * first, then one convolution after another: of (a∗w + b∗v) + c the sum a∗w + (b∗v + c).
 * @param outputs values that are read elsewhere, too
 * @param own nodes that may be rewritten: the tangents'
 */
export function orderSums(
  nodes: readonly NodeProto[],
  outputs: readonly string[],
  own: ReadonlySet<NodeProto>,
  fresh: Fresh,
): NodeProto[] {
  const counts = uses(nodes, outputs)
  const makers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node])))
  const isConvolution = (name: string) =>
    makers.get(name)?.opType === 'Conv' && counts.get(name) === 1
  /** Names of sums within a sum, and what is added up. */
  const parts = (name: string, inner: string[], top = true): string[] => {
    const node = makers.get(name)
    if (!node || !isAdd(node) || !own.has(node) || !(top || counts.get(name) === 1)) return [name]
    if (!top) inner.push(name)
    return node.input.flatMap((operand) => parts(operand, inner, false))
  }
  const sums = new Map<string, string[]>()
  const gone = new Set<string>()
  for (const node of [...nodes].reverse()) {
    const [name = ''] = node.output
    if (!isAdd(node) || !own.has(node) || gone.has(name)) continue
    const inner: string[] = []
    const all = parts(name, inner)
    const convolutions = all.filter(isConvolution)
    if (inner.length === 0 || convolutions.length === 0) continue
    for (const one of inner) gone.add(one)
    sums.set(name, [...all.filter((term) => !isConvolution(term)), ...convolutions])
  }
  return nodes.flatMap((node) => {
    const [name = ''] = node.output
    if (gone.has(name)) return []
    const terms = sums.get(name)
    if (!terms) return [node]
    const [first = '', ...rest] = terms
    let sum = first
    return rest.map((term, k) => {
      const result = k === rest.length - 1 ? name : fresh(`${name}/part`)
      const added = changed(node, { name: result, input: [term, sum], output: [result] })
      sum = result
      return added
    })
  })
}
