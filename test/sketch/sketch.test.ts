// Sketches: the map is what it is said to be, whatever the batches; their inner products have the
// kernel as mean and the error that theory gives.
import test from 'ava'
import {
  type Floats,
  fitFeatures,
  MemorySink,
  type NdArray,
  Network,
  nystrom,
  type SketchError,
  type SketchKind,
  type SketchOptions,
  sketch,
  type TangentSketch,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { philox, projected } from '../support/projection.js'
import { Random } from '../support/random.js'
import { reference } from '../support/reference.js'

const kinds: SketchKind[] = ['combined', 'sparse', 'factored', 'mask']
const total = ({ parts }: TangentSketch) => parts.get('total') as NdArray<Floats>
const rms = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)

test('the random words are those of Random123', (t) => {
  const hex = (all: number[]) => all.map((word) => word.toString(16).padStart(8, '0')).join(' ')
  const ones = 0xffffffff
  t.is(hex(philox([0, 0, 0, 0], [0, 0])), '6627e8d5 e169c58d bc57ac4c 9b00dbd8')
  t.is(hex(philox([ones, ones, ones, ones], [ones, ones])), '408f276d 41c83b0e a20bc7c6 6d5451fd')
})

for (const name of ['mlp_init', 'cnn', 'mobilenet', 'text', 'resnet8_bn']) {
  test(`${name}: sketches are the Jacobian's projections`, async (t) => {
    const { model, input } = await reference(name)
    const network = await load(t, model)
    const x = first(input, 2)
    const jacobian = await network.jacobian(x, { outputs: [0, 1] })
    for (const kind of kinds) {
      for (const by of ['total', 'parameter'] as const) {
        const size = by === 'total' ? 300 : 32
        const made = await sketch(network, x, {
          kind,
          by,
          size,
          outputs: [0, 1],
          check: 0,
          seed: 5,
        })
        const truth = projected(jacobian, made.map)
        made.map.parts.forEach((part, g) => {
          const found = made.parts.get(part) as NdArray
          const expected = { data: truth[g] as Float64Array, shape: found.shape }
          near(t, found, expected, 2e-5, `${name} ${kind} ${part}`)
        })
      }
    }
  })
}

test('batches, outputs at once, threads and tiles change nothing', async (t) => {
  const { model, input } = await reference('cnn')
  const network = await load(t, model)
  const x = first(input, 5)
  for (const kind of kinds) {
    const options: SketchOptions = { kind, size: 200, seed: 9 }
    const whole = total(await sketch(network, x, { ...options, check: 0 }))
    for (const way of [{ block: 1 }, { block: 2, outputBlock: 3 }, { threads: 1, block: 4 }]) {
      const other = total(await sketch(network, x, { ...options, ...way, check: 0 }))
      near(t, other, whole, 1e-5, kind)
    }
    const sink = new MemorySink()
    t.like(await sketch(network, x, { ...options, sink, tile: 2 }), { tiles: 3, computed: 3 })
    near(t, sink.arrays.get('total') as NdArray, whole, 1e-5, kind)
  }
})

