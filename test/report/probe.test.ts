import { readFile } from 'node:fs/promises'
import test from 'ava'
import {
  buildMlp,
  type NdArray,
  Network,
  type ProbeAdaptive,
  probe,
  readArray,
  renderReport,
} from '../../lib/index.js'
import { reportTable } from '../../lib/report/table.js'
import { near } from '../support/near.js'

const example = 'examples/fashion-mnist'
const files = { init: `${example}/mlp_init.onnx`, trained: `${example}/mlp_trained.onnx` }

/** The first `count` samples of each class of the demo. */
async function demo(count: number): Promise<{ x: NdArray; y: NdArray }> {
  const images = await readArray(`${example}/images.npy`)
  const labels = await readArray(`${example}/labels.npy`)
  const taken = new Array<number>(10).fill(0)
  const chosen = [...(labels.data as Uint8Array)].flatMap((label, i) => {
    taken[label] = (taken[label] as number) + 1
    return (taken[label] as number) <= count ? [i] : []
  })
  const data = new Float32Array(chosen.length * 784)
  chosen.forEach((i, row) => {
    data.set((images.data as Float32Array).subarray(784 * i, 784 * (i + 1)), 784 * row)
  })
  const classes = Uint8Array.from(chosen, (i) => Number(labels.data[i]))
  return {
    x: { data, shape: [chosen.length, 1, 28, 28] },
    y: { data: classes, shape: [chosen.length] },
  }
}

/** H K H with H = I − 11ᵀ/N, by the book. */
function centre(k: number[][]): number[][] {
  const n = k.length
  const h = (i: number, j: number) => (i === j ? 1 : 0) - 1 / n
  const product = (f: (i: number, m: number) => number, g: (m: number, j: number) => number) =>
    k.map((_, i) => k.map((_, j) => k.reduce((sum, _, m) => sum + f(i, m) * g(m, j), 0)))
  const left = product(h, (m, j) => k[m]![j]!)
  return product((i, m) => left[i]![m]!, h)
}

function cosine(a: number[][], b: number[][]): number {
  const inner = (p: number[][], q: number[][]) =>
    p.reduce((sum, row, i) => sum + row.reduce((part, v, j) => part + v * q[i]![j]!, 0), 0)
  return inner(a, b) / Math.sqrt(inner(a, a) * inner(b, b))
}

test('a report holds what its definitions say', async (t) => {
  const { x, y } = await demo(4)
  const n = 40
  await using network = await Network.load(files.trained)
  const report = await probe([{ name: 'trained', network }], x, y)
  const measured = report.networks[0]!

  const full = await network.ntk(x)
  const at = (i: number, o: number, j: number, p: number) =>
    full.data[((i * 10 + o) * n + j) * 10 + p] as number
  const indices = Array.from({ length: n }, (_, i) => i)
  const kernel = indices.map((i) =>
    indices.map((j) => indices.slice(0, 10).reduce((sum, o) => sum + at(i, o, j, o), 0)),
  )
  const trace = indices.reduce((sum, i) => sum + kernel[i]![i]!, 0)
  near(t, measured.trace, trace, 1e-5, 'trace')
  near(
    t,
    measured.layers.reduce((sum, layer) => sum + layer.share, 0),
    1,
    1e-6,
    'shares',
  )

  // Balanced classes: one-hot minus its means has YYᵀ = [same class] − 1/10.
  const ideal = indices.map((i) => indices.map((j) => (y.data[i] === y.data[j] ? 1 : 0) - 0.1))
  near(t, measured.alignment!.cosine, cosine(kernel, ideal), 1e-5, 'cosine')
  near(t, measured.alignment!.centred, cosine(centre(kernel), centre(ideal)), 1e-5, 'centred')

  const { spectrum } = measured
  t.is(spectrum.of, 'gram')
  t.is(spectrum.size, 400)
  const total = spectrum.eigenvalues.reduce((sum, value) => sum + value, 0)
  near(t, total, trace, 1e-4, 'sum of eigenvalues')
  const entropy = spectrum.eigenvalues
    .map((value) => Math.max(value, 0) / total)
    .reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0)
  near(t, spectrum.effectiveRank, Math.exp(entropy), 1e-4, 'effective rank')

  const { data } = await network.run(x)
  const right = indices.filter((i) => {
    const row = [...(data as Float32Array).subarray(10 * i, 10 * i + 10)]
    return row.indexOf(Math.max(...row)) === y.data[i]
  })
  t.is(measured.accuracy, right.length / n)

  // The picture is the kernel, sorted by class.
  t.deepEqual(
    report.order.map((i) => y.data[i]),
    [...(y.data as Uint8Array)].sort((a, b) => a - b),
  )
  near(
    t,
    measured.raster.values[n + 2]!,
    kernel[report.order[1]!]![report.order[2]!]!,
    1e-3,
    'cell',
  )
})

