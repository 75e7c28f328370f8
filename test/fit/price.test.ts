// The price of adapting: units, closed forms, optimality, limits, choice by folds, several starts.
import test from 'ava'
import { type AdaptiveOptions, fitFeatures } from '../../lib/fit/adaptive.js'
import { type FeatureBlock, TangentFeatures } from '../../lib/fit/features.js'
import { heldOut, rowsOf, shuffled } from '../../lib/fit/folds.js'
import type { AdaptiveModel } from '../../lib/fit/model.js'
import { decodeModel, encodeModel } from '../../lib/fit/storage.js'
import { fitPath, penaltyOf, solveKernel, topEigenvalues } from '../../lib/index.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const samples = 24
const outputs = 2
const rows = samples * outputs

/** A dense layer in factors, and a convolution of three modes multiplied out; features times a. */
function features(a = 1): Promise<TangentFeatures> {
  const times = (x: Float64Array) => x.map((value) => a * value)
  return TangentFeatures.from(samples, outputs, [
    {
      name: 'dense',
      m: 5,
      k: 7,
      delta: times(gaussians(rows * 5, 1)),
      h: gaussians(samples * 7, 2),
    },
    { name: 'conv', m: 4, k: 6, columns: [3, 2], x: times(gaussians(rows * 24, 3)) },
  ])
}

/** Fits of a few directions, so that something is worth stretching. */
const targets = (seed: number) => gaussians(rows, seed).map((value, i) => value + 3 * Math.sin(i))
const r = targets(4)

const structures: [string, AdaptiveOptions][] = [
  ['both sides', {}],
  ['2 ⊕ 1', { left: 2, right: 1 }],
  ['half, right only', { left: 'none', right: 0.5 }],
  ['a function', { left: (z) => Math.log(z) ** 2, right: 'none' }],
  ['flat', { structure: 'flat' }],
  ['diagonal', { structure: 'diagonal', power: 1.5 }],
  ['modes', { structure: 'modes' }],
  ['one block fixed', { perBlock: { conv: { structure: 'fixed' } } }],
  ['by products', { solver: 'products', stationarity: 1e-5 }],
]

const over = (values: Float64Array, factor: number) => values.map((value) => value / factor)

for (const [name, options] of structures) {
  test(`${name}: the same model in any units of targets and features`, async (t) => {
    const common = { ...options, ridge: 0.7, price: 0.4 }
    const plain = await fitFeatures(await features(), r, common)
    t.true(plain.largestStretch > 1.05, `${plain.largestStretch}`)
    t.is(plain.price.relative, 0.4)
    for (const [s, a] of [
      [1000, 1],
      [1e-6, 1],
      [1, 1e3],
      [1e6, 1e-2],
    ] as const) {
      const scaled = await fitFeatures(
        await features(a),
        r.map((value) => s * value),
        { ...common, ridge: 0.7 * a * a },
      )
      t.is(scaled.status.name, plain.status.name)
      near(t, over(scaled.fit, s), plain.fit, 1e-6, `${s} ${a}: fit`)
      near(t, over(scaled.coefficients(), s / a), plain.coefficients(), 1e-5, `${s} ${a}: B`)
      near(t, scaled.largestStretch, plain.largestStretch, 1e-5)
      near(t, (scaled.price.value * a * a) / s / s, plain.price.value, 1e-7)
      const ratio = (scaled.objective * a * a) / s / s / plain.objective
      near(t, ratio, 1, { absolute: 1e-7 })
    }
  })
}

test('closed forms with a price', (t) => {
  const v = [0.01, 0.5, 1, 3, 20]
  for (const price of [0.01, 1, 7]) {
    const one = penaltyOf(v, [1], price)
    const two = penaltyOf(v, [2], price)
    v.forEach((value, i) => {
      const z = Math.max(1, ((2 * value * value) / price) ** (1 / 3))
      near(t, one.z[0]?.[i], z, 1e-12)
      near(t, one.value[i], price * (z - 1) + (value / z) ** 2, { absolute: 1e-12 * value })
      const own = two.z[0]?.[i] as number
      near(t, price * (own ** 4 - own ** 3), value ** 2, 1e-10)
      // The minimum, by looking around.
      for (const other of [0.9 * own + 0.1, 1.1 * own]) {
        const there = price * (other - 1) ** 2 + (value / other) ** 2
        t.true((two.value[i] as number) <= there)
      }
    })
  }
  // 1 ⊕ 1: nothing is stretched while σ < √(c/2).
  for (const price of [0.1, 5]) {
    const [below, above] = [0.999, 1.3].map((share) => share * Math.sqrt(price / 2)) as [
      number,
      number,
    ]
    const { z } = penaltyOf([below, above], [1, 1], price)
    t.is((z[0]?.[0] as number) * (z[1]?.[0] as number), 1)
  }
  t.throws(() => penaltyOf(v, [2], 0), { code: 'BAD_ARGUMENT' })
})

