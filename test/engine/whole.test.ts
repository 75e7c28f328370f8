// Batch 'whole': a network as a function of all samples of a call: docs/batches.md.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type LoadOptions, type NdArray, type Network, readArray, train } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { floats } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { reference } from '../support/reference.js'
import { dense, network, node, weight } from '../support/small.js'

const faults = fileURLToPath(new URL('../../../test/faults/', import.meta.url))

async function whole(
  t: ExecutionContext,
  source: string | Uint8Array,
  options: LoadOptions = {},
): Promise<Network> {
  return load(t, source, { ...options, batch: 'whole' })
}

/** Every call of a network of batch 'whole' against its Jacobian, and that against a truth. */
async function agree(
  t: ExecutionContext,
  own: Network,
  x: NdArray,
  truth: ReadonlyMap<string, NdArray>,
  tolerance: number,
): Promise<void> {
  const jacobian = await own.jacobian(x)
  for (const [name, value] of truth) near(t, jacobian.get(name) as NdArray, value, tolerance, name)
  const [n = 0, o = 0] = [...jacobian.values()][0]?.shape ?? []
  const rows = n * o
  const gram = new Float64Array(rows * rows)
  for (const { data } of truth.values()) {
    const size = data.length / rows
    for (let a = 0; a < rows; a += 1)
      for (let b = 0; b < rows; b += 1)
        for (let e = 0; e < size; e += 1)
          gram[a * rows + b]! += Number(data[a * size + e]) * Number(data[b * size + e])
  }
  const kernel = { data: gram, shape: [n, o, n, o] }
  for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const)
    near(t, await own.ntk(x, { method }), kernel, tolerance, method)
  near(t, await own.ntk(x, x), kernel, tolerance, 'x2')
  const at = (i: number, p: number, j: number, q: number) => gram[((i * o + p) * n + j) * o + q]!
  const trace = new Float64Array(n * n)
  const diagonal = new Float64Array(n * n * o)
  for (let i = 0; i < n; i += 1)
    for (let j = 0; j < n; j += 1)
      for (let p = 0; p < o; p += 1) {
        trace[i * n + j]! += at(i, p, j, p)
        diagonal[(i * n + j) * o + p] = at(i, p, j, p)
      }
  near(t, await own.ntk(x, { kernel: 'trace' }), { data: trace, shape: [n, n] }, tolerance, 'trace')
  const parts = await own.ntk(x, { kernel: 'diagonal', by: 'parameter' })
  const sum = new Float64Array(diagonal.length)
  for (const { data } of parts.values()) for (let e = 0; e < sum.length; e += 1) sum[e]! += data[e]!
  const diagonals = { data: diagonal, shape: [n, n, o] }
  near(t, { data: sum, shape: [n, n, o] }, diagonals, tolerance, 'diagonal')
  // Products, from the truth.
  const u = samples(new Random(7), [n, o])
  const gradient = await own.vjp(x, u)
  const product = new Float64Array(rows)
  for (let a = 0; a < rows; a += 1)
    for (let b = 0; b < rows; b += 1) product[a]! += gram[a * rows + b]! * u.data[b]!
  for (const [name, { data, shape }] of truth) {
    const size = data.length / rows
    const sums = new Float64Array(size)
    for (let a = 0; a < rows; a += 1)
      for (let e = 0; e < size; e += 1) sums[e]! += u.data[a]! * Number(data[a * size + e])
    near(t, gradient.get(name) as NdArray, { data: sums, shape: shape.slice(2) }, tolerance, name)
  }
  const products = { data: product, shape: [n, o] }
  near(t, await own.jvp(x, gradient), products, tolerance, 'jvp')
  near(t, await own.ntkProduct(x, u), products, tolerance, 'ntkProduct')
  const operator = await own.kernelOperator(x)
  const applied = await operator.product(Float64Array.from(u.data))
  near(t, { data: applied, shape: [n, o] }, products, tolerance, 'operator')
  for (const [name, value] of await own.features(x)) {
    const found = value.kind === 'dense' ? value.x : expanded(value, truth.get(name) as NdArray)
    near(t, found, truth.get(name) as NdArray, tolerance, `features of ${name}`)
  }
  if (o > 1) {
    const some = await own.ntk(x, { outputs: [o - 1] })
    const data = Float64Array.from({ length: n * n }, (_, e) =>
      at(Math.floor(e / n), o - 1, e % n, o - 1),
    )
    near(t, some, { data, shape: [n, 1, n, 1] }, tolerance, 'one output')
  }
}

