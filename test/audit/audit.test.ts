// The audit of a network, against models that are fitted again without each sample.
import test from 'ava'
import {
  audit,
  auditPictures,
  buildCnn,
  buildMlp,
  fitAdaptive,
  fitFixed,
  type NdArray,
  Network,
  readTensor,
  renderAudit,
  selfKernel,
  take,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const [n, features, classes] = [12, 4, 3]
const inputs = (count: number, seed: number): NdArray<Float32Array> => ({
  data: Float32Array.from(gaussians(count * features, seed)),
  shape: [count, features],
})
const x = inputs(n, 1)
const query = inputs(5, 2)
const labels = {
  data: Int32Array.from({ length: n }, (_, i) => (7 * i + (i >> 2)) % classes),
  shape: [n],
}
const load = async () =>
  Network.load(await buildMlp({ inputs: features, hidden: [6], outputs: classes, seed: 3 }), {
    float64: true,
  }) as unknown as Promise<Network>
const ridge = 0.2
const without = (array: NdArray, i: number) =>
  take(
    array,
    Array.from({ length: n }, (_, k) => k).filter((k) => k !== i),
  )

test('leave-one-out, influence and predictions equal those of models that are fitted again', async (t) => {
  const network = await load()
  const seen: number[] = []
  const found = await audit(network, x, labels, {
    ...{ ridge, query },
    onProgress: ({ fraction }) => seen.push(fraction),
  })
  t.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  )
  t.is(seen.at(-1), 1)
  const whole = await (await fitFixed(network, x, labels, { ridge })).predict(network, query)
  near(t, found.query!.predictions, whole, 1e-7)
  for (const i of [0, 5, 11]) {
    const model = await fitFixed(network, without(x, i), without(labels, i), { ridge })
    const left = await model.predict(network, take(x, [i]))
    near(t, found.labels.predictions.data.slice(i * classes, (i + 1) * classes), left.data, 1e-6)
    const others = await model.predict(network, query)
    const effect = found.query!.output.map(
      (o, q) => Number(whole.data[q * classes + o]) - Number(others.data[q * classes + o]),
    )
    const told = effect.map((_, q) => Number(found.query!.influence.data[q * n + i]))
    near(t, told, effect, { absolute: 1e-6 })
  }
  t.true(found.leaveOneOut.exact)
  t.deepEqual(found.labels.classes, [0, 1, 2])
  await network.dispose()
})

test('variance is that of the kernel’s formula, representers add up to the prediction', async (t) => {
  const network = await load()
  const { query: found } = await audit(network, x, labels, { ridge, query })
  const kernel = await network.ntk(x)
  const cross = await network.ntk(query, x)
  const own = await network.ntk(query)
  const rows = n * classes
  // Gauss-Jordan, which nothing else here uses.
  const inverse = inverted(
    Float64Array.from(kernel.data, (value, e) => value + (e % (rows + 1) === 0 ? ridge : 0)),
    rows,
  )
  const variance = Array.from({ length: 5 * classes }, (_, q) => {
    let sum = own.data[q * (5 * classes + 1)] as number
    for (let r = 0; r < rows; r += 1)
      for (let s = 0; s < rows; s += 1)
        sum -= cross.data[q * rows + r]! * inverse[r * rows + s]! * cross.data[q * rows + s]!
    return sum
  })
  near(t, found!.variance.data, variance, 1e-9)
  const f = await network.run(query)
  const sums = found!.output.map((o, q) =>
    found!.representers.data
      .slice(q * n, (q + 1) * n)
      .reduce((sum, value) => sum + value, Number(f.data[q * classes + o])),
  )
  const told = found!.output.map((o, q) => Number(found!.predictions.data[q * classes + o]))
  near(t, sums, told, 1e-9)
  await network.dispose()
})

