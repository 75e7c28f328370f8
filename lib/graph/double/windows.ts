// Convolutions and pooling in float64: every window's numbers are gathered, then multiplied or
// averaged. Several times the memory and time of onnxruntime's own float32 operators.
import { shapeSize } from '../../core/shape.js'
import { type Lower, type Lowering, range, sizeOf } from './scope.js'

/** How windows lie along one axis; numbers that depend on the input's size are values. */
interface Axis {
  kernel: number
  stride: number
  dilation: number
  /** Numbers put before and after, as lists of one. */
  before: string
  after: string
  roundUp: boolean
}

interface Windows {
  /** (N, C, k1, o1, k2, o2, …). */
  value: string
  /** Output sizes, lists of one each. */
  sizes: string[]
  /** For each axis where each window reads, (k, o), before what was put around is taken off. */
  places: { index: string; size: string; after: string }[]
}

const sum = (call: Lowering, a: string, b: string) => call.write.one('Add', [a, b])
const minus = (call: Lowering, a: string, b: string) => call.write.one('Sub', [a, b])
const scaled = (call: Lowering, a: string, factor: number) =>
  call.write.one('Mul', [a, call.write.ints(factor)])

/** The axes of a node that has the attributes of a convolution or of pooling. */
function axesOf(call: Lowering, kernel: readonly number[], x: string): Axis[] | string {
  const rank = kernel.length
  const filled = (name: string, value: number) => {
    const given = call.integers(name)
    return given.length > 0 ? given : Array<number>(rank).fill(value)
  }
  const [strides, dilations] = [filled('strides', 1), filled('dilations', 1)]
  const pads = call.integers('pads').length > 0 ? call.integers('pads') : Array(2 * rank).fill(0)
  const auto = call.text('auto_pad', 'NOTSET')
  return kernel.map((size, a): Axis => {
    const [stride = 1, dilation = 1] = [strides[a], dilations[a]]
    const common = { kernel: size, stride, dilation, roundUp: call.integer('ceil_mode', 0) === 1 }
    if (!auto.startsWith('SAME')) {
      const own = auto === 'VALID' ? [0, 0] : [pads[a], pads[a + rank]]
      const [before, after] = own.map((pad) => call.write.ints(pad)) as [string, string]
      return { ...common, before, after }
    }
    const length = sizeOf(call.write, x, a + 2)
    const out = call.write.one('Div', [
      sum(call, length, call.write.ints(stride - 1)),
      call.write.ints(stride),
    ])
    const reach = scaled(call, sum(call, out, call.write.ints(-1)), stride)
    const needed = sum(call, reach, call.write.ints((size - 1) * dilation + 1))
    const total = call.write.one('Max', [minus(call, needed, length), call.write.ints(0)])
    const half = call.write.one('Div', [total, call.write.ints(2)])
    const rest = minus(call, total, half)
    const lower = auto === 'SAME_LOWER'
    return { ...common, before: lower ? rest : half, after: lower ? half : rest }
  })
}

