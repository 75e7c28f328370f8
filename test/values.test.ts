// Any float value of the graph as the output, against closed forms in double precision.
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { type NdArray, readNpy, writeNpy } from '../lib/index.js'
import { near } from './support/near.js'
import { load, samples } from './support/networks.js'
import { floats, ints, model } from './support/onnx.js'
import { Random } from './support/random.js'

const main = fileURLToPath(new URL('../lib/cli/main.js', import.meta.url))
const [D, H, O, N] = [5, 7, 3, 4]

/** x → Gemm `hidden` → Relu `features` → Gemm `logits` → Softmax `y`, and a class by ArgMax. */
function classifier(random: Random) {
  const w1 = random.normals(H * D)
  const w2 = random.normals(O * H)
  const bytes = model({
    nodes: [
      { op: 'Gemm', inputs: ['x', 'w1'], outputs: ['hidden'], attributes: { transB: 1 } },
      { op: 'Relu', inputs: ['hidden'], outputs: ['features'] },
      { op: 'Gemm', inputs: ['features', 'w2'], outputs: ['logits'], attributes: { transB: 1 } },
      { op: 'Softmax', inputs: ['logits'], outputs: ['y'] },
      { op: 'ArgMax', inputs: ['logits'], outputs: ['class'], attributes: { axis: 1 } },
    ],
    initializers: { w1: floats([H, D], w1), w2: floats([O, H], w2) },
    inputs: [{ name: 'x', shape: ['N', D] }],
    outputs: [{ name: 'y', shape: ['N', O] }],
  })
  return { bytes, w1, w2 }
}

/** Pre-activations of the hidden layer, (N, H). */
function hiddenOf(x: Float32Array, w1: Float32Array): Float64Array {
  return Float64Array.from({ length: N * H }, (_, e) => {
    let sum = 0
    for (let d = 0; d < D; d += 1) {
      sum += (x[Math.floor(e / H) * D + d] as number) * (w1[(e % H) * D + d] as number)
    }
    return sum
  })
}

function inner(a: ArrayLike<number>, i: number, j: number, size: number): number {
  let sum = 0
  for (let k = 0; k < size; k += 1) {
    sum += (a[i * size + k] as number) * (a[j * size + k] as number)
  }
  return sum
}

/** K (N, O, N, O) of the logits by w1 and w2. */
function logitsKernel(x: Float32Array, w1: Float32Array, w2: Float32Array): Float64Array {
  const hidden = hiddenOf(x, w1)
  const features = hidden.map((value) => Math.max(value, 0))
  return Float64Array.from({ length: N * O * N * O }, (_, e) => {
    const [i, o] = [Math.floor(e / (O * N * O)), Math.floor(e / (N * O)) % O]
    const [j, p] = [Math.floor(e / O) % N, e % O]
    let first = 0
    for (let h = 0; h < H; h += 1) {
      const on = (hidden[i * H + h] as number) > 0 && (hidden[j * H + h] as number) > 0
      if (on) first += (w2[o * H + h] as number) * (w2[p * H + h] as number)
    }
    return first * inner(x, i, j, D) + (o === p ? inner(features, i, j, H) : 0)
  })
}

test('the logits before a Softmax: kernel, Jacobian, run, products', async (t) => {
  const random = new Random(1)
  const { bytes, w1, w2 } = classifier(random)
  const x = samples(random, [N, D])
  const network = await load(t, bytes, { output: 'logits' })
  t.is(network.output, 'logits')
  const truth = { data: logitsKernel(x.data, w1, w2), shape: [N, O, N, O] }
  near(t, await network.ntk(x), truth, 1e-5)
  const hidden = hiddenOf(x.data, w1)
  const logits = Float64Array.from({ length: N * O }, (_, e) => {
    let sum = 0
    for (let h = 0; h < H; h += 1) {
      sum +=
        Math.max(hidden[Math.floor(e / O) * H + h] as number, 0) * (w2[(e % O) * H + h] as number)
    }
    return sum
  })
  near(t, await network.run(x), { data: logits, shape: [N, O] }, 1e-5)
  const v = samples(random, [N, O])
  const product = new Float64Array(N * O)
  for (let r = 0; r < N * O; r += 1) {
    for (let c = 0; c < N * O; c += 1) {
      product[r] =
        (product[r] as number) + (truth.data[r * N * O + c] as number) * (v.data[c] as number)
    }
  }
  near(t, await network.ntkProduct(x, v), { data: product, shape: [N, O] }, 1e-5)
})

