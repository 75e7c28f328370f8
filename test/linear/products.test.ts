// Eigenvalues, traces and densities from products against matrices whose spectrum is known.
import test from 'ava'
import { estimateDensity, estimateTrace, topEigenvalues } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

/** H diag(values) H with a Householder reflection H. */
function withSpectrum(values: readonly number[], random: Random) {
  const n = values.length
  const w = random.normals(n)
  const size = Math.hypot(...w)
  const reflect = (v: Float64Array) => {
    const along = v.reduce((sum, value, i) => sum + (value * (w[i] as number)) / size, 0)
    return v.map((value, i) => value - (2 * along * (w[i] as number)) / size)
  }
  let products = 0
  const product = async (v: Float64Array, columns: number) => {
    products += columns
    const out = new Float64Array(v.length)
    for (let c = 0; c < columns; c += 1) {
      const own = Float64Array.from({ length: n }, (_, i) => v[i * columns + c] as number)
      const image = reflect(reflect(own).map((value, i) => value * (values[i] as number)))
      image.forEach((value, i) => {
        out[i * columns + c] = value
      })
    }
    return out
  }
  return { product, made: () => products }
}

test('the largest eigenvalues and their vectors', async (t) => {
  const random = new Random(1)
  const values = Array.from({ length: 300 }, (_, j) => 100 / (j + 1) ** 1.5)
  const { product } = withSpectrum(values, random)
  const top = await topEigenvalues(product, 300, { count: 12, tolerance: 1e-9, vectors: true })
  t.is(top.status, 'converged')
  near(t, top.values, values.slice(0, 12), { absolute: 1e-7 })
  for (let j = 0; j < 12; j += 1) {
    const v = top.vectors.slice(j * 300, (j + 1) * 300)
    const image = await product(v, 1)
    const residual = Math.hypot(
      ...image.map((x, i) => x - (top.values[j] as number) * (v[i] as number)),
    )
    t.true(residual < 1e-7)
    near(t, residual, top.residuals[j], { absolute: 1e-7 })
  }
})

test('all eigenvalues of a small matrix, multiple and zero ones among them', async (t) => {
  const values = [5, 5, 5, 2, 1, 0, 0]
  const { product } = withSpectrum(values, new Random(2))
  const top = await topEigenvalues(product, 7, { count: 7, tolerance: 1e-10 })
  near(t, top.values, values, { absolute: 1e-9 })
  const zero = await topEigenvalues(async (v) => v.fill(0), 4, { count: 2 })
  t.deepEqual([...zero.values], [0, 0])
})

test('an iteration limit is told, and an abort rejects', async (t) => {
  const values = Array.from({ length: 200 }, (_, j) => 1 + j / 200)
  const { product } = withSpectrum(values, new Random(3))
  const top = await topEigenvalues(product, 200, { count: 5, maxIterations: 8, tolerance: 1e-12 })
  t.is(top.status, 'iteration limit')
  t.regex(top.advice, /maxIterations/)
  const controller = new AbortController()
  const running = topEigenvalues(
    async (v, columns) => {
      controller.abort()
      return product(v, columns)
    },
    200,
    { signal: controller.signal },
  )
  const error = await running.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  t.is((error as DOMException).name, 'AbortError')
})

test('trace, Frobenius norm and density within their errors', async (t) => {
  const values = Array.from({ length: 400 }, (_, j) => Math.exp(-j / 40))
  const { product } = withSpectrum(values, new Random(4))
  const trace = values.reduce((sum, value) => sum + value, 0)
  const square = values.reduce((sum, value) => sum + value * value, 0)
  const estimate = await estimateTrace(product, 400, { probes: 64 })
  near(t, estimate.trace.value, trace, { absolute: 4 * estimate.trace.error })
  near(t, estimate.squared.value, square, { absolute: 4 * estimate.squared.error })
  t.true(estimate.trace.error < 0.1 * trace)
  const density = await estimateDensity(product, 400, { probes: 16, steps: 30 })
  const total = density.weights.reduce((sum, weight) => sum + weight, 0)
  near(t, total, 400, { absolute: 1e-6 })
  const above = density.sum((value) => (value > 0.5 ? 1 : 0))
  const truth = values.filter((value) => value > 0.5).length
  near(t, above.value, truth, { absolute: 4 * above.error + 1 })
  const logs = density.sum((value) => Math.log(1e-3 + Math.max(value, 0)))
  const exact = values.reduce((sum, value) => sum + Math.log(1e-3 + value), 0)
  near(t, logs.value, exact, { absolute: 4 * logs.error + 1e-3 * Math.abs(exact) })
})

test('Hutch++ is exact for low rank, near for falling spectra, honest for flat ones, at any scale', async (t) => {
  const n = 500
  const low = Array.from({ length: n }, (_, j) => (j < 6 ? 7 - j : 0))
  const falling = Array.from({ length: n }, (_, j) => 1 / (1 + j) ** 2)
  const flat = Array.from({ length: n }, (_, j) => 1 + 0.5 * Math.sin(j))
  for (const values of [low, falling, flat]) {
    const { product, made } = withSpectrum(values, new Random(11))
    const trace = values.reduce((sum, value) => sum + value, 0)
    const square = values.reduce((sum, value) => sum + value * value, 0)
    let beyond = 0
    for (let seed = 1; seed <= 40; seed += 1) {
      const before = made()
      const estimate = await estimateTrace(product, n, { probes: 30, seed })
      t.is(made() - before, 30)
      t.is(estimate.probes, 30)
      const off = Math.abs(estimate.trace.value - trace)
      const tiny = 1e-12 * trace
      if (off > 2.5 * estimate.trace.error + tiny) beyond += 1
      t.true(off < 10 * estimate.trace.error + tiny, `${off} ± ${estimate.trace.error}`)
      near(t, estimate.squared.value, square, {
        absolute: 8 * estimate.squared.error + 1e-10 * square,
      })
      if (values === low) t.true(off < 1e-10 && estimate.trace.error < 1e-10)
      // Random signs alone are off by some ten per cent here.
      if (values === falling) t.true(off < 0.02 * trace)
    }
    // Student's t of nine degrees of freedom: three per cent.
    t.true(beyond <= 5, `${beyond} of 40`)
    const far = await estimateTrace(
      async (v, columns) => (await product(v, columns)).map((x) => x * 1e200),
      n,
      { probes: 30 },
    )
    const close = await estimateTrace(product, n, { probes: 30 })
    near(t, far.trace.value / 1e200, close.trace.value, 1e-12)
    near(t, far.participation, close.participation, 1e-10)
  }
  const { product } = withSpectrum([3, 2, 1, 0.5], new Random(12))
  const whole = await estimateTrace(product, 4, { probes: 40 })
  near(t, whole.trace.value, 6.5, { absolute: 1e-12 })
  t.is(whole.trace.error, 0)
})

