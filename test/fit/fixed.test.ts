import test from 'ava'
import { fitFeatures } from '../../lib/fit/adaptive.js'
import { solveKernel } from '../../lib/fit/fixed.js'
import { solveByProducts } from '../../lib/linear/conjugate-gradients.js'
import { KernelSpectrum } from '../../lib/linear/spectrum.js'
import { farthest, near } from '../support/near.js'
import { gaussians } from '../support/random.js'
import { load, targets } from './synthetic.js'

/** x xᵀ of Gaussian x (n, p). */
function gram(n: number, p: number, seed: number) {
  const x = gaussians(n * p, seed)
  const k = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0
      for (let c = 0; c < p; c++) sum += (x[i * p + c] as number) * (x[j * p + c] as number)
      k[i * n + j] = sum
    }
  }
  return { x, k }
}

const multiply = (k: Float64Array, v: Float64Array, columns = 1) => {
  const n = v.length / columns
  const out = new Float64Array(v.length)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let c = 0; c < columns; c++) {
        out[i * columns + c] =
          (out[i * columns + c] as number) +
          (k[i * n + j] as number) * (v[j * columns + c] as number)
      }
    }
  }
  return out
}

test('ridge regression solves its equations, large enough for several panels of Cholesky', async (t) => {
  const n = 470
  const { k } = gram(n, 600, 1)
  const y = gaussians(n * 3, 2)
  const { alpha, fit, status } = await solveKernel(k, y, { ridge: 0.5 })
  t.is(status, 'solved')
  const image = multiply(k, alpha, 3)
  near(t, image, fit, { absolute: 1e-9 })
  near(
    t,
    image.map((value, i) => value + 0.5 * (alpha[i] as number)),
    y,
    { absolute: 1e-9 },
  )
})

test('the bits do not depend on the number of threads', async (t) => {
  const { k } = gram(700, 720, 3)
  const y = gaussians(700, 4)
  const one = await solveKernel(k, y, { threads: 1 })
  const two = await solveKernel(k, y, { threads: 2 })
  t.deepEqual(one.alpha, two.alpha)
})

test('ridgeless: minimum-norm least squares, with rank-deficient features too', async (t) => {
  const n = 40
  const { k } = gram(n, 15, 5)
  const y = gaussians(n, 6)
  const { alpha, fit, status, rank, method } = await solveKernel(k, y, { ridge: 0 })
  t.is(status, 'rank-deficient')
  t.is(method, 'eigen')
  t.is(rank, 15)
  // Normal equations: K (y − K α) = 0, and α in the range of K.
  const rest = y.map((value, i) => value - (fit[i] as number))
  near(t, multiply(k, rest), new Float64Array(n), { absolute: 1e-9 })
  near(t, multiply(k, alpha), fit, { absolute: 1e-9 })
  const full = gram(n, 90, 7).k
  const exact = await solveKernel(full, y, { ridge: 0 })
  t.is(exact.method, 'cholesky')
  near(t, multiply(full, exact.alpha), y, { absolute: 1e-9 })
})

test('leave-one-out and generalised cross-validation equal their definitions', async (t) => {
  const n = 25
  const { k } = gram(n, 40, 8)
  const y = gaussians(n * 2, 9)
  const spectrum = await KernelSpectrum.of(k)
  const ridge = 3
  const [errors] = await spectrum.errors(y, [ridge])
  let loo = 0
  for (let out = 0; out < n; out++) {
    const keep = Array.from({ length: n }, (_, i) => i).filter((i) => i !== out)
    const sub = Float64Array.from(keep.flatMap((i) => keep.map((j) => k[i * n + j] as number)))
    const rest = Float64Array.from(
      keep.flatMap((i) => [y[2 * i] as number, y[2 * i + 1] as number]),
    )
    const { alpha } = await solveKernel(sub, rest, { ridge })
    for (const c of [0, 1]) {
      let prediction = 0
      keep.forEach((i, position) => {
        prediction += (k[out * n + i] as number) * (alpha[2 * position + c] as number)
      })
      loo += ((y[2 * out + c] as number) - prediction) ** 2
    }
  }
  near(t, errors?.loo, loo / n, 1e-10)

  const identity = new Float64Array(n * n)
  for (let i = 0; i < n; i++) identity[i * n + i] = 1
  const { fit: hat } = await solveKernel(k, identity, { ridge })
  let trace = 0
  for (let i = 0; i < n; i++) trace += 1 - (hat[i * n + i] as number)
  const { fit } = await solveKernel(k, y, { ridge })
  const misfit = y.reduce((sum, value, i) => sum + (value - (fit[i] as number)) ** 2, 0)
  const gcv = misfit / n / (trace / n) ** 2
  near(t, errors?.gcv, gcv, 1e-10)

  for (const by of ['loo', 'gcv'] as const) {
    const best = await spectrum.chooseRidge(y, { by })
    for (const other of [0.1, 1, 3, 10, 30, 100]) {
      const [at] = await spectrum.errors(y, [other])
      t.true(best[by] <= (at?.[by] as number))
    }
  }
})

