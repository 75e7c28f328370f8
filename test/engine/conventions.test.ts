// Where people's files have their batch, and what all samples share, against float64 references
// (test/conventions/make.py).
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  alignmentAlong,
  averageKernel,
  fitAdaptive,
  type Inputs,
  type LoadOptions,
  type NdArray,
  Network,
  train,
} from '../../lib/index.js'
import { near, relativeError } from '../support/near.js'

interface Numbers {
  shape: number[]
  data: number[]
}
interface Reference {
  inputs: Record<string, Numbers & { integers: boolean }>
  output: Numbers
  kernel: Numbers
  traces: Record<string, number>
}

const folder = fileURLToPath(new URL('../../../test/conventions/', import.meta.url))
const references: Record<string, Reference> = JSON.parse(
  readFileSync(`${folder}references.json`, 'utf8'),
)
const of = (name: string) => references[name] as Reference
const exact = ({ shape, data }: Numbers): NdArray => ({ shape, data: Float64Array.from(data) })
const single = ({ shape, data }: Numbers): NdArray<Float32Array> => ({
  shape,
  data: Float32Array.from(data),
})

/** The inputs in the file's own layout; a scalar as a plain number. */
function inputsOf(name: string): Record<string, NdArray | number> {
  return Object.fromEntries(
    Object.entries(of(name).inputs).map(([key, value]) => {
      const { integers, shape, data } = value
      if (shape.length === 0) return [key, data[0] as number]
      if (!integers) return [key, single(value)]
      return [key, { shape, data: BigInt64Array.from(data, BigInt) }]
    }),
  )
}

async function open(t: ExecutionContext, name: string, options: LoadOptions = {}) {
  const network = await Network.load(`${folder}${name}.onnx`, options)
  t.teardown(() => network.dispose())
  return network
}

async function agrees(t: ExecutionContext, network: Network, name: string, x: Inputs) {
  const { output, kernel, traces } = of(name)
  const y = await network.run(x)
  near(t, y, exact(output), 1e-5, `${name}: output`)
  const full = await network.ntk(x)
  near(t, full, exact(kernel), 1e-5, `${name}: kernel`)
  const jacobian = await network.jacobian(x)
  t.deepEqual([...jacobian.keys()].sort(), Object.keys(traces).sort(), name)
  for (const [parameter, { data, shape }] of jacobian) {
    t.deepEqual(shape.slice(0, 2), output.shape)
    const trace = data.reduce((sum, value) => sum + value * value, 0)
    near(t, trace, traces[parameter], 1e-5, `${name}: ${parameter}`)
  }
}

for (const name of Object.keys(references)) {
  test(`${name}: outputs, kernel and Jacobian`, async (t) => {
    const network = await open(t, name)
    await agrees(t, network, name, inputsOf(name))
  })
  test(`${name}: the kernel comes first, by every method`, async (t) => {
    const network = await open(t, name)
    for (const method of ['jacobian', 'structured', 'mixed'] as const) {
      const kernel = await network.ntk(inputsOf(name), { method })
      near(t, kernel, exact(of(name).kernel), 1e-5, method)
    }
  })
}

/** J of all parameters as one (N·O, P) matrix: checked above against the references. */
async function matrixOf(network: Network, x: Inputs, options = {}) {
  const jacobian = await network.jacobian(x, options)
  const [first] = [...jacobian.values()] as [NdArray]
  const rows = (first.shape[0] as number) * (first.shape[1] as number)
  const wide = [...jacobian].map(([name, { data }]) => ({ name, data, count: data.length / rows }))
  return { rows, shape: first.shape.slice(0, 2), parts: wide }
}

const conventions = Object.keys(references)

