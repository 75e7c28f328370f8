// Weights and inputs a little changed, for trials.

import type { Floats } from '../io/index.js'
import * as ort from '../native/onnxruntime.js'
import type { Feed } from './protocol.js'

type Tensors = ReadonlyMap<string, ort.Tensor>

/** Numbers in [0, 1) that look random and are the same every time. */
function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Of the like's type and shape. */
function tensorOf(data: Floats, { type, dims }: ort.Tensor): ort.Tensor {
  return new ort.Tensor(type as 'float64', data as Float64Array, dims)
}

/**
 * Weights without special values: where all numbers of one are the same (0 or 1 at the start of a
 * training) they hide what passes through them, so that they are made different and not 0.
 */
export function generic(weights: Tensors): Tensors {
  return new Map(
    [...weights].map(([name, tensor]) => {
      const data = tensor.data as Floats
      const [first = 0] = data
      const plain = data.length > 0 && (data as Float32Array).every((value) => value === first)
      if (!plain) return [name, tensor]
      const next = sequence(data.length)
      const size = first === 0 ? 0.1 : first
      const changed = data.map(() => size * (0.98 + 0.04 * next()))
      return [name, tensorOf(changed, tensor)]
    }),
  )
}

/** A few units in the last place. */
const step = 2 ** -20

function shaken<T extends Float32Array | Float64Array>(data: T, seed: number): T {
  const next = sequence(seed)
  return data.map((value: number) => value * (next() < 0.5 ? 1 + step : 1 - step)) as T
}

/** The same with rounding errors. */
export function noisy(weights: Tensors): Tensors {
  return new Map(
    [...weights].map(([name, tensor], k) => {
      return [name, tensorOf(shaken(tensor.data as Floats, k + 1), tensor)]
    }),
  )
}

export function noisyFeed(x: Feed): Feed {
  const arrays = x.arrays.map((array, k) => {
    const { data } = array
    const floats = data instanceof Float32Array || data instanceof Float64Array
    return floats ? { ...array, data: shaken(data, 1000 + k) } : array
  })
  return { ...x, arrays }
}