test('an absolute price: the gradient vanishes, the penalty is that of the singular values', async (t) => {
  const x = await features()
  for (const [left, right] of [
    [2, 2],
    [2, 1],
    [1.5, 'none'],
  ] as const) {
    for (const price of [0.05, 1, 4]) {
      const ridge = 0.5
      const options = { left, right, ridge, price: { absolute: price }, stationarity: 1e-8 }
      const model = await fitFeatures(x, r, options)
      t.is(model.price.value, price)
      t.is(model.price.relative, null)
      const sides = [left, right].filter((side) => side !== 'none')
      const alpha = model.fit.map((value, i) => ((r[i] as number) - value) / ridge)
      const slope = await x.adjoint(alpha)
      let at = 0
      let penalty = 0
      for (const { m, k, u, vt, singularValues } of model.blocks) {
        const { value, z } = penaltyOf(singularValues, sides, price)
        penalty += value.reduce((sum, each) => sum + each, 0)
        for (let i = 0; i < m; i += 1) {
          for (let j = 0; j < k; j += 1) {
            // d ω̃/dv = 2v/z²: U diag(σ/z²) Vᵀ = Σ α X.
            let own = 0
            singularValues.forEach((s, d) => {
              const stretch = z.reduce((all, side) => all * (side[d] as number), 1)
              const [a, b] = [u[i * singularValues.length + d], vt[d * k + j]] as [number, number]
              own += (a * b * s) / stretch ** 2
            })
            near(t, own, slope[at + i * k + j], { absolute: 1e-5 })
          }
        }
        at += m * k
      }
      near(t, penalty, model.penalty, 1e-9)
      const misfit = r.reduce((sum, y, i) => sum + (y - (model.fit[i] as number)) ** 2, 0)
      near(t, misfit, model.misfit, 1e-9)
      near(t, model.penalty + model.misfit / ridge, model.objective, 1e-12)
    }
  }
})

/** Largest singular value of an (m, k) matrix. */
async function norm2(b: Float64Array, m: number, k: number): Promise<number> {
  const product = async (v: Float64Array) => {
    const inner = new Float64Array(m)
    for (let i = 0; i < m; i += 1)
      for (let j = 0; j < k; j += 1)
        inner[i] = (inner[i] as number) + (b[i * k + j] as number) * (v[j] as number)
    const out = new Float64Array(k)
    for (let i = 0; i < m; i += 1)
      for (let j = 0; j < k; j += 1)
        out[j] = (out[j] as number) + (b[i * k + j] as number) * (inner[i] as number)
    return out
  }
  const { values } = await topEigenvalues(product, k, { count: 1, tolerance: 1e-12 })
  return Math.sqrt(values[0] as number)
}

test('the unit is σ₁² of the fixed solution at the reference ridge', async (t) => {
  const x = await features()
  const kernel = await x.kernel(x)
  let trace = 0
  for (let i = 0; i < rows; i += 1) trace += kernel[i * rows + i] as number
  const { alpha } = await solveKernel(kernel, r, { ridge: (0.01 * trace) / rows })
  const b = await x.adjoint(alpha)
  const blocks = [b.slice(0, 35), b.slice(35)]
  const sizes: [number, number][] = [
    [5, 7],
    [4, 6],
  ]
  const matrix = Math.max(
    ...(await Promise.all(sizes.map(([m, k], i) => norm2(blocks[i] as Float64Array, m, k)))),
  )
  const most = (values: Float64Array) => Math.max(...values.map(Math.abs))
  const length = (values: Float64Array) => Math.hypot(...values)
  for (const [options, sigma] of [
    [{}, matrix],
    [{ solver: 'products' }, matrix],
    [{ structure: 'flat' }, Math.max(...blocks.map(length))],
    [{ structure: 'diagonal' }, most(b)],
    [{ perBlock: { dense: { structure: 'fixed' } } }, await norm2(blocks[1] as Float64Array, 4, 6)],
  ] as [AdaptiveOptions, number][]) {
    // Whatever the fit's own ridge is.
    for (const ridge of [0.1, 30]) {
      const { price } = await fitFeatures(x, r, { ...options, ridge, price: 2, maxIterations: 2 })
      near(t, price.value, 2 * sigma ** 2, 1e-6, `${JSON.stringify(options)}`)
    }
  }
})

