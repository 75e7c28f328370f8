// Leave-one-out by sample against refits, and the factorisation that gives it.
import test from 'ava'
import { KernelFactor, KernelSpectrum, solveKernel } from '../../lib/index.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

/** x xᵀ of rows x (n, p) with falling scales, and targets of few of them with noise. */
function task(samples: number, outputs: number, p: number, seed: number, noise: number) {
  const n = samples * outputs
  const x = gaussians(n * p, seed).map((value, e) => value / (1 + (e % p)))
  const w = gaussians(p, seed + 1000)
  const e = gaussians(n, seed + 2000)
  const k = new Float64Array(n * n)
  const y = new Float64Array(n)
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j < n; j += 1) {
      let sum = 0
      for (let c = 0; c < p; c += 1) sum += (x[i * p + c] as number) * (x[j * p + c] as number)
      k[i * n + j] = sum
    }
    for (let c = 0; c < p; c += 1)
      y[i] = (y[i] as number) + (x[i * p + c] as number) * (w[c] as number)
    y[i] = (y[i] as number) + noise * (e[i] as number)
  }
  return { n, k, y }
}

/** Residuals of each sample's rows by a model of the other samples. */
async function refits(
  k: Float64Array,
  y: Float64Array,
  columns: number,
  outputs: number,
  ridge: number,
) {
  const n = y.length / columns
  const rest = new Float64Array(y.length)
  for (let out = 0; out < n; out += outputs) {
    const keep = Array.from({ length: n }, (_, i) => i).filter((i) => i < out || i >= out + outputs)
    const sub = Float64Array.from(keep.flatMap((i) => keep.map((j) => k[i * n + j] as number)))
    const targets = keep.flatMap((i) => [...y.slice(i * columns, (i + 1) * columns)])
    const { alpha } = await solveKernel(sub, targets, { ridge })
    for (let i = out; i < out + outputs; i += 1) {
      for (let c = 0; c < columns; c += 1) {
        let fit = 0
        keep.forEach((j, at) => {
          fit += (k[i * n + j] as number) * (alpha[at * columns + c] as number)
        })
        rest[i * columns + c] = (y[i * columns + c] as number) - fit
      }
    }
  }
  return rest
}

test('leave-one-out by sample equals refits, for one output and for several, at any ridge', async (t) => {
  for (const [samples, outputs, columns] of [
    [14, 1, 2],
    [9, 3, 1],
    [6, 4, 3],
  ] as const) {
    const { n, k } = task(samples, outputs, 30, 1, 0.1)
    const y = gaussians(n * columns, 5)
    const spectrum = await KernelSpectrum.of({
      data: k,
      shape: [samples, outputs, samples, outputs],
    })
    t.is(spectrum.outputs, outputs)
    for (const ridge of [1e-3, 0.3, 20]) {
      const truth = await refits(k, y, columns, outputs, ridge)
      const factor = await KernelFactor.of(k, ridge, { outputs })
      near(t, await factor.leaveOneOut(y), truth, { absolute: 1e-8 })
      const [errors] = await spectrum.errors(y, [ridge])
      const mean = truth.reduce((sum, e) => sum + e * e, 0) / n
      near(t, errors?.loo, mean, 1e-8)
    }
  }
})

test('one factor: solutions, blocks of the inverse, log-determinant, over several panels', async (t) => {
  const { n, k } = task(130, 3, 500, 2, 0)
  const factor = await KernelFactor.of(k, 0.5, { outputs: 3 })
  const identity = new Float64Array(n * n)
  for (let i = 0; i < n; i += 1) identity[i * n + i] = 1
  const inverse = await factor.solve(identity)
  const blocks = await factor.inverseBlocks()
  t.is(blocks.length, n * 3)
  for (let i = 0; i < n; i += 1) {
    for (let b = 0; b < 3; b += 1) {
      const j = i - (i % 3) + b
      near(t, blocks[i * 3 + b], inverse[i * n + j], { absolute: 1e-12 })
    }
  }
  const { values } = await KernelSpectrum.of(k)
  const logs = values.reduce((sum, value) => sum + Math.log(value + 0.5), 0)
  near(t, factor.logDeterminant, logs, { absolute: 1e-8 })
  t.deepEqual(
    await (await KernelFactor.of(k, 0.5, { outputs: 3, threads: 1 })).inverseBlocks(),
    blocks,
  )
  await t.throwsAsync(KernelFactor.of(new Float64Array([1, 2, 2, 1]), 0.5), { code: 'NUMERICAL' })
  await t.throwsAsync(KernelFactor.of(k, 0.5, { outputs: 4 }), {
    code: 'BAD_ARGUMENT',
    message: /divides/,
  })
})

