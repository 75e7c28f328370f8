// A kernel on disk answers as one in memory does.
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  createStore,
  KernelFactor,
  type Network,
  openKernel,
  type StoredKernel,
  type TangentKernel,
  targetKernel,
  writeNpy,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { place } from './folders.js'

const random = new Random(8)
const bytes = mlp(random, [5, 12, 3])
const x = samples(random, [26, 5])
const y = samples(random, [26, 3])
const labels = { data: Int32Array.from({ length: 26 }, (_, i) => i % 3), shape: [26] }
const kinds = ['full', 'trace', 'diagonal'] as const

/** The kernel in memory, in a store and in a file. */
async function three(
  t: ExecutionContext,
  kernel: (typeof kinds)[number],
): Promise<{ network: Network; whole: TangentKernel; stored: StoredKernel[] }> {
  const network = await load(t, bytes, { threads: 1, memory: '100MB' })
  const path = await place(t)
  const store = await createStore(path, network, { kind: 'ntk', kernel, x }, { tile: 7, group: 2 })
  const output = kernel === 'diagonal' ? 1 : undefined
  await t.throwsAsync(openKernel(path, { output }), {
    code: 'BAD_FILE',
    message: /complete kernel in .* but 0 of 10 tiles are there/,
  })
  await store.work()
  const whole = await network.ntk(x, { kernel })
  const file = join(dirname(path), 'k.npy')
  await writeNpy(file, whole)
  const stored = [await openKernel(path, { output }), await openKernel(file, { output })]
  for (const one of stored) t.teardown(() => one.close())
  return { network, whole, stored }
}

for (const kernel of kinds) {
  test(`${kernel}: spectrum, solutions and alignments are those of the kernel in memory`, async (t) => {
    const { whole, stored } = await three(t, kernel)
    const output = kernel === 'diagonal' ? 1 : undefined
    const gram = whole.gram(output)
    const n = gram.shape[0] as number
    const truth = await whole.eigenvalues(output)
    const trace = truth.reduce((sum, value) => sum + value, 0)
    const square = truth.reduce((sum, value) => sum + value * value, 0)
    const v = random.normals(n * 3)
    const product = Float64Array.from({ length: n * 3 }, (_, e) => {
      const [i, k] = [Math.floor(e / 3), e % 3]
      let sum = 0
      for (let j = 0; j < n; j += 1)
        sum += (gram.data[i * n + j] as number) * (v[3 * j + k] as number)
      return sum
    })
    const target = y.data.subarray(0, n)
    const ridge = 0.1 * (trace / n)
    const solution =
      kernel === 'diagonal'
        ? undefined
        : await (await KernelFactor.of(whole, ridge)).solve(Float64Array.from(target))
    for (const one of stored) {
      t.deepEqual([one.kind, one.size, one.shape.join()], [kernel, n, whole.shape.join()])
      near(t, await one.product(Float64Array.from(v), 3), product, 1e-6)
      near(t, await one.trace(), trace, 1e-6)
      near(t, await one.norm(), Math.sqrt(square), 1e-6)
      const { top, participationRatio, topShare } = await one.measures({ count: 4 })
      t.is(top.status, 'converged')
      near(t, top.values, truth.slice(0, 4), 1e-5)
      near(t, participationRatio, trace ** 2 / square, 1e-5)
      near(t, topShare, top.values.reduce((sum, each) => sum + each, 0) / trace, 1e-6)
      if (solution) {
        const { alpha } = await one.solve(target, { ridge })
        near(t, alpha, solution, 1e-5)
      }
      near(t, await one.alignment(whole), 1, 1e-6)
    }
    const [own, other] = stored as [StoredKernel, StoredKernel]
    near(t, await own.alignment(other, { centred: true }), 1, 1e-6)
  })
}

test('alignments with other kernels and with targets, plain and centred', async (t) => {
  for (const kernel of ['full', 'trace'] as const) {
    const { whole, stored, network } = await three(t, kernel)
    const [own] = stored as [StoredKernel]
    const second = await network.ntk(x, { kernel, method: 'jacobian', outputs: [2, 0, 1] })
    const target = kernel === 'full' ? y : labels
    const asked = targetKernel(target, { kernel })
    for (const centred of [false, true]) {
      near(
        t,
        await own.alignment(second, { centred }),
        await whole.alignment(second, { centred }),
        1e-5,
      )
      const truth = await whole.alignment(asked, { centred })
      near(t, await own.targetAlignment(target, { centred }), truth, 1e-5)
    }
  }
})

test('what is no kernel, or damaged, is refused in a sentence', async (t) => {
  const network = await load(t, bytes, { threads: 1, memory: '100MB' })
  const path = await place(t)
  const second = samples(random, [4, 5])
  const request = { kind: 'ntk', kernel: 'trace', x, x2: second } as const
  await (await createStore(path, network, request, { tile: 10 })).work()
  const wide = await openKernel(path)
  near(
    t,
    await wide.norm(),
    Math.hypot(...(await network.ntk(x, second, { kernel: 'trace' })).data),
    1e-5,
  )
  await t.throwsAsync(async () => wide.topEigenvalues(), { message: /its Gram matrix is 26 × 4$/ })
  await t.throwsAsync(openKernel(path, { output: 1 }), { code: 'BAD_ARGUMENT' })
  await t.throwsAsync(wide.product(new Float64Array(26)), { message: /4 × 1 numbers for v/ })
  await writeFile(join(path, 'c/1/0'), 'x')
  await t.throwsAsync(wide.norm(), { code: 'BAD_FILE', message: /c\/1\/0$/ })
  await t.throwsAsync(openKernel(path), { message: /2 of 3 tiles are there/ })
  const file = join(dirname(path), 'v.npy')
  await writeNpy(file, { data: new Float32Array(6), shape: [6] })
  await t.throwsAsync(openKernel(file), { message: /Expected a kernel .* it is float32 \(6\)/ })
})
