import { mlp } from '../models.js'
import type { Workload } from '../workload.js'

export const workload: Workload = {
  name: 'mlp-gram',
  title: 'MLP 784→128×4→10, N = 1000: a Gram matrix of 10,000²',
  samples: 1000,
  network: () => mlp([784, 128, 128, 128, 128, 10]),
}
