import { readFile } from 'node:fs/promises'
import test from 'ava'
import { fitCoordinates } from '../../lib/fit/coordinates.js'
import { fitEigenvalues } from '../../lib/fit/eigenvalues.js'
import { fitSequence } from '../../lib/fit/sequence.js'
import { KernelSpectrum } from '../../lib/linear/spectrum.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

/** Integrated by SciPy in all factors; test/data/make_flows.py. */
const references = JSON.parse(await readFile('test/data/flows.json', 'utf8')) as {
  /** depth, b_0, λ, z, t; θ, (a b^D)², ∂θ/∂z. */
  sequence: number[][]
  e: number[]
  lambda: number[]
  y: number[]
  samples: [number, number, number[], number[]][]
}
const raw = { kernel: 1, target: 1 }

/** D = 0 in closed form: θ = (λ/2) sinh 2φ with w = e^{2φ} of a Riccati equation. */
function closedForm(lambda: number, z: number, time: number): number {
  const root = Math.sqrt(4 * z * z + lambda * lambda)
  const [plus, minus] = [(2 * z + root) / lambda, (2 * z - root) / lambda]
  // (w − w₊)/(w − w₋) decays at the rate `root` from w(0) = 1.
  const q = ((1 - plus) / (1 - minus)) * Math.exp(-root * time)
  const w = (plus - q * minus) / (1 - q)
  return (lambda / 4) * (w - 1 / w)
}

test('the flows are those of all factors, and the risk has their derivative', async (t) => {
  const epsilon = 0.3
  for (const [
    depth = 0,
    start,
    lambda,
    z = 0,
    time,
    theta,
    value,
    slope = 0,
  ] of references.sequence) {
    const options = { depth, start, time, scales: raw }
    const found = await fitSequence([lambda as number], [z], epsilon, options)
    const what = `${depth} ${lambda} ${z} ${time}`
    near(t, found.theta[0], theta, { absolute: 2e-8 * Math.abs(z) }, what)
    near(t, found.eigenvalues[0], value, { absolute: 1e-7 * (value as number) }, what)
    const risk = (z - (theta as number)) ** 2 + epsilon ** 2 * (2 * slope - 1)
    near(t, found.risk, risk, { absolute: 1e-7 * epsilon ** 2 * (1 + slope) }, what)
    t.true(found.drift < 1e-9)
  }
})

test('depth 0 follows its closed form', async (t) => {
  const [lambda, z] = [
    [1, 0.3, 1e-2, 1e-4],
    [0.7, -0.4, 0.9, 0.05],
  ]
  for (const time of [0.1, 1, 5, 300]) {
    const { theta } = await fitSequence(lambda, z, 0.1, { depth: 0, time, scales: raw })
    lambda.forEach((value, j) => {
      const expected = closedForm(value, z[j] as number, time)
      near(t, theta[j], expected, { absolute: 1e-8 }, `${time} ${j}`)
    })
  }
})

test('the limit of every flow is z where there is an eigenvalue, and 0 elsewhere', async (t) => {
  const lambda = [1, 1e-12, 0, 0.5]
  const z = [0.7, -3, 2, 0]
  for (const depth of ['fixed', 0, 1, 4] as const) {
    const limit = await fitSequence(lambda, z, 0.1, { depth, time: Number.POSITIVE_INFINITY })
    near(t, limit.theta, [0.7, -3, 0, 0], { absolute: 1e-12 }, `${depth}`)
    near(t, limit.risk, 0.01 * (3 - 1) + 4, 1e-12)
    // So is a time that is merely very long.
    const late = await fitSequence(lambda, z, 0.1, { depth, time: 1e200 })
    near(t, late.theta, limit.theta, { absolute: 1e-12 }, `${depth}`)
    near(t, late.eigenvalues, limit.eigenvalues, 1e-9)
    t.false([...limit.theta, ...limit.eigenvalues].some(Number.isNaN))
  }
  // A learned eigenvalue solves θ = root·β, root² = λ + β² at depth 0 (scales: 1 and 3).
  const { eigenvalues } = await fitSequence(lambda, z, 0.1, { time: Number.POSITIVE_INFINITY })
  const square = (0.7 / 3) ** 2
  near(t, eigenvalues[0], (1 + Math.sqrt(1 + 4 * square)) / 2, 1e-10)
})

test('in other units the fit is the same', async (t) => {
  const lambda = Array.from({ length: 60 }, (_, j) => (j + 1) ** -1.5)
  const noise = gaussians(60, 5)
  const z = lambda.map((_, j) => (j % 7 === 3 ? 1 : 0) + 0.1 * (noise[j] as number))
  for (const depth of ['fixed', 0, 2] as const) {
    for (const time of depth === 'fixed' ? (['risk'] as const) : (['risk', 'rate'] as const)) {
      const one = await fitSequence(lambda, z, 0.1, { depth, time })
      const [a, s] = [1e-5, 300]
      const other = await fitSequence(
        lambda.map((value) => a * value),
        z.map((value) => s * value),
        0.1 * s,
        { depth, time },
      )
      const scaled = one.theta.map((value) => s * value)
      near(t, other.theta, scaled, { absolute: 1e-8 * s }, `${depth} ${time}`)
      near(t, other.risk, one.risk * s * s, 1e-6)
      const eigenvalues = one.eigenvalues.map((value) => a * value)
      near(t, other.eigenvalues, eigenvalues, { absolute: 1e-8 * a })
    }
  }
})

