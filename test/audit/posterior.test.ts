// What one factorisation says, against numpy in float64, where every model was fitted again.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { KernelPosterior, KernelSpectrum, type NdArray } from '../../lib/index.js'
import { near } from '../support/near.js'

type Stored = { data: number[]; shape: number[] }
const stored = JSON.parse(readFileSync('test/audit/posterior.json', 'utf8'))
const { samples, outputs, queries, columns } = stored.sizes as Record<string, number> as {
  samples: number
  outputs: number
  queries: number
  columns: number
}
const array = (name: string): NdArray<Float64Array> => {
  const { data, shape } = stored[name] as Stored
  return { data: Float64Array.from(data), shape }
}
const { ridge, prior, group } = stored as { ridge: number; prior: number; group: number[] }
const cross = array('cross')
const base = array('queryBase').data
const self = Array.from({ length: queries * outputs }, (_, q) =>
  Number(array('own').data[q * (queries * outputs + 1)]),
)
const posterior = () =>
  KernelPosterior.of(array('kernel'), array('y').data, {
    ...{ base: array('base').data, ridge, outputs },
  })

test('leaving each sample out equals refits: predictions, variance, leverage', async (t) => {
  const found = await (await posterior()).leaveOneOut()
  t.deepEqual(found.predictions.shape, [samples, outputs, columns])
  near(t, found.predictions.data, array('loo').data, 1e-12)
  const rest = array('y').data.map((value, r) => value - Number(array('loo').data[r]))
  near(t, found.residuals.data, rest, 1e-12)
  near(t, found.variance.data, array('looVariance').data, 1e-12)
  near(t, (await (await posterior()).leverage()).data, array('leverage').data, 1e-12)
})

test('leaving out samples of very many outputs equals their own blocks', async (t) => {
  // Two samples that share nothing, of 120 outputs whose kernel is min(o, p) + 1: without it nothing is known.
  const [n, o] = [2, 120]
  const kernel = new Float64Array((n * o) ** 2)
  for (let r = 0; r < n * o; r += 1) {
    for (let c = 0; c < n * o; c += 1) {
      if (Math.floor(r / o) === Math.floor(c / o))
        kernel[r * n * o + c] = Math.min(r % o, c % o) + 1
    }
  }
  const y = Float64Array.from({ length: n * o }, (_, r) => Math.sin(r))
  const shape = [n, o, n, o]
  const found = await KernelPosterior.of({ data: kernel, shape }, y, { ridge: 0.5 })
  const { residuals, variance } = await found.leaveOneOut()
  near(t, residuals.data, y, 1e-9)
  near(
    t,
    variance.data,
    Array.from({ length: n * o }, (_, r) => (r % o) + 1),
    1e-9,
  )
})

test('mean, variance, influence, representers and deletion of groups at other samples', async (t) => {
  const model = await posterior()
  const mean = await model.predict(cross, { base })
  t.deepEqual(mean.shape, [queries, outputs, columns])
  near(t, mean.data, array('mean').data, 1e-12)
  const variance = await model.variance(cross, self)
  const covariance = array('covariance')
  const truth = self.map((_, q) => Number(covariance.data[q * (self.length + 1)]))
  near(t, variance, { data: truth, shape: [queries, outputs] }, 1e-12)
  near(t, await model.influence(cross), array('influence'), 1e-11)
  near(t, await model.representers(cross), array('representers'), 1e-12)
  near(t, (await model.without(group, cross, { base })).data, array('without').data, 1e-12)
  near(t, (await model.without([], cross, { base })).data, array('mean').data, 1e-12)
})

test('evidence at a prior, and the prior of greatest evidence', async (t) => {
  const model = await posterior()
  near(t, model.evidence({ prior }).log, stored.evidence.data, 1e-12)
  const best = model.evidence()
  for (const factor of [0.98, 1.02])
    t.true(model.evidence({ prior: factor * best.prior }).log < best.log)
  t.is(best.noise, ridge * best.prior)
})

