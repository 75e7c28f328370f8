// Operators that move numbers and do not change them: the tangents move the same way.
import { changed } from '../../onnx/message.js'
import type { Rules, TangentCall, TangentRule } from '../rule.js'

const inputs = (call: TangentCall) => Array.from({ length: call.count }, (_, k) => call.input(k))

/** The same node on the tangent of its first input. */
const moved: TangentRule = {
  tangent(call) {
    const tangent = call.tangent(0)
    const count = call.node.output.length
    if (tangent === undefined) return Array.from({ length: count }, () => undefined)
    return call.maths.again(call.node, [tangent, ...inputs(call).slice(1)], count)
  },
}

/** What the tangent is, as it is. */
const same: TangentRule = { tangent: (call) => [call.tangent(0)] }

/** The node without some of its attributes. */
function without(call: TangentCall, ...names: string[]) {
  const attribute = call.node.attribute.filter(({ name }) => !names.includes(name))
  return changed(call.node, { attribute })
}

/** Where an input does not change its tangent is zeros of its shape. */
function filled(call: TangentCall, k: number): string {
  return call.tangent(k) ?? call.maths.zeros(call.input(k))
}

/** The same node on the tangent of one of its inputs. */
const linearIn = (place: number): TangentRule => ({
  tangent(call) {
    const tangent = call.tangent(place)
    if (tangent === undefined) return [undefined]
    return call.maths.again(call.node, inputs(call).with(place, tangent))
  },
})

const scatter: TangentRule = {
  tangent(call) {
    if (call.tangent(0) === undefined && call.tangent(2) === undefined) return [undefined]
    return call.maths.again(call.node, [filled(call, 0), call.input(1), filled(call, 2)])
  },
}

const resize: TangentRule = {
  tangent(call) {
    const tangent = call.tangent(0)
    if (tangent === undefined) return [undefined]
    // What lies outside is a constant.
    const node = without(call, 'extrapolation_value')
    return call.maths.again(node, [tangent, ...inputs(call).slice(1)])
  },
}

const sinceElements = (call: TangentCall) =>
  call.opset < 11 ? 'there is no GatherElements before opset 11' : undefined

export const shapes: Rules = {
  Identity: same,
  Dropout: same,
  Cast: {
    tangent: same.tangent,
    refuse: (call) =>
      call.integer('to', 1) === 1 ? undefined : 'it computes in another type than float32',
  },
  CastLike: same,
  Reshape: moved,
  Flatten: moved,
  Squeeze: moved,
  Unsqueeze: moved,
  Transpose: moved,
  Expand: moved,
  Tile: moved,
  Slice: moved,
  Split: moved,
  DepthToSpace: moved,
  SpaceToDepth: moved,
  CumSum: moved,
  Trilu: moved,
  GatherElements: moved,
  GatherND: moved,
  Gather: {
    tangent(call) {
      const thin = call.integer('axis', 0) === 0 ? call.thin(0) : undefined
      if (!thin) return moved.tangent(call)
      const m = call.maths
      const rows = m.op('Gather', [thin.left, call.input(1)])
      return [m.op('MatMul', [rows, thin.right])]
    },
  },
  Concat: {
    tangent(call) {
      const own = inputs(call)
      if (own.every((_, k) => call.tangent(k) === undefined)) return [undefined]
      return call.maths.again(
        call.node,
        own.map((_, k) => filled(call, k)),
      )
    },
  },
  Pad: {
    tangent(call) {
      const value = call.has(2) && call.opset >= 11 ? call.tangent(2) : undefined
      if (call.tangent(0) === undefined && value === undefined) return [undefined]
      // A value that does not change is padded with nothing.
      const others = inputs(call)
        .slice(1)
        .map((name, k) => (k === 1 ? (value ?? '') : name))
      while (others.at(-1) === '') others.pop()
      return call.maths.again(without(call, 'value'), [filled(call, 0), ...others])
    },
  },
  Resize: resize,
  Upsample: resize,
  Scatter: scatter,
  ScatterElements: scatter,
  ScatterND: scatter,
  // Linear in the numbers that they make an array of.
  OneHot: linearIn(2),
  DequantizeLinear: linearIn(1),
  Range: {
    tangent(call) {
      const m = call.maths
      const [start, step] = [call.tangent(0), call.tangent(2)]
      const y = call.output()
      let total = start === undefined ? undefined : m.spread(start, y)
      if (step !== undefined) {
        const [none, one] = [m.op('Squeeze', [m.ints(0)]), m.op('Squeeze', [m.ints(1)])]
        const places = m.op('Range', [none, m.op('Size', [y]), one])
        total = m.add(total, m.times(m.op('Cast', [places], { to: { i: 1 } }), step))
      }
      return [total]
    },
  },
  TopK: {
    tangent(call) {
      const tangent = call.tangent(0)
      if (tangent === undefined) return [undefined]
      const axis = { axis: { i: call.integer('axis', -1) } }
      return [call.maths.op('GatherElements', [tangent, call.output(1)], axis)]
    },
    refuse: sinceElements,
  },
}