test('fixed against adaptive features, on the samples and outputs that the target allows', async (t) => {
  const { x, y } = await demo(12)
  await using network = await Network.load(files.init)
  const subject = { name: 'init', network }
  const [measured] = (await probe([subject], x, y, { adaptiveRows: 300, cells: 8 })).networks
  const found = measured?.adaptive as ProbeAdaptive
  t.is(found.samples, 30)
  t.true(found.fixed.ridge > 0 && found.adaptive.ridge > 0)
  t.is(found.folds, 3)
  t.true(found.fixed.error > 0 && found.adaptive.error > 0 && found.fixed.standardError > 0)
  t.true(found.adaptive.misclassified <= 1)
  const gap = found.fixed.error - found.adaptive.error
  near(t, found.gain.mean, gap, { absolute: 1e-4 * found.fixed.error })
  for (const value of Object.values(found.alignment)) t.true(Math.abs(value) < 1)
  t.deepEqual(
    found.blocks.map(({ name }) => name),
    measured?.layers.map(({ name }) => name),
  )
  for (const { singularValues } of found.blocks) {
    singularValues.forEach((value, j) => {
      t.true(j === 0 || value <= (singularValues[j - 1] as number))
    })
  }
  const [skipped] = (await probe([subject], x, y, { adaptiveRows: 0, cells: 8 })).networks
  t.is(skipped?.adaptive, null)
  t.is(skipped?.adaptiveMissing, null)
  const values = { data: Float64Array.from({ length: 120 }, (_, i) => Math.sin(i)), shape: [120] }
  const [other] = (await probe([subject], x, values, { cells: 8 })).networks
  t.is(other?.adaptive, null)
  t.regex(other?.adaptiveMissing ?? '', /no number for each of the 10 outputs/)
  const many = { data: Int32Array.from({ length: 120 }, (_, i) => i % 12), shape: [120] }
  const [more] = (await probe([subject], x, many, { cells: 8 })).networks
  t.regex(more?.adaptiveMissing ?? '', /numbers of the 10 outputs.*10 is among the 12/)
  const few = await probe([subject], x, y, { adaptiveRows: 50, cells: 8 })
  t.regex(few.networks[0]?.adaptiveMissing ?? '', /^5 samples are too few for 3 folds/)
  t.regex(renderReport(few), /not fitted, as 5 samples are too few/)
  t.regex(reportTable(few).join('\n'), /Not fitted to the target \(init\): 5 samples/)
})

test('the alignment before is that of the kernel with the target, its mean taken off', async (t) => {
  const folder = 'test/fixtures/adaptive/mlp_small'
  await using network = await Network.load(`${folder}/model.onnx`)
  const x = await readArray(`${folder}/input_0.pb`)
  const y = await readArray(`${folder}/target.pb`)
  const [measured] = (await probe([{ name: 'a', network }], x, y, { cells: 8 })).networks
  const n = x.shape[0] as number
  const k = (await network.ntk(x, { kernel: 'trace' })).data
  const mean = Array.from(y.data as Float64Array).reduce((a, b) => a + b, 0) / n
  const r = Array.from(y.data as Float64Array, (value) => value - mean)
  let [inner, kk] = [0, 0]
  k.forEach((value, e) => {
    inner += value * (r[Math.floor(e / n)] as number) * (r[e % n] as number)
    kk += value * value
  })
  const rr = r.reduce((sum, value) => sum + value * value, 0)
  const alignment = measured?.adaptive?.alignment
  near(t, alignment?.before, inner / Math.sqrt(kk) / rr, { absolute: 1e-5 })
  t.true((alignment?.after as number) > (alignment?.before as number))
  t.is(measured?.adaptive?.blocks.length, 3)
})

