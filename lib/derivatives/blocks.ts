// Files that take a fixed number of samples at once, and whole batches: the addon sees a block of samples
// as one with the outputs of all. What is asked of samples is asked of blocks, and cut out of their results.

import { badArgument, TangentError } from '../core/errors.js'
import { shapeSize } from '../core/shape.js'
import type { Floats } from '../io/index.js'
import type { KernelKind } from '../native/engine.js'
import type { FixedBlock } from '../runtime/protocol.js'
import type { Prepared } from './prepared.js'

/** The given outputs of every sample of a block among all that the block has. */
export function outputsOfBlock(outputs: readonly number[], { size, axis, dims }: FixedBlock) {
  const inner = shapeSize(dims.slice(axis + 1))
  return Array.from({ length: size }, (_, place) =>
    outputs.map((o) => (Math.floor(o / inner) * size + place) * inner + (o % inner)),
  ).flat()
}

function zerosLike(numbers: Floats, length: number): Floats {
  return numbers instanceof Float64Array ? new Float64Array(length) : new Float32Array(length)
}

/** Numbers of the samples, and zeros for those that only fill a block up. */
export function filledUp({ x, outputs, block }: Prepared, numbers: Floats, columns = 1): Floats {
  if (!block) return numbers
  const filled = zerosLike(numbers, x.samples * outputs.length * columns)
  filled.set(numbers)
  return filled
}

/** What belongs to the samples of results that have them first. */
export function cut({ samples, width, block }: Prepared, numbers: Floats, columns = 1): Floats {
  return block ? numbers.slice(0, samples * width * columns) : numbers
}

/** Of the whole kernel of blocks the kind that was asked for, between n1 and n2 samples. */
export function cutKernel(
  { x, outputs, block, width }: Prepared,
  numbers: Floats,
  kind: KernelKind,
  [n1, n2]: readonly [number, number],
): Floats {
  if (!block) return numbers
  const columns = numbers.length / (x.samples * outputs.length)
  const at = (i: number, o: number, j: number, p: number) =>
    numbers[(i * width + o) * columns + j * width + p] as number
  const length = { full: width ** 2, diagonal: width, trace: 1 }[kind]
  const result = zerosLike(numbers, n1 * n2 * length)
  for (let i = 0; i < n1; i += 1) {
    for (let j = 0; j < n2; j += 1) {
      for (let o = 0; o < width; o += 1) {
        if (kind === 'trace') (result[i * n2 + j] as number) += at(i, o, j, o)
        else if (kind === 'diagonal') result[(i * n2 + j) * width + o] = at(i, o, j, o)
        else {
          for (let p = 0; p < width; p += 1) {
            result[((i * width + o) * n2 + j) * width + p] = at(i, o, j, p)
          }
        }
      }
    }
  }
  return result
}

/** @throws TangentError UNSUPPORTED for what cannot be done with such a file. */
export function checkSeparable({ block, core }: Prepared, what: string): void {
  if (!block) return
  if (core.architecture.whole) {
    throw badArgument('the network', `batch 'each' ${what}`, 'whole')
  }
  throw new TangentError(
    'UNSUPPORTED',
    `Expected a network with a free batch dimension ${what} but the file takes ${block.size} samples at once; export it with a dynamic batch dimension`,
  )
}
