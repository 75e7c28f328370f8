// A path through the parameters, for jobs whose features are averaged along it.
import { directions, numbers, optional, record, wholes } from './fields.js'

export const averaged = {
  path: optional(
    record({
      /** Of the nodes' features. */
      weights: numbers,
      /** Of each node's J·Δ in the last result, (N, O): Σ_k changeWeights[k] J(θ_k)·Δ. */
      changeWeights: numbers,
      /** Which piece of the path each node lies on. */
      segments: wholes,
      /** Δ of each piece: one array for each parameter, piece after piece. */
      directions,
    }),
  ),
}
