import test from 'ava'
import { type AdaptiveOptions, fitFeatures } from '../../lib/fit/adaptive.js'
import { TangentFeatures } from '../../lib/fit/features.js'
import { penaltyOf } from '../../lib/fit/penalty.js'
import { KernelSpectrum } from '../../lib/linear/spectrum.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const n = 18
const shapes = [
  { name: 'a', m: 5, k: 4 },
  { name: 'b', m: 3, k: 6 },
]
const arrays = shapes.map(({ m, k }, b) => gaussians(n * m * k, 20 + b))
const r = gaussians(n, 30).map((value) => 3 * value)

const build = (xs: Float64Array[], samples = n) =>
  TangentFeatures.from(
    samples,
    1,
    shapes.map((shape, b) => ({ ...shape, x: xs[b] as Float64Array })),
  )

const tight: AdaptiveOptions = { tolerance: 1e-14, stationarity: 1e-8 }

test('with M frozen at the identity it is the fixed model to 1e-10', async (t) => {
  const features = await build(arrays)
  for (const ridge of [0, 0.3]) {
    const model = await fitFeatures(features, r, { left: 'none', right: 'none', ridge })
    const spectrum = await KernelSpectrum.of(await features.kernel())
    const alpha = await spectrum.coefficients(r, ridge)
    const b = await features.adjoint(alpha)
    near(t, model.coefficients(), b, { absolute: 1e-10 })
    t.is(model.iterations.length, 1)
  }
})

test('one column at ridge 0: the fixed model for any ω, and a kernel K_0 + c·ŷŷᵀ', async (t) => {
  const m = 30
  const x = gaussians(n * m, 40)
  const test2 = gaussians(7 * m, 41)
  const features = await TangentFeatures.from(n, 1, [{ name: 'v', m, k: 1, x }])
  const others = await TangentFeatures.from(7, 1, [{ name: 'v', m, k: 1, x: test2 }])
  const fixed = await fitFeatures(features, r, { structure: 'fixed', ridge: 0 })
  const expected = await fixed.predict(others)
  for (const options of [
    { left: 2, right: 'none' },
    { left: 1, right: 'none' },
    { left: 0.5, right: 'none' },
    { left: (z: number) => Math.log(z) ** 2, right: 'none' },
  ] as AdaptiveOptions[]) {
    const own = { ...options, ridge: 0, price: { absolute: 1 } }
    const model = await fitFeatures(features, r, own)
    t.is(model.status.name, 'converged')
    near(t, await model.predict(others), expected, { absolute: 1e-9 })
    const z = model.blocks[0]?.stretches[0]?.[0] as number
    t.true(z > 1)
    const parts = await model.decompose(features)
    near(t, parts.kernel, 1, { absolute: 1e-9 })
    t.true(parts.rest < 1e-7)
    // A = I + (z² − 1) u uᵀ, and ⟨X, u⟩ = ŷ/‖B‖.
    const norm2 = (model.blocks[0]?.singularValues[0] as number) ** 2
    near(t, parts.target * norm2, z * z - 1, 1e-8)
    t.true(parts.alignmentAfter > parts.alignmentBefore)
  }
})