test('an infinite price is fixed features; falling prices stretch more; nothing stretched is told', async (t) => {
  const x = await features()
  const ridge = 0.5
  const fixed = await fitFeatures(x, r, { structure: 'fixed', ridge })
  const infinite = await fitFeatures(x, r, { ridge, price: Number.POSITIVE_INFINITY })
  t.deepEqual(infinite.coefficients(), fixed.coefficients())
  t.is(infinite.price.value, Number.POSITIVE_INFINITY)
  t.is(infinite.largestStretch, 1)
  const settings = [1e6, 10, 1, 0.1].map((price) => ({ price }))
  const models = await fitPath(x, r, settings, { ridge })
  models.reduce((before, model) => {
    t.true(model.largestStretch > before.largestStretch)
    t.true(model.objective < before.objective)
    return model
  })
  t.regex((models[0] as AdaptiveModel).status.advice, /nothing was stretched.*lower options\.price/)
  t.regex((models[2] as AdaptiveModel).status.advice, /largest stretch of \d/)
  // 1 ⊕ 1 stays where it is at a high price, and says so.
  const still = await fitFeatures(x, r, { ridge, left: 1, right: 1, price: 100 })
  t.is(still.largestStretch, 1)
  t.regex(still.status.advice, /nothing was stretched/)
  for (const price of [0, -1, Number.NaN, 'cheap', { absolute: 0 }, null]) {
    const wrong = fitFeatures(x, r, { price } as AdaptiveOptions)
    await t.throwsAsync(wrong, { code: 'BAD_ARGUMENT', message: /options\.price/ })
  }
})

test('targets of 1e6 converge like those of 1, and times 1000 predicts times 1000', async (t) => {
  const x = await features()
  const test = await x.select([3, 1, 4])
  const small = await fitFeatures(x, r, { ridge: 0.3 })
  for (const s of [1e3, 1e6, 1e-9, 1e100]) {
    const large = await fitFeatures(
      x,
      r.map((value) => s * value),
      { ridge: 0.3 },
    )
    t.is(large.status.name, 'converged')
    t.true(Math.abs(large.iterations.length - small.iterations.length) <= 2)
    near(t, over(await large.predict(test), s), await small.predict(test), 1e-6)
  }
  const zero = await fitFeatures(x, new Float64Array(rows), { ridge: 0.3 })
  t.is(zero.status.name, 'converged')
  t.true(zero.fit.every((value) => value === 0))
})

test('a checkpoint belongs to its price', async (t) => {
  const x = await features()
  let state: Float64Array | undefined
  const common = { ridge: 0.2, price: 0.5 }
  const whole = await fitFeatures(x, r, common)
  await fitFeatures(x, r, {
    ...common,
    maxIterations: 7,
    onCheckpoint: (saved) => {
      state = saved
    },
  })
  const resumed = await fitFeatures(x, r, { ...common, resume: state })
  t.deepEqual(resumed.coefficients(), whole.coefficients())
  await t.throwsAsync(fitFeatures(x, r, { ...common, price: 0.6, resume: state }), {
    code: 'BAD_FILE',
    message: /another price/,
  })
})