test('the ridge of greatest evidence is better than those near it', async (t) => {
  const at = { base: array('base').data, outputs }
  const chosen = await KernelPosterior.of(array('kernel'), array('y').data, {
    ...{ ...at, ridge: 'evidence' },
  })
  const log = async (factor: number) => {
    const options = { ...at, ridge: factor * chosen.ridge }
    const other = await KernelPosterior.of(array('kernel'), array('y').data, options)
    return other.evidence().log
  }
  const best = await log(1)
  near(t, Number((chosen.choice as { log: number }).log), best, 1e-10)
  t.true((await log(0.8)) < best && (await log(1.25)) < best)
})

test('a factor of eigenvectors says the same as one of Cholesky', async (t) => {
  const spectrum = await KernelSpectrum.of(array('kernel'), { outputs })
  const residual = array('y').data.map((value, r) => value - Number(array('base').data[r]))
  const { ridge: chosen } = await spectrum.chooseRidge(residual)
  const options = { base: array('base').data, outputs }
  const [a, b] = await Promise.all(
    (['loo', chosen] as const).map((ridge) =>
      KernelPosterior.of(array('kernel'), array('y').data, { ...options, ridge }),
    ),
  )
  near(t, (await a!.leaveOneOut()).predictions, (await b!.leaveOneOut()).predictions, 1e-9)
  near(t, await a!.influence(cross), await b!.influence(cross), 1e-9)
})

test('draws have the posterior’s mean and covariance, and the seed promises them', async (t) => {
  const model = await posterior()
  const count = 20_000
  const { data, shape } = await model.sample(cross, array('own'), count, { base, prior: 2 })
  t.deepEqual(shape, [queries * outputs, columns, count])
  const rows = queries * outputs
  const draw = (q: number, c: number, k: number) => data[(q * columns + c) * count + k] as number
  const mean = (q: number, c: number) =>
    Array.from({ length: count }, (_, k) => draw(q, c, k)).reduce((a, b) => a + b, 0) / count
  const means = Array.from({ length: rows * columns }, (_, e) =>
    mean(Math.floor(e / columns), e % columns),
  )
  near(t, means, array('mean').data, 0.05)
  const covariance = Float64Array.from({ length: rows * rows }, (_, e) => {
    const [p, q] = [Math.floor(e / rows), e % rows]
    let sum = 0
    for (let k = 0; k < count; k += 1)
      sum += (draw(p, 0, k) - means[p * columns]!) * (draw(q, 0, k) - means[q * columns]!)
    return sum / count / 2
  })
  near(t, { data: covariance, shape: [rows, rows] }, array('covariance'), 0.05)
  const draws = async (seed: number) =>
    [...(await model.sample(cross, array('own'), 2, { seed })).data].join()
  t.is(await draws(3), await draws(3))
  t.not(await draws(3), await draws(4))
})

test('mistakes are named in one sentence', async (t) => {
  const kernel = array('kernel')
  const y = array('y').data
  const singular = { data: new Float64Array(144).fill(1), shape: [12, 12] }
  const cases: [() => Promise<unknown>, string, RegExp][] = [
    [() => KernelPosterior.of(singular, y, { ridge: 0 }), 'NUMERICAL', /ridge/],
    [() => KernelPosterior.of(kernel, y.slice(1)), 'BAD_ARGUMENT', /y/],
    [() => KernelPosterior.of(kernel, y, { base: [1] }), 'BAD_ARGUMENT', /base/],
    [() => KernelPosterior.of(kernel, y, { ridge: -1 }), 'BAD_ARGUMENT', /ridge/],
    [
      () => KernelPosterior.of(kernel, y.fill(0, 0, 0), { ridge: 'x' as never }),
      'BAD_ARGUMENT',
      /loo/,
    ],
    [async () => (await posterior()).variance(cross, [1]), 'BAD_ARGUMENT', /own/],
    [async () => (await posterior()).predict(array('own')), 'BAD_ARGUMENT', /cross/],
    [async () => (await posterior()).without([99], cross), 'BAD_ARGUMENT', /samples/],
    [async () => (await posterior()).evidence({ prior: 0 }), 'BAD_ARGUMENT', /prior/],
  ]
  for (const [call, code, message] of cases) await t.throwsAsync(call, { code, message })
  await t.throwsAsync(KernelPosterior.of(kernel, y, { signal: AbortSignal.abort() }), {
    name: 'AbortError',
    any: true,
  })
})
