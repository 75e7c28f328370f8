// Shapes of what operators make, for one sample: of those whose shape onnxruntime leaves open where it
// depends on sizes that the network itself computes. What is not here is asked of a run.
import { shapeSize } from '../../core/shape.js'
import { type At, before, counted } from './parts.js'

export type Shape = readonly number[]

/** Of the first output, or of each; undefined where it is not known. */
type ShapeRule = (at: At) => Shape | readonly Shape[] | undefined

const like: ShapeRule = (at) => at.shape(0)

/** The shape of operands that are broadcast together. */
function together(shapes: readonly (Shape | undefined)[]): Shape | undefined {
  const known = shapes.filter((shape) => shape !== undefined)
  if (known.length < shapes.length) return undefined
  const made = Array<number>(Math.max(...known.map(({ length }) => length))).fill(1)
  for (const shape of known) {
    for (const [k, size] of shape.entries()) {
      const axis = k + made.length - shape.length
      if (size === 1 || size === made[axis]) continue
      if (made[axis] !== 1) return undefined
      made[axis] = size
    }
  }
  return made
}

const broadcast: ShapeRule = (at) => together(at.node.inputs.map((_, k) => at.shape(k)))

const matMul: ShapeRule = (at) => {
  const [a, b] = [at.shape(0), at.shape(1)]
  if (!a || !b || a.length < 2 || b.length < 2 || a.at(-1) !== b.at(-2)) return undefined
  const batch = together([a.slice(0, -2), b.slice(0, -2)])
  return batch && [...batch, a.at(-2) as number, b.at(-1) as number]
}

const gemm: ShapeRule = (at) => {
  const [a, b] = [at.shape(0), at.shape(1)]
  if (a?.length !== 2 || b?.length !== 2) return undefined
  const [rows, columns] = [a[at.int('transA', 0) ? 1 : 0], b[at.int('transB', 0) ? 0 : 1]]
  return [rows as number, columns as number]
}

interface Window {
  size: number
  stride: number
  /** From the first to the last number that a window reads. */
  reach: number
  pads: number
  /** What the attribute adds to a transposed convolution. */
  more: number
}

/** Along each axis; undefined where sizes are told in another way. */
function windows(at: At, x: Shape, kernel: Shape): Window[] | undefined {
  const axes = x.length - 2
  if (axes < 1 || kernel.length !== axes) return undefined
  if (!['', 'NOTSET'].includes(at.text('auto_pad'))) return undefined
  const each = (name: string, count: number, otherwise: number) =>
    at.ints(name) ?? Array<number>(count).fill(otherwise)
  const [strides, dilations] = [each('strides', axes, 1), each('dilations', axes, 1)]
  const [pads, more] = [each('pads', 2 * axes, 0), each('output_padding', axes, 0)]
  return kernel.map((size, k) => ({
    size: x[k + 2] as number,
    stride: strides[k] as number,
    reach: (dilations[k] as number) * (size - 1) + 1,
    pads: (pads[k] as number) + (pads[k + axes] as number),
    more: more[k] as number,
  }))
}

const slid = ({ size, stride, reach, pads }: Window) =>
  Math.floor((size + pads - reach) / stride) + 1

const conv: ShapeRule = (at) => {
  const [x, w] = [at.shape(0), at.shape(1)]
  if (!x || !w) return undefined
  const sizes = windows(at, x, w.slice(2))?.map(slid)
  return sizes && [x[0] as number, w[0] as number, ...sizes]
}

const convTranspose: ShapeRule = (at) => {
  const [x, w] = [at.shape(0), at.shape(1)]
  if (!x || !w || at.ints('output_shape')) return undefined
  const spread = ({ size, stride, reach, pads, more }: Window) =>
    (size - 1) * stride + more + reach - pads
  const sizes = windows(at, x, w.slice(2))?.map(spread)
  return sizes && [x[0] as number, at.int('group', 1) * (w[1] as number), ...sizes]
}

const globalPool: ShapeRule = (at) => at.shape(0)?.map((size, k) => (k < 2 ? size : 1))