for (const name of conventions) {
  test(`${name}: products, directions, features, some outputs`, async (t) => {
    const network = await open(t, name)
    const x = inputsOf(name)
    const { rows, shape, parts } = await matrixOf(network, x)
    const [n, o] = shape as [number, number]
    const u = Float32Array.from({ length: rows }, (_, r) => Math.cos(r))
    const direction = new Map(
      parts.map(({ name: own, count }) => [
        own,
        {
          data: Float32Array.from({ length: count }, (_, k) => Math.sin(3 * k + 1)),
          shape: [...(network.parameters.find((one) => one.name === own)?.shape ?? [])],
        },
      ]),
    )
    const along = new Float64Array(rows)
    const back = new Map<string, Float64Array>()
    for (const { name: own, data, count } of parts) {
      const sum = new Float64Array(count)
      const step = direction.get(own) as NdArray
      for (let r = 0; r < rows; r += 1) {
        for (let k = 0; k < count; k += 1) {
          const value = data[r * count + k] as number
          sum[k] = (sum[k] as number) + value * (u[r] as number)
          along[r] = (along[r] as number) + value * Number(step.data[k])
        }
      }
      back.set(own, sum)
    }
    const close = (found: NdArray, data: Float64Array, what: string, most = 1e-5) =>
      near(t, { ...found, shape: [data.length] }, { data, shape: [data.length] }, most, what)
    close(await network.jvp(x, direction), along, 'jvp')
    const cotangents = { data: u, shape: [n, o] }
    for (const [own, value] of await network.vjp(x, cotangents)) {
      close(value, back.get(own) as Float64Array, `vjp of ${own}`)
    }
    const image = new Float64Array(rows)
    const normal = new Map(parts.map(({ name: own, count }) => [own, new Float64Array(count)]))
    for (const { name: own, data, count } of parts) {
      for (let r = 0; r < rows; r += 1) {
        for (let k = 0; k < count; k += 1) {
          const value = data[r * count + k] as number
          image[r] = (image[r] as number) + value * ((back.get(own) as Float64Array)[k] as number)
          const sum = normal.get(own) as Float64Array
          sum[k] = (sum[k] as number) + value * (along[r] as number)
        }
      }
    }
    close(await network.ntkProduct(x, cotangents), image, 'ntkProduct')
    for (const [own, value] of await network.normalProduct(x, direction)) {
      close(value, normal.get(own) as Float64Array, `normalProduct of ${own}`)
    }
    const operator = await network.kernelOperator(x)
    t.deepEqual([operator.samples, operator.outputs], [n, o])
    const product = await operator.product(Float64Array.from(u))
    close({ data: product, shape: [rows] }, image, 'kernelOperator')
    const linear = await network.linearize().predict(x, direction)
    const output = of(name).output.data
    close(
      linear,
      along.map((value, r) => value + (output[r] as number)),
      'linearize',
    )

    const kernel = of(name).kernel.data
    const trace = Float64Array.from({ length: n * n }, (_, e) => {
      const [i, j] = [Math.floor(e / n), e % n]
      let sum = 0
      for (let p = 0; p < o; p += 1) sum += kernel[((i * o + p) * n + j) * o + p] as number
      return sum
    })
    close(await network.ntk(x, { kernel: 'trace' }), trace, 'trace')
    const picked = [o - 1]
    const diagonal = Float64Array.from({ length: n * n }, (_, e) => {
      const [i, j] = [Math.floor(e / n), e % n]
      return kernel[((i * o + o - 1) * n + j) * o + o - 1] as number
    })
    close(await network.ntk(x, x, { kernel: 'diagonal', outputs: picked }), diagonal, 'diagonal')
    const features = await network.features(x)
    t.deepEqual([...features.keys()].sort(), parts.map(({ name: own }) => own).sort())
    const { kernel: averaged } = await averageKernel(network, network, x, { points: 2 })
    close(averaged, Float64Array.from(kernel), 'averageKernel')
    const y = { data: Float32Array.from(output, (value) => value + 1), shape: [n, o] }
    // Kernel ridge: with p = Kα and (K + λI)α = r, K(r − p) = λp.
    const ridge = 0.5
    const model = await fitAdaptive(network, x, y, { ridge, structure: 'fixed' })
    const predicted = await model.predict(network, x)
    const p = Float64Array.from(predicted.data, (value, r) => value - (output[r] as number))
    const rest = Float64Array.from({ length: rows }, (_, r) =>
      p.reduce((sum, value, k) => sum + (kernel[r * rows + k] as number) * (1 - value), 0),
    )
    close({ data: p.map((value) => value * ridge), shape: [rows] }, rest, 'fit', 1e-4)
  })
}

