// Transposed convolutions along one axis, as ones along the second axis of a plane of height 1:
// onnxruntime has a way of its own through planes and a general one through the rest, which takes twice
// as long, on one thread.

import { arrayToTensor } from '../io/tensor.js'
import { makeNode } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import { attributeOf } from '../onnx/writer.js'
import type { AttributeProto, NodeProto, TensorProto } from '../protobuf/index.js'

const own = 'adaptive_tangent_plane:'
const axes = `${own}axes`
/** Where the height stands. */
const height = 2
/** From this opset on axes are an input. */
const axesAsInput = 13

/** What an axis before the others adds to an attribute's numbers. */
const before: Readonly<Record<string, (numbers: readonly bigint[]) => bigint[]>> = {
  kernel_shape: (sizes) => [1n, ...sizes],
  strides: (steps) => [1n, ...steps],
  dilations: (steps) => [1n, ...steps],
  output_padding: (sizes) => [0n, ...sizes],
  output_shape: (sizes) => [1n, ...sizes],
  pads: ([begin = 0n, end = 0n]) => [0n, begin, 0n, end],
}

/** The nodes, and the stored numbers that they read in addition. */
export function inPlanes(
  nodes: readonly NodeProto[],
  opset: number,
): { nodes: NodeProto[]; stored: TensorProto[] } {
  const found = nodes.flatMap((node) => (isLine(node) ? plane(node, opset) : [node]))
  if (found.length === nodes.length || opset < axesAsInput) return { nodes: found, stored: [] }
  const numbers = arrayToTensor({ data: BigInt64Array.of(BigInt(height)), shape: [1] })
  return { nodes: found, stored: [changed(numbers, { name: axes })] }
}

const isLine = ({ opType, domain, attribute }: NodeProto) =>
  opType === 'ConvTranspose' &&
  domain === '' &&
  attribute.some(({ name, ints }) => name === 'kernel_shape' && ints.length === 1)

function plane(node: NodeProto, opset: number): NodeProto[] {
  const [output = ''] = node.output
  const [x = '', weight = '', ...bias] = node.input
  const named = (role: string) => `${own}${role}:${output}`
  const move = (op: string, from: string, to: string) =>
    opset < axesAsInput
      ? changed(makeNode(op, [from], [to]), {
          attribute: [attributeOf('axes', { ints: [height] })],
        })
      : makeNode(op, [from, axes], [to])
  const input = [named('x'), named('weight'), ...bias]
  const attribute = node.attribute.map((each) => widened(each))
  return [
    move('Unsqueeze', x, named('x')),
    move('Unsqueeze', weight, named('weight')),
    changed(node, { input, output: [named('y')], attribute }),
    move('Squeeze', named('y'), output),
  ]
}

function widened(attribute: AttributeProto): AttributeProto {
  const add = before[attribute.name]
  return add ? changed(attribute, { ints: add(attribute.ints) }) : attribute
}