const pad: ShapeRule = (at) => {
  const x = at.shape(0)
  const pads = at.listOfOne('pads', 1)
  if (!x || pads?.length !== 2 * x.length || at.has(3)) return undefined
  return x.map((size, k) => size + (pads[k] as number) + (pads[k + x.length] as number))
}

/** From here on a slice has no end. */
export const far = 2 ** 31 - 1

/** What a Slice takes along an axis. */
interface Cut {
  axis: number
  start: number
  step: number
  count: number
}

export function cutsOf(at: At): Cut[] | undefined {
  const x = at.shape(0)
  const [starts, ends] = [at.listOfOne('starts', 1), at.listOfOne('ends', 2)]
  if (!x || !starts || ends?.length !== starts.length) return undefined
  const axes = at.has(3) ? at.numbersOfOne(3) : (at.ints('axes') ?? [...starts.keys()])
  const steps = at.has(4) ? at.numbersOfOne(4) : starts.map(() => 1)
  if (axes?.length !== starts.length || steps?.length !== starts.length) return undefined
  const cuts = starts.map((from, k) => {
    const [axis, step] = [counted(axes[k] as number, x.length), steps[k] as number]
    const size = x[axis] ?? 0
    // Backwards from the last, to before the first.
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1]
    const within = (place: number) =>
      Math.min(Math.max(place < 0 ? place + size : place, low), high)
    const start = step > 0 ? within(from) : Math.max(within(from), 0)
    const count = Math.max(0, Math.ceil((within(ends[k] as number) - start) / step))
    return { axis, start, step, count }
  })
  // Backwards, onnxruntime takes the largest numbers for the beginning.
  const isSound = cuts.every(({ axis, step }, k) => {
    return (x[axis] ?? 0) > 0 && (step > 0 || (step < 0 && (ends[k] as number) < far))
  })
  return isSound ? cuts : undefined
}

const slice: ShapeRule = (at) => {
  const sizes = [...(at.shape(0) ?? [])]
  const cuts = cutsOf(at)
  for (const { axis, count } of cuts ?? []) sizes[axis] = count
  return cuts && sizes
}

const concat: ShapeRule = (at) => {
  const shapes = at.node.inputs.map((_, k) => at.shape(k))
  const [first] = shapes
  if (!first || shapes.some((shape) => shape?.length !== first.length)) return undefined
  const axis = at.axis('axis', 0, first.length)
  return first.with(
    axis,
    shapes.reduce((sum, shape) => sum + (shape?.[axis] as number), 0),
  )
}

const split: ShapeRule = (at) => {
  const x = at.shape(0)
  if (!x) return undefined
  const axis = at.axis('axis', 0, x.length)
  const { length } = at.node.outputs
  const equal = (x[axis] as number) / length
  const given = at.has(1) || at.ints('split')
  const sizes = given ? at.listOfOne('split', 1) : Array<number>(length).fill(equal)
  if (sizes?.length !== length || !sizes.every(Number.isInteger)) return undefined
  return sizes.map((size) => x.with(axis, size))
}

/** Where each axis of what a Transpose makes comes from. */
export const orderOf = (at: At, rank: number): readonly number[] =>
  at.ints('perm') ?? Array.from({ length: rank }, (_, k) => rank - 1 - k)

const transpose: ShapeRule = (at) => {
  const x = at.shape(0)
  return x && orderOf(at, x.length).map((axis) => x[axis] as number)
}

const reshape: ShapeRule = (at) => {
  const [x, wanted] = [at.shape(0), at.listOfOne('shape', 1)]
  if (!x || !wanted || at.int('allowzero', 0) !== 0) return undefined
  const sizes = wanted.map((size, k) => (size === 0 ? (x[k] ?? NaN) : size))
  const open = sizes.indexOf(-1)
  if (open >= 0) sizes[open] = shapeSize(x) / shapeSize(sizes.toSpliced(open, 1))
  return shapeSize(sizes) === shapeSize(x) ? sizes : undefined
}