test('features of a hidden layer: only what lies before them is a parameter', async (t) => {
  const random = new Random(2)
  const { bytes, w1 } = classifier(random)
  const x = samples(random, [N, D])
  const network = await load(t, bytes, { output: 'features' })
  t.deepEqual(
    network.parameters.map(({ name }) => name),
    ['w1'],
  )
  const hidden = hiddenOf(x.data, w1)
  // ∂ relu(w1·x)_h / ∂ w1[g, d] is x_d for g = h where the unit is on.
  const truth = Float64Array.from({ length: N * H * H * D }, (_, e) => {
    const [i, h] = [Math.floor(e / (H * H * D)), Math.floor(e / (H * D)) % H]
    const [g, d] = [Math.floor(e / D) % H, e % D]
    return g === h && (hidden[i * H + h] as number) > 0 ? (x.data[i * D + d] as number) : 0
  })
  const jacobian = await network.jacobian(x)
  const found = jacobian.get('w1')
  t.truthy(found)
  if (found) near(t, found, { data: truth, shape: [N, H, H, D] }, 1e-6)
  // Checkpoints still hold all weights, and run takes any other value.
  await using other = await network.withParameters(new Map([['w2', new Float32Array(O * H)]]))
  const logits = await other.run(x, { output: 'logits' })
  t.deepEqual([...logits.data], Array(N * O).fill(0))
  const [whole, part] = [await network.run(x), await network.run(x, { outputs: [4, 1] })]
  t.deepEqual(part.shape, [N, 2])
  t.deepEqual(
    [...part.data],
    [0, 1, 2, 3].flatMap((i) => [whole.data[i * H + 4], whole.data[i * H + 1]]),
  )
  await t.throwsAsync(network.run(x, { outputs: [H] }), { code: 'BAD_ARGUMENT' })
})

test('a value whose samples are not along its first axis', async (t) => {
  const T = 4
  const w = new Random(6).normals(D)
  const bytes = model({
    nodes: [
      { op: 'Transpose', inputs: ['x'], outputs: ['time'], attributes: { perm: [1, 0, 2] } },
      { op: 'Mul', inputs: ['time', 'w'], outputs: ['scaled'] },
      { op: 'Transpose', inputs: ['scaled'], outputs: ['y'], attributes: { perm: [1, 0, 2] } },
    ],
    initializers: { w: floats([D], w) },
    inputs: [{ name: 'x', shape: ['N', T, D] }],
    outputs: [{ name: 'y', shape: ['N', T, D] }],
  })
  const network = await load(t, bytes, { output: 'scaled' })
  // As many samples as steps, so that sizes do not tell them apart.
  for (const n of [T, 3]) {
    const x = samples(new Random(7), [n, T, D])
    const run = { data: x.data.map((value, e) => value * (w[e % D] as number)), shape: [n, T * D] }
    near(t, await network.run(x), run, 1e-6)
    const trace = Float64Array.from({ length: n * n }, (_, e) =>
      inner(x.data, Math.floor(e / n), e % n, T * D),
    )
    const kernel = await network.ntk(x, { kernel: 'trace' })
    near(t, kernel, { data: trace, shape: [n, n] }, 1e-5)
    const jacobian = (await network.jacobian(x, { outputs: [D] })).get('w')
    // Output D is the first number of the second step.
    const row = Float64Array.from({ length: n * D }, (_, e) =>
      e % D === 0 ? (x.data[Math.floor(e / D) * T * D + D] as number) : 0,
    )
    near(t, jacobian as NdArray, { data: row, shape: [n, 1, D] }, 1e-6)
  }
})

