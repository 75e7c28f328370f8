// What must hold of every kernel, whatever the network.
import test from 'ava'
import { KernelSpectrum, type NdArray, TangentKernel } from '../../lib/index.js'
import { markLate } from '../support/late.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

const rounding = 5e-6
const widths = [7, 12, 9, 5]

function setUp(seed: number) {
  const random = new Random(seed)
  const bytes = mlp(random, widths)
  return { bytes, x: samples(random, [11, 7]), x2: samples(random, [6, 7]) }
}

/** J Jᵀ in float64 from the Jacobian by parameter. */
function contracted(
  one: ReadonlyMap<string, NdArray>,
  two: ReadonlyMap<string, NdArray>,
  outputs: number,
): NdArray {
  const size = (jacobian: ReadonlyMap<string, NdArray>) =>
    [...jacobian.values()][0]?.shape[0] as number
  const [n1, n2] = [size(one), size(two)]
  const data = new Float64Array(n1 * outputs * n2 * outputs)
  for (const [name, a] of one) {
    const b = two.get(name) as NdArray
    const count = a.data.length / (n1 * outputs)
    for (let r = 0; r < n1 * outputs; r += 1) {
      for (let c = 0; c < n2 * outputs; c += 1) {
        let sum = 0
        for (let p = 0; p < count; p += 1) {
          sum += Number(a.data[r * count + p]) * Number(b.data[c * count + p])
        }
        data[r * n2 * outputs + c] = (data[r * n2 * outputs + c] as number) + sum
      }
    }
  }
  return { data, shape: [n1, outputs, n2, outputs] }
}

test('every method gives J Jᵀ, of one input and of two', async (t) => {
  const { bytes, x, x2 } = setUp(1)
  const network = await load(t, bytes)
  const [j, j2] = [await network.jacobian(x), await network.jacobian(x2)]
  for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const) {
    const same = await network.ntk(x, { method })
    near(t, same, contracted(j, j, 5), rounding, method)
    const cross = await network.ntk(x, x2, { method })
    near(t, cross, contracted(j, j2, 5), rounding, `${method}, two inputs`)
    t.false(cross.symmetric)
  }
})

test('products is the old name of mixed', async (t) => {
  const { bytes, x } = setUp(1)
  const network = await load(t, bytes)
  const [old, now] = [
    await network.ntk(x, { method: 'products' }),
    await network.ntk(x, { method: 'mixed' }),
  ]
  t.deepEqual(old.data, now.data)
  // It is a way of its own: its bits differ from those of others.
  t.notDeepEqual(now.data, (await network.ntk(x, { method: 'structured' })).data)
})

test('blocks and threads do not matter', async (t) => {
  const { bytes, x, x2 } = setUp(2)
  const network = await load(t, bytes)
  const whole = await network.ntk(x)
  const cross = await network.ntk(x, x2)
  for (const block of [1, 2, 4, 7, 11, 100]) {
    for (const threads of [1, 2, 3]) {
      for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const) {
        const options = { block, threads, method }
        const label = `${method}, blocks of ${block}, ${threads} threads`
        near(t, await network.ntk(x, options), whole, rounding, label)
        near(t, await network.ntk(x, x2, options), cross, rounding, label)
      }
    }
  }
  const jacobian = await network.jacobian(x)
  for (const [name, value] of await network.jacobian(x, { block: 3, threads: 1 })) {
    near(t, value, jacobian.get(name) as NdArray, rounding, name)
  }
})

test('trace and diagonal kernels are parts of the full one', async (t) => {
  const { bytes, x, x2 } = setUp(3)
  const network = await load(t, bytes)
  for (const second of [undefined, x2]) {
    const full = await network.ntk(x, second)
    const [n1, o, n2] = full.shape as [number, number, number]
    const diagonal = new Float64Array(n1 * n2 * o)
    const trace = new Float64Array(n1 * n2)
    for (let i = 0; i < n1; i += 1) {
      for (let j = 0; j < n2; j += 1) {
        for (let p = 0; p < o; p += 1) {
          const value = full.data[((i * o + p) * n2 + j) * o + p] as number
          diagonal[(i * n2 + j) * o + p] = value
          trace[i * n2 + j] = (trace[i * n2 + j] as number) + value
        }
      }
    }
    for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const) {
      for (const block of [0, 1, 4]) {
        const options = { method, block }
        const d = await network.ntk(x, second, { ...options, kernel: 'diagonal' })
        near(t, d, { data: diagonal, shape: [n1, n2, o] }, rounding, method)
        const s = await network.ntk(x, second, { ...options, kernel: 'trace' })
        near(t, s, { data: trace, shape: [n1, n2] }, rounding, method)
      }
    }
    const mean = await network.ntk(x, second, { kernel: 'trace', mean: true })
    near(t, mean, { data: trace.map((value) => value / o), shape: [n1, n2] }, rounding)
  }
})

