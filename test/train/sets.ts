// Samples that two processes agree about.
import type { LabelledSamples } from '../../lib/index.js'
import { samples } from '../support/networks.js'
import { Random } from '../support/random.js'

/** 40 samples (5) of three classes. */
export function classes(): LabelledSamples {
  const random = new Random(61)
  const x = samples(random, [40, 5])
  const data = Int32Array.from({ length: 40 }, () => random.integer(0, 2))
  return { x, target: { data, shape: [40] } }
}