test('training dynamics follow gradient descent and the gradient flow', async (t) => {
  const n = 20
  const { k } = gram(n, 12, 10)
  const r = gaussians(n, 11)
  const spectrum = await KernelSpectrum.of(k)
  const rate = 0.7 * spectrum.largestLearningRate()
  // f ← f − η K (f − r), from 0.
  let f = new Float64Array(n)
  for (let step = 0; step < 37; step++) {
    const gradient = multiply(
      k,
      f.map((value, i) => value - (r[i] as number)),
    )
    f = f.map((value, i) => value - rate * (gradient[i] as number))
  }
  near(t, await spectrum.trainedFit(r, { steps: 37, learningRate: rate }), f, { absolute: 1e-10 })
  const alpha = await spectrum.trained(r, { steps: 37, learningRate: rate })
  near(t, multiply(k, alpha), f, { absolute: 1e-9 })

  // A flow is descent with vanishing steps: compare with Richardson extrapolation of Euler.
  const time = 1.3 / (spectrum.values[0] as number)
  const euler = async (steps: number) =>
    spectrum.trainedFit(r, { steps, learningRate: time / steps })
  const [coarse, fine] = [await euler(2000), await euler(4000)]
  const limit = fine.map((value, i) => 2 * value - (coarse[i] as number))
  near(t, await spectrum.trainedFit(r, { time }), limit, { absolute: 1e-6 })
  // The mean loss is n times slower; at the end of time the fit is the ridgeless one.
  near(
    t,
    await spectrum.trainedFit(r, { time: n * time, loss: 'mean' }),
    await spectrum.trainedFit(r, { time }),
    { absolute: 1e-12 },
  )
  const end = await spectrum.trainedFit(r, { time: Number.POSITIVE_INFINITY })
  near(t, end, (await solveKernel(k, r, { ridge: 0 })).fit, { absolute: 1e-10 })
  const ratio = spectrum.largestLearningRate('mean') / spectrum.largestLearningRate()
  near(t, ratio, n, 1e-15)
  // Above the largest stable rate the slowest mode grows.
  const over = 1.01 * spectrum.largestLearningRate()
  const far = await spectrum.trainedFit(r, { steps: 4000, learningRate: over })
  t.true(farthest(far, r).difference > 1e6)
  const under = await spectrum.trainedFit(r, { steps: 4000, learningRate: over * 0.98 })
  near(t, under, new Float64Array(n), { absolute: 10 })
})

test('dynamics at new points: gradient descent on the linearised network’s own weights', async (t) => {
  const [features, others] = [await load(), await load('test_')]
  const r = await targets()
  const kernel = await features.kernel()
  const cross = await others.kernel(features)
  const n = features.rows
  const spectrum = await KernelSpectrum.of(kernel)
  const rate = 0.9 * spectrum.largestLearningRate()
  // b ← b + η Xᵀ(r − X b): weights, not kernels.
  let b = new Float64Array(features.size)
  for (let step = 0; step < 60; step++) {
    const fit = await features.apply(b)
    const slope = await features.adjoint(r.map((value, i) => value - (fit[i] as number)))
    b = b.map((value, i) => value + rate * (slope[i] as number))
    if (![0, 7, 59].includes(step)) continue
    const alpha = await spectrum.trained(r, { steps: step + 1, learningRate: rate })
    const predicted = await others.apply(b)
    const byKernel = predicted.map((_, i) =>
      alpha.reduce((sum, a, j) => sum + a * (cross[i * n + j] as number), 0),
    )
    near(t, byKernel, predicted, { absolute: 1e-9 })
  }
  // With a ridge, predictions with K(x, X) are those of the weights.
  const { alpha } = await solveKernel(kernel, r, { ridge: 0.3 })
  const model = await fitFeatures(features, r, { structure: 'fixed', ridge: 0.3 })
  const direct = await model.predict(others)
  const byKernel = direct.map((_, i) =>
    alpha.reduce((sum, a, j) => sum + a * (cross[i * n + j] as number), 0),
  )
  near(t, byKernel, direct, { absolute: 1e-10 })
})

