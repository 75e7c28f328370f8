// The same for operators that move numbers, and for sizes.
import {
  type At,
  along,
  before,
  counted,
  type Part,
  type Rule,
  type Samples,
  sizes,
} from './parts.js'
import { far } from './shapes.js'

const copy: Rule = (at) => at.part(0)

/** Types of numbers that hold a count as it is: float32, int32, int64, float64, uint32, uint64. */
const counting: ReadonlySet<number> = new Set([1, 6, 7, 11, 12, 13])

const cast: Rule = (at) => {
  const part = at.part(0)
  return part?.kind === 'sizes' && !counting.has(at.int('to', 0)) ? undefined : part
}

/** Sizes from here to there; undefined where that is not known. */
const stretch = (part: readonly boolean[], start: number, end: number) =>
  sizes(part.slice(start, end))

const shapeOf: Rule = (at) => {
  const x = at.samples(0)
  if (!x) return undefined
  const of = Array.from({ length: x.rank }, (_, k) => k === x.axis)
  return stretch(of, at.int('start', 0), at.int('end', x.rank))
}

const transpose: Rule = (at) => {
  const x = at.samples(0)
  if (!x) return undefined
  const order = at.ints('perm')
  return along(order ? order.indexOf(x.axis) : x.rank - 1 - x.axis, x.rank)
}

const concat: Rule = (at) => {
  const parts = at.parts ?? []
  const [x] = parts
  if (parts.some(({ kind }) => kind === 'sizes')) return concatSizes(at, parts)
  if (x?.kind !== 'samples' || at.axis('axis', 0, x.rank) === x.axis) return undefined
  const fits = parts.every(
    (part) => part.kind === 'samples' && part.axis === x.axis && part.rank === x.rank,
  )
  return fits ? x : undefined
}

function concatSizes(at: At, parts: readonly Part[]): Part | undefined {
  const all: boolean[] = []
  for (const [k, part] of parts.entries()) {
    if (part.kind === 'samples') return undefined
    if (part.kind === 'sizes') {
      if (part.scalar) return undefined
      all.push(...part.samples)
    } else {
      const shape = at.shape(k)
      if (shape?.length !== 1) return undefined
      all.push(...Array<boolean>(shape[0] as number).fill(false))
    }
  }
  return sizes(all)
}

const split: Rule = (at) => {
  const x = at.samples(0)
  return x && at.same(1) && at.axis('axis', 0, x.rank) !== x.axis ? x : undefined
}

const slice: Rule = (at) => {
  const part = at.part(0)
  const [starts, ends] = [at.list('starts', 1), at.list('ends', 2)]
  const count = starts?.length ?? at.shape(1)?.[0]
  if (!part || part.kind === 'same' || !at.same(1) || count === undefined) return undefined
  const given = at.list('axes', 3)
  if (at.has(3) && !given) return undefined
  const axes = given ?? Array.from({ length: count }, (_, k) => k)
  const steps = at.has(4) ? at.numbers(4) : axes.map(() => 1)
  const cuts = axes.map((axis, k) => ({
    axis,
    start: starts?.[k],
    end: ends?.[k],
    step: steps?.[k],
  }))
  if (part.kind === 'sizes') {
    const [cut] = cuts
    if (part.scalar || cuts.length !== 1 || !cut || counted(cut.axis, 1) !== 0) return undefined
    const { start, end, step } = cut
    if (start === undefined || end === undefined || step !== 1) return undefined
    return stretch(part.samples, start, end)
  }
  const all = cuts.every(({ axis, start, end = 0, step }) => {
    return counted(axis, part.rank) !== part.axis || (start === 0 && end >= far && step === 1)
  })
  return all ? part : undefined
}