test('permuting samples, scaling features, rotating blocks change the answer as they must', async (t) => {
  const features = await build(arrays)
  const options = { ...tight, left: 2, right: 1, ridge: 0.2 } as const
  const model = await fitFeatures(features, r, options)

  const order = Array.from({ length: n }, (_, i) => (i * 7) % n)
  const permute = (x: Float64Array) => {
    const size = x.length / n
    return Float64Array.from(order.flatMap((i) => [...x.slice(i * size, (i + 1) * size)]))
  }
  const permuted = await build(arrays.map(permute))
  const rp = Float64Array.from(order.map((i) => r[i] as number))
  const second = await fitFeatures(permuted, rp, options)
  near(t, second.objective, model.objective, 1e-11)
  near(t, second.coefficients(), model.coefficients(), { absolute: 1e-5 })

  // Rotating a block's rows (X → Q X) rotates B with it; here a signed permutation and a rotation.
  const [c, s] = [Math.cos(0.7), Math.sin(0.7)]
  const { m, k } = shapes[0] as { m: number; k: number }
  const rotate = (x: Float64Array) => {
    const out = x.slice()
    for (let i = 0; i < x.length / (m * k); i++) {
      for (let j = 0; j < k; j++) {
        const at = (row: number) => i * m * k + row * k + j
        out[at(0)] = c * (x[at(0)] as number) - s * (x[at(3)] as number)
        out[at(3)] = s * (x[at(0)] as number) + c * (x[at(3)] as number)
        out[at(1)] = -(x[at(2)] as number)
        out[at(2)] = x[at(1)] as number
      }
    }
    return out
  }
  const rotated = await build([rotate(arrays[0] as Float64Array), arrays[1] as Float64Array])
  const third = await fitFeatures(rotated, r, options)
  near(t, third.objective, model.objective, 1e-11)
  near(t, third.blocks[0]?.b ?? [], rotate(model.blocks[0]?.b as Float64Array), { absolute: 1e-5 })

  // Features c·X with targets c·r: the same B, and the misfit at c² times the price.
  const scaled = await build(arrays.map((x) => x.map((value) => 10 * value)))
  const r10 = r.map((value) => 10 * value)
  const fourth = await fitFeatures(scaled, r10, { ...options, ridge: 20 })
  near(t, fourth.objective, model.objective, 1e-11)
  near(t, fourth.coefficients(), model.coefficients(), { absolute: 1e-5 })
})

test('factors, products of factors and dense features give one answer; several outputs too', async (t) => {
  for (const [samples, outputs, positions, m, k, picked] of [
    [40, 1, 1, 6, 9, false],
    [15, 3, 1, 40, 60, false],
    [12, 2, 2, 30, 40, false],
    [20, 1, 7, 3, 4, false],
    [140, 1, 1, 50, 70, false],
    [150, 1, 2, 12, 60, false],
    [40, 1, 1, 6, 9, true],
    [12, 2, 3, 5, 40, true],
    [20, 1, 7, 3, 4, true],
    [150, 1, 2, 12, 60, true],
  ] as const) {
    const rows = samples * outputs
    const delta = gaussians(rows * positions * m, 50)
    // Rows picked by number have one-hot h.
    const numbers = Int32Array.from(gaussians(samples * positions, 53), (value) =>
      Math.floor(Math.abs(1e3 * value) % k),
    )
    const h = picked
      ? Float64Array.from({ length: numbers.length * k }, (_, e) =>
          numbers[Math.floor(e / k)] === e % k ? 1 : 0,
        )
      : gaussians(samples * positions * k, 51)
    const x = new Float64Array(rows * m * k)
    for (let row = 0; row < rows; row++) {
      const i = Math.floor(row / outputs)
      for (let p = 0; p < positions; p++) {
        for (let a = 0; a < m; a++) {
          for (let b = 0; b < k; b++) {
            x[(row * m + a) * k + b] =
              (x[(row * m + a) * k + b] as number) +
              (delta[(row * positions + p) * m + a] as number) *
                (h[(i * positions + p) * k + b] as number)
          }
        }
      }
    }
    const name = 'block'
    const columns = k % 2 === 0 && !picked ? [k / 2, 2] : [k]
    const factored = await TangentFeatures.from(samples, outputs, [
      { name, m, k, delta, h: picked ? numbers : h, positions, columns },
    ])
    const dense = await TangentFeatures.from(samples, outputs, [{ name, m, k, x, columns }])
    const y = gaussians(rows, 52)
    near(t, await factored.kernel(), await dense.kernel(), { absolute: 1e-8 })
    for (const options of [
      { left: 2, right: 2, ridge: 0.1 },
      { left: 1, right: 'none', ridge: 0.1 },
      { structure: 'diagonal', ridge: 0.1 },
      { structure: 'flat', ridge: 0.1 },
      { structure: 'modes', ridge: 0.1 },
    ] as AdaptiveOptions[]) {
      const few = { ...options, maxIterations: 4 }
      const a = await fitFeatures(factored, y, few)
      const b = await fitFeatures(dense, y, few)
      const label = `${rows} ${positions} ${m}×${k} ${picked} ${JSON.stringify(options)}`
      near(t, a.objective, b.objective, 1e-9, label)
      near(t, a.coefficients(), b.coefficients(), { absolute: 1e-6 }, label)
      // K_M of the model itself, three ways: factored, dense, mixed.
      const ka = await a.kernel(factored)
      const top = Math.max(...ka.data)
      near(t, ka.data, (await b.kernel(dense)).data, { absolute: 1e-4 * top }, label)
      near(t, ka.data, (await a.kernel(factored, dense)).data, { absolute: 1e-4 * top }, label)
    }
  }
})