function inverted(matrix: Float64Array, size: number): Float64Array {
  const a = matrix.slice()
  const b = Float64Array.from({ length: size * size }, (_, e) => Number(e % (size + 1) === 0))
  for (let p = 0; p < size; p += 1) {
    const pivot = a[p * size + p]!
    for (let c = 0; c < size; c += 1) {
      a[p * size + c]! /= pivot
      b[p * size + c]! /= pivot
    }
    for (let r = 0; r < size; r += 1) {
      const factor = r === p ? 0 : a[r * size + p]!
      for (let c = 0; c < size; c += 1) {
        a[r * size + c]! -= factor * a[p * size + c]!
        b[r * size + c]! -= factor * b[p * size + c]!
      }
    }
  }
  return b
}

test('k(x, x) is the kernel’s own diagonal, of every kind, in any blocks', async (t) => {
  const cnn = await Network.load(
    await buildCnn({ image: [1, 16, 16], width: 1, outputs: 2, seed: 1 }),
  )
  const images = { data: Float32Array.from(gaussians(7 * 256, 5)), shape: [7, 1, 16, 16] }
  const full = await cnn.ntk(images)
  const entry = (i: number, o: number, p: number) => full.data[((i * 2 + o) * 7 + i) * 2 + p]!
  const each = (width: number, of: (i: number, e: number) => number) =>
    Float64Array.from({ length: 7 * width }, (_, e) => of(Math.floor(e / width), e % width))
  const truth = {
    diagonal: { data: each(2, (i, o) => entry(i, o, o)), shape: [7, 2] },
    trace: { data: each(1, (i) => entry(i, 0, 0) + entry(i, 1, 1)), shape: [7] },
    full: { data: each(4, (i, e) => entry(i, e >> 1, e & 1)), shape: [7, 2, 2] },
  }
  for (const kernel of ['diagonal', 'trace', 'full'] as const) {
    for (const outputBlock of [undefined, 1])
      near(t, await selfKernel(cnn, images, { kernel, outputBlock }), truth[kernel], 1e-5)
  }
  near(
    t,
    await selfKernel(cnn, images, { outputs: [1] }),
    {
      ...{ data: each(1, (i) => entry(i, 1, 1)), shape: [7, 1] },
    },
    1e-5,
  )
  await cnn.dispose()
})

test('a wrong label, a copy and a sample that stands alone are found', async (t) => {
  const network = await Network.load(
    await buildMlp({ inputs: 2, hidden: [64], outputs: 2, seed: 2 }),
  )
  const data = Float32Array.from(gaussians(80, 9))
  // Two clouds; 31 is a copy of 30 with another label, 7 lies far away.
  for (let i = 0; i < 40; i += 1) data[2 * i]! = 0.4 * data[2 * i]! + (i % 2 ? 1.5 : -1.5)
  data.copyWithin(2 * 33, 2 * 31, 2 * 31 + 2)
  data.set([0, 25], 14)
  const clouds = { data, shape: [40, 2] }
  const y = { data: Int32Array.from({ length: 40 }, (_, i) => i % 2), shape: [40] }
  y.data[20] = 1
  const found = await audit(network, clouds, y)
  t.is(found.labels.order[0], 20)
  t.is(found.labels.predicted?.[20], 0)
  t.deepEqual(
    found.train.duplicates.slice(0, 1).map(({ first, second }) => [first, second]),
    [[31, 33]],
  )
  t.is(found.train.nearest[33], 31)
  t.is(found.train.unsupported[0], 7)
  t.true(found.ridge > 0 && found.choice?.of === 'kernel')
  await network.dispose()
})

test('of one output two labels are its signs, numbers by their residuals', async (t) => {
  const network = await Network.load(
    await buildMlp({ inputs: 2, hidden: [64], outputs: 1, seed: 2 }),
  )
  const data = Float32Array.from(gaussians(60, 9))
  for (let i = 0; i < 30; i += 1) data[2 * i]! = 0.4 * data[2 * i]! + (i % 2 ? 1.5 : -1.5)
  const clouds = { data, shape: [30, 2] }
  const y = { data: Int32Array.from({ length: 30 }, (_, i) => (i % 2 ? 8 : 3)), shape: [30] }
  y.data[12] = 8
  const { labels } = await audit(network, clouds, y, { ridge: 1 })
  t.is(labels.order[0], 12)
  t.deepEqual([labels.given![12], labels.predicted![12], labels.predicted![13]], [8, 3, 8])
  const values = { data: Float32Array.from({ length: 30 }, (_, i) => data[2 * i]!), shape: [30, 1] }
  values.data[4]! += 3
  const { labels: numbers } = await audit(network, clouds, values, { ridge: 1 })
  t.is(numbers.order[0], 4)
  t.deepEqual([numbers.given, numbers.predicted, numbers.classes], [null, null, null])
  const twice = { data: Float32Array.from([...data, ...data]), shape: [60, 2] }
  const both = { data: Int32Array.from([...y.data, ...y.data]), shape: [60] }
  await t.throwsAsync(audit(network, twice, both, { ridge: 0 }), {
    code: 'NUMERICAL',
    message: /ridge/,
  })
  await network.dispose()
})

