// Influence on heads, against models that are fitted again and gradients by central differences.
import test from 'ava'
import {
  buildCnn,
  buildMlp,
  fitFixed,
  influence,
  LaplacePosterior,
  type NdArray,
  Network,
  take,
} from '../../lib/index.js'
import { dot, gradients, headOf } from '../support/heads.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const [n, features] = [7, 3]
const inputs = (count: number, seed: number): NdArray<Float32Array> => ({
  data: Float32Array.from(gaussians(count * features, seed)),
  shape: [count, features],
})
const x = inputs(n, 1)
const query = inputs(2, 2)
const load = async (outputs: number) =>
  (await Network.load(await buildMlp({ inputs: features, hidden: [4], outputs, seed: 3 }), {
    float64: true,
  })) as unknown as Network
const labelsOf = (outputs: number, count: number) => ({
  data: Int32Array.from({ length: count }, (_, i) => (i * 2 + (i >> 1)) % Math.max(2, outputs)),
  shape: [count],
})

for (const outputs of [1, 3]) {
  test(`gradients of heads of ${outputs} outputs are those of differences`, async (t) => {
    const network = await load(outputs)
    const y = labelsOf(outputs, n)
    const labels = { data: Int32Array.of(1, 0), shape: [2] }
    const loss = await gradients(network, 'cross-entropy', x, y)
    for (const head of ['logit', 'margin', 'cross-entropy'] as const) {
      const asked = await gradients(network, head, query, labels)
      const options = { head, labels }
      const found = await influence(network, x, y, query, { ...options, method: 'gradient' })
      near(t, found.values, asked.values, 1e-6)
      const truth = asked.rows.flatMap((q) => loss.rows.map((j) => -dot(q, j)))
      near(t, found.scores.data, truth, 1e-5)
      const cosine = await influence(network, x, y, query, { ...options, method: 'cosine' })
      const scaled = asked.rows.flatMap((q) =>
        loss.rows.map((j) => -dot(q, j) / Math.sqrt(dot(q, q) * dot(j, j))),
      )
      near(t, cosine.scores.data, scaled, 1e-4)
    }
    await network.dispose()
  })
}

test('Adam’s metric divides every number of a gradient by its own root', async (t) => {
  const network = await load(3)
  const y = labelsOf(3, n)
  const labels = { data: Int32Array.of(1, 0), shape: [2] }
  const epsilon = 0.1
  let seed = 7
  const moments = new Map(
    network.parameters.map(({ name, shape, count }) => {
      seed += 1
      return [
        name,
        { data: gaussians(count, seed).map((value) => value * value), shape: [...shape] },
      ]
    }),
  )
  const weights = [...moments.values()].flatMap(({ data }) =>
    Array.from(data, (value) => 1 / (Math.sqrt(value) + epsilon)),
  )
  const loss = await gradients(network, 'cross-entropy', x, y)
  const asked = await gradients(network, 'margin', query, labels)
  const inner = (a: number[], b: number[]) =>
    a.reduce((sum, value, e) => sum + value * b[e]! * weights[e]!, 0)
  const options = { metric: { moments, epsilon }, labels }
  const found = await influence(network, x, y, query, { ...options, method: 'gradient' })
  near(
    t,
    found.scores.data,
    asked.rows.flatMap((q) => loss.rows.map((j) => -inner(q, j))),
    1e-5,
  )
  const cosine = await influence(network, x, y, query, { ...options, method: 'cosine' })
  const scaled = asked.rows.flatMap((q) =>
    loss.rows.map((j) => -inner(q, j) / Math.sqrt(inner(q, q) * inner(j, j))),
  )
  near(t, cosine.scores.data, scaled, 1e-4)
  await network.dispose()
})

for (const metric of ['kron', 'diagonal'] as const) {
  test(`the metric ${metric} is the precision of the Laplace posterior`, async (t) => {
    const bytes = await buildCnn({ image: [1, 16, 16], width: 1, outputs: 3, seed: 2 })
    const network = await Network.load(bytes)
    const images = { data: Float32Array.from(gaussians(4 * 256, 3)), shape: [4, 1, 16, 16] }
    const y = { data: Int32Array.of(0, 1, 2, 1), shape: [4] }
    const damping = 0.7
    // J (H + δ)⁻¹ Jᵀ, which is held to laplace-torch's numbers.
    const posterior = await LaplacePosterior.of(network, images, y, { structure: metric })
    const { covariance, mean } = await posterior.predict(images, { priorPrecision: damping })
    const labels = { data: Int32Array.of(2, 0, 1, 1), shape: [4] }
    const { scores } = await influence(network, images, y, images, {
      ...{ method: 'gradient', metric, damping, head: 'logit', labels },
    })
    const truth = [0, 1, 2, 3].map((i) => {
      const f = Array.from(mean.data.slice(3 * i, 3 * i + 3))
      const total = f.reduce((sum, value) => sum + Math.exp(value), 0)
      const at = (i * 3 + labels.data[i]!) * 3
      return -f.reduce((sum, value, o) => {
        const rest = Math.exp(value) / total - Number(o === y.data[i])
        return sum + covariance.data[at + o]! * rest
      }, 0)
    })
    near(
      t,
      truth.map((_, i) => scores.data[i * 5]!),
      truth,
      1e-4,
    )
    const { damping: chosen } = await influence(network, images, y, images, {
      ...{ method: 'gradient', metric },
    })
    t.true(chosen! > 0)
    await network.dispose()
  })
}