test('classification by squared loss: a column per class, the largest wins', async (t) => {
  const [n, classes, p] = [90, 3, 8]
  const noise = gaussians(n * p, 21)
  // Points around three corners.
  const x = noise.map((value, e) => 0.4 * value + (e % p === Math.floor(e / p) % classes ? 1 : 0))
  const k = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let c = 0; c < p; c++) {
        k[i * n + j] =
          (k[i * n + j] as number) + (x[i * p + c] as number) * (x[j * p + c] as number)
      }
    }
  }
  const train = Array.from({ length: 60 }, (_, i) => i)
  const test30 = Array.from({ length: 30 }, (_, i) => 60 + i)
  const sub = Float64Array.from(train.flatMap((i) => train.map((j) => k[i * n + j] as number)))
  const oneHot = Float64Array.from(
    train.flatMap((i) => [0, 1, 2].map((c) => (i % classes === c ? 1 : 0) - 1 / classes)),
  )
  const { alpha, ridge, method } = await solveKernel(sub, oneHot, { ridge: 'loo' })
  t.is(method, 'eigen')
  t.true(ridge > 0)
  const right = test30.filter((i) => {
    const scores = [0, 1, 2].map((c) =>
      train.reduce((s, j) => s + (k[i * n + j] as number) * (alpha[j * classes + c] as number), 0),
    )
    return scores.indexOf(Math.max(...scores)) === i % classes
  })
  t.true(right.length >= 24, `${right.length} of 30`)
})

test('conjugate gradients on products agree with Cholesky; the preconditioner saves products', async (t) => {
  const n = 300
  const { k } = gram(n, 50, 12)
  for (let i = 0; i < n * n; i++) k[i] = (k[i] as number) * 100
  for (let i = 0; i < n; i++) k[i * n + i] = (k[i * n + i] as number) + 1e-3
  const y = gaussians(n, 13)
  let products = 0
  const product = async (v: Float64Array, columns: number) => {
    products += columns
    return multiply(k, v, columns)
  }
  const direct = await solveKernel(k, y, { ridge: 0.01 })
  const plain = await solveByProducts(product, y, { ridge: 0.01, rank: 0 })
  t.is(plain.status, 'converged')
  const before = products
  const fast = await solveByProducts(product, y, { ridge: 0.01, rank: 60 })
  t.is(fast.status, 'converged')
  t.true(fast.iterations * 4 < plain.iterations, `${fast.iterations} ${plain.iterations}`)
  t.true(products - before <= fast.iterations + 60)
  for (const { alpha, fit } of [plain, fast]) {
    near(t, alpha, direct.alpha, { absolute: 1e-5 })
    near(t, fit, direct.fit, { absolute: 1e-7 })
  }
  const limited = await solveByProducts(product, y, { ridge: 0.01, rank: 0, maxIterations: 2 })
  t.is(limited.status, 'iteration limit')
  t.true(limited.advice.length > 0)
  // A warm start at the solution has nothing to do.
  const again = await solveByProducts(product, y, {
    ridge: 0.01,
    rank: 0,
    start: fast.alpha,
    tolerance: 1e-6,
  })
  t.is(again.iterations, 0)
})

test('features: products by their adjoint solve the fixed model without a kernel', async (t) => {
  const features = await load()
  const r = await targets()
  const product = async (v: Float64Array) => features.apply(await features.adjoint(v))
  const { alpha } = await solveByProducts((v) => product(v), r, { ridge: 0.1, rank: 0 })
  const model = await fitFeatures(features, r, { structure: 'fixed', ridge: 0.1 })
  near(t, alpha, model.dual, { absolute: 1e-8 })
  const kernel = await features.kernel()
  near(t, (await solveKernel(kernel, r, { ridge: 0.1 })).alpha, model.dual, { absolute: 1e-10 })
})

test('bad input says what was expected', async (t) => {
  const bad = { code: 'BAD_ARGUMENT' }
  await t.throwsAsync(solveKernel(new Float64Array(5), [1]), bad)
  await t.throwsAsync(solveKernel(new Float64Array(4), [1, 2, 3]), bad)
  await t.throwsAsync(solveKernel(new Float64Array([1, 0, 0, 1]), [1, 2], { ridge: -1 }), bad)
  await t.throwsAsync(solveKernel(new Float64Array([1, 0, 0, 1]), [1, Number.NaN]), {
    code: 'BAD_INPUT',
  })
  await t.throwsAsync(solveKernel(new Float64Array([1, Number.NaN, 0, 1]), [1, 2]), {
    code: 'BAD_INPUT',
  })
  const indefinite = await t.throwsAsync(
    solveKernel(new Float64Array([1, 2, 2, 1]), [1, 2], { ridge: 0.5 }),
    { code: 'NUMERICAL' },
  )
  t.regex(indefinite?.message ?? '', /raise the ridge/)
  const spectrum = await KernelSpectrum.of(new Float64Array([1, 0, 0, 1]))
  await t.throwsAsync(spectrum.errors([1, 2], [0]), bad)
  await t.throwsAsync(spectrum.trained([1, 2], {}), bad)
  await t.throwsAsync(spectrum.trained([1, 2], { time: -1 }), bad)
})
