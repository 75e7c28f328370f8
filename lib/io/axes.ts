// The samples of an array along another axis.
import { shapeSize } from '../core/shape.js'
import type { NdArray, TypedArray } from './ndarray.js'

/** (p, q, inner) in C order as (q, p, inner). */
function exchanged<T extends TypedArray>(data: T, p: number, q: number, inner: number): T {
  const result = new (data.constructor as new (length: number) => T)(data.length)
  for (let i = 0; i < p; i += 1) {
    for (let j = 0; j < q; j += 1) {
      const from = (i * q + j) * inner
      result.set(data.subarray(from, from + inner) as never, (j * p + i) * inner)
    }
  }
  return result
}

/**
 * The numbers of an array whose first axis is moved behind `axis` others.
 * @param shape the array's, before.
 */
export function firstAxisTo<T extends TypedArray>(
  data: T,
  shape: readonly number[],
  axis: number,
): T {
  const between = shapeSize(shape.slice(1, axis + 1))
  return exchanged(data, shape[0] as number, between, shapeSize(shape.slice(axis + 1)))
}

/** The numbers of an array whose axis is moved to the front. */
export function axisToFirst<T extends TypedArray>(
  data: T,
  shape: readonly number[],
  axis: number,
): T {
  const before = shapeSize(shape.slice(0, axis))
  return exchanged(data, before, shape[axis] as number, shapeSize(shape.slice(axis + 1)))
}

/** The given places along one axis of an array. */
export function picked<T extends TypedArray>(
  array: NdArray<T>,
  axis: number,
  places: readonly number[],
): NdArray<T> {
  const { shape } = array
  const size = shape[axis] as number
  const inner = shapeSize(shape.slice(axis + 1))
  const outer = shapeSize(shape.slice(0, axis))
  const Kind = array.data.constructor as new (length: number) => T
  const data = new Kind(outer * places.length * inner)
  for (let o = 0; o < outer; o += 1) {
    places.forEach((place, at) => {
      const from = (o * size + place) * inner
      data.set(array.data.subarray(from, from + inner) as never, (o * places.length + at) * inner)
    })
  }
  return { ...array, data, shape: shape.with(axis, places.length) }
}
