// Do the numbers of one sample stay the same from run to run?
import { shapeSize } from '../core/shape.js'
import type * as ort from '../native/onnxruntime.js'

/** A run's value and the samples of its batch. */
export interface Taken {
  tensor: ort.Tensor
  samples: number
}

/** The largest difference and the largest entry. */
export interface Gap {
  difference: number
  largest: number
}

const apart: Gap = { difference: Infinity, largest: 0 }

/** Entries beyond it (masks at −1e9 or −3e38) say nothing about the size of the others. */
const huge = 1e8

/**
 * Where the samples may lie in a value, by the shapes of two runs: element e belongs to sample
 * (e / stride) mod samples; 0: they all share it; undefined: they cannot be distinguished.
 */
export function stridesOf(one: Taken, two: Taken): number[] | undefined {
  const [u, v] = [one.tensor.dims, two.tensor.dims]
  if (u.length !== v.length) return undefined
  const [axis, ...others] = [...u.keys()].filter((k) => u[k] !== v[k])
  if (axis === undefined) return [0]
  const multiple = (u[axis] as number) / one.samples
  if (others.length > 0 || multiple !== (v[axis] as number) / two.samples) return undefined
  const rest = shapeSize(u.slice(axis + 1))
  // Where the batch is merged with another axis it may be the slower one or the faster one.
  return multiple === 1 ? [rest] : [multiple * rest, rest]
}

/** The part of the sample at place p of one run against that of the sample at place q of another. */
export function gapOf(one: Taken, p: number, two: Taken, q: number, stride: number): Gap {
  const [u, v] = [one.tensor.data, two.tensor.data] as [Float32Array, Float32Array]
  if (stride === 0) return u.length === v.length ? gap(u, 0, v, 0, u.length) : apart
  const [m, n] = [stride * one.samples, stride * two.samples]
  const parts = u.length / m
  if (parts !== v.length / n || !Number.isInteger(parts)) return apart
  let worst: Gap = { difference: 0, largest: 0 }
  for (let k = 0; k < parts; k += 1) {
    worst = worse(worst, gap(u, k * m + p * stride, v, k * n + q * stride, stride))
  }
  return worst
}

/** Are these two parts the same bit by bit? A quick look, before they are compared as numbers. */
export function isSame(one: Taken, p: number, two: Taken, q: number, stride: number): boolean {
  const [u, v] = [one.tensor.data, two.tensor.data] as [Float32Array, Float32Array]
  if (stride === 0) return Buffer.compare(bytesOf(u), bytesOf(v)) === 0
  const [m, n] = [stride * one.samples, stride * two.samples]
  const parts = u.length / m
  // Of many small parts the looks cost more than they save.
  if (parts !== v.length / n || !Number.isInteger(parts) || (parts > 1 && stride < 64)) return false
  for (let k = 0; k < parts; k += 1) {
    const a = k * m + p * stride
    const b = k * n + q * stride
    const same = Buffer.compare(
      bytesOf(u.subarray(a, a + stride)),
      bytesOf(v.subarray(b, b + stride)),
    )
    if (same !== 0) return false
  }
  return true
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

export function worse(a: Gap, b: Gap): Gap {
  return {
    difference: Math.max(a.difference, b.difference),
    largest: Math.max(a.largest, b.largest),
  }
}

function gap(u: Float32Array, at: number, v: Float32Array, from: number, count: number): Gap {
  let difference = 0
  let largest = 0
  for (let e = 0; e < count; e += 1) {
    const a = u[at + e] as number
    const b = v[from + e] as number
    const size = Math.abs(a)
    if (size > largest && size < huge) largest = size
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue
    const own = Math.abs(a - b)
    difference = Number.isNaN(own) ? Infinity : Math.max(difference, own)
  }
  return { difference, largest }
}
