import { mlp } from '../models.js'
import type { Workload } from '../workload.js'

export const workload: Workload = {
  name: 'mlp-wide',
  title: 'MLP 3072→2048×3→8, N = 16',
  samples: 16,
  network: () => mlp([3072, 2048, 2048, 2048, 8]),
}
