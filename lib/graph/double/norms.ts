// Global pooling, normalisation and resizing in float64.
import { type Lower, type Lowering, range, sizeOf, withNumber } from './scope.js'

/** (N, C, l1, l2, …) → (N, C, l). */
const flat = (call: Lowering, x: string) =>
  call.write.one('Reshape', [x, call.write.ints(0, 0, -1)])

const global =
  (reduce: (call: Lowering, x: string) => string): Lower =>
  (call) => {
    const { write } = call
    const x = call.input(0)
    const sizes = write.one('Shape', [x])
    const lead = write.one('Slice', [sizes, write.ints(0), write.ints(2), write.ints(0)])
    const rest = write.one('Slice', [sizes, write.ints(2), write.ints(2 ** 31), write.ints(0)])
    const ones = write.one('Add', [write.one('Mul', [rest, write.ints(0)]), write.ints(1)])
    const shape = write.one('Concat', [lead, ones], { axis: { i: 0 } })
    write.last(call.output, 'Reshape', [reduce(call, flat(call, x)), shape])
    return undefined
  }

/** The mean along the last axis, kept. */
function mean(call: Lowering, x: string): string {
  const { write } = call
  const count = write.one('Cast', [sizeOf(write, x, -1)], { to: { i: 11 } })
  const total = write.one('ReduceSum', [x, write.ints(-1)], { keepdims: { i: 1 } })
  return write.one('Div', [total, count])
}

/** (x − mean)/√(variance + ε) along the last axis. */
function normalised(call: Lowering, x: string): string {
  const { write } = call
  const centred = write.one('Sub', [x, mean(call, x)])
  const variance = mean(call, write.one('Mul', [centred, centred]))
  const spread = write.one('Sqrt', [
    withNumber(call, 'Add', variance, call.float('epsilon', 9.999999747378752e-6)),
  ])
  return write.one('Div', [centred, spread])
}

const column = (call: Lowering, x: string) => call.write.one('Reshape', [x, call.write.ints(-1, 1)])

const instanceNorm: Lower = (call) => {
  const { write } = call
  const x = call.input(0)
  const unit = normalised(call, flat(call, x))
  const scaled = write.one('Mul', [unit, column(call, call.input(1))])
  const y = write.one('Add', [scaled, column(call, call.input(2))])
  write.last(call.output, 'Reshape', [y, write.one('Shape', [x])])
  return undefined
}

const groupNorm: Lower = (call) => {
  const { write } = call
  const x = call.input(0)
  const groups = call.integer('num_groups', 1)
  const unit = normalised(call, write.one('Reshape', [x, write.ints(0, groups, -1)]))
  const shape = write.one('Shape', [x])
  // Scales belong to the channels since opset 21, to the groups before.
  const perChannel = call.shapeOf(call.input(1))?.[0] !== groups
  const apply = (value: string) => {
    const scaled = write.one('Mul', [value, column(call, call.input(1))])
    return write.one('Add', [scaled, column(call, call.input(2))])
  }
  const y = perChannel ? apply(flat(call, write.one('Reshape', [unit, shape]))) : apply(unit)
  write.last(call.output, 'Reshape', [y, shape])
  return undefined
}

/** x / (bias + alpha/size · Σ x²)^beta, the sum over neighbouring channels. */
const localResponse: Lower = (call) => {
  const { write } = call
  const x = call.input(0)
  const size = call.integer('size', 1)
  const rows = flat(call, x)
  const channels = sizeOf(write, x, 1)
  const places = write.one('Add', [
    write.one('Unsqueeze', [range(write, write.ints(size)), write.ints(1)]),
    write.one('Sub', [
      write.one('Unsqueeze', [range(write, channels), write.ints(0)]),
      write.ints(Math.floor((size - 1) / 2)),
    ]),
  ])
  const inside = write.one('And', [
    write.one('Not', [write.one('Less', [places, write.int(0)])]),
    write.one('Less', [places, channels]),
  ])
  const index = write.one('Where', [inside, places, write.int(0)])
  const taken = write.one('Gather', [write.one('Mul', [rows, rows]), index], { axis: { i: 1 } })
  const mask = write.one('Unsqueeze', [inside, write.ints(2)])
  const known = write.one('Where', [mask, taken, write.double(0)])
  const total = write.one('ReduceSum', [known, write.ints(1)], { keepdims: { i: 0 } })
  const share = withNumber(call, 'Mul', total, call.float('alpha', 1e-4) / size)
  const base = withNumber(call, 'Add', share, call.float('bias', 1))
  const power = withNumber(call, 'Pow', base, call.float('beta', 0.75))
  write.last(call.output, 'Reshape', [write.one('Div', [rows, power]), write.one('Shape', [x])])
  return undefined
}

/**
 * Interpolation is linear in the image and goes axis by axis: the matrix of an axis is what
 * onnxruntime makes of an identity matrix, its weights rounded to float32.
 */
const resize: Lower = (call) => {
  const { write, node } = call
  if (call.text('coordinate_transformation_mode', '') === 'tf_crop_and_resize')
    return 'it crops by a region'
  if (call.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch')
    return 'it keeps the aspect ratio'
  if (call.integers('axes').length > 0) return 'it names axes'
  const sizes = call.input(3)
  // Files that give sizes leave the scales empty.
  const scales = sizes === '' ? call.input(2) : ''
  const rank = call.shapeOf(call.input(0))?.length ?? call.numbersOf(scales || sizes)?.length
  if (rank === undefined) return 'the rank of its input is not stored'
  let value = call.input(0)
  for (let axis = 2; axis < rank; axis += 1) {
    const places = range(write, sizeOf(write, call.input(0), axis))
    const equal = write.one('Equal', [
      write.one('Unsqueeze', [places, write.ints(0)]),
      write.one('Unsqueeze', [places, write.ints(1)]),
    ])
    const identity = write.one('Cast', [equal], { to: { i: 1 } })
    const own = (all: string, first: string, type: number) => {
      if (all === '') return ''
      const wide = write.one('Gather', [all, write.ints(axis)], { axis: { i: 0 } })
      const one = write.one('Cast', [wide], { to: { i: type } })
      return write.one('Concat', [first, one], { axis: { i: 0 } })
    }
    const factor = own(scales, write.float32(1), 1)
    const length = own(sizes, sizeOf(write, call.input(0), axis), 7)
    const [matrix = ''] = write.again(node, [identity, '', factor, length])
    const wide = write.one('Cast', [matrix], { to: { i: 11 } })
    const perm = Array.from({ length: rank }, (_, k) => k)
    perm[axis] = rank - 1
    perm[rank - 1] = axis
    const swap = (x: string) =>
      axis === rank - 1 ? x : write.one('Transpose', [x], { perm: { ints: perm } })
    value = swap(write.one('MatMul', [swap(value), wide]))
  }
  write.last(call.output, 'Identity', [value])
  return undefined
}

export const normalisation: Record<string, Lower> = {
  GlobalAveragePool: global(mean),
  GlobalMaxPool: global((call, x) =>
    call.write.one('ReduceMax', [x], { axes: { ints: [-1] }, keepdims: { i: 1 } }),
  ),
  InstanceNormalization: instanceNorm,
  GroupNormalization: groupNorm,
  LRN: localResponse,
  Resize: resize,
}
