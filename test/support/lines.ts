// Operands of a convolution along one axis, as a file takes them and as sums in float64 do.
import type { NdArray } from '../../lib/index.js'
import { samples } from './networks.js'
import type { Tensor } from './onnx.js'
import { Random } from './random.js'
import { weight } from './small.js'

export interface LineOperands {
  /** Samples x. */
  input: NdArray
  /** What the node reads. */
  names: string[]
  initializers: Record<string, Tensor>
  /** The numbers of x, of the weight and of the bias. */
  numbers: [Float32Array, Float32Array, Float32Array | undefined]
}

/** @param bias how many numbers it has, where there is one. */
export function lineOperands(
  seed: number,
  shapes: { x: number[]; w: number[]; bias: number | undefined },
): LineOperands {
  const input = samples(new Random(seed), shapes.x)
  const w = weight(shapes.w, 2)
  const b = shapes.bias === undefined ? undefined : weight([shapes.bias], 3)
  return {
    input,
    names: ['x', 'w', ...(b ? ['b'] : [])],
    initializers: { w, ...(b ? { b } : {}) },
    numbers: [
      input.data as Float32Array,
      Float32Array.from(w.data),
      b && Float32Array.from(b.data),
    ],
  }
}
