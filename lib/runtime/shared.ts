// Inputs and weights in memory that both threads see: what is sent then is the number of a block.
// Main thread: sharedFeed, sent, sentWeight; worker: received, receivedWeight.
import { shapeSize } from '../core/shape.js'
import type { Floats } from '../io/index.js'
import { native } from '../native/index.js'
import { sharedBuffer, sharedIdOf } from '../native/shared-memory.js'
import type { Feed, FeedArray, WeightMessage } from './protocol.js'

type Data = FeedArray['data']
type Kind = new (buffer: ArrayBuffer, offset: number, length: number) => Data

const kindOf = (data: Data) => data.constructor as unknown as Kind

/** The same feed in shared memory of its own: it does not change with the caller's arrays. */
export function sharedFeed(feed: Feed): Feed {
  const arrays = feed.arrays.map((array): FeedArray => {
    if (array.read) return array
    const buffer = sharedBuffer(array.data.byteLength)
    const data = new (kindOf(array.data))(buffer, 0, array.data.length)
    data.set(array.data as never)
    return { ...array, data, block: sharedIdOf(buffer) as number }
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

/** This thread's view of another's block. */
function view(block: number, bytes: number): ArrayBuffer {
  const known = attached.get(block)?.deref()
  if (known) return known
  for (const [id, view] of attached) if (!view.deref()) attached.delete(id)
  const buffer = native.attachShared(block, bytes)
  attached.set(block, new WeakRef(buffer))
  return buffer
}

/** What `sent` was given, in the worker. */
export function received(feed: Feed): Feed {
  const arrays = feed.arrays.map((array): FeedArray => {
    const { block, data, shape } = array
    if (block === undefined) return array
    const kind = kindOf(data)
    const length = shapeSize(shape)
    return { ...array, data: new kind(view(block, length * data.BYTES_PER_ELEMENT), 0, length) }
  })
  return { ...feed, arrays }
}

/** A weight without its numbers where they lie in a block. */
export function sentWeight(weight: WeightMessage): WeightMessage {
  const { buffer, byteOffset, length } = weight.data
  const id = sharedIdOf(buffer)
  if (id === undefined) return weight
  const block = { id, bytes: buffer.byteLength, byteOffset, length }
  return { ...weight, data: new (kindOf(weight.data))(new ArrayBuffer(0), 0, 0) as Floats, block }
}

/** What `sentWeight` was given, in the worker. */
export function receivedWeight({ block, ...weight }: WeightMessage): WeightMessage {
  if (!block) return weight
  const { id, bytes, byteOffset, length } = block
  const data = new (kindOf(weight.data))(view(id, bytes), byteOffset, length) as Floats
  return { ...weight, data }
}