test('several starts: the best end is kept and the spread told', async (t) => {
  const x = await features()
  // With these the first start alone ends at a worse optimum of the first problem.
  const y = targets(9)
  let gained = 0
  for (const options of [
    { left: 0.5, right: 0.5, price: 0.5 },
    { left: 1, right: 1, price: 2 },
    { structure: 'modes', price: 0.2 },
  ] as AdaptiveOptions[]) {
    const one = await fitFeatures(x, y, { ...options, ridge: 0.3 })
    const many = await fitFeatures(x, y, { ...options, ridge: 0.3, starts: 5 })
    t.is(one.starts, undefined)
    const { objectives, best, spread } = many.starts as NonNullable<typeof many.starts>
    t.is(objectives.length, 5)
    t.is(objectives[0], one.objective)
    t.is(many.objective, Math.min(...objectives))
    t.is(objectives[best], many.objective)
    near(t, spread, Math.max(...objectives) / many.objective - 1, { absolute: 1e-12 })
    t.log(objectives)
    if (many.objective < one.objective * (1 - 1e-6)) gained += 1
  }
  t.true(gained >= 1, `${gained}`)
  await t.throwsAsync(fitFeatures(x, r, { starts: 3, onCheckpoint: () => {} }), {
    code: 'BAD_ARGUMENT',
    message: /starts/,
  })
})

/** One block of Gaussian features, targets of rank one or of noise. */
async function task(n: number, m: number, k: number, kind: 'low rank' | 'noise', seed: number) {
  const x = gaussians(n * m * k, seed)
  const [u, v] = [gaussians(m, seed + 1), gaussians(k, seed + 2)]
  const noise = gaussians(n, seed + 3)
  const y = noise.map((value, i) => {
    let sum = 0
    for (let e = 0; e < m * k; e += 1)
      sum += (x[i * m * k + e] as number) * (u[Math.floor(e / k)] as number) * (v[e % k] as number)
    return kind === 'noise' ? value : sum + value
  })
  const block: FeatureBlock = { name: 'a', m, k, x }
  return { features: await TangentFeatures.from(n, 1, [block]), y }
}

test('auto: low rank adapts, noise stays fixed; the grid is what folds give', async (t) => {
  const low = await task(60, 10, 12, 'low rank', 5)
  const model = await fitFeatures(low.features, low.y, { price: 'auto' })
  const byRidge = await fitFeatures(low.features, low.y, { ridge: 'auto', price: 1 })
  t.is(byRidge.selection?.grid.length, 4)
  t.is(byRidge.selection?.gain, null)
  t.is(byRidge.price.relative, 1)
  const { selection } = model
  t.deepEqual(
    (decodeModel(encodeModel(model)) as AdaptiveModel).selection,
    JSON.parse(JSON.stringify(selection), (key, value) =>
      key === 'price' && value === null ? Number.POSITIVE_INFINITY : value,
    ),
  )
  t.true(Number.isFinite(selection?.price as number))
  t.is(model.price.relative, selection?.price as unknown as number)
  t.is(model.ridge, selection?.ridge as number)
  t.is(selection?.grid.length, 4 * 6)
  t.true((selection?.gain?.mean as number) > (selection?.gain?.standardError as number))
  const none = await task(60, 10, 12, 'noise', 9)
  const still = await fitFeatures(none.features, none.y, { price: 'auto' })
  t.is(still.price.value, Number.POSITIVE_INFINITY)

  // By hand, at one ridge.
  const fractions: number[] = []
  const onProgress = ({ fraction }: { fraction: number }) => fractions.push(fraction)
  const folded = { prices: [1], folds: 3, repeats: 1, seed: 7, onProgress }
  const options = { ridge: 5, selection: folded }
  const own = await fitFeatures(low.features, low.y, { ...options, price: 'auto' })
  t.deepEqual(fractions, [1 / 3, 2 / 3, 1])
  const order = shuffled(60, 7)
  for (const price of [Number.POSITIVE_INFINITY, 1]) {
    let sum = 0
    for (let fold = 0; fold < 3; fold += 1) {
      const [kept, held] = heldOut(order, fold, 3)
      const train = await low.features.select(kept)
      const fitted = await fitFeatures(train, rowsOf(low.y, kept, 1), { ridge: 5, price })
      const prediction = await fitted.predict(await low.features.select(held))
      rowsOf(low.y, held, 1).forEach((y, i) => {
        sum += (y - (prediction[i] as number)) ** 2 / 60
      })
    }
    const entry = own.selection?.grid.find((each) => each.price === price)
    near(t, entry?.error, sum, 1e-2, `${price}`)
  }
})
