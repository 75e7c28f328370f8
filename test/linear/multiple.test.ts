// Multiple eigenvalues, clusters, deficient ranks and extreme scales, from products alone.
import test from 'ava'
import { topEigenvalues } from '../../lib/index.js'
import { native } from '../../lib/native/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { gaussians, Random } from '../support/random.js'

/** Products with Q diag(values) Qᵀ for a random orthogonal Q of three reflections. */
function withSpectrum(values: readonly number[], seed: number) {
  const n = values.length
  const mirrors = [0, 1, 2].map((k) => gaussians(n, 10 * seed + k))
  const reflect = (v: Float64Array, w: Float64Array) => {
    const square = w.reduce((sum, x) => sum + x * x, 0)
    const along = v.reduce((sum, x, i) => sum + x * (w[i] as number), 0)
    return v.map((x, i) => x - (2 * along * (w[i] as number)) / square)
  }
  return async (v: Float64Array, columns: number) => {
    const out = new Float64Array(v.length)
    for (let c = 0; c < columns; c += 1) {
      let own = Float64Array.from({ length: n }, (_, i) => v[i * columns + c] as number)
      for (const w of mirrors) own = reflect(own, w)
      own = own.map((x, i) => x * (values[i] as number))
      for (const w of mirrors.toReversed()) own = reflect(own, w)
      own.forEach((x, i) => {
        out[i * columns + c] = x
      })
    }
    return out
  }
}

const repeated = (...pairs: [number, number][]) =>
  pairs.flatMap(([value, times]) => Array.from({ length: times }, () => value))

const falling = (n: number, from: number) =>
  Array.from({ length: n }, (_, j) => from / (1 + j / 20) ** 2)

const spectra: { name: string; values: number[]; count: number; tolerance?: number }[] = [
  { name: 'two multiplicities', values: [10, 10, 10, 5, 5, ...repeated([1, 40])], count: 6 },
  { name: 'the same, large', values: [10, 10, 10, 5, 5, ...falling(1500, 1)], count: 6 },
  { name: 'tenfold', values: [...repeated([9, 10], [4, 10]), ...falling(980, 1)], count: 20 },
  { name: 'sixty of one', values: [...repeated([6, 60]), ...falling(500, 1)], count: 50 },
  { name: 'copies in the middle', values: [9, 8, 7, 7, 7, 6, 5, 5, ...falling(900, 2)], count: 10 },
  { name: 'identity', values: repeated([1, 700]), count: 12 },
  { name: 'zero', values: repeated([0, 300]), count: 5 },
  { name: 'rank 7, 12 asked for', values: [5, 5, 4, 3, 3, 3, 1, ...repeated([0, 400])], count: 12 },
  { name: 'all of a deficient one', values: [5, 5, 2, ...repeated([0, 37])], count: 40 },
  { name: 'all', values: falling(60, 1), count: 60, tolerance: 1e-9 },
  {
    name: 'close together',
    values: [3, 3 - 1e-7, 3 - 2e-7, 2, 2 - 1e-9, ...falling(600, 1)],
    count: 8,
    tolerance: 1e-9,
  },
  { name: 'a plateau below', values: [7, 6, ...repeated([5, 30]), ...falling(800, 4)], count: 9 },
]

for (const { name, values, count, tolerance = 1e-7 } of spectra) {
  test(`${name}: what a decomposition of the whole matrix gives`, async (t) => {
    const n = values.length
    const sorted = values.toSorted((a, b) => b - a)
    const top = sorted[0] as number
    for (const seed of [1, 2, 3]) {
      const product = withSpectrum(values, seed)
      const options = { count, tolerance, seed, vectors: true, maxIterations: n }
      const found = await topEigenvalues(product, n, options)
      t.is(found.status, 'converged')
      t.is(found.values.length, count)
      near(t, found.values, sorted.slice(0, count), { absolute: tolerance * top }, `seed ${seed}`)
      for (let j = 0; j < count; j += 1) {
        t.true((found.residuals[j] as number) <= tolerance * top)
        const v = found.vectors.slice(j * n, (j + 1) * n)
        const image = await product(v, 1)
        const rest = image.map((x, i) => x - (found.values[j] as number) * (v[i] as number))
        const own = found.residuals[j] as number
        t.true(Math.hypot(...rest) <= own + 1e-12 * top, `${Math.hypot(...rest)} ${own}`)
      }
    }
  })
}