const gather: Rule = (at) => {
  const [data, places] = [at.part(0), at.part(1)]
  if (data?.kind === 'sizes') return gatherSizes(at, data.samples, data.scalar)
  if (data?.kind === 'samples' && places?.kind === 'same') {
    const axis = at.axis('axis', 0, data.rank)
    const rank = at.shape(1)?.length
    if (axis === data.axis || rank === undefined) return undefined
    return along(data.axis < axis ? data.axis : data.axis - 1 + rank, data.rank - 1 + rank)
  }
  const rank = at.shape(0)?.length
  if (data?.kind !== 'same' || places?.kind !== 'samples' || rank === undefined) return undefined
  return along(at.axis('axis', 0, rank) + places.axis, rank - 1 + places.rank)
}

function gatherSizes(at: At, samples: readonly boolean[], scalar: boolean): Part | undefined {
  const [numbers, shape] = [at.numbers(1), at.shape(1)]
  if (scalar || !numbers || !shape || shape.length > 1) return undefined
  const picked = numbers.map((place) => samples[counted(place, samples.length)])
  if (picked.includes(undefined)) return undefined
  return sizes(picked as boolean[], shape.length === 0)
}

const gatherElements: Rule = (at) => {
  const [data, places] = [at.samples(0), at.samples(1)]
  if (!data || data.axis !== places?.axis || data.rank !== places.rank) return undefined
  return at.axis('axis', 0, data.rank) === data.axis ? undefined : places
}

const unsqueeze: Rule = (at) => {
  const part = at.part(0)
  const axes = at.list('axes', 1)
  if (!part || !axes) return undefined
  if (part.kind === 'sizes') {
    return part.scalar && axes.length === 1 ? sizes(part.samples) : undefined
  }
  if (part.kind !== 'samples') return undefined
  const rank = part.rank + axes.length
  const added = new Set(axes.map((axis) => counted(axis, rank)))
  const kept = Array.from({ length: rank }, (_, k) => k).filter((k) => !added.has(k))
  return along(kept[part.axis] ?? -1, rank)
}

const squeeze: Rule = (at) => {
  const part = at.part(0)
  const axes = at.list('axes', 1)
  // An empty list stands for all axes that are 1 long, with one sample that of the samples, too.
  if (!part || !axes?.length) return undefined
  if (part.kind === 'sizes') {
    return !part.scalar && part.samples.length === 1 ? sizes(part.samples, true) : undefined
  }
  if (part.kind !== 'samples') return undefined
  const gone = new Set(axes.map((axis) => counted(axis, part.rank)))
  if (gone.has(part.axis)) return undefined
  const left = [...gone].filter((axis) => axis < part.axis).length
  return along(part.axis - left, part.rank - gone.size)
}

/** Where the samples are when the same numbers, in the same order, have another shape. */
function inShape(at: At, x: Samples, axis: number): Part | undefined {
  const [from, to] = [at.shape(0), at.made]
  // Of one sample the axis is 1 long; as long, and with as much before it, it is that of the samples.
  if (!from || !to || to[axis] !== 1) return undefined
  return before(from, x.axis) === before(to, axis) ? along(axis, to.length) : undefined
}

const flatten: Rule = (at) => {
  const x = at.samples(0)
  const axis = x && at.axis('axis', 1, x.rank)
  return x && axis !== undefined && x.axis === 0 && axis > 0 ? inShape(at, x, 0) : undefined
}

const reshape: Rule = (at) => {
  const [x, target] = [at.part(0), at.part(1)]
  if (x?.kind === 'sizes') {
    const [size, ...more] = at.numbers(1) ?? []
    return size === -1 && more.length === 0 ? sizes(x.samples) : undefined
  }
  if (x?.kind !== 'samples') return undefined
  if (target?.kind === 'sizes') {
    const axis = target.samples.indexOf(true)
    if (!one(target.samples) || target.scalar || copies(at, x, axis)) return undefined
    return inShape(at, x, axis)
  }
  // Sizes are stored, or the same for every batch: the one that is not is 0, a copy, or what is left.
  const numbers = at.list('shape', 1)
  if (!numbers || at.int('allowzero', 0) !== 0) return undefined
  const axis = numbers[x.axis] === 0 ? x.axis : numbers.indexOf(-1)
  return axis < 0 ? undefined : inShape(at, x, axis)
}

