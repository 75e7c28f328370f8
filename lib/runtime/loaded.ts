// Samples whose numbers are read as they are needed, by the thread that has their source.
import { shapeSize } from '../core/shape.js'
import type { Feed, FeedArray } from './protocol.js'

/** Are there numbers that have to be read? */
export function isRead({ arrays }: Feed): boolean {
  return arrays.some(({ read }) => read !== undefined)
}

/** Samples [first, first + count) as a feed of their own, with their numbers. */
export async function loaded(x: Feed, first: number, count: number): Promise<Feed> {
  const arrays: FeedArray[] = []
  for (const { read, source, block, data, shape, ...rest } of x.arrays) {
    const [, ...sizes] = shape
    const size = shapeSize(sizes)
    // Not a view: what is sent to a worker would be all that lies behind it.
    const own = read ? await read(first, count) : data.slice(first * size, (first + count) * size)
    arrays.push({ ...rest, data: own, shape: [count, ...sizes] })
  }
  return { ...x, samples: count, arrays }
}

/** The first three samples, or all of fewer, where the others have to be read: enough for trials. */
export function fewOf(x: Feed): Feed | Promise<Feed> {
  return isRead(x) ? loaded(x, 0, Math.min(3, x.samples)) : x
}

/** Samples [first, first + count) of which a run takes those from `from` on. */
export async function runnable(
  x: Feed,
  first: number,
  count: number,
): Promise<{ feed: Feed; from: number }> {
  return isRead(x) ? { feed: await loaded(x, first, count), from: 0 } : { feed: x, from: first }
}
