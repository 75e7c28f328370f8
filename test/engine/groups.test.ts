// Kernels of groups of samples in one call: the blocks on the diagonal of the whole kernel.
import test, { type ExecutionContext } from 'ava'
import type { NdArray, Network } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { floats, ints, model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { fixture, reference } from '../support/reference.js'

type Kind = 'full' | 'trace' | 'diagonal'

/** Of a full kernel (N, O, N, O) what groups of `size` samples have of that kind. */
function blocks({ data, shape }: NdArray, size: number, kind: Kind): NdArray<Float64Array> {
  const [n = 0, o = 0] = shape
  const at = (i: number, p: number, j: number, q: number) =>
    Number(data[((i * o + p) * n + j) * o + q])
  const found: number[] = []
  for (let first = 0; first < n; first += size) {
    for (let i = first; i < first + size; i += 1) {
      if (kind === 'full') {
        for (let p = 0; p < o; p += 1)
          for (let j = first; j < first + size; j += 1)
            for (let q = 0; q < o; q += 1) found.push(at(i, p, j, q))
        continue
      }
      for (let j = first; j < first + size; j += 1) {
        const own = Array.from({ length: o }, (_, p) => at(i, p, j, p))
        if (kind === 'diagonal') found.push(...own)
        else found.push(own.reduce((sum, value) => sum + value, 0))
      }
    }
  }
  const rest = { full: [size, o, size, o], trace: [size, size], diagonal: [size, size, o] }[kind]
  return { data: Float64Array.from(found), shape: [n / size, ...rest] }
}

async function agree(t: ExecutionContext, network: Network, x: NdArray, whole: NdArray) {
  for (const kernel of ['full', 'trace', 'diagonal'] as const) {
    for (const size of [1, 2, 3, 6]) {
      const truth = blocks(whole, size, kernel)
      const own = await network.ntkGroups(x, size, { kernel })
      near(t, own, truth, 1e-5, `${kernel} ${size}`)
    }
  }
}

// Dense layers, windows, windows in groups, rows picked by number, attention.
for (const name of ['mlp_trained', 'cnn', 'mobilenet', 'text']) {
  test(`groups of ${name} against the reference in float64`, async (t) => {
    const truth = await reference(name)
    const network = await load(t, truth.model)
    await agree(t, network, truth.input, truth.ntk)
  })
}

test('methods, blocks, budgets and chosen outputs change nothing', async (t) => {
  const truth = await reference('mlp_trained')
  const network = await load(t, truth.model)
  const expected = blocks(truth.ntk, 3, 'full')
  for (const method of ['jacobian', 'structured', 'mixed'] as const) {
    near(t, await network.ntkGroups(truth.input, 3, { method }), expected, 1e-5, method)
  }
  // A group in several passes; one after the other; with outputs carried in parts.
  for (const options of [{ block: 1 }, { block: 3 }, { outputBlock: 3 }, { memory: '3MiB' }]) {
    const own = await network.ntkGroups(truth.input, 3, options)
    near(t, own, expected, 1e-5, JSON.stringify(options))
  }
  const outputs = [7, 2]
  const some = await network.ntk(truth.input, undefined, { outputs })
  near(t, await network.ntkGroups(truth.input, 2, { outputs }), blocks(some, 2, 'full'), 1e-5)
  const mean = await network.ntkGroups(truth.input, 2, { kernel: 'trace', mean: true })
  const traces = blocks(truth.ntk, 2, 'trace')
  near(t, mean, { ...traces, data: traces.data.map((value) => value / 10) }, 1e-5)
})

test('in float64, and in files that take one sample or a whole batch', async (t) => {
  const random = new Random(4)
  const x = samples(random, [6, 3])
  const bytes = mlp(new Random(5), [3, 8, 2])
  const network = await load(t, bytes)
  const double = await network.inDouble()
  t.teardown(() => double.dispose())
  const whole = await double.ntk(x)
  near(t, await double.ntkGroups(x, 2), blocks(whole, 2, 'full'), 1e-13)
  for (const batch of [1, 4]) {
    const fixed = await load(t, mlp(new Random(5), [3, 8, 2], { batch }))
    near(t, await fixed.ntkGroups(x, 3), blocks(whole, 3, 'full'), 1e-5, `a batch of ${batch}`)
  }
  const one = await load(t, bytes, { batch: 'whole' })
  near(t, await one.ntkGroups(x, 3, { kernel: 'trace' }), blocks(whole, 3, 'trace'), 1e-5)
})

test('each group of a batch that is one input is a batch of its own', async (t) => {
  // y = x·w less the batch's mean.
  const centred = await load(
    t,
    model({
      nodes: [
        { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] },
        { op: 'ReduceMean', inputs: ['h', 'axes'], outputs: ['m'] },
        { op: 'Sub', inputs: ['h', 'm'], outputs: ['y'] },
      ],
      initializers: { w: floats([2, 1], [0.5, -1]), axes: ints([0]) },
      inputs: [{ name: 'x', shape: ['N', 2] }],
      outputs: [{ name: 'y', shape: ['N', 1] }],
      opset: 18,
    }),
    { batch: 'whole' },
  )
  const data = Float32Array.of(1, 2, 3, 5, -1, 4, 2, 2)
  // Of two samples a and b the features are ±(a − b)/2.
  const half = [
    [-1, -1.5],
    [-1.5, 1],
  ].map(([u = 0, v = 0]) => u * u + v * v)
  const truth = half.flatMap((k) => [k, -k, -k, k])
  const own = await centred.ntkGroups({ data, shape: [4, 2] }, 2)
  near(t, own, { data: truth, shape: [2, 2, 1, 2, 1] }, 1e-6)
})

test('what is no size of groups is refused', async (t) => {
  const truth = await reference('mlp_init')
  const network = await load(t, fixture('mlp_init', 'model.onnx'))
  for (const size of [0, 1.5, 4, '2' as never, undefined as never]) {
    await t.throwsAsync(network.ntkGroups(truth.input, size), { code: 'BAD_ARGUMENT' })
  }
})
