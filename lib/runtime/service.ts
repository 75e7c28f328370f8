// Parts of the package above this one that compute in the worker.
import type { Plan, Weights } from './plan.js'

export interface ServiceContext {
  /** Of the network that asks. */
  weights(): Weights
  plan(): Plan
  control: BigInt64Array
}

/** Answers the messages of one service; the reply is sent as it is. */
export type Service = (message: unknown, context: ServiceContext) => Promise<object>
