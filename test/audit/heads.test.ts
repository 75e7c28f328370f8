// Influence by sketches, on values of the graph, and averaged over checkpoints.
import test from 'ava'
import { buildMlp, influence, type NdArray, Network, sketch } from '../../lib/index.js'
import { dot, gradients, jacobianOf } from '../support/heads.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const [n, features] = [7, 3]
const inputs = (count: number, seed: number): NdArray<Float32Array> => ({
  data: Float32Array.from(gaussians(count * features, seed)),
  shape: [count, features],
})
const x = inputs(n, 1)
const query = inputs(2, 2)
const y = { data: Int32Array.from([0, 2, 1, 0, 0, 1, 2]), shape: [n] }
const labels = { data: Int32Array.of(1, 0), shape: [2] }
const bytes = await buildMlp({ inputs: features, hidden: [4], outputs: 3, seed: 3 })
const load = async () => (await Network.load(bytes, { float64: true })) as unknown as Network

/** s of M s = b by Gaussian elimination. */
function solve(matrix: number[][], b: number[]): number[] {
  const rows = matrix.map((row, i) => [...row, b[i]!])
  rows.forEach((row, i) => {
    rows.slice(i + 1).forEach((below) => {
      const by = below[i]! / row[i]!
      row.forEach((value, c) => {
        below[c] = below[c]! - by * value
      })
    })
  })
  const s = b.map(() => 0)
  for (let i = b.length - 1; i >= 0; i -= 1)
    s[i] = (rows[i]!.at(-1)! - dot(rows[i]!.slice(0, -1), s)) / rows[i]![i]!
  return s
}

/** φ*ᵀ(ΦᵀΦ + λI)⁻¹φ_j (1 − p_j), from its normal equations. */
function newton(train: number[][], asked: number[][], rest: number[], damping: number): number[] {
  const normal = train[0]!.map((_, a) =>
    train[0]!.map((__, b) =>
      train.reduce((sum, row) => sum + row[a]! * row[b]!, a === b ? damping : 0),
    ),
  )
  return asked.flatMap((q) => {
    const s = solve(normal, q)
    return train.map((row, j) => dot(row, s) * rest[j]!)
  })
}

// More numbers than samples, and fewer.
for (const size of [24, 3]) {
  test(`trak solves the normal equations of its sketches of ${size} numbers`, async (t) => {
    const network = await load()
    const damping = 0.4
    const { values } = await gradients(network, 'margin', x, y)
    const rest = values.map((value) => 1 / (1 + Math.exp(value)))
    // The margins' derivatives by the outputs: those of closed form.
    const heads = async (at: NdArray, own: NdArray) => {
      const { data } = await network.run(at)
      const weights = Array.from({ length: at.shape[0]! }, (_, i) => {
        const f = Array.from(data.slice(3 * i, 3 * i + 3) as Float64Array)
        const label = Number(own.data[i])
        const others = f.map((value, o) => (o === label ? 0 : Math.exp(value)))
        const total = others.reduce((a, b) => a + b, 0)
        return f.map((_, o) => (o === label ? 1 : -others[o]! / total))
      })
      return { data: Float64Array.from(weights.flat()), shape: [at.shape[0]!, 3] }
    }
    const options = { size, seed: 5, kind: 'sparse' as const }
    const rows = async (at: NdArray, own: NdArray) => {
      const { parts } = await sketch(network, at, { ...options, heads: await heads(at, own) })
      const { data } = parts.get('total')!
      return Array.from({ length: at.shape[0]! }, (_, i) =>
        Array.from(data.slice(i * size, (i + 1) * size) as Float64Array),
      )
    }
    const truth = newton(await rows(x, y), await rows(query, labels), rest, damping)
    const found = await influence(network, x, y, query, {
      ...{ method: 'trak', labels, damping, sketch: options },
    })
    near(t, found.scores.data, truth, 1e-5)
    t.is(found.sketch?.size, size)
    t.true(found.sketch!.error!.offDiagonal > 0)
    await network.dispose()
  })
}

test('trak of long sketches is the Newton step of exact features', async (t) => {
  const network = await load()
  const options = { labels, damping: 0.4 }
  const exact = await influence(network, x, y, query, { ...options, method: 'newton' })
  const long = { size: 20_000, kind: 'sparse' as const }
  const found = await influence(network, x, y, query, { ...options, method: 'trak', sketch: long })
  near(t, found.scores, exact.scores, 0.05)
  near(t, found.values, exact.values, 1e-9)
  const chosen = await influence(network, x, y, query, { labels, method: 'trak', sketch: long })
  const auto = await influence(network, x, y, query, { labels, method: 'newton' })
  near(t, chosen.damping, auto.damping, 0.05)
  await network.dispose()
})

const hidden = 'dense1/Relu'
const weights = [0.5, -1, 2, 0.25]

test('gradients of a value of the graph are those of differences', async (t) => {
  const network = await load()
  const loss = await gradients(network, 'cross-entropy', x, y)
  const value = await jacobianOf(network, query, hidden)
  const head = { value: hidden, weights }
  const found = await influence(network, x, y, query, { method: 'gradient', head })
  near(
    t,
    found.values,
    value.f.map((row) => dot(row, weights)),
    1e-6,
  )
  const rows = value.rows.map((row) =>
    row[0]!.map((_, e) => weights.reduce((sum, w, o) => sum + w * row[o]![e]!, 0)),
  )
  const truth = rows.flatMap((q) => loss.rows.map((j) => -dot(q, j)))
  near(t, found.scores.data, truth, 1e-5)
  // Labels choose one of its numbers for each query.
  const chosen = await influence(network, x, y, query, {
    ...{ method: 'gradient', head: { value: hidden }, labels },
  })
  const single = value.rows.flatMap((row, q) =>
    loss.rows.map((j) => -dot(row[labels.data[q]!]!, j)),
  )
  near(t, chosen.scores.data, single, 1e-5)
  await network.dispose()
})

