import type { Workload } from '../workload.js'
import { workload as cnn } from './cnn.js'
import { workload as mlpGram } from './mlp-gram.js'
import { workload as mlpWide } from './mlp-wide.js'

export const workloads: readonly Workload[] = [mlpWide, mlpGram, cnn]
