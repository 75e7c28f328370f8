// Candidates that are compared in one call share kernels and units: the numbers stay those of fits
// one by one.
import test from 'ava'
import {
  type AdaptiveOptions,
  crossValidate,
  fitFeatures,
  fitPath,
  TangentFeatures,
} from '../../lib/index.js'
import { gaussians } from '../../lib/linear/random.js'

const [samples, m, k] = [24, 3, 5]

const features = () =>
  TangentFeatures.from(samples, 1, [
    { name: 'dense', x: gaussians(samples * m * k, 1), m, k },
    { name: 'factors', delta: gaussians(samples * m, 2), h: gaussians(samples * k, 3), m, k },
  ])

const y = gaussians(samples, 4)

test('cross-validated together or one by one', async (t) => {
  const candidates: Record<string, AdaptiveOptions> = {
    'fixed 0.1': { structure: 'fixed', ridge: 0.1 },
    'fixed 1': { structure: 'fixed', ridge: 1 },
    'adaptive 1': { ridge: 1 },
    'adaptive 1, cheaper': { ridge: 1, price: 0.5 },
    'adaptive 3': { ridge: 3 },
    'one side': { ridge: 3, right: 'none' },
    'one block': { ridge: 3, perBlock: { dense: { structure: 'fixed' } } },
    products: { ridge: 3, solver: 'products' },
  }
  const options = { folds: 3 }
  const together = await crossValidate(await features(), y, candidates, options)
  for (const [name, candidate] of Object.entries(candidates)) {
    const { candidates: alone } = await crossValidate(await features(), y, { candidate }, options)
    const truth = alone.candidate?.mean ?? Number.NaN
    const found = together.candidates[name]?.mean ?? Number.NaN
    t.true(Math.abs(found - truth) <= 1e-7 * truth, `${name}: ${found} instead of ${truth}`)
  }
})

test('a path, and the same fits without what they share', async (t) => {
  const settings: AdaptiveOptions[] = [{ ridge: 10 }, { ridge: 1 }, { ridge: 1, price: 0.3 }]
  const path = await fitPath(await features(), y, settings)
  let start: AdaptiveOptions['start']
  for (const [s, setting] of settings.entries()) {
    const own = await fitFeatures(await features(), y, { ...setting, start })
    const model = path[s]
    t.true(Math.abs((model?.objective ?? 0) - own.objective) <= 1e-10 * own.objective, `${s}`)
    t.is(model?.price.relative, own.price.relative)
    t.true(Math.abs((model?.price.value ?? 0) - own.price.value) <= 1e-12 * own.price.value)
    start = model
  }
})
