// Where people's files have their batch, and what all samples share, against float64 references
// (test/conventions/make.py).
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type Inputs, type LoadOptions, type NdArray, Network } from '../../lib/index.js'
import { relativeError } from '../support/reference.js'

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
  t.true(relativeError(y, exact(output)) < 1e-5, `${name}: output`)
  const full = await network.ntk(x)
  t.true(relativeError(full, exact(kernel)) < 1e-5, `${name}: kernel`)
  const jacobian = await network.jacobian(x)
  t.deepEqual([...jacobian.keys()].sort(), Object.keys(traces).sort(), name)
  for (const [parameter, { data, shape }] of jacobian) {
    t.deepEqual(shape.slice(0, 2), output.shape)
    const trace = data.reduce((sum, value) => sum + value * value, 0)
    t.true(Math.abs(trace / (traces[parameter] as number) - 1) < 1e-5, `${name}: ${parameter}`)
  }
}

for (const name of Object.keys(references)) {
  test(`${name}: outputs, kernel and Jacobian`, async (t) => {
    const network = await open(t, name)
    await agrees(t, network, name, inputsOf(name))
  })
  test(`${name}: the kernel comes first, by every method`, async (t) => {
    const network = await open(t, name)
    for (const method of ['jacobian', 'structured', 'products'] as const) {
      const kernel = await network.ntk(inputsOf(name), { method })
      t.true(relativeError(kernel, exact(of(name).kernel)) < 1e-5, method)
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
  t.true(relativeError(again, exact(of('speech_named').kernel)) < 1e-5)
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