test('over seeds the mean is the kernel, and the error is on its line', async (t) => {
  const random = new Random(4)
  const network = await load(t, mlp(random, [50, 64, 3]))
  const x = samples(random, [6, 50])
  const { data: exact, shape } = await network.ntk(x)
  const n = (shape[0] as number) * (shape[1] as number)
  const seeds = Array.from({ length: 120 }, (_, seed) => seed)
  for (const kind of kinds) {
    const size = 100
    const sum = new Float64Array(n * n)
    const found: SketchError[] = []
    for (const seed of seeds) {
      const made = await sketch(network, x, { kind, size, seed, check: seed < 40 ? 6 : 0 })
      const { data } = await made.kernel()
      data.forEach((value, e) => {
        ;(sum[e] as number) += value / seeds.length
      })
      if (made.error) found.push(made.error)
    }
    // The mean's own error is that of one seed, over √120.
    const scale = (i: number, j: number) =>
      Math.sqrt((exact[i * n + i] ?? 0) * (exact[j * n + j] ?? 0))
    const off = Array.from(sum, (value, e) => {
      return (value - (exact[e] as number)) / scale(Math.floor(e / n), e % n)
    })
    const line = kind === 'sparse' ? Math.sqrt(2 / size) : kind === 'mask' ? 1 : 0.7
    t.true(rms(off) < (2 * line) / Math.sqrt(seeds.length), `${kind}: ${rms(off)}`)
    const [on = 0, other = 0] = (['diagonal', 'offDiagonal'] as const).map(
      (of) =>
        rms(found.map((error) => error[of])) /
        rms(found.map(({ expected }) => expected?.[of] ?? 0)),
    )
    t.true(on < 1.2 && other < 1.2, `${kind}: ${on} and ${other} of what is expected`)
    if (kind === 'sparse') t.true(on > 0.75 && other > 0.75, `${kind}: ${on} and ${other}`)
  }
})

test('a factored map of one position is far from the line of a sparse one, as it is told', async (t) => {
  const random = new Random(4)
  const network = await load(t, mlp(random, [300, 200], { bias: false }))
  const x = samples(random, [8, 300])
  const heads = Array.from(random.normals(200))
  const errors = { factored: [] as number[], sparse: [] as number[] }
  for (const kind of ['factored', 'sparse'] as const) {
    for (let seed = 0; seed < 12; seed += 1) {
      const { error, map } = await sketch(network, x, { kind, size: 1024, seed, heads, check: 8 })
      errors[kind].push(error?.diagonal ?? 0)
      if (kind === 'factored') t.deepEqual(map.parameters[0]?.stage, [32, 32])
    }
  }
  t.true(Math.abs(rms(errors.factored) / Math.sqrt(4 / 32) - 1) < 0.3, `${rms(errors.factored)}`)
  t.true(Math.abs(rms(errors.sparse) / Math.sqrt(2 / 1024) - 1) < 0.3, `${rms(errors.sparse)}`)
})

test('heads are sums of outputs, and parts add up or stay apart', async (t) => {
  const random = new Random(8)
  const network = await load(t, mlp(random, [7, 9, 3]))
  const x = samples(random, [5, 7])
  const options = { size: 64, seed: 3 }
  const each = total(await sketch(network, x, { ...options, check: 0 }))
  const weights = [1, -2, 0.5]
  const sum = await sketch(network, x, { ...options, heads: weights, check: 5 })
  const expected = new Float32Array(5 * 64)
  each.data.forEach((value, e) => {
    const [i, o] = [Math.floor(e / (3 * 64)), Math.floor(e / 64) % 3]
    ;(expected[i * 64 + (e % 64)] as number) += value * (weights[o] as number)
  })
  near(t, total(sum), { data: expected, shape: [5, 1, 64] }, 1e-5)
  t.true((sum.error?.diagonal ?? 1) < 0.4, 'against the exact kernel of the head')
  const two = samples(random, [5, 3, 2])
  const heads = await sketch(network, x, { ...options, heads: two, check: 5 })
  t.deepEqual(total(heads).shape, [5, 2, 64])
  t.true((heads.error?.diagonal ?? 1) < 0.4, 'against the exact kernel of two heads')
  // Layers apart: the same numbers as all others frozen.
  const layers = await sketch(network, x, { ...options, by: 'layer', check: 5 })
  t.is(layers.parts.size, 2)
  const added = new Float32Array(each.data.length)
  for (const { data } of layers.parts.values()) {
    data.forEach((value, e) => {
      ;(added[e] as number) += value
    })
  }
  near(t, { data: added, shape: each.shape }, each, 1e-5)
  t.is((await layers.features()).blocks.length, 2)
  const alone = await Network.load(mlp(new Random(8), [7, 9, 3]), { parameters: /^l\.1/ })
  t.teardown(() => alone.dispose())
  const one = total(await sketch(alone, x, { ...options, check: 0 }))
  near(t, one, [...layers.parts.values()][1] as NdArray, 1e-5)
})

