import type { BenchNetwork } from './models.js'

export const methods = ['auto', 'jacobian', 'structured', 'mixed'] as const
export type Method = (typeof methods)[number]

/** One full kernel of `samples` samples with themselves. */
export interface Workload {
  name: string
  title: string
  samples: number
  network(): BenchNetwork
}
