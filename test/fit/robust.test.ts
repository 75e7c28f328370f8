import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type AdaptiveOptions, fitFeatures } from '../../lib/fit/adaptive.js'
import { TangentFeatures } from '../../lib/fit/features.js'
import { AdaptiveModel } from '../../lib/fit/model.js'
import { NetworkModel } from '../../lib/fit/network.js'
import { crossValidate, fitPath } from '../../lib/fit/path.js'
import { decodeModel, encodeModel, loadModel, saveModel } from '../../lib/fit/storage.js'
import { decodeSafetensors, encodeSafetensors } from '../../lib/io/index.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'
import { load, targets } from './synthetic.js'

const shape = { name: 'a', m: 6, k: 5 }
const rows = (count: number, seed: number) => gaussians(count * 30, seed)
const from = (x: Float64Array, count: number) => TangentFeatures.from(count, 1, [{ ...shape, x }])

/** x with its last sample a copy of the first. */
function duplicated(count: number): Float64Array {
  const x = rows(count, 1)
  x.copyWithin((count - 1) * 30, 0, 30)
  return x
}

test('duplicated samples at ridge 0: consistent ones are one, contradictory ones are refused', async (t) => {
  const features = await from(duplicated(12), 12)
  const r = gaussians(12, 2)
  r[11] = r[0] as number
  const exact = { ridge: 0, price: { absolute: 1 } }
  const model = await fitFeatures(features, r, exact)
  t.is(model.status.name, 'converged')
  t.is(model.redundant, 1)
  near(t, model.fit, r, { absolute: 1e-8 })
  const eleven = await from(duplicated(12).slice(0, 330), 11)
  const without = await fitFeatures(eleven, r.slice(0, 11), exact)
  near(t, without.objective, model.objective, 1e-8)

  r[11] = (r[0] as number) + 1
  const error = await t.throwsAsync(fitFeatures(features, r, { ridge: 0 }), { code: 'NUMERICAL' })
  t.regex(error?.message ?? '', /impossible.*rank 11.*ridge of at least/)
})

test('the least ridge that a contradiction needs gives the model of its mean', async (t) => {
  for (const [gap, scale] of [
    [1, 1],
    [1e-3, 1],
    [1, 100],
    [0.01, 100],
    [30, 1],
  ] as const) {
    const x = duplicated(12).map((value) => value * scale)
    const r = gaussians(12, 2)
    r[11] = (r[0] as number) + gap
    const error = await t.throwsAsync(fitFeatures(await from(x, 12), r, { ridge: 0 }))
    const least = Number(/at least ([\d.e+-]+)$/.exec(error?.message ?? '')?.[1])
    const works = await fitFeatures(await from(x, 12), r, { ridge: least })
    t.true(['converged', 'stalled'].includes(works.status.name))
    // The limit of small ridges interpolates the two targets' mean exactly.
    const mean = r.slice(0, 11)
    mean[0] = (r[0] as number) + gap / 2
    const limit = await fitFeatures(await from(x.slice(0, 330), 11), mean, { ridge: 0 })
    near(t, works.penalty, limit.penalty, 1e-2, `${gap} ${scale}`)
    near(t, works.misfit, gap * gap * 0.5, 1e-2)
  }
})

test('more rows than numbers: rank-deficient features', async (t) => {
  const features = await from(rows(40, 3), 40)
  const r = gaussians(40, 4)
  const error = await t.throwsAsync(fitFeatures(features, r, { ridge: 0 }), { code: 'NUMERICAL' })
  t.regex(error?.message ?? '', /rank 30/)
  const model = await fitFeatures(features, r, { ridge: 1e-2 })
  t.is(model.status.name, 'converged')
  // Targets that the features can produce are interpolated all the same.
  const b = gaussians(30, 5)
  const exact = await fitFeatures(features, await features.apply(b), { ridge: 0 })
  t.is(exact.redundant, 10)
  t.true(exact.misfit < 1e-12)
})

test('one sample, and nothing to fit', async (t) => {
  const one = await fitFeatures(await from(rows(1, 6), 1), [2], { ridge: 0 })
  t.is(one.status.name, 'converged')
  near(t, one.fit[0], 2, { absolute: 1e-10 })
  for (const ridge of [0, 0.1]) {
    const nothing = await fitFeatures(await from(rows(7, 7), 7), new Float64Array(7), { ridge })
    t.is(nothing.status.name, 'converged')
    t.is(nothing.objective, 0)
    t.true(nothing.coefficients().every((value) => value === 0))
    t.is(nothing.blocks[0]?.effectiveRank, 0)
  }
})