test('the estimated risk is right on average, and its least is nearly the least error', async (t) => {
  const count = 160
  const lambda = Array.from({ length: count }, (_, j) => (j + 1) ** -1.5)
  const truth: number[] = lambda.map((_, j) => (j % 20 === 11 && j < 150 ? 0.6 : 0))
  const epsilon = 0.1
  for (const depth of ['fixed', 0, 1, 3] as const) {
    let [chosen, best] = [0, 0]
    const off: number[] = []
    const late = depth === 'fixed' ? 100 : 12 / epsilon ** (depth / (depth + 2))
    for (let seed = 1; seed <= 12; seed++) {
      const noise = gaussians(count, seed)
      const z = truth.map((value, j) => value + epsilon * (noise[j] as number))
      const error = ({ theta }: { theta: Float64Array }) =>
        truth.reduce((sum, value, j) => sum + (value - (theta[j] as number)) ** 2, 0)
      const given = await fitSequence(lambda, z, epsilon, { depth, time: late, scales: raw })
      off.push(given.risk - error(given))
      const own = await fitSequence(lambda, z, epsilon, { depth })
      chosen += error(own)
      const errors = []
      for (const factor of [0.3, 0.55, 0.75, 1, 1.3, 1.8, 3]) {
        const { time } = own
        errors.push(error(await fitSequence(lambda, z, epsilon, { depth, time: time * factor })))
      }
      best += Math.min(...errors)
    }
    const mean = off.reduce((sum, value) => sum + value, 0) / off.length
    const square = off.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (off.length - 1)
    const deviation = Math.sqrt(square / off.length)
    t.true(Math.abs(mean) < 4 * deviation, `${depth}: ${mean} ± ${deviation}`)
    // Half of what leaving the derivative out would make of it.
    t.true(deviation < 0.25, `${depth}: ${deviation}`)
    // The estimate is the noisier the sharper the flow tells signal from noise.
    const factor = depth === 'fixed' || depth === 0 ? 1.15 : 1.8
    t.true(chosen < factor * best, `${depth}: ${chosen} against ${best}`)
  }
})

test('threads change nothing', async (t) => {
  const noise = gaussians(500, 8)
  const lambda = Array.from({ length: 500 }, (_, j) => (j + 1) ** -1.5)
  const z = lambda.map((_, j) => (j % 50 === 30 ? 1 : 0) + 0.1 * (noise[j] as number))
  const { e, lambda: few, y } = references
  const functions = { data: Float64Array.from(e), shape: [y.length, few.length] }
  for (const depth of [0, 2]) {
    const [one, two] = await Promise.all(
      [1, 2].map((threads) => fitSequence(lambda, z, 0.1, { depth, threads })),
    )
    t.deepEqual(one?.theta, two?.theta)
    t.is(one?.time, two?.time)
    const [a, b] = await Promise.all(
      [1, 2].map((threads) => fitCoordinates(functions, few, y, { depth, noise: 0.1, threads })),
    )
    t.deepEqual(a?.heldOut?.errors, b?.heldOut?.errors)
    near(t, a?.theta ?? [], b?.theta ?? [], 1e-9)
    const there = { depth, noise: 0.1, device: 'emulated' } as const
    const c = await fitCoordinates(functions, few, y, there)
    t.is(a?.time, c.time)
    near(t, c.theta, a?.theta ?? [], 1e-6)
  }
})

test('on samples: the coupled flows are those of all factors', async (t) => {
  const { e, lambda, y, samples } = references
  const functions = { data: Float64Array.from(e), shape: [y.length, lambda.length] }
  const cases = (['cpu', 'emulated'] as const).flatMap((device) =>
    samples.map((each) => [device, ...each] as const),
  )
  for (const [device, depth, time, theta, values] of cases) {
    const options = { depth, time, start: 0.5, scales: raw, device }
    const found = await fitCoordinates(functions, lambda, y, options)
    near(t, found.theta, theta, { absolute: 1e-7 }, `${depth} ${time}`)
    near(t, found.eigenvalues, values, { absolute: 1e-7 }, `${depth} ${time}`)
    const fit = y.map((_, i) =>
      theta.reduce((sum, value, j) => sum + value * (e[i * lambda.length + j] as number), 0),
    )
    near(t, found.fit, fit, { absolute: 1e-6 })
    t.is(found.heldOut, null)
  }
})