test('leave-one-out of a value is that of a linear model that is fitted again', async (t) => {
  const network = await load()
  const ridge = 0.3
  const train = await jacobianOf(network, x)
  const value = await jacobianOf(network, query, hidden)
  const asked = value.rows.map((row) =>
    row[0]!.map((_, e) => weights.reduce((sum, w, o) => sum + w * row[o]![e]!, 0)),
  )
  // The change of the value without some samples: J_v Φᵀ (ΦΦᵀ + λ)⁻¹ r.
  const fitted = (keep: number[]) => {
    const rows = keep.flatMap((i) => train.rows[i]!)
    const r = keep.flatMap((i) => train.f[i]!.map((f, o) => Number(y.data[i] === o) - f))
    const kernel = rows.map((a, i) => rows.map((b, j) => dot(a, b) + (i === j ? ridge : 0)))
    const alpha = solve(kernel, r)
    return asked.map((q) => rows.reduce((sum, row, k) => sum + dot(q, row) * alpha[k]!, 0))
  }
  const all = [...Array(n).keys()]
  const whole = fitted(all)
  const head = {
    value: hidden,
    weights: { data: Float32Array.from([...weights, ...weights]), shape: [2, 4] },
  }
  const found = await influence(network, x, y, query, { head, ridge })
  near(
    t,
    found.values,
    whole.map((change, q) => dot(value.f[q]!, weights) + change),
    1e-5,
  )
  for (const j of all) {
    const without = fitted(all.filter((i) => i !== j))
    for (const q of [0, 1])
      near(t, found.scores.data[q * n + j]!, whole[q]! - without[q]!, { absolute: 1e-5 })
  }
  // Representers add up to the change.
  const parts = await influence(network, x, y, query, { head, ridge, method: 'representer' })
  const sums = [0, 1].map((q) =>
    parts.scores.data.slice(q * n, (q + 1) * n).reduce((a, b) => a + b, 0),
  )
  near(t, sums, whole, 1e-5)
  // The outputs themselves are such a value.
  const own = await influence(network, x, y, query, {
    head: { value: network.output },
    labels,
    ridge,
  })
  const logit = await influence(network, x, y, query, { head: 'logit', labels, ridge })
  near(t, own.scores, logit.scores, 1e-5)
  near(t, own.values, logit.values, 1e-5)
  await network.dispose()
})

test('scores of checkpoints are averaged', async (t) => {
  const network = await load()
  const moved = new Map(
    network.parameters.map(({ name }) => {
      const { data, shape } = network.weight(name)
      return [name, { data: Float64Array.from(data, (value) => 1.5 * value), shape }]
    }),
  )
  const other = await network.withParameters(moved)
  for (const head of ['margin', { value: hidden, weights }] as const) {
    const one = { method: 'newton', labels: head === 'margin' ? labels : undefined, head } as const
    const [a, b] = [
      await influence(network, x, y, query, one),
      await influence(other, x, y, query, one),
    ]
    const checkpoints = [network, moved]
    const found = await influence(network, x, y, query, { ...one, checkpoints })
    const mean = (p: ArrayLike<number>, q: ArrayLike<number>) =>
      Array.from(p, (value, e) => (value + q[e]!) / 2)
    near(t, found.scores.data, mean(a.scores.data, b.scores.data), 1e-6)
    near(t, found.values, mean(a.values, b.values), 1e-6)
    near(t, found.damping, (a.damping! + b.damping!) / 2, 1e-6)
  }
  await other.dispose()
  await network.dispose()
})

test('mistakes are named', async (t) => {
  const network = await load()
  const of = (options: object) => () => influence(network, x, y, query, options)
  const cases: [() => Promise<unknown>, RegExp][] = [
    [of({ head: { value: 'dense1/Rel' } }), /options\.head\.value.*did you mean "dense1\/Relu"/],
    [of({ head: { value: hidden } }), /options\.labels .*4 numbers/],
    [
      of({ head: { value: hidden, weights: [1, 2] } }),
      /4 numbers, or .* for options\.head\.weights/,
    ],
    [of({ head: { value: hidden, weights }, labels }), /options\.labels/],
    [of({ head: { value: hidden }, labels: { data: Int32Array.of(1, 4), shape: [2] } }), /0 to 3/],
    [of({ method: 'trak', sketch: { size: 0 } }), /size/],
    [of({ method: 'newton', sketch: { size: 8 } }), /options\.sketch/],
    [of({ method: 'newton', ridge: 1 }), /options\.ridge/],
    [of({ method: 'gradient', damping: 1 }), /options\.damping/],
    [of({ checkpoints: [network] }), /options\.checkpoints/],
    [of({ method: 'newton', checkpoints: [] }), /one checkpoint or more/],
    [of({ method: 'newton', checkpoints: ['nowhere.onnx'] }), /nowhere/],
  ]
  for (const [call, message] of cases) await t.throwsAsync(call, { message })
  await t.throwsAsync(of({ method: 'trak', memory: 20_000 }), {
    code: 'MEMORY_BUDGET',
    message: /options\.sketch\.size/,
  })
  await network.dispose()
})
