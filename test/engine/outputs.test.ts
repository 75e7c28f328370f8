// Very many outputs: worked through in blocks within the memory budget, with the same results.
import test from 'ava'
import {
  averageFeatures,
  averageKernel,
  type KernelMethod,
  type NdArray,
  type Network,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, samples } from '../support/networks.js'
import { floats, ints, model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { fixture, reference } from '../support/reference.js'

/** x (N, D) → Gemm → image (1, A, B) → Resize by S → times v: A·S · B·S outputs. */
function upsampling(random: Random, [D, A, B, S]: readonly [number, number, number, number]) {
  const O = A * S * B * S
  const w = random.normals(A * B * D)
  const v = random.normals(O)
  const bytes = model({
    nodes: [
      { op: 'Gemm', inputs: ['x', 'w', 'b'], outputs: ['h'], attributes: { transB: 1 } },
      { op: 'Reshape', inputs: ['h', 'image'], outputs: ['i'] },
      {
        op: 'Resize',
        inputs: ['i', '', 'scales'],
        outputs: ['r'],
        attributes: {
          mode: 'nearest',
          coordinate_transformation_mode: 'asymmetric',
          nearest_mode: 'floor',
        },
      },
      { op: 'Reshape', inputs: ['r', 'flat'], outputs: ['u'] },
      { op: 'Mul', inputs: ['u', 'v'], outputs: ['y'] },
    ],
    initializers: {
      w: floats([A * B, D], w),
      b: floats([A * B], new Float32Array(A * B)),
      v: floats([O], v),
      image: ints([-1, 1, A, B]),
      flat: ints([-1, O]),
      scales: floats([4], [1, 1, S, S]),
    },
    inputs: [{ name: 'x', shape: ['N', D] }],
    outputs: [{ name: 'y', shape: ['N', O] }],
  })
  /** The pixel of the small image that output o shows. */
  const pixel = (o: number) =>
    Math.floor(Math.floor(o / (B * S)) / S) * B + Math.floor((o % (B * S)) / S)
  return { bytes, O, w, v, pixel }
}

type Net = ReturnType<typeof upsampling>

/** K[i,o,j,p] in doubles: by w and b of what shows one pixel, by v of each output's own. */
function entry({ w, v, pixel }: Net, x: NdArray<Float32Array>) {
  const D = x.shape[1] as number
  const at = (i: number, d: number) => x.data[i * D + d] as number
  const value = (i: number, k: number) => {
    let sum = 0
    for (let d = 0; d < D; d += 1) sum += at(i, d) * (w[k * D + d] as number)
    return sum
  }
  return (i: number, o: number, j: number, p: number) => {
    if (pixel(o) !== pixel(p)) return 0
    let inner = 1
    for (let d = 0; d < D; d += 1) inner += at(i, d) * at(j, d)
    const own = o === p ? value(i, pixel(o)) * value(j, pixel(o)) : 0
    return (v[o] as number) * (v[p] as number) * inner + own
  }
}

test.serial('20,000 outputs: a trace kernel at a tight budget', async (t) => {
  const random = new Random(1)
  const net = upsampling(random, [3, 10, 20, 10])
  t.is(net.O, 20_000)
  const network = await load(t, net.bytes)
  const x = samples(random, [1, 3])
  const k = entry(net, x)
  let trace = 0
  for (let o = 0; o < net.O; o += 1) trace += k(0, o, 0, o)
  // The cotangents of all outputs of one sample would take 1.6 GB.
  const found = await network.ntk(x, { kernel: 'trace', memory: '64MiB' })
  near(t, found, { data: Float64Array.of(trace), shape: [1, 1] }, 1e-5)
})

test.serial('2,400 outputs: kernels and products at a tight budget', async (t) => {
  const random = new Random(1)
  const net = upsampling(random, [3, 4, 6, 10])
  t.is(net.O, 2400)
  const network = await load(t, net.bytes)
  const n = 3
  const x = samples(random, [n, 3])
  const k = entry(net, x)
  // The diagonal kernel takes 86 kB; the cotangents of all outputs of one sample would take 23 MB.
  const memory = '1MiB'
  const diagonal = new Float64Array(n * n * net.O)
  const trace = new Float64Array(n * n)
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j < n; j += 1) {
      for (let o = 0; o < net.O; o += 1) {
        const value = k(i, o, j, o)
        diagonal[(i * n + j) * net.O + o] = value
        trace[i * n + j] = (trace[i * n + j] as number) + value
      }
    }
  }
  const found = await network.ntk(x, { kernel: 'trace', memory })
  near(t, found, { data: trace, shape: [n, n] }, 1e-5)
  const cross = await network.ntk(x, x, { kernel: 'trace', memory })
  near(t, cross, { data: trace, shape: [n, n] }, 1e-5)
  const each = await network.ntk(x, { kernel: 'diagonal', memory })
  near(t, each, { data: diagonal, shape: [n, n, net.O] }, 1e-5)

  // Products and directions never hold more than a few cotangents.
  const y = samples(random, [n, net.O])
  const image = new Float64Array(n * net.O)
  const sums = new Map<string, number>()
  for (let i = 0; i < n; i += 1) {
    for (let o = 0; o < net.O; o += 1) {
      const key = `${i} ${net.pixel(o)}`
      const weighed = (net.v[o] as number) * (y.data[i * net.O + o] as number)
      sums.set(key, (sums.get(key) ?? 0) + weighed)
    }
  }
  for (let i = 0; i < n; i += 1) {
    for (let o = 0; o < net.O; o += 1) {
      let sum = 0
      for (let j = 0; j < n; j += 1) {
        const v = net.v[o] as number
        const whole = k(i, o, j, o)
        const [a, b] = [x.data.slice(i * 3, i * 3 + 3), x.data.slice(j * 3, j * 3 + 3)]
        const inner = 1 + a.reduce((total, value, d) => total + value * (b[d] as number), 0)
        sum += v * inner * (sums.get(`${j} ${net.pixel(o)}`) as number)
        sum += (whole - v * v * inner) * (y.data[j * net.O + o] as number)
      }
      image[i * net.O + o] = sum
    }
  }
  const product = await network.ntkProduct(x, y, { memory })
  near(t, product, { data: image, shape: [n, net.O] }, 1e-5)
})

