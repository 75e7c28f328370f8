// Transposed convolutions along one axis, as ones along the second axis of a plane of height 1:
// onnxruntime has a way of its own through planes and a general one through the rest, which takes twice
// as long, on one thread.

import { arrayToTensor } from '../io/tensor.js'
import { makeNode } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import { alongTwo, axesAsInput, heightAxis, planePrefix } from '../onnx/planes.js'
import { attributeOf } from '../onnx/writer.js'
import type { AttributeProto, NodeProto, TensorProto } from '../protobuf/index.js'

const axes = `${planePrefix}axes`

/** The nodes, and the stored numbers that they read in addition. */
export function inPlanes(
  nodes: readonly NodeProto[],
  opset: number,
): { nodes: NodeProto[]; stored: TensorProto[] } {
  const found = nodes.flatMap((node) => (isLine(node) ? plane(node, opset) : [node]))
  if (found.length === nodes.length || opset < axesAsInput) return { nodes: found, stored: [] }
  const numbers = arrayToTensor({ data: BigInt64Array.of(BigInt(heightAxis)), shape: [1] })
  return { nodes: found, stored: [changed(numbers, { name: axes })] }
}

const isLine = ({ opType, domain, attribute }: NodeProto) =>
  opType === 'ConvTranspose' &&
  domain === '' &&
  attribute.some(({ name, ints }) => name === 'kernel_shape' && ints.length === 1)

function plane(node: NodeProto, opset: number): NodeProto[] {
  const [output = ''] = node.output
  const [x = '', weight = '', ...bias] = node.input
  const named = (role: string) => `${planePrefix}${role}:${output}`
  const move = (op: string, from: string, to: string) =>
    opset < axesAsInput
      ? changed(makeNode(op, [from], [to]), {
          attribute: [attributeOf('axes', { ints: [heightAxis] })],
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
  const ints = alongTwo(attribute.name, attribute.ints.map(Number))
  return ints ? changed(attribute, { ints: ints.map(BigInt) }) : attribute
}
