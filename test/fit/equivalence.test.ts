// One problem written in two ways must have one optimum: every structure against `matrix`.
import test from 'ava'
import { type AdaptiveOptions, fitFeatures } from '../../lib/fit/adaptive.js'
import { TangentFeatures } from '../../lib/fit/features.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const [n, m, k] = [16, 4, 6]
const x = gaussians(n * m * k, 90)
const others = gaussians(5 * m * k, 91)
const r = gaussians(n, 92).map((value) => 4 * value)
const tight: AdaptiveOptions = { stationarity: 1e-8, tolerance: 1e-13, maxIterations: 4000 }

type Split = (x: Float64Array, samples: number) => Promise<TangentFeatures>

const whole: Split = (values, samples) =>
  TangentFeatures.from(samples, 1, [{ name: 'a', m, k, x: values }])

/** All numbers as one column. */
const column: Split = (values, samples) =>
  TangentFeatures.from(samples, 1, [{ name: 'a', m: m * k, k: 1, x: values }])

/** A block for every number. */
const numbers: Split = (values, samples) =>
  TangentFeatures.from(
    samples,
    1,
    Array.from({ length: m * k }, (_, j) => ({
      name: `${j}`,
      m: 1,
      k: 1,
      x: Float64Array.from({ length: samples }, (_, i) => values[i * m * k + j] as number),
    })),
  )

for (const [name, one, options, other, same] of [
  ['flat is one side of a column', whole, { structure: 'flat' }, column, { right: 'none' }],
  ['flat, p = 1', whole, { structure: 'flat', power: 1 }, column, { left: 'none', right: 1 }],
  ['diagonal is a block per number', whole, { structure: 'diagonal' }, numbers, { right: 'none' }],
  ['two modes are two sides', whole, { structure: 'modes' }, whole, {}],
  [
    'one of two sides as p ⊕ p of a vector is both',
    column,
    { left: 2, right: 2 },
    column,
    { left: 2, right: (z: number) => (z - 1) ** 2 },
  ],
  ['no sides are fixed', whole, { left: 'none', right: 'none' }, numbers, { structure: 'fixed' }],
] as [string, Split, AdaptiveOptions, Split, AdaptiveOptions][]) {
  test(name, async (t) => {
    for (const ridge of [0, 0.2]) {
      const a = await fitFeatures(await one(x, n), r, { ...tight, ...options, ridge })
      const b = await fitFeatures(await other(x, n), r, { ...tight, ...same, ridge })
      t.log(a.status.name, b.status.name, a.objective / b.objective - 1)
      near(t, a.objective, b.objective, 1e-8)
      const [p, q] = [
        await a.predict(await one(others, 5)),
        await b.predict(await other(others, 5)),
      ]
      near(t, p, q, { absolute: 1e-4 })
    }
  })
}