for (const name of conventions.filter((key) => key !== 'blocks')) {
  test(`${name}: training and alignment along it`, async (t) => {
    const network = await open(t, name)
    const x = inputsOf(name)
    const { output } = of(name)
    const [n, o] = output.shape as [number, number]
    const target = {
      data: Float32Array.from(output.data, (value, e) => value + (e % 3)),
      shape: [n, o],
    }
    const slopes = Float32Array.from({ length: n * o }, (_, e) => -(e % 3) / n)
    const gradient = await network.vjp(x, { data: slopes, shape: [n, o] })
    for (const model of ['full', 'fixed'] as const) {
      const { weights, history } = await train(
        network,
        { x, target },
        {
          loss: 'squared',
          model,
          batch: n,
          epochs: 1,
          optimizer: { kind: 'sgd', learningRate: 0.1 },
          test: { x, target },
        },
      )
      t.is(history.length, 1)
      for (const [own, { data, shape }] of gradient) {
        const start = model === 'full' ? network.weight(own).data : new Float32Array(data.length)
        const stepped = Float64Array.from(data, (value, e) => (start[e] as number) - 0.1 * value)
        const found = weights.get(own) as NdArray
        near(t, found, { data: stepped, shape }, 1e-5, `${model} ${own}`)
      }
    }
    const settings = { kernel: 'full', learned: target } as const
    for await (const one of alignmentAlong(network, x, [{ source: network }], settings)) {
      t.deepEqual(one.outputs.shape, [n, o])
      near(t, one.kernels.total, exact(of(name).kernel), 1e-5)
    }
  })
}

test('what the file does not tell can be said', async (t) => {
  const time = await open(t, 'time_first', { batchAxis: { x: 1, y: 1 } })
  await agrees(t, time, 'time_first', inputsOf('time_first'))
  const alone = await open(t, 'alone', { batchAxis: { frames: null } })
  await agrees(t, alone, 'alone', inputsOf('alone'))
  const scales = await open(t, 'scales_free', { shared: ['scales'] })
  await agrees(t, scales, 'scales_free', inputsOf('scales_free'))
  const speech = await open(t, 'speech', { shared: ['sr'], batchAxis: { input: 0, state: 1 } })
  await agrees(t, speech, 'speech', inputsOf('speech'))
  // Said to be along time, a sequence of 5 is 5 samples.
  const wrong = await open(t, 'time_first', { batchAxis: { x: 0 } })
  t.is((await wrong.run(inputsOf('time_first'))).shape[0], 5)
})

test('options that say what the file does not have', async (t) => {
  const cases: [LoadOptions, RegExp][] = [
    [{ batchAxis: { nobody: 0 } }, /"nobody"|nobody/],
    [{ batchAxis: { input: 2 } }, /axis from 0 to 1/],
    [{ batchAxis: { input: 0.5 } }, /axis from 0 to 1/],
    [{ batchAxis: 3 as never }, /axes by name/],
    [{ shared: ['nobody'] }, /"input", "state", "sr"/],
    [{ shared: 'sr' as never }, /list of inputs/],
    [{ shared: ['input'], batchAxis: { input: 0 } }, /shared/],
  ]
  for (const [options, message] of cases) {
    await t.throwsAsync(open(t, 'speech', options), { code: 'BAD_ARGUMENT', message })
  }
  const all = open(t, 'scales', { shared: ['ids', 'scales'] })
  await t.throwsAsync(all, { code: 'UNSUPPORTED', message: /same for all samples/ })
})

