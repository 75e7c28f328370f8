// A look at the numbers where the graph tells that samples keep apart: is what one computes the same among
// others as by itself?

import { shapeSize } from '../../core/shape.js'
import type * as ort from '../../native/onnxruntime.js'
import type { Feed } from '../protocol.js'
import type { Outcome } from '../session.js'
import type { Weights } from '../tensors.js'
import type { Part } from './parts.js'

/** Numbers that are looked at of each value. */
const looks = 512
/** Of the largest entry: sessions that are optimised in other ways round in other ways. */
const tolerance = 1e-4
/** Larger entries (masks) say nothing about the size of the others. */
const huge = 1e8

interface Look {
  axis: number
  shape: readonly number[]
  numbers: Float64Array
}

/** What one sample gave by itself. */
export class Alone {
  readonly #x: Feed
  readonly #weights: Weights
  readonly #parts: ReadonlyMap<string, Part>
  readonly #looks = new Map<string, Look>()

  /** @param parts by the name of a value. */
  constructor(x: Feed, weights: Weights, outcome: Outcome, parts: ReadonlyMap<string, Part>) {
    this.#x = x
    this.#weights = weights
    this.#parts = parts
    for (const [name, tensor] of outcome.values) {
      const part = parts.get(name)
      if (part?.kind !== 'samples' || !isReal(tensor)) continue
      const look = { axis: part.axis, shape: tensor.dims }
      this.#looks.set(name, { ...look, numbers: looked(tensor, look, 1, 0) })
    }
  }

  /** Is there something to compare? */
  sees(values: Outcome['values']): boolean {
    return [...this.#looks.keys()].some((name) => values.has(name))
  }

  /** The same of another sample, or with other weights. */
  of(x: Feed, weights: Weights, outcome: Outcome): Alone {
    return new Alone(x, weights, outcome, this.#parts)
  }

  /** Is it this sample, with these weights? */
  is(x: Feed, sample: number, weights: Weights): boolean {
    if (weights !== this.#weights) return false
    return this.#x.arrays.every(({ data }, k) => {
      const other = x.arrays[k]?.data
      if (other?.constructor !== data.constructor) return false
      const begin = sample * data.length
      const same = other.subarray(begin, begin + data.length)
      return Buffer.compare(bytesOf(same), bytesOf(data)) === 0
    })
  }

  /** Are its numbers others in a run of so many samples, in which it stands at this place? */
  differs(values: Outcome['values'], count: number, place: number): boolean {
    return [...this.#looks].some(([name, look]) => {
      const tensor = values.get(name)
      return tensor !== undefined && !isNear(look.numbers, looked(tensor, look, count, place))
    })
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  new Uint8Array(buffer, byteOffset, byteLength)

const isReal = ({ data }: ort.Tensor) =>
  data instanceof Float32Array || data instanceof Float64Array

/** Of one of so many samples numbers at places spread over the whole value. */
function looked(
  { data }: ort.Tensor,
  { axis, shape }: Pick<Look, 'axis' | 'shape'>,
  samples: number,
  sample: number,
): Float64Array {
  const size = shapeSize(shape)
  const inner = shapeSize(shape.slice(axis + 1))
  const found = new Float64Array(Math.min(size, looks))
  for (let k = 0; k < found.length; k += 1) {
    const e = Math.floor((k * size) / found.length)
    const block = Math.floor(e / inner) * samples + sample
    found[k] = (data[block * inner + (e % inner)] as number) ?? NaN
  }
  return found
}

function isNear(a: Float64Array, b: Float64Array): boolean {
  let largest = 0
  for (const value of a) {
    const own = Math.abs(value)
    if (own > largest && own < huge) largest = own
  }
  return a.every((value, e) => {
    const other = b[e] as number
    return Object.is(value, other) || Math.abs(value - other) <= tolerance * largest
  })
}