type Features = Awaited<ReturnType<Network['features']>>
type Factored = Exclude<NonNullable<ReturnType<Features['get']>>, { kind: 'dense' }>

/** X[i,o] = Σ_t δ[i,o,t,:] ⊗ h[i,t,:]. */
function expanded(value: Factored, { shape }: NdArray): NdArray {
  const [n = 0, o = 0, positions = 0, m = 0] = value.delta.shape
  const k = value.kind === 'rows' ? value.k : (value.h.shape[2] as number)
  const data = new Float64Array(n * o * m * k)
  for (let i = 0; i < n; i += 1)
    for (let p = 0; p < o; p += 1)
      for (let s = 0; s < positions; s += 1)
        for (let a = 0; a < m; a += 1)
          for (let b = 0; b < k; b += 1) {
            const row = i * positions + s
            const h =
              value.kind === 'rows'
                ? Number(value.columns.data[row] === b)
                : value.h.data[row * k + b]!
            const delta = value.delta.data[((i * o + p) * positions + s) * m + a]!
            const place = value.transposed ? b * m + a : a * k + b
            data[(i * o + p) * m * k + place]! += delta * h
          }
  return { data, shape: [...shape] }
}

for (const name of ['sh_divB', 'bs_loss', 'seg_b']) {
  test(`${name}, the whole batch: the references`, async (t) => {
    const meta = JSON.parse(readFileSync(`${faults}${name}/meta.json`, 'utf8')) as {
      J: Record<string, string>
    }
    const stored = (file: string) => readArray(`${faults}${name}/${file}`)
    const own = await whole(t, `${faults}${name}/model.onnx`)
    const x = await stored('x.npy')
    near(t, await own.run(x), await stored('ref/f.npy'), 1e-5)
    const truth = new Map<string, NdArray>()
    for (const [parameter, file] of Object.entries(meta.J))
      truth.set(parameter, await stored(`ref/${file}`))
    await agree(t, own, x, truth, 2e-5)
  })
}

/** f and its Jacobian by parameter in double, by central differences. */
function differentiated(
  f: (values: Map<string, Float64Array>) => Float64Array,
  values: Map<string, Float64Array>,
  shapes: Record<string, number[]>,
  [n, o]: [number, number],
): Map<string, NdArray> {
  const step = 1e-5
  const found = new Map<string, NdArray>()
  for (const [name, own] of values) {
    const data = new Float64Array(n * o * own.length)
    for (let e = 0; e < own.length; e += 1) {
      const moved = (by: number) =>
        f(new Map([...values, [name, own.map((value, k) => (k === e ? value + by : value))]]))
      const [up, down] = [moved(step), moved(-step)]
      for (let row = 0; row < n * o; row += 1)
        data[row * own.length + e] = (up[row]! - down[row]!) / (2 * step)
    }
    found.set(name, { data, shape: [n, o, ...(shapes[name] as number[])] })
  }
  return found
}