/** Gathers the windows of x (N, C, l1, l2, …); what lies outside is 0. */
function gather(call: Lowering, x: string, axes: readonly Axis[]): Windows {
  const { write } = call
  const sizes: string[] = []
  const places: Windows['places'] = []
  let value = x
  axes.forEach((axis, a) => {
    const { kernel, stride, dilation, before, after } = axis
    const size = sizeOf(write, x, a + 2)
    const whole = sum(call, sum(call, size, before), after)
    const room = minus(call, whole, write.ints((kernel - 1) * dilation + 1))
    const up = axis.roundUp ? sum(call, room, write.ints(stride - 1)) : room
    let out = sum(call, write.one('Div', [up, write.ints(stride)]), write.ints(1))
    if (axis.roundUp) {
      // A window that would begin behind the input and what was put before it is left out.
      const last = scaled(call, sum(call, out, write.ints(-1)), stride)
      const beyond = write.one('Not', [write.one('Less', [last, sum(call, size, before)])])
      out = minus(call, out, write.one('Cast', [beyond], { to: { i: 7 } }))
    }
    const starts = minus(call, scaled(call, range(write, out), stride), before)
    const offsets = scaled(call, range(write, write.ints(kernel)), dilation)
    const index = sum(
      call,
      write.one('Unsqueeze', [offsets, write.ints(1)]),
      write.one('Unsqueeze', [starts, write.ints(0)]),
    )
    const inside = write.one('And', [
      write.one('Not', [write.one('Less', [index, write.int(0)])]),
      write.one('Less', [index, size]),
    ])
    const clamped = write.one('Where', [inside, index, write.int(0)])
    const taken = write.one('Gather', [value, clamped], { axis: { i: 2 + 2 * a } })
    // (k, o) lies before the axes that are still to come.
    const behind = axes.length - 1 - a
    const mask =
      behind === 0
        ? inside
        : write.one('Unsqueeze', [
            inside,
            write.ints(...Array.from({ length: behind }, (_, k) => 2 + k)),
          ])
    value = write.one('Where', [mask, taken, write.double(0)])
    sizes.push(out)
    places.push({ index, size, after })
  })
  return { value, sizes, places }
}

/** (N, C, k1, o1, …) → (N, C, k1, …, o1, …). */
function separated(call: Lowering, value: string, rank: number): string {
  const perm = [0, 1]
  for (const offset of [0, 1]) for (let a = 0; a < rank; a += 1) perm.push(2 + 2 * a + offset)
  return call.write.one('Transpose', [value], { perm: { ints: perm } })
}

/** y (N, M, o…) from windows and a kernel (G, M/G, C/G·K). */
function multiplied(
  call: Lowering,
  windows: Windows,
  kernel: { matrix: string; groups: number; depth: number; channels: number },
): string {
  const { write } = call
  const rank = windows.sizes.length
  const columns = write.one('Reshape', [
    separated(call, windows.value, rank),
    write.ints(0, kernel.groups, kernel.depth, -1),
  ])
  const flat = write.one('MatMul', [kernel.matrix, columns])
  const shape = write.one('Concat', [write.ints(0, kernel.channels), ...windows.sizes], {
    axis: { i: 0 },
  })
  const y = write.one('Reshape', [flat, shape])
  const bias = call.input(2)
  if (bias === '') return y
  const spread = write.one('Reshape', [bias, write.ints(-1, ...Array<number>(rank).fill(1))])
  return write.one('Add', [y, spread])
}

/** Known sizes of the kernel, or why not. */
function kernelShape(call: Lowering): number[] | string {
  const shape = call.shapeOf(call.input(1))
  if (!shape || shape.some((size) => size === null)) return 'the shape of its kernel is not stored'
  return shape as number[]
}

const conv: Lower = (call) => {
  const shape = kernelShape(call)
  if (typeof shape === 'string') return shape
  const [channels = 1, depth = 1, ...kernel] = shape
  const groups = call.integer('group', 1)
  const axes = axesOf(call, kernel, call.input(0))
  if (typeof axes === 'string') return axes
  const inner = depth * shapeSize(kernel)
  const matrix = call.write.one('Reshape', [
    call.input(1),
    call.write.ints(groups, channels / groups, inner),
  ])
  const windows = gather(call, call.input(0), axes)
  const y = multiplied(call, windows, { matrix, groups, depth: inner, channels })
  call.write.last(call.output, 'Identity', [y])
  return undefined
}

/** Zeros between neighbours along one axis, `stride` − 1 of them behind each number. */
function spread(call: Lowering, x: string, axis: number, stride: number): string {
  if (stride === 1) return x
  const { write } = call
  const column = write.one('Unsqueeze', [x, write.ints(axis + 1)])
  const zeros = write.one('Mul', [column, write.double(0)])
  const all = write.one('Concat', [column, ...Array<string>(stride - 1).fill(zeros)], {
    axis: { i: axis + 1 },
  })
  const sizes = write.one('Shape', [x])
  const cut = (from: number, to: number) =>
    write.one('Slice', [sizes, write.ints(from), write.ints(to), write.ints(0)])
  const longer = scaled(call, cut(axis, axis + 1), stride)
  const shape = write.one('Concat', [cut(0, axis), longer, cut(axis + 1, 2 ** 31)], {
    axis: { i: 0 },
  })
  return write.one('Reshape', [all, shape])
}

