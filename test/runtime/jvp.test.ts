// Forward derivatives against the Jacobian, the kernel, and reverse derivatives.
import test, { type ExecutionContext } from 'ava'
import { type Direction, type NdArray, Network, type ParameterArrays } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { floats, model, type NodeSpec } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { reference } from '../support/reference.js'

const names = ['mlp_init', 'cnn', 'resnet8', 'resnet8_bn', 'mobilenet']

function randomDirection(network: Network, random: Random): Map<string, NdArray<Float32Array>> {
  return new Map(
    network.parameters.map(({ name, shape, count }) => [
      name,
      { data: random.normals(count), shape: [...shape] },
    ]),
  )
}

/** J·Δ from a Jacobian, in double. */
function applied(jacobian: ParameterArrays, direction: Direction): NdArray {
  const [first] = jacobian.values()
  const [n = 0, o = 0] = first?.shape ?? []
  const data = new Float64Array(n * o)
  for (const [name, { data: rows }] of jacobian) {
    const delta = direction.get(name)?.data
    const size = rows.length / data.length
    if (!delta) continue
    for (let row = 0; row < data.length; row += 1) {
      for (let e = 0; e < size; e += 1) {
        data[row] = (data[row] as number) + (rows[row * size + e] as number) * Number(delta[e])
      }
    }
  }
  return { data, shape: [n, o] }
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let e = 0; e < a.length; e += 1) sum += (a[e] as number) * (b[e] as number)
  return sum
}

for (const name of names) {
  test(`${name}: J·Δ is the Jacobian's product, adjoint to vjp, and K·v is J(Jᵀv)`, async (t) => {
    const truth = await reference(name)
    const network = await Network.load(truth.model)
    t.teardown(() => network.dispose())
    const random = new Random(3)
    const x = firstSamples(truth.input, 3)
    const direction = randomDirection(network, random)
    const expected = applied(await network.jacobian(x), direction)
    const found = await network.jvp(x, direction)
    t.deepEqual(found.shape, expected.shape)
    near(t, found, expected, 1e-5)

    const u = { data: random.normals(found.data.length), shape: found.shape }
    const back = await network.vjp(x, u)
    let inner = 0
    let size = 0
    for (const [key, { data }] of back) {
      const delta = direction.get(key)?.data as Float32Array
      inner += dot(data, delta)
      size += Math.sqrt(dot(data, data) * dot(delta, delta))
    }
    near(t, inner, dot(u.data, found.data), { absolute: 1e-5 * size })

    const product = await network.ntkProduct(x, u)
    near(t, product, await network.jvp(x, back), 1e-5)
    const normal = await network.normalProduct(x, direction)
    const twice = await network.vjp(x, found)
    for (const [key, value] of normal) {
      near(t, value, twice.get(key) as NdArray, 1e-4, key)
    }
  })
}

test('what a pool multiplies by for the function before it is as forward', async (t) => {
  const random = new Random(4)
  const weight = floats([6, 2, 3, 3], random.normals(108))
  const pool = { kernel_shape: [2, 2], strides: [2, 2] }
  const overlapping = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 0, 1, 0] }
  const nodes: NodeSpec[] = [
    { op: 'Conv', inputs: ['x', 'w'], outputs: ['c'], attributes: { kernel_shape: [3, 3] } },
    {
      op: 'Split',
      inputs: ['c'],
      outputs: ['c0', 'c1', 'c2'],
      attributes: { axis: 1, num_outputs: 3 },
    },
    { op: 'Relu', inputs: ['c0'], outputs: ['r0'] },
    { op: 'HardSwish', inputs: ['c1'], outputs: ['r1'] },
    { op: 'HardSigmoid', inputs: ['c2'], outputs: ['r2'] },
    { op: 'AveragePool', inputs: ['r0'], outputs: ['p0'], attributes: pool },
    { op: 'MaxPool', inputs: ['r1'], outputs: ['p1'], attributes: overlapping },
    // This one has another use.
    { op: 'AveragePool', inputs: ['r2'], outputs: ['p2'], attributes: overlapping },
    { op: 'GlobalAveragePool', inputs: ['r2'], outputs: ['p3'] },
    { op: 'Relu', inputs: ['p2'], outputs: ['r3'] },
    { op: 'GlobalMaxPool', inputs: ['r3'], outputs: ['p4'] },
    ...['p0', 'p1', 'p3', 'p4'].map((name) => ({
      op: 'Flatten',
      inputs: [name],
      outputs: [`${name}f`],
    })),
    {
      op: 'Concat',
      inputs: ['p0f', 'p1f', 'p3f', 'p4f'],
      outputs: ['y'],
      attributes: { axis: 1 },
    },
  ]
  const network = await Network.load(
    model({
      nodes,
      inputs: [{ name: 'x', shape: ['N', 2, 8, 8] }],
      outputs: [{ name: 'y', shape: ['N', 34] }],
      initializers: { w: weight },
      opset: 18,
    }),
  )
  t.teardown(() => network.dispose())
  const x = { data: random.normals(3 * 128), shape: [3, 2, 8, 8] }
  const direction = randomDirection(network, random)
  near(t, await network.jvp(x, direction), applied(await network.jacobian(x), direction), 1e-5)
})

