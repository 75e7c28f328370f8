// One kernel measured by itself, and its diagonal against the margin.
import test from 'ava'
import {
  averageKernel,
  diagonalByMargin,
  type KernelMeasures,
  measureKernel,
  type NdArray,
  TangentKernel,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { combine, cosine, inner, rowsOf } from './plain.js'

test('the path-averaged kernel is split into K_0, K_ŷ and the rest', async (t) => {
  const random = new Random(51)
  const network = await load(t, mlp(random, [5, 9, 1]))
  const x = samples(random, [12, 5])
  const moved = new Map<string, NdArray>(
    network.parameters.map(({ name, shape }) => {
      const data = network.weight(name).data.map((w) => w + 0.3 * random.normal())
      return [name, { data, shape: [...shape] }]
    }),
  )
  const after = await network.withParameters(moved)
  t.teardown(() => after.dispose())
  const [initial, { kernel }] = [await network.ntk(x), await averageKernel(network, after, x)]
  const start = (await network.run(x)).data as Float32Array
  const learned = (await after.run(x)) as NdArray
  const found = await measureKernel(kernel, { initial, learned, outputs: start })
  const [k, a] = [rowsOf(kernel.data, 12), rowsOf(initial.data, 12)]
  const r = [...start].map((value, i) => Number(learned.data[i]) - value)
  const y = r.map((u) => r.map((v) => u * v))
  near(t, found.learned?.alignment, cosine(k, y), { absolute: 1e-9 })
  // The rest of a least-squares fit is orthogonal to both terms.
  const { initial: w0 = 0, target: w1 = 0, rest } = found.split ?? {}
  const left = combine(
    combine(k, a, (u, v) => u - w0 * v),
    y,
    (u, v) => u - w1 * v,
  )
  near(t, inner(left, a), 0, { absolute: 1e-8 * inner(k, a) })
  near(t, inner(left, y), 0, { absolute: 1e-8 * Math.abs(inner(k, y)) })
  near(t, rest, Math.sqrt(inner(left, left) / inner(k, k)), { absolute: 1e-9 })
  t.is((await measureKernel(initial)).initial.distance, 0)
  const other = await network.ntk(samples(random, [4, 5]))
  await t.throwsAsync(measureKernel(kernel, { initial: other }), { message: /options\.initial/ })
  await t.throwsAsync(measureKernel(kernel, { memory: 100 }), { code: 'MEMORY_BUDGET' })
  const { effectiveRank, eigenvalues } = (await measureKernel(kernel, {
    spectrum: false,
  })) as KernelMeasures
  t.deepEqual([effectiveRank, eigenvalues], [null, null])
})

test('the diagonal against the margin', (t) => {
  const n = 20
  const y = Float64Array.from({ length: n }, (_, i) => (i - 9.5) / 10)
  const data = new Float32Array(n * n)
  for (let i = 0; i < n; i += 1) data[i * n + i] = 1 / Math.abs(y[i] as number)
  const kernel = new TangentKernel(data, [n, n], 'trace', true)
  const found = diagonalByMargin(kernel, { data: y, shape: [n] }, { share: 0.1 })
  near(t, found.correlation, -1, { absolute: 1e-12 })
  // Diagonals 10/0.5, twice, over the median of 10/4.5 and 10/5.5.
  const middle = (10 / 4.5 + 10 / 5.5) / 2
  near(t, found.near, 20 / middle, { absolute: 1e-5 })
  near(t, found.peak, 20 / middle, { absolute: 1e-5 })
  const scores = { data: Float64Array.from([3, 1, 0, 0, 5, 4]), shape: [2, 3] }
  const two = new TangentKernel(new Float32Array([1, 0, 0, 2]), [2, 2], 'trace', true)
  t.deepEqual([...diagonalByMargin(two, scores).margin], [2, 1])
  t.deepEqual([...diagonalByMargin(two, scores, { classes: [1, 2] }).margin], [-2, -1])
  t.throws(() => diagonalByMargin(two, { data: y, shape: [n] }), { message: /scores/ })
  t.throws(() => diagonalByMargin(two, scores, { classes: [1, 7] }), { message: /classes\[1\]/ })
  const full = new TangentKernel(
    Float32Array.from({ length: 16 }, (_, e) => e),
    [2, 2, 2, 2],
    'full',
    true,
  )
  t.deepEqual([...diagonalByMargin(full, scores).diagonal], [0 + 5, 10 + 15])
})