const convTranspose: Lower = (call) => {
  const shape = kernelShape(call)
  if (typeof shape === 'string') return shape
  if (call.integers('output_shape').length > 0) return 'it asks for an output_shape'
  if (call.text('auto_pad', 'NOTSET').startsWith('SAME')) return 'it pads by auto_pad'
  const { write } = call
  const [channels = 1, perGroup = 1, ...kernel] = shape
  const rank = kernel.length
  const groups = call.integer('group', 1)
  const given = (name: string, value: number) =>
    call.integers(name).length > 0 ? call.integers(name) : Array<number>(2 * rank).fill(value)
  const [strides, dilations] = [given('strides', 1), given('dilations', 1)]
  const [pads, extra] = [given('pads', 0), given('output_padding', 0)]
  let x = call.input(0)
  const axes = kernel.map((size, a): Axis => {
    const [stride = 1, dilation = 1] = [strides[a], dilations[a]]
    x = spread(call, x, a + 2, stride)
    const reach = (size - 1) * dilation
    const before = write.ints(reach - (pads[a] ?? 0))
    const after = write.ints(reach - (pads[a + rank] ?? 0) + (extra[a] ?? 0) - (stride - 1))
    return { kernel: size, stride: 1, dilation, before, after, roundUp: false }
  })
  // (C, M/G, k…) → (G, M/G, C/G·K), the kernel reversed.
  const every = write.ints(...kernel.map((_, a) => a + 2))
  const reversed = write.one('Slice', [
    call.input(1),
    write.ints(...kernel.map(() => -1)),
    write.ints(...kernel.map(() => -(2 ** 31))),
    every,
    write.ints(...kernel.map(() => -1)),
  ])
  const depth = channels / groups
  const split = write.one('Reshape', [
    reversed,
    write.ints(groups, depth, perGroup, shapeSize(kernel)),
  ])
  const turned = write.one('Transpose', [split], { perm: { ints: [0, 2, 1, 3] } })
  const inner = depth * shapeSize(kernel)
  const matrix = write.one('Reshape', [turned, write.ints(groups, perGroup, inner)])
  const windows = gather(call, x, axes)
  const y = multiplied(call, windows, {
    matrix,
    groups,
    depth: inner,
    channels: perGroup * groups,
  })
  write.last(call.output, 'Identity', [y])
  return undefined
}

const averagePool: Lower = (call) => {
  const { write } = call
  const kernel = call.integers('kernel_shape')
  const axes = axesOf(call, kernel, call.input(0))
  if (typeof axes === 'string') return axes
  const windows = gather(call, call.input(0), axes)
  const rank = kernel.length
  const keys = write.ints(...kernel.map((_, a) => a + 2))
  const total = write.one('ReduceSum', [separated(call, windows.value, rank), keys], {
    keepdims: { i: 0 },
  })
  const padded = call.integer('count_include_pad', 0) === 1
  let count = write.double(1)
  windows.places.forEach(({ index, size, after }, a) => {
    const end = padded ? sum(call, size, after) : size
    let counted = write.one('Less', [index, end])
    if (!padded) {
      const begun = write.one('Not', [write.one('Less', [index, write.int(0)])])
      counted = write.one('And', [counted, begun])
    }
    const numbers = write.one('Cast', [counted], { to: { i: 11 } })
    const perWindow = write.one('ReduceSum', [numbers, write.ints(0)], { keepdims: { i: 0 } })
    const behind = Array<number>(rank - 1 - a).fill(1)
    const along = write.one('Reshape', [perWindow, write.ints(-1, ...behind)])
    count = write.one('Mul', [count, along])
  })
  write.last(call.output, 'Div', [total, count])
  return undefined
}

export const windowed: Record<string, Lower> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  AveragePool: averagePool,
}