function firstSamples(input: NdArray, count: number): NdArray {
  const size = input.data.length / (input.shape[0] as number)
  return { data: input.data.slice(0, count * size), shape: [count, ...input.shape.slice(1)] }
}

test('a linearised network predicts f0 + JΔ', async (t) => {
  const random = new Random(5)
  const network = await load(t, mlp(random, [5, 7, 6, 3]))
  const x = samples(random, [9, 5])
  const direction = randomDirection(network, random)
  const base = await network.run(x)
  const change = applied(await network.jacobian(x), direction)
  const expected = Float64Array.from(
    base.data as Float32Array,
    (value, e) => value + Number(change.data[e]),
  )
  const linear = network.linearize()
  const predicted = await linear.predict(x, direction)
  near(
    t,
    predicted,
    {
      data: expected,
      shape: base.shape,
    },
    1e-5,
  )
  const some = await linear.predict(x, direction, { outputs: [2, 0] })
  t.deepEqual(some.shape, [9, 2])
  t.is(some.data[0], predicted.data[2])
  t.is(some.data[3], predicted.data[3])
  const still = await linear.predict(x, new Map())
  near(t, still, base, 0)
})

test('J·Δ does not depend on blocks or threads beyond rounding, and follows central differences', async (t) => {
  const random = new Random(6)
  const network = await load(t, mlp(random, [4, 16, 2]))
  const x = samples(random, [11, 4])
  const direction = randomDirection(network, random)
  const whole = await network.jvp(x, direction)
  for (const options of [{ block: 1 }, { block: 4 }, { threads: 1 }]) {
    near(t, await network.jvp(x, direction, options), whole, 1e-6)
  }
  const moved = async (step: number) => {
    const values = new Map<string, NdArray>()
    for (const [name, { data, shape }] of direction) {
      const own = network.weight(name).data
      values.set(name, { data: own.map((w, e) => w + step * (data[e] as number)), shape })
    }
    const other = await network.withParameters(values)
    t.teardown(() => other.dispose())
    return other.run(x)
  }
  const step = 1e-3
  const [up, down] = [await moved(step), await moved(-step)]
  const slope = Float64Array.from(
    up.data as Float32Array,
    (value, e) => (value - Number(down.data[e])) / (2 * step),
  )
  near(t, whole, { data: slope, shape: whole.shape }, 2e-2)
})

test('wrong directions are refused in one sentence', async (t) => {
  const random = new Random(7)
  const network = await load(t, mlp(random, [3, 4, 2]), { frozen: 'l.0.bias' })
  const x = samples(random, [2, 3])
  const refused = async (t: ExecutionContext, direction: Direction, message: RegExp) => {
    const error = await t.throwsAsync(async () => network.jvp(x, direction))
    t.is((error as { code?: string }).code, 'BAD_ARGUMENT')
    t.regex(error?.message ?? '', message)
  }
  const one = (name: string, shape: number[]) => new Map([[name, samples(random, shape)]])
  await refused(t, one('nothing', [1]), /names of parameters/)
  await refused(t, one('l.0.bias', [4]), /not frozen/)
  await refused(t, one('l.0.weight', [3, 4]), /\(4, 3\)/)
  await refused(
    t,
    new Map([['l.1.bias', { data: new Float32Array([1, NaN]), shape: [2] }]]),
    /finite/,
  )
  await refused(t, {} as Direction, /Map/)
})
