// Parts of the package above this one that compute in the worker.
import type { Plan } from './plan.js'
import type { Feed } from './protocol.js'
import type { Weights } from './tensors.js'

export interface ServiceContext {
  /** Of the network that asks. */
  weights(): Weights
  plan(): Plan
  control: BigInt64Array
  /** Samples whose numbers the main thread has lent. */
  reading(feed: Feed): Feed
}

/** Answers the messages of one service; the reply is sent as it is. */
export type Service = (message: unknown, context: ServiceContext) => Promise<object>