test('a full kernel up to its own size, and what is refused', async (t) => {
  const random = new Random(2)
  const net = upsampling(random, [3, 5, 6, 4])
  const network = await load(t, net.bytes)
  const x = samples(random, [2, 3])
  const k = entry(net, x)
  const O = net.O
  const full = Float64Array.from({ length: (2 * O) ** 2 }, (_, e) => {
    const [row, column] = [Math.floor(e / (2 * O)), e % (2 * O)]
    return k(Math.floor(row / O), row % O, Math.floor(column / O), column % O)
  })
  const truth = { data: full, shape: [2, O, 2, O] }
  // The kernel takes 3.7 MB; a pass with all of the 480 outputs about 7 MB.
  for (const x2 of [undefined, x]) {
    const found = await network.ntk(x, x2, { memory: '6MiB' })
    near(t, found, truth, 1e-5)
  }
  await t.throwsAsync(network.ntk(x, { memory: '3MiB' }), {
    code: 'MEMORY_BUDGET',
    message: /shape \(2, 480, 2, 480\).*kernel 'trace' would take/,
  })
  // The forward run of a sample takes 7.7 kB: four values of 480 numbers.
  await t.throwsAsync(network.ntk(x, { kernel: 'trace', memory: '8kB' }), {
    code: 'MEMORY_BUDGET',
    message: /1 of 480 outputs at once needs at least/,
  })
})

/** Samples [first, last) of an array. */
function rows({ data, shape }: NdArray, first: number, last: number): NdArray {
  const size = data.length / (shape[0] as number)
  return {
    data: data.slice(first * size, last * size) as NdArray['data'],
    shape: [last - first, ...shape.slice(1)],
  }
}

async function everything(network: Network, other: Network, input: NdArray, options: object) {
  const [x, x2] = [rows(input, 0, 3), rows(input, 1, 3)]
  const found = new Map<string, NdArray>()
  for (const kernel of ['full', 'trace', 'diagonal'] as const) {
    for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as KernelMethod[]) {
      const settings = { ...options, kernel, method }
      const own = await network.ntk(x, { ...settings, by: 'parameter' })
      for (const [name, part] of own) found.set(`${kernel} ${method} ${name}`, part)
      found.set(`${kernel} ${method} cross`, await network.ntk(x, x2, settings))
    }
    const average = await averageKernel(network, other, x, { ...options, kernel, points: 3 })
    found.set(`average ${kernel}`, average.kernel)
    found.set(`explained ${kernel}`, average.residual.explained)
  }
  for (const [name, array] of await network.jacobian(x, options)) {
    found.set(`jacobian ${name}`, array)
  }
  const averaged = await averageFeatures(network, other, x, { ...options, points: 3 })
  for (const [name, array] of averaged.features) found.set(`averaged ${name}`, array)
  found.set('explained', averaged.residual.explained)
  for (const [name, one] of await network.features(x, options)) {
    for (const [part, value] of Object.entries(one)) {
      if (!ArrayBuffer.isView((value as NdArray)?.data)) continue
      found.set(`features ${name} ${part}`, value as NdArray)
    }
  }
  return found
}

for (const name of ['cnn', 'text', 'vit']) {
  test(`${name}: results do not depend on blocks of outputs`, async (t) => {
    const { input } = await reference(name)
    const network = await load(t, fixture(name, 'model.onnx'))
    const moved = new Map(
      network.parameters.map(({ name: own }) => {
        const { data, shape } = network.weight(own)
        return [own, { data: data.map((value) => 1.05 * value), shape }]
      }),
    )
    await using other = await network.withParameters(moved)
    const whole = await everything(network, other, input, {})
    t.true(whole.size > 40)
    for (const options of [{ outputBlock: 1 }, { outputBlock: 4 }, { outputBlock: 7, block: 1 }]) {
      const blocked = await everything(network, other, input, options)
      t.deepEqual([...blocked.keys()], [...whole.keys()])
      for (const [key, truth] of whole) {
        near(t, blocked.get(key), truth, 1e-5, `${key} ${JSON.stringify(options)}`)
      }
    }
  })
}
