// Kernels as callers hand them in, and what their rows are.

import { badArgument, mismatch, wholeNumber } from '../core/errors.js'
import { held, heldNumbers } from '../io/held.js'
import type { NdArray } from '../io/index.js'
import type { SolveOptions } from '../native/call.js'
import type { DeviceOptions } from '../native/device.js'

/** Options of what is computed from a kernel in memory. */
export interface GramOptions extends SolveOptions, DeviceOptions {
  /**
   * Rows of the kernel that belong to one sample and follow each other (default: the O of a kernel of
   * shape (N, O, N, O), else 1). Leave-one-out leaves out all of them together.
   */
  outputs?: number | undefined
}

/** A square matrix and its rows. */
export interface Gram {
  data: Float32Array | Float64Array
  n: number
  outputs: number
}

/** The kernel as it is now, whatever its owner does with it later. */
export function heldKernel<T extends Float32Array | Float64Array | NdArray>(kernel: T): T {
  return ArrayBuffer.isView(kernel) ? heldNumbers(kernel, 'kernel') : held(kernel, 'kernel')
}

/** Numbers of a symmetric matrix alone, or a full or trace kernel with its shape. */
export function gramOf(kernel: Float32Array | Float64Array | NdArray, options: GramOptions): Gram {
  if (typeof kernel !== 'object' || kernel === null) {
    throw badArgument('kernel', 'an array of floats', kernel)
  }
  const array = 'shape' in kernel ? kernel : { data: kernel, shape: [] }
  const { data, shape } = array
  if (!(data instanceof Float32Array || data instanceof Float64Array)) {
    throw badArgument('kernel', 'a Float32Array, a Float64Array or an array of floats', data)
  }
  if (!Array.isArray(shape)) throw badArgument('kernel.shape', 'a list of sizes', shape)
  const n = Math.round(Math.sqrt(data.length))
  if (n < 1 || n * n !== data.length) {
    throw mismatch('kernel', 'a square matrix', `${data.length} numbers`)
  }
  const half = shape.length / 2
  const square = shape.every((size, d) => size === shape[(d + half) % shape.length])
  if (![0, 2, 4].includes(shape.length) || !square) {
    throw mismatch('kernel', 'a shape (n, n) or (N, O, N, O)', `(${shape.join(', ')})`)
  }
  const outputs = options.outputs ?? (half === 2 ? (shape[1] as number) : 1)
  wholeNumber('options.outputs', outputs, 1, n)
  if (n % outputs !== 0) {
    throw mismatch('options.outputs', `a number that divides the ${n} rows`, `${outputs}`)
  }
  return { data, n, outputs }
}
