// What onnxruntime is fed.

import { firstAxisTo } from '../io/axes.js'
import * as ort from '../native/onnxruntime.js'
import { shapeInFile } from './feeds.js'
import type { Feed, FeedArray, WeightMessage } from './protocol.js'

/** Of one network, by name and by the id of the value. */
export interface Weights {
  tensors: ReadonlyMap<string, ort.Tensor>
  messages: ReadonlyMap<number, WeightMessage>
}

/** Samples [first, first + count) of an input as the file takes them; memory is shared where it can be. */
export function rows(array: FeedArray, first: number, count: number): ort.Tensor {
  const { type, axis = 0 } = array
  const [samples = 1, ...rest] = array.shape
  const size = samples === 0 ? 0 : array.data.length / samples
  const part = array.data.subarray(first * size, (first + count) * size)
  const data = axis ? firstAxisTo(part, [count, ...rest], axis) : part
  return new ort.Tensor(type, data as never, shapeInFile(array, count))
}

/** The tensor of an input by name: of some samples, or what all share. */
export function inputTensor(
  x: Feed,
  name: string | undefined,
  first: number,
  count: number,
): ort.Tensor | undefined {
  const array = x.arrays.find((entry) => entry.name === name)
  if (array) return rows(array, first, count)
  const same = x.shared?.find((entry) => entry.name === name)
  return same && new ort.Tensor(same.type, same.data as never, same.shape)
}
