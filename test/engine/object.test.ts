// The kernel as an object: its numbers against small matrices worked out apart.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type NdArray, readNpy, TangentKernel, targetKernel } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

const close = (t: ExecutionContext, found: number, truth: number, tolerance = 1e-6) =>
  near(t, found, truth, { absolute: tolerance * Math.max(1, Math.abs(truth)) })

/** Q diag(values) Qᵀ with a random rotation. */
function withSpectrum(random: Random, values: readonly number[]): Float32Array {
  const n = values.length
  const q = Array.from({ length: n }, () => Array.from(random.normals(n)))
  q.forEach((row, a) => {
    for (let b = 0; b < a; b += 1) {
      const other = q[b] as number[]
      const dot = row.reduce((sum, value, k) => sum + value * (other[k] as number), 0)
      row.forEach((value, k) => {
        row[k] = value - dot * (other[k] as number)
      })
    }
    const norm = Math.hypot(...row)
    row.forEach((value, k) => {
      row[k] = value / norm
    })
  })
  const matrix = new Float32Array(n * n)
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j < n; j += 1) {
      const terms = values.map((value, k) => value * (q[k]?.[i] as number) * (q[k]?.[j] as number))
      matrix[i * n + j] = terms.reduce((sum, term) => sum + term, 0)
    }
  }
  return matrix
}

test('eigenvalues, effective rank and participation ratio of a known spectrum', async (t) => {
  const values = [5, 3, 1, 0.5, 0.1, 0]
  const data = withSpectrum(new Random(1), values)
  for (const kernel of [
    new TangentKernel(data, [6, 6], 'trace', true),
    new TangentKernel(data, [3, 2, 3, 2], 'full', true),
  ]) {
    const found = await kernel.eigenvalues()
    found.forEach((value, k) => {
      close(t, value, values[k] as number)
    })
    const sum = values.reduce((a, b) => a + b)
    const entropy = values.reduce((h, v) => (v > 0 ? h - (v / sum) * Math.log(v / sum) : h), 0)
    close(t, await kernel.effectiveRank(), Math.exp(entropy), 1e-4)
    const squares = values.reduce((a, b) => a + b * b, 0)
    close(t, await kernel.participationRatio(), sum ** 2 / squares, 1e-5)
    close(t, kernel.trace(), sum, 1e-5)
    close(t, await kernel.alignment(kernel), 1)
    close(t, await kernel.alignment(kernel, { centred: true }), 1)
  }
})

test('traces agree between the kinds of one kernel', async (t) => {
  const random = new Random(2)
  const network = await load(t, mlp(random, [4, 6, 3]))
  const x = samples(random, [5, 4])
  const full = await network.ntk(x)
  const trace = await network.ntk(x, { kernel: 'trace' })
  const diagonal = await network.ntk(x, { kernel: 'diagonal' })
  close(t, full.trace(), trace.trace(), 1e-5)
  close(t, full.trace(), diagonal.trace(), 1e-5)
  t.deepEqual(full.gram().shape, [15, 15])
  t.is(full.gram().data, full.data)
  t.deepEqual(trace.gram().shape, [5, 5])
  const part = diagonal.gram(1)
  t.deepEqual(part.shape, [5, 5])
  t.is(part.data[7], full.data[(1 * 3 + 1) * 15 + 2 * 3 + 1])
  const one = await network.ntk(x, { outputs: [1] })
  const [a, b] = [await one.eigenvalues(), await diagonal.eigenvalues(1)]
  a.forEach((value, k) => {
    close(t, value, b[k] as number, 1e-4)
  })
  t.throws(() => diagonal.gram(), { code: 'BAD_ARGUMENT' })
  t.throws(() => diagonal.gram(3), { code: 'BAD_ARGUMENT' })
  await t.throwsAsync(diagonal.alignment(diagonal), { code: 'BAD_ARGUMENT' })
  const cross = await network.ntk(x, samples(random, [3, 4]))
  await t.throwsAsync(cross.eigenvalues(), { code: 'BAD_ARGUMENT' })
  t.throws(() => cross.trace(), { code: 'BAD_ARGUMENT' })
})

