// Influence on heads, against models that are fitted again and gradients by central differences.
import test from 'ava'
import {
  buildMlp,
  fitFixed,
  type Head,
  influence,
  type NdArray,
  Network,
  take,
} from '../../lib/index.js'
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

/** A head by its definition. */
function headOf(head: Head, f: number[], label: number): number {
  const logits = f.length === 1 ? [-f[0]! / 2, f[0]! / 2] : f
  const total = logits.reduce((sum, value) => sum + Math.exp(value), 0)
  const p = Math.exp(logits[label]!) / total
  if (head === 'cross-entropy') return -Math.log(p)
  if (head === 'margin') return Math.log(p / (1 - p))
  return f.length === 1 ? (label === 1 ? 1 : -1) * f[0]! : logits[label]!
}

/** Heads of all samples and their gradients by all parameters, by central differences. */
async function gradients(network: Network, head: Head, at: NdArray, labels: NdArray) {
  const heads = async (own: Network) => {
    const { data, shape } = await own.run(at)
    const [count = 0, outputs = 1] = shape
    return Array.from({ length: count }, (_, i) =>
      headOf(
        head,
        Array.from(data.slice(i * outputs, (i + 1) * outputs) as Float64Array, Number),
        Number(labels.data[i]),
      ),
    )
  }
  const columns: number[][] = []
  for (const { name } of network.parameters) {
    const own = network.weight(name)
    for (let e = 0; e < own.data.length; e += 1) {
      const moved = async (step: number) => {
        const data = own.data.map((value, k) => (k === e ? value + step : value))
        const other = await network.withParameters(new Map([[name, { ...own, data }]]))
        const values = await heads(other)
        await other.dispose()
        return values
      }
      const [up, down] = [await moved(1e-4), await moved(-1e-4)]
      columns.push(up.map((value, i) => (value - down[i]!) / 2e-4))
    }
  }
  const values = await heads(network)
  return { values, rows: values.map((_, i) => columns.map((column) => column[i]!)) }
}

const dot = (a: number[], b: number[]) => a.reduce((sum, value, e) => sum + value * b[e]!, 0)

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
  ]
  for (const [call, message] of cases) {
    await t.throwsAsync(call, { code: 'BAD_ARGUMENT', message })
  }
  await network.dispose()
})