const flatten: ShapeRule = (at) => {
  const x = at.shape(0)
  if (!x) return undefined
  const axis = at.axis('axis', 1, x.length)
  return [before(x, axis), shapeSize(x.slice(axis))]
}

const squeeze: ShapeRule = (at) => {
  const [x, axes] = [at.shape(0), at.listOfOne('axes', 1)]
  if (!x || !axes?.length) return undefined
  const gone = new Set(axes.map((axis) => counted(axis, x.length)))
  return [...gone].every((axis) => x[axis] === 1) ? x.filter((_, k) => !gone.has(k)) : undefined
}

const unsqueeze: ShapeRule = (at) => {
  const [x, axes] = [at.shape(0), at.listOfOne('axes', 1)]
  if (!x || !axes) return undefined
  const rank = x.length + axes.length
  const added = new Set(axes.map((axis) => counted(axis, rank)))
  const rest = x.values()
  return Array.from({ length: rank }, (_, k) => (added.has(k) ? 1 : (rest.next().value ?? NaN)))
}

const expand: ShapeRule = (at) => together([at.shape(0), at.numbersOfOne(1)])

const gather: ShapeRule = (at) => {
  const [x, places] = [at.shape(0), at.shape(1)]
  if (!x || !places) return undefined
  return x.toSpliced(at.axis('axis', 0, x.length), 1, ...places)
}

const reduce: ShapeRule = (at) => {
  const [x, axes] = [at.shape(0), at.listOfOne('axes', 1)]
  if (!x || !axes?.length) return undefined
  const gone = new Set(axes.map((axis) => counted(axis, x.length)))
  const isKept = at.int('keepdims', 1) !== 0
  return isKept ? x.map((size, k) => (gone.has(k) ? 1 : size)) : x.filter((_, k) => !gone.has(k))
}

/** The numbers of a Shape. */
export const sizesOf = (at: At): Shape | undefined => {
  const x = at.shape(0)
  return x?.slice(at.int('start', 0), at.int('end', x.length))
}

const shapeOf: ShapeRule = (at) => {
  const sizes = sizesOf(at)
  return sizes && [sizes.length]
}

const constantOfShape: ShapeRule = (at) => at.numbersOfOne(0)

const table = (rule: ShapeRule, operators: string) =>
  operators.split(/\s+/).map((name) => [name, rule] as const)

const rules: ReadonlyMap<string, ShapeRule> = new Map([
  ...table(
    like,
    `Abs BatchNormalization Cast Ceil Clip Cos CumSum Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish
    Identity InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization Mish Neg
    Not Reciprocal Relu Round Selu Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Swish Tan Tanh
    ThresholdedRelu`,
  ),
  ...table(
    broadcast,
    `Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where
    Xor`,
  ),
  ...table(globalPool, 'GlobalAveragePool GlobalMaxPool'),
  ...table(
    reduce,
    `ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare`,
  ),
  ['Concat', concat],
  ['ConstantOfShape', constantOfShape],
  ['Conv', conv],
  ['ConvTranspose', convTranspose],
  ['Expand', expand],
  ['Flatten', flatten],
  ['Gather', gather],
  ['Gemm', gemm],
  ['MatMul', matMul],
  ['Pad', pad],
  ['Reshape', reshape],
  ['Shape', shapeOf],
  ['Slice', slice],
  ['Split', split],
  ['Squeeze', squeeze],
  ['Transpose', transpose],
  ['Unsqueeze', unsqueeze],
])

const isShape = (sizes: Shape) => sizes.every((size) => Number.isSafeInteger(size) && size >= 0)

/** Shapes of a node's outputs, as far as they follow from its inputs'. */
export function shapesOf(at: At): readonly Shape[] {
  const { op, domain } = at.node
  const found = domain === '' ? rules.get(op)?.(at) : undefined
  if (!found) return []
  const shapes = Array.isArray(found[0]) ? (found as Shape[]) : [found as Shape]
  return shapes.every(isShape) ? shapes : []
}
