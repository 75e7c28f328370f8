// K + ridge·I as users ask it, against closed forms: the second difference, whose inverse and
// determinant are known.
import test from 'ava'
import { KernelFactor, KernelSpectrum } from '../../lib/index.js'
import { near } from '../support/near.js'

const n = 12
const ridge = 0.5

const difference = Float64Array.from({ length: n * n }, (_, e) => {
  const gap = Math.abs(Math.floor(e / n) - (e % n))
  return gap === 0 ? 2 : gap === 1 ? -1 : 0
})

const matrix = (data: Float64Array) => ({ data, shape: [n, n] })

/** With 2·cosh(t) = 2 + ridge the inverse is made of sinh. */
const inverse = matrix(
  Float64Array.from({ length: n * n }, (_, e) => {
    const t = Math.acosh(1 + ridge / 2)
    const [i, j] = [Math.floor(e / n), e % n]
    const [low, high] = [Math.min(i, j), Math.max(i, j)]
    const sides = Math.sinh((low + 1) * t) * Math.sinh((n - high) * t)
    return sides / Math.sinh(t) / Math.sinh((n + 1) * t)
  }),
)

const logDeterminant = Array.from({ length: n }, (_, k) =>
  Math.log(2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)) + ridge),
).reduce((sum, value) => sum + value)

const identity = Float64Array.from({ length: n * n }, (_, e) => (e % (n + 1) === 0 ? 1 : 0))

const devices = ['cpu', 'emulated'] as const

const factors = async () => [
  ...(await Promise.all(
    devices.map((device) => KernelFactor.of(difference, ridge, { outputs: 3, device })),
  )),
  ...(await Promise.all(
    devices.map(async (device) =>
      (await KernelSpectrum.of(difference, { outputs: 3, device })).factor(ridge),
    ),
  )),
]

test('a factor that was freed answers what is under way and refuses what comes later', async (t) => {
  for (const factor of await factors()) {
    const before = factor.solve(identity)
    factor.free()
    factor.free()
    near(t, matrix(await before), inverse, 1e-12)
    const late = [
      () => factor.solve(identity),
      () => factor.inverseBlocks(),
      () => factor.sample(1),
      async () => factor.condition,
      async () => factor.logDeterminant,
    ]
    for (const ask of late)
      await t.throwsAsync(ask, { code: 'DISPOSED', message: 'The factor was freed' })
  }
})

test('a factor made by Cholesky and one of a spectrum give the same known numbers', async (t) => {
  for (const factor of await factors()) {
    near(t, matrix(await factor.solve(identity)), inverse, 1e-12)
    near(t, factor.logDeterminant, logDeterminant, { absolute: 1e-11 })
    const blocks = { data: await factor.inverseBlocks(), shape: [n / 3, 3, 3] }
    const truth = Float64Array.from(
      { length: n * 3 },
      (_, e) => inverse.data[Math.floor(e / 3) * n + Math.floor(e / 9) * 3 + (e % 3)] as number,
    )
    near(t, blocks, { data: truth, shape: [n / 3, 3, 3] }, 1e-12)
    t.true(factor.condition >= 1)
  }
})

test('draws have the covariance asked for, and the seed promises them', async (t) => {
  const count = 40_000
  const covariance = (draws: Float64Array) =>
    matrix(
      Float64Array.from({ length: n * n }, (_, e) => {
        const [i, j] = [Math.floor(e / n), e % n]
        let sum = 0
        for (let c = 0; c < count; c += 1)
          sum += (draws[i * count + c] as number) * (draws[j * count + c] as number)
        return sum / count
      }),
    )
  const shifted = difference.map((value, e) => value + ridge * (identity[e] as number))
  for (const factor of await factors()) {
    // Standard errors are below √(2 / 40 000) of the largest entry, 0.7 %.
    near(t, covariance(await factor.sample(count)), matrix(shifted), 0.03)
    near(t, covariance(await factor.sample(count, { of: 'precision' })), inverse, 0.03)
    t.deepEqual(await factor.sample(3, { seed: 4 }), await factor.sample(3, { seed: 4 }))
    t.notDeepEqual(await factor.sample(3, { seed: 4 }), await factor.sample(3, { seed: 5 }))
  }
})

test('wrong arguments of a draw are named', async (t) => {
  const [factor] = await factors()
  await t.throwsAsync(factor?.sample(0) ?? Promise.resolve(), {
    code: 'BAD_ARGUMENT',
    message: /count/,
  })
  const of = 'noise' as 'covariance'
  await t.throwsAsync(factor?.sample(1, { of }) ?? Promise.resolve(), {
    code: 'BAD_ARGUMENT',
    message: /options\.of/,
  })
})

test('without a ridge a spectrum of a singular kernel gives the pseudo-inverse', async (t) => {
  // All ones: the pseudo-inverse is ones / n².
  const ones = new Float64Array(n * n).fill(1)
  const factor = (await KernelSpectrum.of(ones)).factor(0)
  near(t, matrix(await factor.solve(identity)), matrix(ones.map((x) => x / n ** 2)), 1e-12)
  t.is(factor.logDeterminant, Number.NEGATIVE_INFINITY)
  await t.throwsAsync(
    KernelFactor.of(
      ones.map((x, e) => x - 2 * (identity[e] as number)),
      0.1,
    ),
    {
      code: 'NUMERICAL',
      message: /raise the ridge/,
    },
  )
})