test('normalised by the statistics of the batch: what samples do to each other is in the kernel', async (t) => {
  const [n, d, o] = [5, 3, 2]
  const shapes = { w: [d, o], gain: [o], shift: [o] }
  const source = network({
    nodes: [
      dense,
      node('ReduceMean', ['h'], 'mean', { axes: [0] }),
      node('Sub', ['h', 'mean'], 'c'),
      node('Mul', ['c', 'c'], 'c2'),
      node('ReduceMean', ['c2'], 'v', { axes: [0] }),
      node('Add', ['v', 'tiny'], 've'),
      node('Sqrt', ['ve'], 'sd'),
      node('Div', ['c', 'sd'], 'z'),
      node('Mul', ['z', 'gain'], 'g'),
      node('Add', ['g', 'shift'], 'a'),
      node('Tanh', ['a'], 'y'),
    ],
    initializers: { tiny: floats([], [1e-3]), gain: weight([o], 5), shift: weight([o], 6) },
  })
  const each = await load(t, source)
  const x = samples(new Random(3), [n, d])
  await t.throwsAsync(each.ntk(x), { code: 'UNSUPPORTED', message: /n_mean.*'whole'/ })
  const own = await whole(t, source)
  const values = new Map(
    Object.keys(shapes).map((name) => [name, Float64Array.from(own.weight(name).data)]),
  )
  const f = (at: Map<string, Float64Array>): Float64Array => {
    const [w, gain, shift] = ['w', 'gain', 'shift'].map((name) => at.get(name) as Float64Array)
    const y = new Float64Array(n * o)
    for (let p = 0; p < o; p += 1) {
      const h = Array.from({ length: n }, (_, i) => {
        let sum = 0
        for (let k = 0; k < d; k += 1) sum += x.data[i * d + k]! * w![k * o + p]!
        return sum
      })
      const mean = h.reduce((sum, value) => sum + value, 0) / n
      const variance = h.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n
      h.forEach((value, i) => {
        const z = (value - mean) / Math.sqrt(variance + 1e-3)
        y[i * o + p] = Math.tanh(gain![p]! * z + shift![p]!)
      })
    }
    return y
  }
  near(t, await own.run(x), { data: f(values), shape: [n, o] }, 1e-5, 'the output')
  await agree(t, own, x, differentiated(f, values, shapes, [n, o]), 1e-4)
  t.regex(own.notes.join(), /one input of the function/)
})

test('where samples do not meet, the whole batch gives what each sample gives', async (t) => {
  for (const source of [mlp(new Random(4), [4, 6, 3]), (await reference('cnn')).model]) {
    const each = await load(t, source)
    const own = await whole(t, source)
    const size = (each.inputs[0]?.shape ?? []).slice(1) as number[]
    const x = samples(new Random(5), [3, ...size])
    near(t, await own.run(x), await each.run(x), 1e-6, 'the output')
    await agree(t, own, x, await each.jacobian(x), 2e-5)
    const other = samples(new Random(6), [3, ...size])
    near(t, await own.ntk(x, other), await each.ntk(x, other), 2e-5, 'x2')
    for (const kernel of ['trace', 'diagonal'] as const) {
      let last = 0
      const found = await own.ntk(x, other, {
        kernel,
        onProgress: ({ fraction }) => {
          t.true(fraction >= last)
          last = fraction
        },
      })
      t.is(last, 1)
      near(t, found, await each.ntk(x, other, { kernel }), 2e-5, kernel)
    }
  }
})

test('what the whole batch does not go with is refused', async (t) => {
  const source = mlp(new Random(4), [3, 2])
  const own = await whole(t, source)
  const [x, x2] = [samples(new Random(5), [3, 3]), samples(new Random(6), [4, 3])]
  await t.throwsAsync(own.ntk(x, x2), { code: 'BAD_ARGUMENT', message: /as many samples/ })
  const target = { data: new Int32Array(3), shape: [3] }
  const optimizer = { kind: 'sgd', learningRate: 0.1 } as const
  await t.throwsAsync(train(own, { x, target }, { model: 'full', optimizer, epochs: 1 }), {
    code: 'BAD_ARGUMENT',
    message: /'each'/,
  })
  await t.throwsAsync(load(t, source, { batch: 'some' as 'each' }), { code: 'BAD_ARGUMENT' })
})