test('random multiplicities at loose tolerances: none is missing from a list that is called converged', async (t) => {
  const random = new Random(8)
  const uniform = () => 0.5 + Math.atan(random.normal()) / Math.PI
  let converged = 0
  for (let trial = 0; trial < 40; trial += 1) {
    const values: number[] = []
    for (let j = 1; values.length < 900; j += 1) {
      const value = (0.5 + uniform()) / j
      do values.push(value)
      while (uniform() < 0.3 && values.length < 900)
    }
    const sorted = values.toSorted((a, b) => b - a)
    const bound = 1e-4 * (sorted[0] as number)
    // The random vectors know nothing of the axes.
    const product = async (v: Float64Array, columns: number) =>
      v.map((x, e) => x * (values[Math.floor(e / columns)] as number))
    const found = await topEigenvalues(product, 900, { count: 15, tolerance: 1e-4, seed: trial })
    if (found.status !== 'converged') continue
    converged += 1
    near(t, found.values, sorted.slice(0, 15), { absolute: bound }, `trial ${trial}`)
  }
  t.true(converged > 35, `${converged}`)
})

test('the last layer: every eigenvalue of G once for each output', async (t) => {
  const random = new Random(3)
  for (const [n, count] of [
    [12, 10],
    [12, 120],
    [60, 25],
  ] as const) {
    const network = await load(t, mlp(random, [20, 10]))
    // Duplicates of six samples among others.
    const x = samples(random, [n, 20])
    if (n === 60)
      for (let i = 6; i < 60; i += 1) x.data.copyWithin(i * 20, (i % 6) * 20, (i % 6) * 20 + 20)
    const truth = await (await network.ntk(x)).eigenvalues()
    const operator = await network.kernelOperator(x)
    const { values, status } = await operator.topEigenvalues({ count })
    t.is(status, 'converged')
    for (let j = 0; j < count; j += 1) {
      const off = Math.abs((values[j] as number) - (truth[j] as number))
      t.true(off <= 2e-5 * (truth[0] as number), `${n} ${j}: ${values[j]} ${truth[j]}`)
    }
  }
})

test('the scale of a kernel changes nothing but the scale', async (t) => {
  const values = [10, 10, 10, 5, 5, ...falling(200, 1)]
  const product = withSpectrum(values, 4)
  const plain = await topEigenvalues(product, 205, { count: 7, tolerance: 1e-8 })
  for (const factor of [1e200, 1e-200, 1e300, 1e-290]) {
    const scaled = async (v: Float64Array, columns: number) =>
      (await product(v, columns)).map((x) => x * factor)
    const found = await topEigenvalues(scaled, 205, { count: 7, tolerance: 1e-8 })
    t.is(found.status, 'converged')
    found.values.forEach((value, j) => {
      near(t, value / factor, plain.values[j], { absolute: 1e-7 })
      t.true((found.residuals[j] as number) / factor < 1e-7)
      t.true((found.residuals[j] as number) > 0)
    })
  }
})

test('products near the ends of float32’s range', async (t) => {
  // Without its bias the kernel of a linear layer is that of its inputs: known in float64.
  const x = samples(new Random(5), [15, 6])
  const network = await load(t, mlp(new Random(6), [6, 3], { bias: false }))
  for (const factor of [1, 4e18, 1e-21]) {
    const far = { data: x.data.map((value) => value * factor), shape: x.shape }
    const gram = new Float32Array(15 * 15)
    for (let i = 0; i < 15; i += 1)
      for (let j = 0; j < 15; j += 1)
        for (let e = 0; e < 6; e += 1)
          gram[i * 15 + j] =
            (gram[i * 15 + j] as number) +
            (x.data[i * 6 + e] as number) * (x.data[j * 6 + e] as number)
    const { values: truth } = await native.createSpectrum(gram, 15, false)
    const operator = await network.kernelOperator(far)
    const { values, status, residuals } = await operator.topEigenvalues({ count: 12 })
    t.is(status, 'converged', `${factor}`)
    for (let j = 0; j < 12; j += 1) {
      const scaled = (values[j] as number) / factor / factor
      const expected = truth[Math.floor(j / 3)] as number
      near(
        t,
        scaled,
        expected,
        { absolute: 1e-4 * (truth[0] as number) },
        `${factor} ${j} ${scaled}`,
      )
      t.true((residuals[j] as number) <= 1e-5 * (values[0] as number))
    }
  }
})

test('products that are not those of a symmetric matrix are refused', async (t) => {
  const shifted = async (v: Float64Array, columns: number) =>
    v.map((_, e) => v[(e + columns) % v.length] as number)
  await t.throwsAsync(topEigenvalues(shifted, 30, { count: 3 }), {
    code: 'BAD_INPUT',
    message: /symmetric/,
  })
  await t.throwsAsync(
    topEigenvalues(async (v) => v.slice(1), 30),
    {
      code: 'BAD_ARGUMENT',
      message: /30 numbers/,
    },
  )
})