test('alignment, plain and centred, against the definitions', async (t) => {
  const random = new Random(3)
  const n = 7
  const matrix = () => {
    const factor = random.normals(n * 3)
    return Float32Array.from({ length: n * n }, (_, e) => {
      const [i, j] = [Math.floor(e / n), e % n]
      let sum = 1
      for (let k = 0; k < 3; k += 1) {
        sum += (factor[i * 3 + k] as number) * (factor[j * 3 + k] as number)
      }
      return sum
    })
  }
  const centre = (m: Float32Array) => {
    const h = (i: number, j: number) => (i === j ? 1 : 0) - 1 / n
    return Float64Array.from({ length: n * n }, (_, e) => {
      const [i, j] = [Math.floor(e / n), e % n]
      let sum = 0
      for (let a = 0; a < n; a += 1) {
        for (let b = 0; b < n; b += 1) sum += h(i, a) * (m[a * n + b] as number) * h(b, j)
      }
      return sum
    })
  }
  const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    let [ab, aa, bb] = [0, 0, 0]
    for (let e = 0; e < n * n; e += 1) {
      ab += (a[e] as number) * (b[e] as number)
      aa += (a[e] as number) ** 2
      bb += (b[e] as number) ** 2
    }
    return ab / Math.sqrt(aa * bb)
  }
  const [a, b] = [matrix(), matrix()]
  const kernel = new TangentKernel(a, [n, n], 'trace', true)
  const other: NdArray = { data: Float64Array.from(b), shape: [n, n] }
  close(t, await kernel.alignment(other), cosine(a, b))
  close(t, await kernel.alignment(other, { centred: true }), cosine(centre(a), centre(b)))
  const small: NdArray = { data: new Float32Array(4), shape: [2, 2] }
  await t.throwsAsync(kernel.alignment(small), { code: 'BAD_ARGUMENT', message: /7 × 7/ })
})

test('target kernels of labels and of numbers', (t) => {
  const labels: NdArray = { data: Int32Array.from([0, 1, 1, 2]), shape: [4] }
  const plain = targetKernel(labels, { centred: false })
  t.deepEqual([...plain.data], [1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1])
  const centred = targetKernel(labels)
  near(
    t,
    centred.data.reduce((a, b) => a + b, 0),
    0,
    { absolute: 1e-6 },
  )
  const y: NdArray = { data: new Float32Array([1, 2, 3, 4]), shape: [2, 2] }
  const full = targetKernel(y, { kernel: 'full', centred: false })
  t.deepEqual(full.shape, [2, 2, 2, 2])
  t.is(full.data[4 + 3], 8)
  t.deepEqual([...targetKernel(y, { centred: false }).data], [5, 11, 11, 25])
  t.is(targetKernel(labels, { classes: 5, kernel: 'full' }).outputs, 5)
  const wrong: [NdArray, object][] = [
    [{ data: new Float32Array([0.5]), shape: [1] }, {}],
    [{ data: new Float32Array([-1]), shape: [1] }, {}],
    [{ data: new Float32Array([Number.NaN, 1]), shape: [1, 2] }, {}],
    [{ data: new Float32Array(), shape: [0] }, {}],
    [labels, { classes: 2 }],
  ]
  for (const [target, options] of wrong) {
    t.throws(() => targetKernel(target, options), { code: 'BAD_ARGUMENT' })
  }
})

test('a kernel is saved as .npy', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const kernel = new TangentKernel(new Float32Array([2, 1, 1, 2]), [2, 2], 'trace', true)
  await kernel.save(join(folder, 'K.npy'))
  const read = await readNpy(join(folder, 'K.npy'))
  t.deepEqual([read.data, read.shape], [kernel.data, [2, 2]])
})
