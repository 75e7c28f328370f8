// Numbers that stay not finite: all calls refuse them alike, or return them when asked to.
import test, { type ExecutionContext } from 'ava'
import { averageKernel, fitFixed, Network } from '../../lib/index.js'
import { floats, ints, model, type NodeSpec } from '../support/onnx.js'
import { gaussians } from '../support/random.js'

async function load(t: ExecutionContext, bytes: Uint8Array): Promise<Network> {
  const network = await Network.load(bytes)
  t.teardown(() => network.dispose())
  return network
}

const row = (values: number[]) => ({ data: Float32Array.from(values), shape: [values.length, 1] })

/** y = (√(x·w), 3·w): the derivative is infinite where w is 0 and x is not. */
const root: NodeSpec[] = [
  { op: 'Mul', inputs: ['x', 'w'], outputs: ['h'], name: 'product' },
  { op: 'Sqrt', inputs: ['h'], outputs: ['r'], name: 'root' },
  { op: 'Mul', inputs: ['c', 'w'], outputs: ['v'] },
  { op: 'Sub', inputs: ['x', 'x'], outputs: ['zero'] },
  { op: 'Add', inputs: ['v', 'zero'], outputs: ['vv'] },
  { op: 'Concat', inputs: ['vv', 'r'], outputs: ['y'], attributes: { axis: 1 } },
]
const rooted = (w: number) =>
  model({
    nodes: root,
    initializers: { w: floats([1], [w]), c: floats([], [3]) },
    inputs: [{ name: 'x', shape: ['N', 1] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
  })

test('every call refuses alike, with the sample, the output, the parameter and the node', async (t) => {
  const network = await load(t, rooted(0))
  const x = row([0, 2, 3])
  const u = { data: new Float32Array(6).fill(1), shape: [3, 2] }
  const direction = new Map([['w', { data: new Float32Array([1]), shape: [1] }]])
  const refusal = {
    code: 'NUMERICAL',
    message:
      /output 1 of sample [01] with respect to parameter "w" is (Infinity|NaN).*node "root" \(Sqrt\)/,
  }
  for (const kernel of ['full', 'trace', 'diagonal'] as const)
    for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const)
      await t.throwsAsync(network.ntk(x, { kernel, method }), refusal, `${kernel} ${method}`)
  await t.throwsAsync(network.ntk(row([1]), x), { code: 'NUMERICAL' })
  await t.throwsAsync(network.jacobian(x), refusal)
  await t.throwsAsync(network.vjp(x, u), refusal)
  await t.throwsAsync(network.jvp(x, direction), refusal)
  await t.throwsAsync(network.ntkProduct(x, u), refusal)
  await t.throwsAsync(network.features(x), refusal)
  await t.throwsAsync(fitFixed(network, x, row([1, 2, 3]), { outputs: [1] }), refusal)
  await t.throwsAsync(averageKernel(network, network, x), refusal)
  // What does not look at the root is finite, and so is another network of the same architecture.
  const whole = await network.ntk(x, { outputs: [0] })
  t.true(whole.data.every((value) => value === 9))
  const sound = await network.withParameters(
    new Map([['w', { data: new Float32Array([1]), shape: [1] }]]),
  )
  t.teardown(() => sound.dispose())
  t.true((await sound.ntk(row([1, 2]))).data.every(Number.isFinite))
})

test('returned when asked for; another word is refused', async (t) => {
  const network = await load(t, rooted(0))
  const x = row([2, 3])
  const nonFinite = 'return'
  const jacobian = (await network.jacobian(x, { nonFinite })).get('w')?.data ?? []
  t.deepEqual([...jacobian], [3, Infinity, 3, Infinity])
  const kernel = await network.ntk(x, { nonFinite, kernel: 'diagonal' })
  t.deepEqual([...kernel.data], [9, Infinity, 9, Infinity, 9, Infinity, 9, Infinity])
  const u = { data: new Float32Array([1, 1, 1, 0]), shape: [2, 2] }
  t.is((await network.vjp(x, u, { nonFinite })).get('w')?.data[0], Infinity)
  const direction = new Map([['w', { data: new Float32Array([1]), shape: [1] }]])
  t.deepEqual(
    [...(await network.jvp(x, direction, { nonFinite })).data],
    [3, Infinity, 3, Infinity],
  )
  const error = await t.throwsAsync(network.ntk(x, { nonFinite: 'ignore' as never }), {
    code: 'BAD_ARGUMENT',
  })
  t.regex(error?.message ?? '', /options.nonFinite/)
})

test('finite derivatives whose products are not', async (t) => {
  const network = await load(
    t,
    model({
      nodes: [{ op: 'Mul', inputs: ['x', 'w'], outputs: ['y'] }],
      initializers: { w: floats([1], [1]) },
      inputs: [{ name: 'x', shape: ['N', 1] }],
      outputs: [{ name: 'y', shape: ['N', 1] }],
    }),
  )
  const x = row([1, 1e30])
  t.true((await network.jacobian(x)).get('w')?.data.every(Number.isFinite))
  const error = await t.throwsAsync(network.ntk(x), { code: 'NUMERICAL' })
  t.regex(error?.message ?? '', /kernel of sample 1 exceeds float32/)
})

/** y = (row 0 of h·W, row 1 of it), h (2, 3) with what is not finite in row 0 only. */
function positions(read: number, bad: number): Uint8Array {
  return model({
    nodes: [
      { op: 'Where', inputs: ['mask', 'bad', 'x'], outputs: ['h'] },
      { op: 'MatMul', inputs: ['h', 'W'], outputs: ['z'], name: 'dense' },
      { op: 'Gather', inputs: ['z', 'row'], outputs: ['y'], attributes: { axis: 1 } },
    ],
    initializers: {
      W: floats([3, 2], [1, -2, 0.5, 3, 0.25, 1]),
      mask: { type: 'bool', shape: [2, 3], data: [0, 1, 0, 0, 0, 0] },
      bad: floats([], [bad]),
      row: { type: 'int64', shape: [], data: [read] },
    },
    inputs: [{ name: 'x', shape: ['N', 2, 3] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
  })
}

test('positions without a cotangent do not count, whatever stands there', async (t) => {
  const x = {
    data: Float32Array.from({ length: 24 }, (_, e) => ((e * 7) % 5) - 2),
    shape: [4, 2, 3],
  }
  for (const bad of [Number.NaN, Infinity]) {
    const [spoilt, sound] = [await load(t, positions(1, bad)), await load(t, positions(1, 0))]
    for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const)
      for (const block of [1, 3, 4]) {
        const [a, b] = await Promise.all(
          [spoilt, sound].map((network) => network.ntk(x, { method, block })),
        )
        t.deepEqual(a?.data, b?.data, `${method}, ${block}`)
      }
    const u = { data: Float32Array.from({ length: 8 }, (_, e) => e - 3), shape: [4, 2] }
    t.deepEqual(await spoilt.vjp(x, u), await sound.vjp(x, u))
    t.deepEqual(await spoilt.ntkProduct(x, u), await sound.ntkProduct(x, u))
    const read = await load(t, positions(0, bad))
    await t.throwsAsync(read.ntk(x), { code: 'NUMERICAL', message: /"W".*node "dense"/ })
    const returned = (await read.jacobian(x, { nonFinite: 'return' })).get('W')?.data ?? []
    // Row 1 of W is met by what is not finite, and by the cotangent of its own column only.
    for (let e = 0; e < 48; e += 1) {
      const [o, r, c] = [Math.floor(e / 6) % 2, Math.floor(e / 2) % 3, e % 2]
      const spoiltHere = r === 1 && o === c
      t.is(Number.isFinite(returned[e] as number), !spoiltHere, `entry ${e}`)
    }
  }
})

test('zeros stay zeros where convolutions take fewer products than by definition', async (t) => {
  // y = s·(W * √(w·x)) at one position: of √'s infinite slopes at x = 0 none is read.
  const [channels, size, read] = [48, 16, 2]
  const weights = gaussians(channels * channels * 9, 3)
  const slopes = Float64Array.from({ length: channels }, (_, c) => 0.5 + c / channels)
  const built = (scale: number, bad: number) => {
    const kernel = Float32Array.from(weights)
    if (bad) kernel[3 * 9 + 4] = bad
    return model({
      nodes: [
        { op: 'Conv', inputs: ['x', 'w'], outputs: ['h'] },
        { op: 'Sqrt', inputs: ['h'], outputs: ['r'] },
        { op: 'Conv', inputs: ['r', 'W'], outputs: ['v'], attributes: { pads: [1, 1, 1, 1] } },
        { op: 'Slice', inputs: ['v', 'from', 'to', 'axes'], outputs: ['p'] },
        { op: 'Flatten', inputs: ['p'], outputs: ['f'] },
        { op: 'Mul', inputs: ['f', 'scale'], outputs: ['y'] },
      ],
      initializers: {
        w: floats([channels, 1, 1, 1], slopes),
        W: floats([channels, channels, 3, 3], kernel),
        scale: floats([], [scale]),
        ...{ from: ints([0, 0]), to: ints([1, 1]), axes: ints([2, 3]) },
      },
      inputs: [{ name: 'x', shape: ['N', 1, size, size] }],
      outputs: [{ name: 'y', shape: ['N', channels] }],
    })
  }
  const x = { data: new Float32Array(2 * size * size), shape: [2, 1, size, size] }
  for (let n = 0; n < 2; n++)
    for (let p = 0; p < read * read; p++)
      x.data[(n * size + Math.floor(p / read)) * size + (p % read)] = 1 + n + p
  const truth = (n: number, o: number, c: number) => {
    let sum = 0
    for (let p = 0; p < read * read; p++) {
      const tap = (1 + Math.floor(p / read)) * 3 + 1 + (p % read)
      sum += (weights[(o * channels + c) * 9 + tap] ?? 0) * Math.sqrt(1 + n + p)
    }
    return sum / (2 * Math.sqrt(slopes[c] ?? 0))
  }
  // With a slope of 1 cotangents are 0s and 1s, as what tells where numbers that are not finite go.
  for (const scale of [1, 0.7])
    for (const bad of [0, Infinity]) {
      const network = await load(t, built(scale, bad))
      for (const outputs of [[5], [0, 5]]) {
        const nonFinite = bad ? 'return' : 'throw'
        const found = (await network.jacobian(x, { outputs, nonFinite })).get('w')?.data ?? []
        for (let e = 0; e < 2 * outputs.length * channels; e++) {
          const c = e % channels
          const [n, o] = [
            Math.floor(e / channels / outputs.length),
            outputs[Math.floor(e / channels) % outputs.length] ?? 0,
          ]
          const where = `${scale}, ${bad}, sample ${n}, output ${o}, channel ${c}`
          if (bad && o === 0 && c === 3) t.false(Number.isFinite(found[e] as number), where)
          else t.true(Math.abs((found[e] ?? 0) - scale * truth(n, o, c)) < 1e-4, where)
        }
      }
    }
})

test('features that overflow, of factors that are finite, are refused', async (t) => {
  // ∂y/∂a = x ⊗ b, of which one number alone is too large.
  const network = await load(
    t,
    model({
      nodes: [
        { op: 'MatMul', inputs: ['x', 'a'], outputs: ['h'] },
        { op: 'MatMul', inputs: ['h', 'b'], outputs: ['y'] },
      ],
      initializers: {
        a: floats([20, 24], Array(480).fill(1e-20)),
        b: floats([24, 2], [1e25, ...Array(47).fill(1)]),
      },
      inputs: [{ name: 'x', shape: ['N', 20] }],
      outputs: [{ name: 'y', shape: ['N', 2] }],
    }),
  )
  const inputs = (last: number) => {
    const data = new Float32Array(3 * 20).fill(1)
    data[59] = last
    return { data, shape: [3, 20] }
  }
  await t.throwsAsync(network.jacobian(inputs(1e20)), { code: 'NUMERICAL' })
  const { data } = (await network.jacobian(inputs(1e10))).get('a') ?? { data: [] }
  t.is(Math.max(...data), Math.fround(Math.fround(1e10) * Math.fround(1e25)))
})
