// Small tasks.
import { accuracy, type NdArray } from '../../lib/index.js'
import { Random } from '../support/random.js'

/** Points of `count` classes around as many centres, (N, 3), classes in turn. */
export function clouds(samples: number, count: number, seed = 1) {
  const random = new Random(seed)
  const noise = random.normals(3 * samples)
  const data = Float32Array.from({ length: 3 * samples }, (_, e) => {
    const own = Math.floor(e / 3) % count
    const centre = Math.sin(own * 2.4 + (e % 3) * 1.3) * 2
    return centre + 0.5 * (noise[e] as number)
  })
  const labels = Int32Array.from({ length: samples }, (_, i) => i % count)
  return { x: { data, shape: [samples, 3] }, labels: { data: labels, shape: [samples] } }
}

export const right = (predicted: NdArray, labels: NdArray) => accuracy(predicted, labels)