test('what is wrong with an argument is said', async (t) => {
  const features = await from(rows(5, 8), 5)
  const r = gaussians(5, 9)
  const refused = async (options: AdaptiveOptions, message: RegExp) => {
    const error = await t.throwsAsync(fitFeatures(features, r, options), { code: 'BAD_ARGUMENT' })
    t.regex(error?.message ?? '', message)
  }
  await refused({ ridge: -1 }, /number ≥ 0 for options.ridge/)
  await refused({ ridge: Number.NaN }, /options.ridge/)
  await refused({ left: (z) => z }, /ω\(1\) = 0.*left/)
  await refused({ left: (z) => 1 - z }, /nowhere negative/)
  await refused({ left: 0 }, /positive power/)
  await refused({ structure: 'round' as never }, /one of matrix/)
  await refused({ perBlock: { b: {} } }, /names of blocks \(a\)/)
  await refused({ maxIterations: 0 }, /maxIterations/)
  await t.throwsAsync(fitFeatures(features, [1, 2]), { code: 'BAD_ARGUMENT' })
  const nan = await t.throwsAsync(fitFeatures(features, [1, 2, Number.NaN, 4, 5]), {
    code: 'BAD_INPUT',
  })
  t.regex(nan?.message ?? '', /row 2/)
  const broken = rows(5, 8)
  broken[70] = Number.NaN
  await t.throwsAsync(fitFeatures(await from(broken, 5), r), { code: 'BAD_INPUT' })
  await t.throwsAsync(TangentFeatures.from(5, 1, [{ ...shape, x: new Float64Array(149) }]), {
    code: 'BAD_ARGUMENT',
  })
})

test('a penalty function that throws ends the fit with its message', async (t) => {
  const features = await from(rows(5, 8), 5)
  let calls = 0
  const omega = (z: number) => {
    calls += 1
    if (calls > 2000) throw new Error('no value here')
    return (z - 1) ** 2
  }
  const error = await t.throwsAsync(
    fitFeatures(features, [3, 1, -2, 4, 5], { left: omega, right: 'none' }),
  )
  t.regex(error?.message ?? '', /no value here/)
})

test('a kernel beyond the memory budget names what it needs and which route fits', async (t) => {
  const features = await from(rows(600, 10), 600)
  const error = await t.throwsAsync(fitFeatures(features, gaussians(600, 11), { memory: '1MiB' }), {
    code: 'MEMORY_BUDGET',
  })
  t.regex(
    error?.message ?? '',
    /600 rows.*MiB.*\(solver: 'products'\).*need [\d.]+ [KM]iB, too much/,
  )
  // The route that fits, with what it needs: and it does fit.
  const small = fitFeatures(features, gaussians(600, 11), { memory: '3MiB' })
  const { message } = (await t.throwsAsync(small, { code: 'MEMORY_BUDGET' })) as Error
  const [, products] = /no kernel, need ([\d.]+ [KM]iB) and fit$/.exec(message) ?? []
  const by = { memory: products ?? '', solver: 'products', ridge: 1, maxIterations: 3 } as const
  t.is((await fitFeatures(features, gaussians(600, 11), by)).iterations.length, 3)
  const [, needed] = error?.message.match(/need ([\d.]+) MiB/) ?? []
  const fits = await fitFeatures(features, gaussians(600, 11), { memory: `${needed}MiB`, ridge: 1 })
  t.is(fits.status.name, 'converged')
  await t.throwsAsync(
    fitFeatures(features, gaussians(600, 11), { memory: `${Number(needed) - 0.2}MiB` }),
    { code: 'MEMORY_BUDGET' },
  )
})

test('exact interpolation counts the copy of the kernel that redundant rows take', async (t) => {
  const features = await from(rows(600, 10), 600)
  const needed = async (ridge: number) => {
    const fit = fitFeatures(features, gaussians(600, 11), { memory: '1MiB', ridge })
    const { message } = (await t.throwsAsync(fit, { code: 'MEMORY_BUDGET' })) as Error
    return Number(message.match(/need ([\d.]+) MiB/)?.[1])
  }
  // 600² doubles are 2.7 MiB.
  const more = (await needed(0)) - (await needed(1))
  t.true(Math.abs(more - (600 ** 2 * 8) / 2 ** 20) < 0.2, `${more} MiB`)
})

test('by products: the same optimum as with the kernel, within a budget that holds no kernel', async (t) => {
  const samples = 700
  const features = await from(rows(samples, 12), samples)
  const y = gaussians(samples, 13)
  const options = { ridge: 0.1, tolerance: 1e-10, stationarity: 1e-5 }
  const by = await fitFeatures(features, y, options)
  const memory = 3 * 2 ** 20
  await t.throwsAsync(fitFeatures(features, y, { ...options, memory }), { code: 'MEMORY_BUDGET' })
  const model = await fitFeatures(features, y, { ...options, memory, solver: 'products' })
  t.is(model.status.name, 'converged')
  near(t, model.objective, by.objective, 1e-8)
  near(t, model.fit, by.fit, { absolute: 1e-4 })
  await t.throwsAsync(fitFeatures(features, y, { ridge: 0, solver: 'products' }), {
    code: 'BAD_ARGUMENT',
  })
})