/** May a 0 among the sizes copy the number of samples to an axis other than this? */
const copies = (at: At, x: Samples, axis: number) =>
  x.axis !== axis && at.made?.[x.axis] === 1 && (at.numbersOfOne(1)?.[x.axis] ?? 0) === 0

const one = (samples: readonly boolean[]) => samples.filter(Boolean).length === 1

const expand: Rule = (at) => {
  const [x, target] = [at.part(0), at.part(1)]
  const shape = target?.kind === 'sizes' ? undefined : at.numbers(1)
  const length = target?.kind === 'sizes' ? target.samples.length : shape?.length
  if (length === undefined) return undefined
  if (x?.kind === 'samples') {
    const rank = Math.max(x.rank, length)
    const axis = x.axis + rank - x.rank
    const place = axis - (rank - length)
    const fits = place < 0 || shape?.[place] === 1 || isSamples(target, place)
    return fits && others(target, place) ? along(axis, rank) : undefined
  }
  const from = at.shape(0)
  if (x?.kind !== 'same' || target?.kind !== 'sizes' || !from || !one(target.samples))
    return undefined
  const rank = Math.max(from.length, length)
  const axis = target.samples.indexOf(true) + rank - length
  const own = from[axis - (rank - from.length)]
  return own === undefined || own === 1 ? along(axis, rank) : undefined
}

const isSamples = (part: Part | undefined, place: number) =>
  part?.kind === 'sizes' && part.samples[place] === true

/** Is no size but this one the number of samples? */
const others = (part: Part | undefined, place: number) =>
  part?.kind !== 'sizes' || part.samples.every((is, k) => !is || k === place)

const constantOfShape: Rule = (at) => {
  const part = at.part(0)
  if (part?.kind !== 'sizes' || part.scalar || !one(part.samples)) return undefined
  return along(part.samples.indexOf(true), part.samples.length)
}

const tile: Rule = (at) => {
  const x = at.samples(0)
  return x && at.numbers(1)?.[x.axis] === 1 ? x : undefined
}

const pad: Rule = (at) => {
  const x = at.samples(0)
  const pads = at.list('pads', 1)
  if (!x || !pads || pads.length !== 2 * x.rank || !at.same(1) || at.has(3)) return undefined
  return pads[x.axis] === 0 && pads[x.axis + x.rank] === 0 ? x : undefined
}

const resize: Rule = (at) => {
  const x = at.samples(0)
  const scales = at.numbers(at.node.opset < 11 ? 1 : 2)
  if (!x || !at.same(1) || at.ints('axes')) return undefined
  if (at.text('coordinate_transformation_mode') === 'tf_crop_and_resize') return undefined
  return !at.has(3) && scales?.[x.axis] === 1 ? x : undefined
}

const triangle: Rule = (at) => {
  const x = at.samples(0)
  return x && at.same(1) && x.axis < x.rank - 2 ? x : undefined
}

export const moves: readonly (readonly [string, Rule])[] = [
  ['Cast', cast],
  ['Identity', copy],
  ['Shape', shapeOf],
  ['Transpose', transpose],
  ['Concat', concat],
  ['Split', split],
  ['Slice', slice],
  ['Gather', gather],
  ['GatherElements', gatherElements],
  ['Unsqueeze', unsqueeze],
  ['Squeeze', squeeze],
  ['Flatten', flatten],
  ['Reshape', reshape],
  ['Expand', expand],
  ['ConstantOfShape', constantOfShape],
  ['Tile', tile],
  ['Pad', pad],
  ['Resize', resize],
  ['Trilu', triangle],
]

/** Inputs of whole numbers that tell where others go. */
export const places: ReadonlyMap<string, readonly number[]> = new Map([
  ['Expand', [1]],
  ['Pad', [1]],
  ['Reshape', [1]],
  ['Resize', [1, 2]],
  ['Slice', [1, 2, 3, 4]],
  ['Squeeze', [1]],
  ['Tile', [1]],
  ['Unsqueeze', [1]],
  ['CumSum', [1]],
])

/** Operators whose rule compares the shapes of input and output. */
export const reshaping: ReadonlySet<string> = new Set(['Flatten', 'Reshape'])