test('sketches take the place of features: kernels, fits, neighbours', async (t) => {
  const random = new Random(2)
  const network = await load(t, mlp(random, [6, 40, 2]))
  const [x, z] = [samples(random, [30, 6]), samples(random, [9, 6])]
  const own = await sketch(network, x, { size: 8192, kind: 'sparse', check: 30 })
  const other = await sketch(network, z, { like: own })
  for (const kernel of ['full', 'trace', 'diagonal'] as const) {
    const found = await other.kernel(own, { kernel })
    const exact = await network.ntk(z, x, { kernel })
    t.deepEqual(found.shape, exact.shape)
    near(t, found, exact, 0.05, kernel)
  }
  await t.throwsAsync(other.kernel(await sketch(network, x, { size: 64 })), {
    message: /by one map, the same kind, size, seed and parameters/,
  })
  const { indices, values } = await other.nearest(own, { count: 3 })
  t.deepEqual(indices.shape, [9, 3])
  t.true((values.data[0] as number) >= (values.data[1] as number))
  const target = Float64Array.from({ length: 60 }, (_, r) => Math.sin(r))
  const fixed = { structure: 'fixed', ridge: 1 } as const
  const fitted = await fitFeatures(await own.features(), target, fixed)
  const exact = await network.ntk(x)
  const { solveKernel } = await import('../../lib/index.js')
  const { fit } = await solveKernel(exact, target, { ridge: 1 })
  near(t, { data: fitted.fit, shape: [60] }, { data: fit, shape: [60] }, 0.1)
})

test('Nyström features are exact for all samples as landmarks, and never larger', async (t) => {
  const random = new Random(2)
  const network = await load(t, mlp(random, [6, 40, 2]))
  const x = samples(random, [20, 6])
  const all = await nystrom(network, x, { landmarks: 20, check: 20 })
  t.true((all.error?.diagonal ?? 1) < 1e-4 && (all.error?.offDiagonal ?? 1) < 1e-4)
  const some = await nystrom(network, x, { landmarks: [1, 5, 7], check: 20 })
  t.deepEqual(total(some).shape, [20, 2, 6])
  const [found, exact] = [await some.kernel(), await network.ntk(x)]
  for (let r = 0; r < 40; r += 1) {
    const [mine, theirs] = [found.data[r * 41] as number, exact.data[r * 41] as number]
    t.true(mine < theirs * (1 + 1e-4))
    if ([1, 5, 7].includes(Math.floor(r / 2))) t.true(Math.abs(mine / theirs - 1) < 1e-3)
  }
})

test('what is asked wrongly is one sentence', async (t) => {
  const random = new Random(2)
  const network = await load(t, mlp(random, [6, 4, 2]))
  const x = samples(random, [3, 6])
  const wrong: [object, RegExp][] = [
    [{ size: 0 }, /whole number ≥ 1 for options.size/],
    [{ kind: 'dense' }, /combined, sparse, factored, mask for options.kind/],
    [{ seed: -1 }, /options.seed/],
    [{ heads: [1] }, /2 finite numbers, one for each output, for options.heads/],
    [{ heads: samples(random, [3, 3]) }, /weights \(3, 2\) or \(3, 2, H\)/],
    [{ like: {} }, /a sketch for options.like/],
  ]
  for (const [options, message] of wrong) {
    await t.throwsAsync(sketch(network, x, options), { code: 'BAD_ARGUMENT', message })
  }
  await t.throwsAsync(sketch(network, x, { size: 1e6, memory: '8MiB' }), {
    code: 'MEMORY_BUDGET',
    message: /a sink takes them in tiles/,
  })
})

function first({ data, shape }: NdArray, count: number): NdArray {
  const size = data.length / (shape[0] as number)
  return { data: data.slice(0, count * size), shape: [count, ...shape.slice(1)] }
}