test('values() lists what output may name, with what can be differentiated', async (t) => {
  const bytes = model({
    nodes: [
      { op: 'Mul', inputs: ['x', 'w'], outputs: ['a'] },
      { op: 'Shape', inputs: ['a'], outputs: ['sizes'] },
      { op: 'MatMul', inputs: ['a', 'v'], outputs: ['b'] },
      { op: 'Reshape', inputs: ['b', 'four'], outputs: ['square'] },
      { op: 'Det', inputs: ['square'], outputs: ['odd'] },
      { op: 'Sqrt', inputs: ['x'], outputs: ['plain'] },
      { op: 'Add', inputs: ['b', 'plain'], outputs: ['y'] },
    ],
    initializers: {
      w: floats([4], [1, 2, 3, 4]),
      v: floats([4, 4], new Random(3).normals(16)),
      four: ints([-1, 2, 2]),
    },
    inputs: [{ name: 'x', shape: ['N', 4] }],
    outputs: [{ name: 'y', shape: ['N', 4] }],
  })
  const network = await load(t, bytes)
  const values = await network.values()
  t.deepEqual(
    values.map(({ name, output, differentiable }) => [name, output, differentiable]),
    [
      ['y', true, true],
      ['a', false, true],
      ['b', false, true],
      ['square', false, true],
      ['odd', false, false],
      ['plain', false, false],
    ],
  )
  const b = values.find(({ name }) => name === 'b')
  t.is(b?.operator, 'MatMul')
  t.is(b?.type, 'float32')
  t.deepEqual(b?.shape, ['N', 4])
})

test('an unknown name is told with those that are near', async (t) => {
  const { bytes } = classifier(new Random(4))
  const refused = (output: string, message: RegExp) =>
    t.throwsAsync(load(t, bytes, { output }), { code: 'BAD_ARGUMENT', message })
  await refused('logit', /received "logit" of type string; did you mean "logits"\?/)
  await refused('3', /did you mean --outputs 3 \(options\.outputs: \[3\]\)\?/)
  await refused('w1', /another value of its graph/)
  await refused('elsewhere entirely', /info --values lists all values/)
  const network = await load(t, bytes)
  await t.throwsAsync(network.run(samples(new Random(1), [N, D]), { output: 'feature' }), {
    code: 'BAD_ARGUMENT',
    message: /did you mean "features"/,
  })
  await t.throwsAsync(load(t, bytes, { frozen: 'w3' }), { message: /did you mean "w1" or "w2"\?/ })
})

test.serial('the command line takes values by name and outputs by ranges', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const random = new Random(5)
  const { bytes, w1, w2 } = classifier(random)
  const file = join(dir, 'net.onnx')
  await writeFile(file, bytes)
  const x = samples(random, [N, D])
  await writeNpy(join(dir, 'x.npy'), x)
  const cli = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, [main, ...args], (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
      })
    })
  const out = join(dir, 'K.npy')
  const common = ['ntk', file, '--input', join(dir, 'x.npy'), '--out', out]
  const done = await cli(...common, '--output', 'logits', '--outputs', '0:2,2')
  t.is(done.code, 0, done.stderr)
  const truth = { data: logitsKernel(x.data, w1, w2), shape: [N, O, N, O] }
  near(t, await readNpy(out), truth, 1e-5)
  const y = join(dir, 'y.npy')
  const args = [
    '--input',
    join(dir, 'x.npy'),
    '--output',
    'features',
    '--outputs',
    '1:4',
    '--out',
    y,
  ]
  const ran = await cli('run', file, ...args)
  t.is(ran.code, 0, ran.stderr)
  t.deepEqual((await readNpy(y)).shape, [N, 3])
  const listed = await cli('info', file, '--values', '--json')
  t.is(listed.code, 0, listed.stderr)
  t.deepEqual(
    JSON.parse(listed.stdout).values.map(({ name }: { name: string }) => name),
    ['y', 'hidden', 'features', 'logits'],
  )
  t.regex((await cli('info', file, '--values')).stdout, /logits\s+float32\s+\(N, 3\)\s+Gemm/)
  for (const [args, message] of [
    [['--output', '1'], /did you mean --outputs 1/],
    [['--outputs', '2:2'], /ranges such as 0:100,200/],
    [['--outputs', '0:9'], /indices from 0 to 2/],
    [['--outputs', '0:2,1'], /each index once/],
    [['--kernl', 'full'], /Unknown option '--kernl'; did you mean --kernel\?/],
  ] as [string[], RegExp][]) {
    const { code, stderr } = await cli(...common, ...args)
    t.is(code, 2, stderr)
    t.regex(stderr, message)
  }
  // The misspelt option is told, not the one that is missing because of it.
  const typo = await cli('run', file, '--inputs', join(dir, 'x.npy'), '--out', out)
  t.is(typo.code, 2)
  t.regex(typo.stderr, /Unknown option '--inputs'; did you mean --input\?/)
})