test('an output subset is a part of the whole, in the order asked for', async (t) => {
  const { bytes, x } = setUp(4)
  const network = await load(t, bytes)
  const full = await network.ntk(x)
  const [n, o] = full.shape as [number, number]
  for (const outputs of [[3], [4, 0], [1, 2, 3]]) {
    const s = outputs.length
    const expected = new Float32Array((n * s) ** 2)
    outputs.forEach((p, a) => {
      outputs.forEach((q, b) => {
        for (let i = 0; i < n; i += 1) {
          for (let j = 0; j < n; j += 1) {
            expected[((i * s + a) * n + j) * s + b] = full.data[
              ((i * o + p) * n + j) * o + q
            ] as number
          }
        }
      })
    })
    for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const) {
      const part = await network.ntk(x, { outputs, method })
      near(t, part, { data: expected, shape: [n, s, n, s] }, rounding, method)
    }
    const jacobian = await network.jacobian(x, { outputs })
    const whole = await network.jacobian(x)
    for (const [name, value] of jacobian) {
      const all = whole.get(name) as NdArray
      const count = all.data.length / (n * o)
      const rows = value.data.map((_, e) => {
        const row = Math.floor(e / count)
        const from = Math.floor(row / s) * o + (outputs[row % s] as number)
        return Number(all.data[from * count + (e % count)])
      }) as Float32Array
      near(t, value, { data: rows, shape: value.shape }, rounding, name)
    }
  }
})

test('a kernel of one input is symmetric to the last bit and positive semidefinite', async (t) => {
  const { bytes, x } = setUp(5)
  const network = await load(t, bytes)
  for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const) {
    for (const block of [0, 1, 3]) {
      const kernel = await network.ntk(x, { method, block })
      const { data, shape } = kernel.gram()
      const size = shape[0] as number
      let asymmetric = 0
      for (let a = 0; a < size; a += 1) {
        for (let b = 0; b < a; b += 1)
          if (data[a * size + b] !== data[b * size + a]) asymmetric += 1
      }
      t.is(asymmetric, 0, `${method}, blocks of ${block}`)
      const eigenvalues = await kernel.eigenvalues()
      const [largest = 0] = eigenvalues
      t.true((eigenvalues.at(-1) as number) >= -1e-5 * largest, method)
    }
  }
})

test('layers and parameters add up to the whole', async (t) => {
  const { bytes, x } = setUp(6)
  const network = await load(t, bytes)
  for (const kernel of ['full', 'trace', 'diagonal'] as const) {
    const total = await network.ntk(x, { kernel })
    for (const by of ['layer', 'parameter'] as const) {
      const parts = await network.ntk(x, { kernel, by })
      t.is(parts.size, by === 'layer' ? 3 : 6)
      const sum = new Float64Array(total.data.length)
      for (const part of parts.values()) {
        part.data.forEach((value, e) => {
          sum[e] = (sum[e] as number) + value
        })
      }
      near(t, { data: sum, shape: total.shape }, total, rounding, `${kernel} by ${by}`)
    }
  }
})

test('frozen parameters contribute nothing', async (t) => {
  const { bytes, x } = setUp(7)
  const network = await load(t, bytes)
  const parts = await network.ntk(x, { by: 'parameter' })
  const chosen = ['l.0.weight', 'l.2.bias']
  const sum = (names: readonly string[]): NdArray => {
    const [first] = names.map((name) => parts.get(name) as TangentKernel)
    const data = new Float64Array(first?.data.length ?? 0)
    for (const name of names) {
      parts.get(name)?.data.forEach((value, e) => {
        data[e] = (data[e] as number) + value
      })
    }
    return { data, shape: first?.shape ?? [] }
  }
  const some = await load(t, bytes, { parameters: chosen })
  near(t, await some.ntk(x), sum(chosen), rounding)
  t.deepEqual([...(await some.jacobian(x)).keys()], chosen)
  const others = [...parts.keys()].filter((name) => !chosen.includes(name))
  const rest = await load(t, bytes, { frozen: (parameter) => chosen.includes(parameter.name) })
  near(t, await rest.ntk(x), sum(others), rounding)
  t.deepEqual(
    rest.parameters.filter(({ frozen }) => frozen).map(({ name }) => name),
    chosen,
  )
  const pattern = await load(t, bytes, { parameters: /bias$/g })
  const biases = [...parts.keys()].filter((name) => name.endsWith('bias'))
  near(t, await pattern.ntk(x), sum(biases), rounding)
})

test('an abort leaves eigenvalues at once, and they can be asked for again', async (t) => {
  const n = 1400
  const data = new Float32Array(n * n)
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j < n; j += 1) data[i * n + j] = Math.exp(-Math.abs(i - j) / 50)
  }
  const kernel = new TangentKernel(data, [n, n], 'trace', true)
  const calls = [
    (signal: AbortSignal) => kernel.eigenvalues(undefined, { signal }),
    (signal: AbortSignal) => kernel.effectiveRank(undefined, { signal }),
    (signal: AbortSignal) => KernelSpectrum.of(kernel, { signal }),
  ]
  for (const call of calls) {
    await t.throwsAsync(async () => call(AbortSignal.abort()), { name: 'AbortError', any: true })
    const control = new AbortController()
    const pending = call(control.signal)
    const late = { is: false }
    markLate(late)
    control.abort()
    await t.throwsAsync(pending, { name: 'AbortError', any: true })
    t.false(late.is)
  }
  const sum = (await kernel.eigenvalues()).reduce((a, b) => a + b, 0)
  near(t, sum, n, 1e-6)
})
