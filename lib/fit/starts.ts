// Several starts of a fit whose problem is not convex.

import { gaussians } from '../linear/random.js'
import type { TangentFeatures } from './features.js'
import { type FitOptions, fitOnce } from './fit.js'
import type { AdaptiveModel } from './model.js'
import type { SharedWork } from './shared.js'

/** Prices of the path down, over the one asked for. */
const path = [100, 30, 10, 3]
/** Loose: what is reached there is a start only. */
const loose = { tolerance: 1e-6, stationarity: 1e-2, maxIterations: 50 }
const randomRank = 2
/** Singular values of the random B, over √price: stretched by about two. */
const randomSize = 3

/** The best of several fits from different starts. */
export async function fitFromStarts(
  features: TangentFeatures,
  residual: Float64Array,
  options: FitOptions,
  starts: number,
  shared: SharedWork,
): Promise<AdaptiveModel> {
  const first = await fitOnce(features, residual, options, { shared })
  const { value } = first.price
  // Nothing adapts: there is one optimum.
  if (value === Number.POSITIVE_INFINITY) return first
  const models = [first]
  if (starts > 1) models.push(await fromLargePrice(features, residual, options, value, shared))
  for (let seed = 1; models.length < starts; seed++) {
    const from = randomB(features, value, seed)
    models.push(await fitOnce(features, residual, options, { from, shared }))
  }
  const objectives = models.map(({ objective }) => objective)
  const least = Math.min(...objectives)
  const best = objectives.indexOf(least)
  const spread = least > 0 ? (Math.max(...objectives) - least) / least : 0
  return (models[best] as AdaptiveModel).with({ starts: { objectives, best, spread } })
}

async function fromLargePrice(
  features: TangentFeatures,
  residual: Float64Array,
  options: FitOptions,
  price: number,
  shared: SharedWork,
): Promise<AdaptiveModel> {
  let from: Float64Array | undefined
  for (const factor of path) {
    const setting = { ...options, ...loose, price: { absolute: factor * price } }
    from = (await fitOnce(features, residual, setting, { from, shared })).coefficients()
  }
  return fitOnce(features, residual, options, { from, shared })
}

function randomB({ blocks, size }: TangentFeatures, price: number, seed: number): Float64Array {
  const b = new Float64Array(size)
  let at = 0
  blocks.forEach(({ m, k }, index) => {
    for (let rank = 0; rank < randomRank; rank++) {
      const drawn = gaussians(m + k, 1000 * seed + 10 * index + rank)
      const [u, v] = [drawn.subarray(0, m), drawn.subarray(m)]
      const scale = (randomSize * Math.sqrt(price)) / (norm(u) * norm(v) || 1)
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < k; j++) {
          const entry = at + i * k + j
          b[entry] = (b[entry] as number) + scale * (u[i] as number) * (v[j] as number)
        }
      }
    }
    at += m * k
  })
  return b
}

const norm = (x: Float64Array) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0))
