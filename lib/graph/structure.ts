import { isDeepStrictEqual } from 'node:util'
import { TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import type { NativeNode } from '../native/index.js'
import { initializerData, type OnnxModel } from '../onnx/index.js'
import type { PreparedGraph } from './prepare.js'

export interface Side {
  model: OnnxModel
  graph: PreparedGraph
}

/**
 * Pairs the values of two exports of one architecture, whose generated names may differ.
 * @param free values whose numbers may differ: the weights.
 * @returns the second graph's value id for each of the first's.
 * @throws TangentError BAD_FILE naming the first difference.
 */
export async function sameStructure(
  one: Side,
  two: Side,
  free: ReadonlySet<number>,
): Promise<Map<number, number>> {
  const pairs = new Map<number, number>()
  const back = new Map<number, number>()
  const [a, b] = [one.graph.native.nodes, two.graph.native.nodes]
  const differ = (what: string) =>
    new TangentError(
      'BAD_FILE',
      `Expected ${two.model.name} to hold the same network as ${one.model.name} but ${what}`,
    )
  const pair = (x: number | undefined, y: number | undefined): boolean => {
    if (x === undefined || y === undefined || x < 0 || y < 0) return x === y
    if (!pairs.has(x) && !back.has(y)) {
      pairs.set(x, y)
      back.set(y, x)
    }
    return pairs.get(x) === y && back.get(y) === x
  }
  if (a.length !== b.length) throw differ(`it has ${b.length} nodes instead of ${a.length}`)
  a.forEach((node, index) => {
    const other = b[index] as NativeNode
    const same =
      node.op === other.op &&
      node.domain === other.domain &&
      isDeepStrictEqual(node.attributes, other.attributes) &&
      node.inputs.length === other.inputs.length &&
      node.outputs.length === other.outputs.length &&
      node.inputs.every((id, k) => pair(id, other.inputs[k])) &&
      node.outputs.every((id, k) => pair(id, other.outputs[k]))
    if (!same) throw differ(`node ${quote(other.name)} (${other.op}) is not as ${quote(node.name)}`)
  })
  for (const [id, twin] of pairs) {
    const [tensor, other] = [one.graph.statics.get(id), two.graph.statics.get(twin)]
    if (free.has(id) || (!tensor && !other)) continue
    const name = quote(one.graph.native.values[id]?.name ?? '')
    if (!tensor || !other) throw differ(`${name} is a constant in one of them only`)
    const [x, y] = [
      await initializerData(one.model, tensor),
      await initializerData(two.model, other),
    ]
    if (!isDeepStrictEqual(x, y)) {
      throw differ(`the constant ${name}, which is not a parameter, has other values`)
    }
  }
  return pairs
}
