// Weights along a path.

import type { PathMessage, WeightMessage } from './protocol.js'
import { weightTensors } from './sessions.js'
import { receivedWeight } from './shared.js'
import type { Weights } from './tensors.js'

export function weightsFrom(messages: WeightMessage[]): Weights {
  return {
    tensors: weightTensors(messages),
    messages: new Map(messages.map((weight) => [weight.id, weight])),
  }
}

/** The weights at the nodes of a path, one node at a time in the same memory. */
export class PathWeights {
  readonly #path: PathMessage
  readonly #messages: WeightMessage[]
  readonly #weights: Weights
  #node: number | undefined

  constructor(path: PathMessage) {
    this.#path = { ...path, sets: path.sets.map((set) => set.map(receivedWeight)) }
    this.#messages = (this.#path.sets[0] as WeightMessage[]).map((weight) => ({
      ...weight,
      data: new Float32Array(weight.data.length),
    }))
    this.#weights = weightsFrom(this.#messages)
  }

  /** Valid until the next call. */
  at(node: number): Weights {
    if (node === this.#node) return this.#weights
    const { sets, nodes } = this.#path
    const { segment, t } = nodes[node] as PathMessage['nodes'][number]
    const from = sets[segment] as WeightMessage[]
    const to = sets[segment + 1] as WeightMessage[]
    this.#messages.forEach(({ data }, w) => {
      const { data: start } = from[w] as WeightMessage
      const { data: end } = to[w] as WeightMessage
      for (let e = 0; e < data.length; e += 1) {
        data[e] = (1 - t) * (start[e] as number) + t * (end[e] as number)
      }
    })
    this.#node = node
    return this.#weights
  }
}