test('orthonormal coordinates are not coupled: the sequence model', async (t) => {
  const n = 16
  // √2 cos(πj(i + ½)/n) and 1 are orthonormal over the samples.
  const e = Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n]
    return j === 0 ? 1 : Math.SQRT2 * Math.cos((Math.PI * j * (i + 0.5)) / n)
  })
  const lambda = Array.from({ length: n }, (_, j) => (j + 1) ** -2)
  const y = gaussians(n, 4)
  const z = lambda.map((_, j) => y.reduce((sum, v, i) => sum + v * (e[i * n + j] as number), 0) / n)
  for (const depth of ['fixed', 0, 2] as const) {
    const options = { depth, start: 0.7, time: 5, scales: raw }
    const functions = { data: e, shape: [n, n] }
    const coupled = await fitCoordinates(functions, lambda, y, options)
    const alone = await fitSequence(lambda, z, 1, options)
    near(t, coupled.theta, alone.theta, { absolute: 1e-7 }, `${depth}`)
  }
  // The eigenbasis of a kernel with these eigenfunctions is the same basis.
  const k = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let l = 0; l < n; l++) {
      lambda.forEach((value, j) => {
        k[i * n + l] =
          (k[i * n + l] as number) + value * (e[i * n + j] as number) * (e[l * n + j] as number)
      })
    }
  }
  const spectrum = await KernelSpectrum.of(k)
  const options = { depth: 1, start: 0.7, time: 5, scales: raw }
  const own = await fitEigenvalues(spectrum, y, 0.5, options)
  const functions = await spectrum.eigenfunctions({ data: k, shape: [n, n] }, n)
  near(t, functions.data.map(Math.abs), e.map(Math.abs), { absolute: 1e-9 })
  // Unless told otherwise, a quarter of them.
  t.deepEqual((await spectrum.eigenfunctions({ data: k, shape: [n, n] })).shape, [n, n / 4])
  const values = spectrum.values.map((value) => value / n)
  const again = await fitCoordinates(functions, values, y, options)
  near(t, again.fit, own.fit, { absolute: 1e-7 })
})

test('a target in few high eigenfunctions: known coordinates learn it, the samples’ own do not', async (t) => {
  const [n, m, sigma] = [100, 80, 0.3]
  const place = gaussians(n, 9).map((value) => 0.5 + 0.5 * Math.tanh(value))
  const features = (x: ArrayLike<number>) =>
    Float64Array.from({ length: x.length * m }, (_, at) => {
      const i = Math.floor(at / m)
      return Math.SQRT2 * Math.cos(Math.PI * ((at % m) + 1) * (x[i] as number))
    })
  const lambda = Float64Array.from({ length: m }, (_, j) => (j + 1) ** -2)
  const noise = gaussians(n, 10)
  const target = (x: number) =>
    Math.SQRT2 * (Math.cos(30 * Math.PI * x) + 0.8 * Math.cos(45 * Math.PI * x))
  const y = Float64Array.from(place, (x, i) => target(x) + sigma * (noise[i] as number))
  const functions = { data: features(place), shape: [n, m] }
  const fit = await fitCoordinates(functions, lambda, y)
  const fixed = await fitCoordinates(functions, lambda, y, { depth: 'fixed' })
  const error = ({ theta }: { theta: Float64Array }) =>
    theta.reduce((sum, v, j) => sum + (v - (j === 29 ? 1 : j === 44 ? 0.8 : 0)) ** 2, 0)
  t.true(error(fit) < 0.05, `${error(fit)}`)
  t.true(error(fixed) > 5 * error(fit), `${error(fixed)}`)
  // The error left out is that of new samples, with their noise.
  const least = Math.min(...(fit.heldOut?.errors ?? []))
  t.true(least > 0.5 * sigma ** 2 && least < 2.5 * sigma ** 2, `${least}`)
  // In other units it is the same fit.
  const other = await fitCoordinates(
    functions,
    lambda.map((value) => 1e4 * value),
    y.map((value) => 1e-3 * value),
  )
  near(
    t,
    other.theta,
    fit.theta.map((value) => 1e-3 * value),
    { absolute: 1e-8 },
  )
})

test('bad coordinates say what was expected', async (t) => {
  const functions = { data: Float64Array.of(1, 0, 0, 1), shape: [2, 2] }
  const bad = { code: 'BAD_ARGUMENT' }
  await t.throwsAsync(fitCoordinates(functions, [1], [1, 2]), bad)
  await t.throwsAsync(fitCoordinates(functions, [1, 1], [1, 2], { depth: 1, time: 1 }), {
    ...bad,
    message: /options\.noise/,
  })
  await t.throwsAsync(fitCoordinates(functions, [1, 1], [1, 2], { time: Infinity }), bad)
  await t.throwsAsync(fitCoordinates(functions, [1, 1], [1, 2], { folds: 3 }), bad)
  await t.throwsAsync(fitCoordinates(functions, [1, -1], [1, 2]), bad)
  await t.throwsAsync(fitCoordinates(functions, [1, 1], [1, 2], { memory: 64 }), {
    code: 'MEMORY_BUDGET',
    message: /functions would fit/,
  })
  const broken = { data: Float64Array.of(1, 0, 0, NaN), shape: [2, 2] }
  await t.throwsAsync(fitCoordinates(broken, [1, 1], [1, 2], { folds: 2 }), { code: 'BAD_INPUT' })
})
