import { cnn } from '../models.js'
import type { Workload } from '../workload.js'

export const workload: Workload = {
  name: 'cnn',
  title: 'CNN of the paper, width 16, on 32×32×3, N = 200',
  samples: 200,
  network: () => cnn(16),
}
