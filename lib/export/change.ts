import type { NdArray } from '../io/index.js'

/** A parameter's change: of its shape, or as left (m, r) times right (r, k), the parameter m × k. */
export type ParameterChange = NdArray | { left: NdArray; right: NdArray }
