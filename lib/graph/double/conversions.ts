// Operators that make float32 numbers whatever the types of their inputs.
import type { Lower } from './scope.js'

const float64 = { to: { i: 11 } } as const

/** The node's own result, cast. */
const cast: Lower = (call) => {
  const { node, write } = call
  const [narrow = ''] = write.again(node, [...node.input])
  write.last(call.output, 'Cast', [narrow], float64)
  return undefined
}

const keep: Lower = ({ node, write }) => {
  write.nodes.push(node)
  return undefined
}

const has = (names: readonly string[], node: { attribute: { name: string }[] }) =>
  node.attribute.some(({ name }) => names.includes(name))

/** (x − zero)·scale. */
const dequantize: Lower = (call) => {
  const { write } = call
  const [x, scale, zero] = [call.input(0), call.input(1), call.input(2)]
  if (call.integer('block_size', 0) > 0) return 'it scales in blocks'
  const lengths = call.shapeOf(scale)
  const rank = call.shapeOf(x)?.length
  const axis = call.integer('axis', 1)
  const alone = lengths?.length === 0 || (lengths?.length === 1 && lengths[0] === 1)
  if (!alone && (rank === undefined || lengths === undefined)) return 'its shapes are not stored'
  const along = (value: string) => {
    const wide = write.one('Cast', [value], float64)
    if (alone) return write.one('Reshape', [wide, write.ints()])
    const shape = Array<number>(rank ?? 0).fill(1)
    shape[axis < 0 ? axis + (rank ?? 0) : axis] = -1
    return write.one('Reshape', [wide, write.ints(...shape)])
  }
  const number = write.one('Cast', [x], float64)
  const centred = zero === '' ? number : write.one('Sub', [number, along(zero)])
  write.last(call.output, 'Mul', [centred, along(scale)])
  return undefined
}

/** off + (on − off)·[place = index]. */
const oneHot: Lower = (call) => {
  const { write } = call
  const axis = { axis: { i: call.integer('axis', -1) } }
  const marks = write.one('OneHot', [call.input(0), call.input(1), write.ints(0, 1)], axis)
  const value = (k: number) =>
    write.one('Gather', [call.input(2), write.int(k)], { axis: { i: 0 } })
  const step = write.one('Sub', [value(1), value(0)])
  const above = write.one('Mul', [write.one('Cast', [marks], float64), step])
  write.last(call.output, 'Add', [above, value(0)])
  return undefined
}

export const conversions: Record<string, Lower> = {
  ConstantOfShape: (call) => (has(['value'], call.node) ? keep(call) : cast(call)),
  Constant: (call) => (has(['value_float', 'value_floats'], call.node) ? cast(call) : keep(call)),
  DequantizeLinear: dequantize,
  OneHot: oneHot,
}