test('columns out of range, or of several modes, are refused', async (t) => {
  const block = { name: 'b', m: 2, k: 4, delta: gaussians(6, 1), h: Int32Array.of(0, 3, 4) }
  const error = await t.throwsAsync(TangentFeatures.from(3, 1, [block]))
  t.regex(error?.message ?? '', /columns from 0 to 3 for h but received 4/)
  const modes = { ...block, h: Int32Array.of(0, 3, 1), columns: [2, 2] }
  const refused = await t.throwsAsync(TangentFeatures.from(3, 1, [modes]))
  t.regex(refused?.message ?? '', /one mode where h tells columns/)
})

test('the kernel of the last step explains the fit: K_M α = fit for M of the converged B', async (t) => {
  const features = await build(arrays)
  const model = await fitFeatures(features, r, { ...tight, left: 2, right: 2, ridge: 0.3 })
  const kernel = await features.adaptedKernel(features, model.transforms())
  const fit = model.dual.map((_, i) =>
    model.dual.reduce((sum, a, j) => sum + a * (kernel[i * n + j] as number), 0),
  )
  near(t, fit, model.fit, { absolute: 1e-5 })
  // Stationary: B = A (Σ α X) G.
  t.is(model.blocks.length, 2)
  const { value } = penaltyOf(model.blocks[0]?.singularValues ?? [], [2, 2], model.price.value)
  near(
    t,
    value.reduce((sum, v) => sum + v, 0),
    model.blocks[0]?.penalty ?? 0,
    { absolute: 1e-9 },
  )
})

test('results do not depend on threads', async (t) => {
  const features = await build(arrays)
  const one = await fitFeatures(features, r, { ridge: 0.1, threads: 1 })
  const two = await fitFeatures(features, r, { ridge: 0.1, threads: 2 })
  t.deepEqual(one.coefficients(), two.coefficients())
})

test('a function as ω gives what the power gives', async (t) => {
  const features = await build(arrays)
  const square = (z: number) => (z - 1) ** 2
  const power = await fitFeatures(features, r, { left: 2, right: 'none', ridge: 0.2 })
  const custom = await fitFeatures(features, r, { left: square, right: 'none', ridge: 0.2 })
  near(t, custom.objective, power.objective, 1e-9)
  const both = await fitFeatures(features, r, { left: square, right: 1, ridge: 0.2 })
  const powers = await fitFeatures(features, r, { left: 2, right: 1, ridge: 0.2 })
  near(t, both.objective, powers.objective, 1e-9)
})

test('any subset of blocks adapts', async (t) => {
  const features = await build(arrays)
  const all = await fitFeatures(features, r, { ridge: 0.1 })
  const some = await fitFeatures(features, r, {
    ridge: 0.1,
    perBlock: { b: { structure: 'fixed' } },
  })
  const none = await fitFeatures(features, r, { ridge: 0.1, structure: 'fixed' })
  t.true(all.objective < some.objective && some.objective < none.objective)
  t.is(
    some.blocks[1]?.transforms.every(({ z }) => z.length === 0),
    true,
  )
})