test('a Newton step is the solution of its normal equations', async (t) => {
  const network = await load(3)
  const y = labelsOf(3, n)
  const labels = { data: Int32Array.of(1, 0), shape: [2] }
  const damping = 0.5
  const train = await gradients(network, 'margin', x, y)
  const asked = await gradients(network, 'margin', query, labels)
  const { scores } = await influence(network, x, y, query, { method: 'newton', labels, damping })
  // s solves (ΦᵀΦ + λ) s = φ_q: found by gradient descent, which nothing else here uses.
  const rest = train.values.map((value) => 1 / (1 + Math.exp(value)))
  const truth = asked.rows.flatMap((q) => {
    let s = q.map(() => 0)
    const size = train.rows.reduce((sum, row) => sum + dot(row, row), 0) + damping
    for (let step = 0; step < 20_000; step += 1) {
      const images = train.rows.map((row) => dot(row, s))
      s = s.map((value, e) => {
        const image = train.rows.reduce((sum, row, j) => sum + row[e]! * images[j]!, 0)
        return value - (image + damping * value - q[e]!) / size
      })
    }
    return train.rows.map((row, j) => dot(row, s) * rest[j]!)
  })
  near(t, scores.data, truth, 1e-4)
  const chosen = await influence(network, x, y, query, { method: 'newton' })
  t.true(chosen.damping! > 0)
  await network.dispose()
})

test('leave-one-out of heads equals models that are fitted again', async (t) => {
  const network = await load(3)
  const y = labelsOf(3, n)
  const labels = { data: Int32Array.of(1, 0), shape: [2] }
  const ridge = 0.3
  const whole = await (await fitFixed(network, x, y, { ridge })).predict(network, query)
  const row = (array: NdArray, q: number) =>
    Array.from(array.data.slice(3 * q, 3 * q + 3) as Float64Array, Number)
  for (const head of ['logit', 'margin', 'cross-entropy'] as const) {
    const { scores, damping } = await influence(network, x, y, query, { head, labels, ridge })
    t.is(damping, ridge)
    for (const j of [0, 4]) {
      const keep = Array.from({ length: n }, (_, i) => i).filter((i) => i !== j)
      const model = await fitFixed(network, take(x, keep), take(y, keep), { ridge })
      const without = await model.predict(network, query)
      for (const q of [0, 1]) {
        const label = labels.data[q]!
        const effect = headOf(head, row(whole, q), label) - headOf(head, row(without, q), label)
        near(t, Number(scores.data[q * n + j]), effect, { absolute: 1e-6 })
      }
    }
  }
  const representer = await influence(network, x, y, query, {
    ...{ method: 'representer', head: 'logit', labels, ridge },
  })
  const sums = [0, 1].map((q) =>
    representer.scores.data.slice(q * n, (q + 1) * n).reduce((a, b) => a + b, 0),
  )
  const f = await network.run(query)
  near(
    t,
    sums,
    [0, 1].map((q) => row(whole, q)[labels.data[q]!]! - row(f, q)[labels.data[q]!]!),
    1e-6,
  )
  await network.dispose()
})

test('mistakes are named', async (t) => {
  const network = await load(3)
  const y = labelsOf(3, n)
  const numbers = { data: new Float32Array(n * 3), shape: [n, 3] }
  const cases: [() => Promise<unknown>, RegExp][] = [
    [() => influence(network, x, numbers, query, { head: 'margin' }), /head/],
    [() => influence(network, x, numbers, query, { method: 'gradient' }), /y/],
    [() => influence(network, x, y, query, { labels: take(y, 1) }), /labels/],
    [() => influence(network, x, y, query, { method: 'newton', damping: 0 }), /damping/],
    [() => influence(network, x, y, query, { method: 'guess' as never }), /method/],
    [() => influence(network, x, y, query, { metric: 'kron' }), /metric/],
  ]
  for (const [call, message] of cases) {
    await t.throwsAsync(call, { code: 'BAD_ARGUMENT', message })
  }
  await network.dispose()
})
