// Shapes for one sample, and the sizes that a network computes of them (Shape, Gather, Concat, … before a
// padding or a reshaping), reckoned node by node: without them a run would be needed to tell.
import { shapeSize } from '../../core/shape.js'
import type { NativeNode } from '../../native/index.js'
import { At, counted, type Known } from './parts.js'
import { cutsOf, orderOf, type Shape, shapesOf, sizesOf } from './shapes.js'

/** More numbers than this are no sizes. */
const most = 64

type NumbersRule = (at: At, made: Shape) => readonly (number | undefined)[] | undefined

const copy: NumbersRule = (at) => at.numbersOfOne(0)

/** Entry by entry, where no operand is repeated along one axis only. */
const entrywise =
  (work: (a: number, b: number) => number): NumbersRule =>
  (at, made) => {
    const [a, b] = [at.numbersOfOne(0), at.numbersOfOne(1)]
    const length = shapeSize(made)
    if (!a || !b || [a, b].some((list) => list.length !== length && list.length !== 1)) {
      return undefined
    }
    const of = (list: readonly number[], k: number) => list[list.length === 1 ? 0 : k] as number
    return Array.from({ length }, (_, k) => work(of(a, k), of(b, k)))
  }

/** Whole: as C++ divides. */
const divide = (a: number, b: number) => (b === 0 ? NaN : Math.trunc(a / b))
/** With the sign of the divisor. */
const modulo = (a: number, b: number) => a - b * Math.floor(a / b)

const gather: NumbersRule = (at) => {
  const [numbers, places] = [at.numbersOfOne(0), at.numbersOfOne(1)]
  if (at.shape(0)?.length !== 1) return undefined
  return numbers && places?.map((place) => numbers[counted(place, numbers.length)])
}

const concat: NumbersRule = (at, made) => {
  const lists = at.node.inputs.map((_, k) => at.numbersOfOne(k))
  if (made.length !== 1 || lists.includes(undefined)) return undefined
  return (lists as number[][]).flat()
}

/** Entry (i, j, …) of what is made is the one at start + i·step[0] + j·step[1] + …. */
function strided(numbers: readonly number[], made: Shape, start: number, steps: Shape): number[] {
  let places = [start]
  made.forEach((size, axis) => {
    const step = steps[axis] as number
    places = places.flatMap((place) => Array.from({ length: size }, (_, k) => place + k * step))
  })
  return places.map((place) => numbers[place] ?? NaN)
}

const stridesOf = (shape: Shape) => shape.map((_, axis) => shapeSize(shape.slice(axis + 1)))

const transpose: NumbersRule = (at, made) => {
  const [numbers, x] = [at.numbersOfOne(0), at.shape(0)]
  if (!numbers || !x) return undefined
  const strides = stridesOf(x)
  const steps = orderOf(at, x.length).map((axis) => strides[axis] as number)
  return strided(numbers, made, 0, steps)
}

const slice: NumbersRule = (at, made) => {
  const [numbers, x, cuts] = [at.numbersOfOne(0), at.shape(0), cutsOf(at)]
  if (!numbers || !x || !cuts) return undefined
  const steps = stridesOf(x)
  let from = 0
  for (const { axis, start, step } of cuts) {
    from += start * (steps[axis] as number)
    steps[axis] = step * (steps[axis] as number)
  }
  return strided(numbers, made, from, steps)
}

/** The attribute is a tensor, told where it holds a whole number. */
const constantOfShape: NumbersRule = (at, made) => Array(shapeSize(made)).fill(at.int('value', NaN))

const rules: Readonly<Record<string, NumbersRule>> = {
  Shape: sizesOf,
  Cast: copy,
  Flatten: copy,
  Identity: copy,
  Reshape: copy,
  Squeeze: copy,
  Unsqueeze: copy,
  Add: entrywise((a, b) => a + b),
  Sub: entrywise((a, b) => a - b),
  Mul: entrywise((a, b) => a * b),
  Div: entrywise(divide),
  Mod: (at, made) => (at.int('fmod', 0) === 0 ? entrywise(modulo)(at, made) : undefined),
  Gather: gather,
  Concat: concat,
  Transpose: transpose,
  Slice: slice,
  ConstantOfShape: constantOfShape,
}

/** As far as no type of whole numbers comes to its end. */
const isSmall = (number: number | undefined) =>
  Number.isInteger(number) && Math.abs(number as number) < 2 ** 31

/** What is known before: of inputs and weights, of stored numbers, and what onnxruntime infers. */
export interface Given extends Known {
  /** Does a value hold whole numbers? */
  isWhole(id: number): boolean
  /** Is this what a value's shape may be? */
  admits(node: NativeNode, id: number, shape: Shape): boolean
}

/** What follows for the values that nodes make. */
export function reckon(nodes: readonly NativeNode[], given: Given): Known {
  const shapes = new Map<number, Shape>()
  const numbers = new Map<number, readonly number[]>()
  const known: Known = {
    shape: (id) => given.shape(id) ?? shapes.get(id),
    numbers: (id) => given.numbers(id) ?? numbers.get(id),
  }
  for (const node of nodes) {
    const at = new At(node, new Map(), known)
    for (const [k, shape] of shapesOf(at).entries()) {
      const id = node.outputs[k] ?? -1
      if (id >= 0 && given.admits(node, id, shape)) shapes.set(id, shape)
    }
    const [id = -1, ...others] = node.outputs
    const made = known.shape(id)
    if (!made || others.length > 0 || shapeSize(made) > most || !given.isWhole(id)) continue
    const found = node.domain === '' ? rules[node.op]?.(at, made) : undefined
    if (found?.length === shapeSize(made) && found.every(isSmall)) {
      numbers.set(id, found as readonly number[])
    }
  }
  return { shape: (id) => shapes.get(id), numbers: (id) => numbers.get(id) }
}