test('the ridge that is chosen predicts new samples as well as the best, on twenty small sets', async (t) => {
  let [loo, best] = [0, 0]
  let collapsed = 0
  for (let seed = 1; seed <= 20; seed += 1) {
    const outputs = 3
    // Samples from 10 on are new; outputs of one sample share most of their features and noise.
    const { n, k, y } = shared(40, outputs, 60, seed)
    const fit = 10 * outputs
    const sub = Float64Array.from({ length: fit * fit }, (_, e) => {
      return k[Math.floor(e / fit) * n + (e % fit)] as number
    })
    const spectrum = await KernelSpectrum.of(sub, { outputs })
    const held = async (ridge: number) => {
      const alpha = await spectrum.coefficients(y.slice(0, fit), ridge)
      let sum = 0
      for (let i = fit; i < n; i += 1) {
        const value = alpha.reduce((all, a, j) => all + a * (k[i * n + j] as number), 0)
        sum += (value - (y[i] as number)) ** 2
      }
      return sum / (n - fit)
    }
    const choice = await spectrum.chooseRidge(y.slice(0, fit))
    const byGcv = await spectrum.chooseRidge(y.slice(0, fit), { by: 'gcv', precision: 1e-12 })
    const trace = spectrum.values.reduce((sum, value) => sum + value, 0)
    t.true(choice.ridge >= 0.999 * 2 ** -23 * trace)
    if (byGcv.ridge < 1e-9 * trace) collapsed += 1
    loo += Math.log(await held(choice.ridge)) / 20
    const grid = Array.from({ length: 30 }, (_, g) => trace * 10 ** (-7 + 0.3 * g))
    best += Math.log(Math.min(...(await Promise.all(grid.map(held))))) / 20
  }
  t.true(collapsed >= 3, `${collapsed} of 20 collapse by generalised cross-validation`)
  t.true(loo < best + 0.25, `${loo} ${best}`)
})

/** Tasks whose samples have features and noise in common over all of their outputs. */
function shared(samples: number, outputs: number, p: number, seed: number) {
  const n = samples * outputs
  const common = gaussians(samples * p, seed)
  const own = gaussians(n * p, seed + 100)
  const w = gaussians(p, seed + 200)
  const noise = gaussians(samples, seed + 300)
  const x = own.map((value, e) => {
    const [row, c] = [Math.floor(e / p), e % p]
    const share = common[Math.floor(row / outputs) * p + c] as number
    return (share + 0.1 * value) / Math.sqrt(1 + c)
  })
  const k = new Float64Array(n * n)
  for (let i = 0; i < n; i += 1)
    for (let j = 0; j < n; j += 1)
      for (let c = 0; c < p; c += 1)
        k[i * n + j] =
          (k[i * n + j] as number) + (x[i * p + c] as number) * (x[j * p + c] as number)
  const y = Float64Array.from({ length: n }, (_, i) => {
    let sum = noise[Math.floor(i / outputs)] as number
    for (let c = 0; c < p; c += 1) sum += (x[i * p + c] as number) * (w[c] as number)
    return sum
  })
  return { n, k, y }
}

test('the best at an end of the grid is told', async (t) => {
  const { k, y, n } = task(40, 1, 60, 3, 0)
  const spectrum = await KernelSpectrum.of(k)
  const exact = await spectrum.chooseRidge(
    Float64Array.from({ length: n }, (_, i) => k[i] as number),
  )
  t.is(exact.end, 'least')
  t.regex(exact.advice, /precision/)
  const nothing = await spectrum.chooseRidge(gaussians(n, 9))
  t.is(nothing.end, 'largest')
  t.regex(nothing.advice, /predict nothing/)
  const between = await spectrum.chooseRidge(y.map((value, i) => value + Math.sin(7 * i)))
  t.is(between.end, null)
  const solved = await solveKernel(k, y, { ridge: 'loo' })
  t.is(solved.choice?.ridge, solved.ridge)
  await t.throwsAsync(spectrum.chooseRidge(y, { precision: 2 }), { code: 'BAD_ARGUMENT' })
})

test('kernels that are not symmetric, and shapes that are no kernel’s, are refused', async (t) => {
  const wrong = new Float64Array([2, 1, 0.5, 2])
  const bad = { code: 'BAD_INPUT', message: /\(0, 1\) is 1 and entry \(1, 0\) is 0\.5/ }
  await t.throwsAsync(solveKernel(wrong, [1, 2]), bad)
  await t.throwsAsync(solveKernel(wrong, [1, 2], { ridge: 'loo' }), bad)
  await t.throwsAsync(KernelSpectrum.of(wrong), bad)
  await t.throwsAsync(KernelFactor.of(wrong, 1), bad)
  await t.throwsAsync(KernelFactor.of({ data: wrong, shape: [1, 4] }, 1), { message: /N, O, N, O/ })
  // Rounding of float32 is not asymmetry.
  const rounded = new Float64Array([2, 1, 1 + 1e-6, 2])
  t.is((await solveKernel(rounded, [1, 2])).status, 'solved')
})