test('adapted features: the kernel is the model’s, and the audit says what that means', async (t) => {
  const network = await load()
  const model = await fitAdaptive(network, x, labels, { ridge, price: 0.01 })
  t.true(model.model.largestStretch > 1.001)
  const found = await audit(network, x, labels, { model, query })
  t.is(found.ridge, ridge)
  t.is(found.features, 'adaptive')
  t.false(found.leaveOneOut.exact)
  t.regex(found.leaveOneOut.note, /conditional/)
  near(t, found.query!.predictions, await model.predict(network, query), 1e-4)
  t.true(found.query!.variance.data.every((value) => value > 0))
  await network.dispose()
})

test('samples of integers are shown as the texts of their tokens', async (t) => {
  const network = await Network.load('test/fixtures/text/model.onnx')
  const ids = await readTensor('test/fixtures/text/input_0.pb')
  const count = ids.shape[0] as number
  const y = { data: Int32Array.from({ length: count }, (_, i) => i % 2), shape: [count] }
  const found = await audit(network, ids, y, { ridge: 1 })
  const tokens = Array.from({ length: 64 }, (_, id) => (id % 2 ? `<${id}>` : `w${id}`))
  const pictures = await auditPictures(network, found, ids, { tokens })
  const first = Array.from(ids.data.slice(0, 12) as BigInt64Array, (id) => tokens[Number(id)])
  t.is(pictures.train.texts?.[0], first.join(' '))
  const page = renderAudit(found, { pictures, classNames: ['no & none', 'yes'] })
  t.true(page.includes(first.join(' ').replaceAll('<', '&lt;').replaceAll('>', '&gt;')))
  t.true(page.includes('no &amp; none'))
  t.throws(() => renderAudit(found, { classNames: ['one'] }), {
    code: 'BAD_INPUT',
    message: /a name for each label/,
  })
  const dense = await load()
  await t.throwsAsync(auditPictures(dense, found, x, { tokens }), {
    message: /an input of integers/,
  })
  await dense.dispose()
  await network.dispose()
})

test('mistakes are named before any work', async (t) => {
  const network = await load()
  const numbers = { data: new Float32Array(n * classes), shape: [n, classes] }
  const nan = { ...numbers, data: numbers.data.map((_, e) => (e === 4 ? Number.NaN : 0)) }
  const one = { data: new Int32Array(n).fill(2), shape: [n] }
  const cases: [() => Promise<unknown>, string, RegExp][] = [
    [() => audit(network, x, take(labels, 5)), 'BAD_ARGUMENT', /y/],
    [() => audit(network, x, one), 'BAD_ARGUMENT', /two classes or more/],
    [() => audit(network, x, nan), 'BAD_INPUT', /finite/],
    [() => audit(network, x, labels, { ridge: -1 }), 'BAD_ARGUMENT', /ridge/],
    [() => audit(network, x, labels, { query: { ...query, shape: [4, 5] } }), 'BAD_INPUT', /query/],
    [() => audit(network, x, labels, { memory: 20_000 }), 'MEMORY_BUDGET', /would fit/],
    [() => audit({} as never, x, labels), 'BAD_ARGUMENT', /network/],
  ]
  for (const [call, code, message] of cases) await t.throwsAsync(call, { code, message })
  await t.throwsAsync(audit(network, x, labels, { signal: AbortSignal.abort() }), {
    name: 'AbortError',
    any: true,
  })
  await network.dispose()
})
