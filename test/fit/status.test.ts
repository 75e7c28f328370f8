// How a fit may end: every status happens, leaves a usable model, and says what to try.
import test from 'ava'
import { type AdaptiveOptions, fitFeatures } from '../../lib/fit/adaptive.js'
import { TangentFeatures } from '../../lib/fit/features.js'
import type { AdaptiveModel } from '../../lib/fit/model.js'
import { gaussians } from '../support/random.js'

/** Twelve samples of 6 × 5 features, the last one `gap` away from the first. */
function nearlyTwice(gap: number, seed: number): Promise<TangentFeatures> {
  const x = gaussians(12 * 30, seed)
  const off = gaussians(30, seed + 1)
  for (let j = 0; j < 30; j++) x[11 * 30 + j] = (x[j] as number) + gap * (off[j] as number)
  return TangentFeatures.from(12, 1, [{ name: 'a', m: 6, k: 5, x }])
}

/** The model's numbers are those of its B, and no iteration went up by more than rounding. */
async function usable(
  features: TangentFeatures,
  { blocks, fit, iterations, ...model }: AdaptiveModel,
  rounding = 1e-14,
) {
  const own = await features.apply(blocks[0]?.b as Float64Array)
  const scale = Math.max(...fit.map(Math.abs))
  const objectives = iterations.map(({ objective }) => objective)
  return (
    Number.isFinite(model.objective) &&
    fit.every((value, r) => Math.abs(value - (own[r] as number)) < 1e-2 * scale) &&
    objectives.every(
      (value, i) => i === 0 || value <= (objectives[i - 1] as number) * (1 + rounding),
    )
  )
}

test('converged and iteration limit', async (t) => {
  const features = await nearlyTwice(1, 1)
  const r = gaussians(12, 3)
  const whole = await fitFeatures(features, r, { ridge: 0.1 })
  t.is(whole.status.name, 'converged')
  const last = whole.iterations.at(-1)
  t.true((last?.decrease as number) <= 1e-11 && (last?.stationarity as number) <= 1e-6)
  const short = await fitFeatures(features, r, { ridge: 0.1, maxIterations: 3 })
  t.is(short.status.name, 'iteration limit')
  t.regex(short.status.advice, /more iterations.*than 3.*maxIterations.*start.*tolerance/i)
  t.true(await usable(features, short))
  // Both tests must hold: a loose one alone does not end the fit.
  const end = async (options: AdaptiveOptions) =>
    (await fitFeatures(features, r, { ridge: 0.1, ...options })).iterations.at(-1)
  t.true(((await end({ tolerance: 1 }))?.stationarity as number) <= 1e-6)
  t.true(((await end({ stationarity: 1 }))?.decrease as number) <= 1e-11)
  const early = await end({ tolerance: 1, stationarity: 1 })
  t.true((early?.iteration as number) < whole.iterations.length)
})

test('stalled: rounding hides what a tiny ridge makes small', async (t) => {
  const features = await nearlyTwice(0, 1)
  const r = gaussians(12, 2)
  const model = await fitFeatures(features, r, { ridge: 1e-9 })
  t.is(model.status.name, 'stalled')
  t.regex(model.status.advice, /stationarity.*ridge/)
  // The kernel's condition is about 1e11, and its rounding is other with each BLAS kernel: what extrapolation
  // carried along may be off by as much as adaptive.cc's kDrift when it is computed again from B.
  t.true(await usable(features, model, 1e-7))
})

test('singular: a ridge below the kernel’s rounding', async (t) => {
  // A kernel of ones: in double precision the ridge is not there.
  const same = await TangentFeatures.from(2, 1, [
    { name: 'a', m: 1, k: 2, x: Float64Array.of(1, 0, 1, 0) },
  ])
  const error = await t.throwsAsync(fitFeatures(same, [1, -1], { ridge: 1e-30 }), {
    code: 'NUMERICAL',
  })
  t.regex(error?.message ?? '', /not positive definite.*raise the ridge.*duplicated samples/)
  // Later on, when stretched features have outgrown the ridge: the model before that is kept.
  let found = 0
  for (let seed = 10; seed < 60; seed += 2) {
    const features = await nearlyTwice(3e-8, seed)
    const model = await fitFeatures(features, gaussians(12, 2), { ridge: 1e-15 }).catch(() => null)
    if (model?.status.name !== 'singular') continue
    found++
    t.regex(model.status.advice, /raise the ridge/)
    t.true(Number.isFinite(model.objective))
    t.true(model.coefficients().every(Number.isFinite))
  }
  t.true(found > 0)
})