test('a report agrees with the float64 reference of the networks', async (t) => {
  for (const name of ['mlp_init', 'mlp_trained', 'resnet8']) {
    const folder = `test/fixtures/${name}`
    const oracle = JSON.parse(await readFile(`${folder}/oracle.json`, 'utf8'))
    await using network = await Network.load(`${folder}/model.onnx`)
    const report = await probe([{ name, network }], await readArray(`${folder}/input_0.pb`))
    const { layers, trace, spectrum, parameterCount } = report.networks[0]!
    const parts = Object.values<number>(oracle.ntk_trace_by_parameter)
    const whole = parts.reduce((sum, part) => sum + part, 0)
    near(t, trace, whole, 1e-4, name)
    t.is(parameterCount, oracle.parameter_count)
    near(
      t,
      layers.reduce((sum, layer) => sum + layer.trace, 0),
      whole,
      1e-4,
    )
    oracle.ntk_top_eigenvalues.forEach((value: number, k: number) => {
      const found = spectrum.eigenvalues[k] as number
      near(t, found, value, { absolute: 1e-4 * oracle.ntk_top_eigenvalues[0] }, `${name} λ${k}`)
    })
    t.is(report.target, null)
    t.is(report.networks[0]!.alignment, null)
    t.is(report.networks[0]!.accuracy, null)
  }
})

test('real values, a subset of outputs, and a spectrum that is too large', async (t) => {
  const { x } = await demo(2)
  const target = { data: Float64Array.from({ length: 20 }, (_, i) => Math.sin(i)), shape: [20] }
  await using network = await Network.load(files.trained, { frozen: 'net.1.weight' })
  const report = await probe([{ name: 'a', network }], x, target, {
    outputs: [3, 1],
    spectrumLimit: 39,
    cells: 10,
  })
  const [measured] = report.networks
  t.is(measured!.outputs, 2)
  t.is(measured!.spectrum.of, 'trace')
  t.is(measured!.spectrum.size, 20)
  t.is(measured!.frozenCount, 784 * 128)
  t.is(measured!.raster.size, 10)
  t.is(measured!.accuracy, null)
  t.deepEqual(report.groups, [])
  t.true(Math.abs(measured!.alignment!.centred) < 1)
  t.true(renderReport(report).includes('the trace kernel, 20 rows'))
})

test('networks may be loaded one by one; names must differ', async (t) => {
  const { x, y } = await demo(1)
  let open = 0
  async function* checkpoints(names: string[]) {
    for (const name of names) {
      await using network = await Network.load(files.init)
      open++
      t.is(open, 1)
      yield { name, network }
      open--
    }
  }
  const fractions: number[] = []
  const report = await probe(checkpoints(['a', 'b', 'c']), x, y, {
    count: 3,
    onProgress: ({ fraction }) => fractions.push(fraction),
  })
  t.deepEqual(
    report.networks.map(({ name }) => name),
    ['a', 'b', 'c'],
  )
  t.is(fractions.at(-1), 1)
  t.deepEqual(
    fractions,
    [...fractions].sort((a, b) => a - b),
  )
  const again = checkpoints(['a', 'a'])
  open = 0
  await t.throwsAsync(probe(again, x, y), { code: 'BAD_ARGUMENT', message: /names that differ/ })
  await t.throwsAsync(probe([], x, y), { code: 'BAD_ARGUMENT' })
  open = 0
  const none = { data: new Float32Array(0), shape: [0, ...x.shape.slice(1)] }
  await t.throwsAsync(probe(checkpoints(['a']), none), { code: 'BAD_INPUT', message: /one sample/ })
})

test('kernels beyond the budget are refused before any is computed', async (t) => {
  await using network = await Network.load(await buildMlp({ inputs: 2, hidden: [3], outputs: 2 }))
  const x = (count: number) => ({ data: new Float32Array(2 * count), shape: [count, 2] })
  const y = (count: number) => ({
    data: Uint8Array.from({ length: count }, (_, i) => i % 2),
    shape: [count],
  })
  const subject = [{ name: 'a', network }]
  const message =
    /^Measuring 2 layers, with 24 bytes for each pair of 50000 samples, takes 55\.9 GiB but the memory budget is 1\.00 GiB; 6688 samples would fit/
  const fractions: number[] = []
  await t.throwsAsync(
    probe(subject, x(50_000), y(50_000), {
      memory: '1GiB',
      onProgress: ({ fraction }) => fractions.push(fraction),
    }),
    { code: 'MEMORY_BUDGET', message },
  )
  t.deepEqual(fractions, [])
})

test('an aborted probe rejects, and the network stays usable', async (t) => {
  const { x, y } = await demo(24)
  await using network = await Network.load(files.init)
  const controller = new AbortController()
  const running = probe([{ name: 'a', network }], x, y, { signal: controller.signal })
  setTimeout(() => controller.abort(), 20)
  const error = await running.catch((reason: unknown) => reason)
  t.is((error as DOMException).name, 'AbortError')
  t.is((await network.run(x)).shape[0], 240)
})