test('three modes: monotone, stationary, no worse than the matrix with a fixed mode more', async (t) => {
  const [m, inputs, positions, n] = [5, 3, 4, 20]
  const features = await TangentFeatures.from(n, 1, [
    { name: 'c', m, k: inputs * positions, columns: [inputs, positions], x: gaussians(n * 60, 14) },
  ])
  const r = gaussians(n, 15).map((value) => 3 * value)
  const model = await fitFeatures(features, r, { structure: 'modes', ridge: 0.1 })
  t.is(model.status.name, 'converged')
  let before = Number.POSITIVE_INFINITY
  for (const { objective } of model.iterations) {
    t.true(objective <= before)
    before = objective
  }
  // The objective from M itself: Σ Ω(M_d) + ‖Θ‖² + misfit/λ with Θ = B with all modes undone.
  const [block] = model.blocks
  let omega = 0
  for (const { z } of block?.transforms ?? []) omega += z.reduce((s, v) => s + (v - 1) ** 2, 0)
  const theta = undo(block?.b as Float64Array, block?.transforms ?? [])
  const value =
    model.price.value * omega + theta.reduce((s, v) => s + v * v, 0) + model.misfit / 0.1
  near(t, value, model.objective, 1e-8)
  const fixed = await fitFeatures(features, r, { structure: 'fixed', ridge: 0.1 })
  t.true(model.objective < fixed.objective)
  t.deepEqual(
    block?.stretches.map((z) => z.length),
    [5, 3, 4],
  )
})

/** (M_1 ⊗ M_2 ⊗ M_3)⁻¹ b, written out. */
function undo(
  b: Float64Array,
  modes: readonly { z: Float64Array; vectors: Float64Array; dim: number }[],
): Float64Array {
  let x = b.slice()
  let outer = 1
  for (const { z, vectors, dim } of modes) {
    const inner = x.length / outer / dim
    const out = x.slice()
    for (let o = 0; o < outer; o++) {
      for (let q = 0; q < inner; q++) {
        z.forEach((stretch, j) => {
          let part = 0
          for (let d = 0; d < dim; d++) {
            part += (vectors[j * dim + d] as number) * (x[(o * dim + d) * inner + q] as number)
          }
          for (let d = 0; d < dim; d++) {
            const at = (o * dim + d) * inner + q
            out[at] =
              (out[at] as number) + (1 / stretch - 1) * part * (vectors[j * dim + d] as number)
          }
        })
      }
    }
    x = out
    outer *= dim
  }
  return x
}

/** A path's models, none worse than its setting alone, and together found in fewer iterations. */
async function warmPath(t: ExecutionContext, settings: AdaptiveOptions[], common: AdaptiveOptions) {
  const features = await load()
  const r = await targets()
  const path = await fitPath(features, r, settings, common)
  let [warm, cold] = [0, 0]
  for (const [i, setting] of settings.entries()) {
    const alone = await fitFeatures(features, r, { ...common, ...setting })
    t.true((path[i] as AdaptiveModel).objective <= alone.objective * (1 + 1e-6))
    if (i === 0) continue
    warm += (path[i] as AdaptiveModel).iterations.length
    cold += alone.iterations.length
  }
  t.log({ warm, cold })
  t.true(warm < cold)
  return path
}

test('a path of ridges starts warm and takes fewer iterations', async (t) => {
  const ridges = [0.3, 0.25, 0.2, 0.15, 0.1].map((ridge) => ({ ridge }))
  await warmPath(t, ridges, { left: 2, right: 2 })
  await t.throwsAsync(fitPath(await load(), await targets(), []), { code: 'BAD_ARGUMENT' })
})

test('a path of penalties starts warm and takes fewer iterations', async (t) => {
  const powers = [3, 2.75, 2.5, 2.25, 2].map((p) => ({ left: p, right: p }))
  const path = await warmPath(t, powers, { ridge: 0.1 })
  t.is(path.length, powers.length)
  for (const { status } of path) t.is(status.name, 'converged')
})