test('what is shared is one value for x and x2', async (t) => {
  const network = await open(t, 'speech_named')
  const x = inputsOf('speech_named')
  const again = await network.ntk(x, x)
  near(t, again, exact(of('speech_named').kernel), 1e-5)
  await t.throwsAsync(network.ntk(x, { ...x, sr: 8000 }), { message: /shared input "sr"/ })
  await t.throwsAsync(network.ntk({ ...x, sr: 0.5 }), { code: 'BAD_INPUT', message: /0\.5/ })
  await t.throwsAsync(network.ntk({ ...x, sr: single({ shape: [3], data: [1, 2, 3] }) }), {
    code: 'BAD_INPUT',
    message: /"sr"/,
  })
  // Another value is another kernel, of the same network object.
  const half = await network.run({ ...x, sr: 8000 })
  t.true(relativeError(half, exact(of('speech_named').output)) > 1e-3)
})

test('as many samples as another axis has are no matter', async (t) => {
  // Two boxes' numbers, and two samples; three columns, and three samples.
  const merged = await open(t, 'merged')
  const { output } = of('merged')
  const { x } = inputsOf('merged') as { x: NdArray<Float32Array> }
  const two = await merged.run({ data: x.data.slice(0, 24), shape: [2, 4, 3] })
  const truth = { data: Float64Array.from(output.data.slice(0, 16)), shape: [2, 8] }
  near(t, two, truth, 1e-5)
  const one = await merged.run({ data: x.data.slice(0, 12), shape: [1, 4, 3] })
  near(t, one, { data: truth.data.slice(0, 8), shape: [1, 8] }, 1e-5)
  const reading = await open(t, 'reading')
  near(t, await reading.run(inputsOf('reading')), exact(of('reading').output), 1e-5)
})

test('what is said of an output has to be so, and sizes are the file’s', async (t) => {
  const wrong = await open(t, 'reading', { batchAxis: { characters: 0 } })
  await t.throwsAsync(wrong.ntk(inputsOf('reading')), {
    code: 'BAD_ARGUMENT',
    message: /"characters" along axis 0.*axis 1/,
  })
  const right = await open(t, 'reading', { batchAxis: { characters: 1 } })
  await agrees(t, right, 'reading', inputsOf('reading'))
  const fixed = await open(t, 'alone_fixed')
  const frames = single({ shape: [2, 5, 3], data: Array.from({ length: 30 }, Math.sin) })
  await t.throwsAsync(fixed.run({ frames }), { code: 'BAD_INPUT' })
})

test('batchAxes tells where samples lie', async (t) => {
  const told = async (name: string, options: LoadOptions = {}) => {
    const network = await open(t, name, options)
    const axes = await network.batchAxes()
    return axes.map(({ name: own, axis, shared, by }) => `${own} ${shared ? 'shared' : axis} ${by}`)
  }
  t.deepEqual(await told('speech'), [
    'input 0 trying',
    'state 1 trying',
    'sr shared sizes',
    'output 0 trying',
    'stateN 1 trying',
  ])
  t.deepEqual(await told('speech_named'), [
    'input 0 names',
    'state 1 names',
    'sr shared sizes',
    'output 0 names',
    'stateN 1 names',
  ])
  t.deepEqual(await told('time_first'), ['x 1 trying', 'y 1 trying'])
  t.deepEqual(await told('reading'), ['image 0 names', 'characters 1 trying'])
  t.deepEqual((await told('alone'))[0], 'frames null trying')
  t.deepEqual((await told('alone_fixed'))[0], 'frames null trying')
  t.deepEqual(await told('time_first', { batchAxis: { x: 1 } }), ['x 1 said', 'y 1 trying'])
  t.deepEqual((await told('scales_free', { shared: ['scales'] }))[1], 'scales shared said')
  const blocks = await open(t, 'blocks')
  t.deepEqual(
    (await blocks.batchAxes()).map(({ axis, block }) => [axis, block]),
    [
      [0, 2],
      [0, 2],
    ],
  )
})
