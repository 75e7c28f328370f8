// Inputs that go to the worker time after time, in memory that both threads see: what is sent then
// is the number of a block. Main thread: sharedFeed, sent; worker: received.
import { native } from '../native.js'
import type { Feed, FeedArray } from './protocol.js'

type Data = FeedArray['data']
type Kind = new (buffer: ArrayBuffer, offset: number, length: number) => Data

const kindOf = (data: Data) => data.constructor as unknown as Kind

/** Lets a block go when the array that showed it here is gone; the worker's own keeps it, too. */
const registry = new FinalizationRegistry((id: number) => native.releaseBlock(id))

/** The same feed in shared memory of its own: it does not change with the caller's arrays. */
export function sharedFeed(feed: Feed): Feed {
  const arrays = feed.arrays.map((array): FeedArray => {
    const { buffer, id } = native.allocateBlock(array.data.byteLength)
    registry.register(buffer, id)
    const data = new (kindOf(array.data))(buffer, 0, array.data.length)
    data.set(array.data as never)
    return { ...array, data, block: id }
  })
  return { ...feed, arrays }
}

/** Without the numbers that the worker finds by itself. */
export function sent(feed: Feed): Feed {
  const arrays = feed.arrays.map((array) =>
    array.block === undefined
      ? array
      : { ...array, data: new (kindOf(array.data))(new ArrayBuffer(0), 0, 0) },
  )
  return { ...feed, arrays }
}

/** One view of a block at a time: a buffer made twice over the same memory is not allowed. */
const attached = new Map<number, WeakRef<ArrayBuffer>>()

/** What `sent` was given, in the worker. */
export function received(feed: Feed): Feed {
  const arrays = feed.arrays.map((array): FeedArray => {
    const { block, data, shape } = array
    if (block === undefined) return array
    const kind = kindOf(data)
    const length = shape.reduce((product, size) => product * size, 1)
    let buffer = attached.get(block)?.deref()
    if (!buffer) {
      for (const [id, view] of attached) if (!view.deref()) attached.delete(id)
      buffer = native.attachBlock(block, length * data.BYTES_PER_ELEMENT)
      attached.set(block, new WeakRef(buffer))
    }
    return { ...array, data: new kind(buffer, 0, length) }
  })
  return { ...feed, arrays }
}
