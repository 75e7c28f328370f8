// Networks written by five exporters in many ways, against float64 references made with torch.func,
// jax and TensorFlow (the scripts are in this folder).
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { TangentError } from '../../lib/core/errors.js'
import { type LoadOptions, Network } from '../../lib/index.js'
import { type NdArray, readArray } from '../../lib/io/index.js'
import { native } from '../../lib/native/index.js'
import { openModel } from '../../lib/onnx/index.js'
import { near } from '../support/near.js'

interface ExportedFile {
  file: string
  exporter: string
  opset: number
  kernel: string
  variant?: string
  dtype?: string
  batch?: number
  inputs: string[]
  output_name?: string
  /** Initializer: the parameter that it holds, '' where it holds several. */
  parameters: Record<string, string>
  others: string[]
}
interface About {
  output: number
  traces: Record<string, number>
  files: ExportedFile[]
}

const root = fileURLToPath(new URL('../../../test/exporters/networks', import.meta.url))

async function inputs(folder: string, names: readonly string[]): Promise<Record<string, NdArray>> {
  const arrays = names.map(async (name, k) => [name, await readArray(`${folder}/input_${k}.npy`)])
  return Object.fromEntries(await Promise.all(arrays))
}

/** How a file is loaded where its weights are no initializers of their own. */
function loading(about: About, file: ExportedFile): LoadOptions {
  const options: LoadOptions = {}
  if (file.variant === 'constants') options.constants = true
  if (file.output_name) options.output = file.output_name
  if (about.output === 1) options.output = 'score'
  return options
}

/** Operators that an UNSUPPORTED error names although rules for them exist. */
function wronglyRefused(error: unknown): string[] {
  if (!(error instanceof TangentError) || error.code !== 'UNSUPPORTED') throw error
  const named = [...error.message.matchAll(/([\w.:]+) \(nodes? "/g)].map(([, operator]) => operator)
  if (named.length === 0) throw error
  return (named as string[]).filter((operator) => native.operators.includes(operator))
}

async function compare(t: ExecutionContext, net: string, about: About, file: ExportedFile) {
  const folder = `${root}/${net}`
  let network: Network
  try {
    network = await Network.load(`${folder}/${file.file}`, loading(about, file))
  } catch (error) {
    // An operator without a rule is refused by name; with one, its network is compared below.
    t.deepEqual(wronglyRefused(error), [])
    t.log((error as Error).message)
    return
  }
  t.teardown(() => network.dispose())
  t.deepEqual(
    network.inputs.map(({ name }) => name),
    file.inputs,
  )
  const x = await inputs(folder, file.inputs)
  const output = await network.run(x)
  const expected = await readArray(`${folder}/output.npy`)
  t.deepEqual(
    output.shape.reduce((a, b) => a * b, 1),
    expected.data.length,
  )
  // The weights are the same in all files, but an exporter rounds constants to a narrow type, too.
  const narrow = file.dtype === 'float16' || file.dtype === 'bfloat16'
  near(t, output.data, expected.data, narrow ? 1e-3 : 1e-5, 'the output')

  const kernel = await network.ntk(x)
  const reference = await readArray(`${folder}/${file.kernel}.npy`)
  near(t, kernel.data, reference.data, narrow ? 1e-2 : 1e-4, 'the kernel')
  if (!file.variant) {
    t.deepEqual(
      network.parameters.map(({ name }) => name).sort(),
      Object.keys(file.parameters).sort(),
    )
  }
  if (file.kernel !== 'ntk' || file.variant || narrow) return
  const parts = await network.ntk(x, { by: 'parameter', kernel: 'trace' })
  for (const [name, held] of Object.entries(file.parameters)) {
    const whole = about.traces[held]
    if (whole === undefined) continue
    const part = parts.get(name)
    if (!part) {
      t.fail(`no kernel of ${name}`)
      continue
    }
    const n = part.shape[0] as number
    const trace = Array.from({ length: n }, (_, i) => part.data[i * n + i] as number)
    const sum = trace.reduce((a, b) => a + b, 0)
    near(t, sum, whole, { absolute: 1e-4 * Math.max(whole, 1e-6) }, name)
  }
}

async function refused(t: ExecutionContext, net: string, file: ExportedFile) {
  const error = await t.throwsAsync(Network.load(`${root}/${net}/${file.file}`), {
    instanceOf: TangentError,
    message: /DequantizeLinear/,
  })
  t.is((error as TangentError).code, 'UNSUPPORTED')
}

for (const net of readdirSync(root)) {
  const about: About = JSON.parse(readFileSync(`${root}/${net}/about.json`, 'utf8'))
  for (const file of about.files) {
    const name = `${net}: ${file.file}`
    if (file.variant === 'quantised') test(`${name} is refused`, (t) => refused(t, net, file))
    else test(name, (t) => compare(t, net, about, file))
  }
}

test('what was changed on the way is told', async (t) => {
  const notes = async (file: string) => (await openModel(`${root}/mlp/${file}`)).notes
  t.deepEqual(await notes('script17.onnx'), [])
  t.regex((await notes('script17_float16.onnx')).join(), /float16 are computed in float32/)
  t.regex((await notes('dynamo20_bfloat16.onnx')).join(), /bfloat16 are computed in float32/)
  t.regex((await notes('script17_functions.onnx')).join(), /2 local functions are written out/)
})

test('untying what is used once changes nothing', async (t) => {
  const folder = `${root}/mlp`
  await using network = await Network.load(`${folder}/script17.onnx`, { untied: true })
  const kernel = await network.ntk(await inputs(folder, ['in_0']))
  const reference = await readArray(`${folder}/ntk.npy`)
  near(t, kernel.data, reference.data, 1e-5)
})

test('a tower used twice, untied: the kernels of its uses without their cross terms', async (t) => {
  const folder = `${root}/siamese`
  const load = (options: LoadOptions) =>
    Network.load(`${folder}/script17.onnx`, { output: 'score', ...options })
  await using tied = await load({})
  await using untied = await load({ untied: true })
  const x = await inputs(folder, ['in_0', 'in_1'])
  const names = (network: Network) => network.parameters.map(({ name }) => name)
  t.deepEqual(
    names(untied)
      .filter((name) => name.endsWith('#2'))
      .map((name) => name.slice(0, -2))
      .sort(),
    names(tied)
      .filter((name) => name.startsWith('tower'))
      .sort(),
  )
  const [one, two] = [await tied.jacobian(x), await untied.jacobian(x)]
  for (const [name, { data }] of one) {
    const parts = [two.get(name), two.get(`${name}#2`)].filter((part) => part !== undefined)
    const sum = data.map((_, i) =>
      parts.reduce((total, part) => total + (part.data[i] as number), 0),
    )
    near(t, sum, data, 1e-5, name)
  }
})
