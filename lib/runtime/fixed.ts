// Files whose batch of several cannot be made free: which axis of an output holds a block's samples?

import { TangentError } from '../core/errors.js'
import { shapeSize } from '../core/shape.js'
import { disturbed, inBlocks, repeated, stack } from './feeds.js'
import type { Feed } from './protocol.js'
import type { Sessions } from './sessions.js'
import type { Weights } from './tensors.js'

/** Relative to the largest entry: a difference that no order of summation explains. */
const tolerance = 1e-5

/**
 * The axis of an output along which one place alone changes with one sample of a block.
 * @throws TangentError UNSUPPORTED where samples of a block meet; what onnxruntime says.
 */
export async function axisOfBlock(
  sessions: Sessions,
  output: string,
  x: Feed,
  size: number,
  weights: Weights,
  threads: number,
): Promise<{ axis: number; dims: readonly number[] }> {
  const session = await sessions.get(`run ${output}`, threads, { values: [output], shapes: [] })
  const run = async (block: Feed) => {
    const { values } = await session.run(inBlocks(block, size), 0, 1, weights.tensors)
    const { data, dims } = values.get(output) as {
      data: ArrayLike<unknown>
      dims: readonly number[]
    }
    return { data: Array.from(data, Number), dims }
  }
  const all = repeated(x, size)
  const { data, dims } = await run(all)
  const places = [0, size - 1]
  const changes: { place: number; data: number[] }[] = []
  for (const place of places) {
    const rows = Array.from({ length: size }, (_, k) => k)
    const changed = stack(all, rows, disturbed(stack(all, [place])))
    const order = rows.map((k) => (k === place ? size : k))
    // Disturbed, indices may be out of range: then nothing is learned.
    const other = await run(stack(changed, order)).catch(() => ({ data }))
    changes.push({ place, data: other.data })
  }
  const axis = dims.findIndex(
    (length, k) =>
      length === size && changes.every((other) => onlyAt(other.place, data, other.data, dims, k)),
  )
  if (axis >= 0) return { axis, dims }
  throw new TangentError(
    'UNSUPPORTED',
    `Expected a network that treats each sample by itself but the file fixes a batch of ${size} and samples of it meet, or no axis of output ${JSON.stringify(output)} of shape (${dims.join(', ')}) holds them; export the network with a dynamic batch dimension`,
  )
}

/** Do two arrays differ at one place of an axis alone? */
function onlyAt(
  place: number,
  a: readonly number[],
  b: readonly number[],
  dims: readonly number[],
  axis: number,
): boolean {
  const size = dims[axis] as number
  const inner = shapeSize(dims.slice(axis + 1))
  const largest = a.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return a.every(
    (value, e) =>
      Math.floor(e / inner) % size === place ||
      Object.is(value, b[e]) ||
      Math.abs(value - (b[e] as number)) <= tolerance * largest,
  )
}