test('a network’s kernel as an operator has the spectrum of the kernel', async (t) => {
  const random = new Random(5)
  const network = await load(t, mlp(random, [6, 20, 3]))
  const x = samples(random, [15, 6])
  const kernel = await network.ntk(x)
  const truth = await kernel.eigenvalues()
  const operator = await network.kernelOperator(x)
  t.is(operator.size, 45)
  const { values, status } = await operator.topEigenvalues({ count: 6 })
  t.is(status, 'converged')
  near(t, values, truth.slice(0, 6), { absolute: 1e-5 * (truth[0] as number) })
  const { trace } = await operator.trace({ probes: 64 })
  near(t, trace.value, kernel.trace(), { absolute: 4 * trace.error })
  await t.throwsAsync(operator.product(new Float64Array(3)), { message: /45/ })
})

test('the basis stays orthonormal where eigenvalues span many orders of magnitude', async (t) => {
  const n = 400
  const values = Array.from({ length: n }, (_, j) => 1e6 * 0.9 ** j)
  const { product } = withSpectrum(values, new Random(7))
  const top = await topEigenvalues(product, n, {
    count: 60,
    tolerance: 1e-10,
    maxIterations: 300,
    vectors: true,
  })
  for (let i = 0; i < 60; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let along = 0
      for (let e = 0; e < n; e += 1)
        along += (top.vectors[i * n + e] as number) * (top.vectors[j * n + e] as number)
      near(t, along, i === j ? 1 : 0, { absolute: 1e-10 })
    }
  }
})

test('the basis is the same to the last bit on any number of threads; what is not finite is told', async (t) => {
  const n = 20_000
  const values = Array.from({ length: n }, (_, j) => 1 / (1 + j / 20))
  const { product } = withSpectrum(values, new Random(9))
  const options = { count: 5, maxIterations: 40, vectors: true, tolerance: 1e-12 }
  const one = await topEigenvalues(product, n, { ...options, threads: 1 })
  const two = await topEigenvalues(product, n, { ...options, threads: 2 })
  t.deepEqual(one, two)
  const image = await product(one.vectors.slice(0, n), 1)
  const residual = Math.hypot(
    ...image.map((x, i) => x - (one.values[0] as number) * (one.vectors[i] as number)),
  )
  t.true(residual < 1e-6 && residual > 0)
  const broken = topEigenvalues(async (v) => v.fill(Number.NaN), 4, { count: 2 })
  await t.throwsAsync(broken, { code: 'BAD_INPUT', message: /finite products/ })
})

test('an operator keeps the samples that it was made with', async (t) => {
  const random = new Random(6)
  const network = await load(t, mlp(random, [6, 20, 3]))
  const x = samples(random, [6, 6])
  const { data } = await network.ntk(x)
  const kernel = await network.kernelOperator(x)
  const v = Float64Array.from({ length: kernel.size }, (_, e) => Math.cos(e))
  const before = await kernel.product(v)
  x.data.fill(0)
  t.deepEqual(await kernel.product(v), before)
  const sums = before.map((_, i) =>
    v.reduce((sum, value, j) => sum + (data[i * v.length + j] as number) * value, 0),
  )
  near(t, before, sums, 1e-5)
})

test('an operator’s products do not depend on which forward runs are kept', async (t) => {
  const random = new Random(8)
  const bytes = mlp(random, [6, 40, 40, 3])
  const network = await load(t, bytes)
  const x = samples(random, [50, 6])
  const v = Float64Array.from({ length: 150 }, (_, e) => Math.sin(e))
  const truth = await (await network.kernelOperator(x)).product(v)
  const close = (image: Float64Array) => near(t, image, truth, 1e-5)
  // Some blocks fit, others are run again.
  for (const memory of ['64KiB', '256KiB', '1GiB']) {
    const kernel = await network.kernelOperator(x, { memory, block: 10 })
    for (let k = 0; k < 3; k += 1) close(await kernel.product(v))
  }
  // Other samples, other weights and other calls in between.
  const moved = await network.withParameters(
    new Map(
      network.parameters.map(({ name }) => [name, network.weight(name).data.map((w) => 2 * w)]),
    ),
  )
  const kernel = await network.kernelOperator(x, { block: 20 })
  const others = [
    await network.kernelOperator(samples(random, [50, 6]), { block: 20 }),
    await moved.kernelOperator(x, { block: 20 }),
  ]
  for (const other of others) {
    const before = await other.product(v)
    close(await kernel.product(v))
    t.deepEqual(await other.product(v), before)
    close(await kernel.product(v))
    await network.run(x)
    close(await kernel.product(v))
  }
  await moved.dispose()
  close(await kernel.product(v))
})