test('cross-validation prefers adaptive features for a low-rank target, with standard errors', async (t) => {
  const [n, m, k] = [60, 8, 8]
  const x = gaussians(n * m * k, 16)
  const features = await TangentFeatures.from(n, 1, [{ name: 'w', m, k, x }])
  const [u, v] = [gaussians(m, 17), gaussians(k, 18)]
  const b = new Float64Array(m * k)
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < k; j++) b[i * k + j] = 2 * (u[i] as number) * (v[j] as number)
  }
  const r = await features.apply(b)
  const seen: number[] = []
  const result = await crossValidate(
    features,
    r,
    { fixed: { structure: 'fixed' }, adaptive: { left: 2, right: 2 } },
    { folds: 4, onProgress: ({ fraction }) => seen.push(fraction) },
  )
  t.is(result.best, 'adaptive')
  t.is(result.simplest, 'adaptive')
  const { fixed, adaptive } = result.candidates
  t.true((adaptive?.mean as number) < 0.5 * (fixed?.mean as number))
  t.is(fixed?.folds.length, 4)
  const mean = (fixed?.folds.reduce((s, e) => s + e, 0) as number) / 4
  near(t, fixed?.mean, mean, { absolute: 1e-12 })
  const spread = fixed?.folds.reduce((s, e) => s + (e - mean) ** 2, 0) as number
  near(t, fixed?.standardError, Math.sqrt(spread / 3 / 4), { absolute: 1e-12 })
  t.true((result.difference.fixed?.mean as number) > 0)
  t.is(result.difference.adaptive?.mean, 0)
  t.is(seen.length, 8)
  t.is(seen.at(-1), 1)
  await t.throwsAsync(crossValidate(features, r, {}, {}), { code: 'BAD_ARGUMENT' })
  await t.throwsAsync(crossValidate(features, r, { a: {} }, { folds: 61 }), {
    code: 'BAD_ARGUMENT',
  })
})

test('models survive saving and loading; damaged files are refused', async (t) => {
  const features = await load()
  const r = await targets()
  const dir = await mkdtemp(join(tmpdir(), 'at-'))
  t.teardown(() => rm(dir, { recursive: true }))
  for (const [index, options] of [
    { left: 2, right: 1 },
    { structure: 'diagonal' },
    { structure: 'flat' },
    { structure: 'modes' },
    { structure: 'fixed' },
    { left: 2, right: 'none' },
  ].entries()) {
    const model = await fitFeatures(features, r, {
      ...(options as AdaptiveOptions),
      ridge: 0.1,
      maxIterations: 5,
    })
    const path = join(dir, `${index}.safetensors`)
    await saveModel(path, model)
    const loaded = (await loadModel(path)) as AdaptiveModel
    t.true(loaded instanceof AdaptiveModel)
    // All but where it was fitted.
    t.is(model.device?.name, 'cpu')
    t.deepEqual({ ...loaded }, { ...model, device: undefined })
    t.deepEqual((await loaded.kernel(features)).data, (await model.kernel(features)).data)
    t.deepEqual(await loaded.predict(await load('test_')), await model.predict(await load('test_')))
    const warm = await fitFeatures(features, r, {
      ...(options as AdaptiveOptions),
      ridge: 0.1,
      start: loaded,
    })
    t.is(warm.status.name, 'converged')
    t.deepEqual(decodeModel(encodeModel(model)), loaded)
  }
  const model = await fitFeatures(features, r, { ridge: 0.1, maxIterations: 2 })
  const layout = model.blocks.map(({ name, m, k }) => {
    return { name, m, k, weight: name, transposed: false, shape: [m, k], bias: undefined }
  })
  const { tensors, metadata } = decodeSafetensors(
    encodeModel(new NetworkModel(model, layout, [0], 'parameter')),
    'a model',
  )
  const described = (text: string) =>
    Buffer.concat(encodeSafetensors(tensors, { ...metadata, model: text }))
  const text = metadata.model as string
  t.true(decodeModel(described(text)) instanceof NetworkModel)
  for (const [from, to] of [
    [text, 'null'],
    [text, '7'],
    [text, '{"blocks":[null],"numbers":{}}'],
    [text, text.slice(1)],
    ['"layout":[{', '"layout":[9,{'],
    ['"shape":[6,9]', '"shape":[6,8]'],
    ['"shape":[6,9]', '"shape":69'],
    ['"m":6', '"m":5'],
    ['"k":9', '"k":-9'],
    ['"weight":"features_0"', '"weight":0'],
    ['"structure":"matrix"', '"structure":"modes"'],
  ] as const) {
    t.true(text.includes(from))
    const damaged = described(text.replace(from, to))
    t.throws(() => decodeModel(damaged), { code: 'BAD_FILE' }, to.slice(0, 40))
  }
  const bytes = await readFile(join(dir, '0.safetensors'))
  await writeFile(join(dir, 'cut.safetensors'), bytes.subarray(0, bytes.length - 9))
  await t.throwsAsync(loadModel(join(dir, 'cut.safetensors')), { code: 'BAD_FILE' })
  const other = bytes
    .toString('latin1')
    .replace('adaptive-tangent model 1', 'adaptive-tangent model 9')
  t.throws(() => decodeModel(Buffer.from(other, 'latin1')), { code: 'BAD_FILE' })
})
