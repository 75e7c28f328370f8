// Small cases that once went wrong, with float64 references: test/faults/README.md.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type KernelMethod, type NdArray, Network, readArray } from '../lib/index.js'
import { near } from './support/near.js'

const folder = fileURLToPath(new URL('../../test/faults/', import.meta.url))
const tolerance = 2e-4
const methods: KernelMethod[] = ['auto', 'jacobian', 'structured', 'mixed']

interface Meta {
  inputs: string[]
  /** By parameter the file of its Jacobian. */
  J: Record<string, string>
  /** False: onnxruntime's own float32 output is off, only derivatives count. */
  forward?: boolean
}

/** Cases whose numbers must be the references, in every method and block size. */
const right: string[] = [
  'k_pow',
  'mha_full',
  'nan_sqrtrelu',
  'p_gemnet',
  'p_pow2',
  'pos_o17_dynT1_fold0',
  'sigmoid_tail_17',
  'sigmoid_tail_30',
  'typed_data',
]
/** Cases that are no function of one sample: refused with the name of a node of this operator. */
const refused: [name: string, operator: RegExp][] = [
  ['bs_loss', /\(Div\)/],
  ['seg_b', /\(Gather\)/],
  ['sh_divB', /\(Div\)/],
]

function metaOf(name: string): Meta {
  return JSON.parse(readFileSync(`${folder}${name}/meta.json`, 'utf8')) as Meta
}

async function inputsOf(name: string, { inputs }: Meta): Promise<Record<string, NdArray>> {
  const arrays = inputs.map(async (input) => [
    input,
    await readArray(`${folder}${name}/${input}.npy`),
  ])
  return Object.fromEntries(await Promise.all(arrays)) as Record<string, NdArray>
}

async function open(t: ExecutionContext, name: string): Promise<Network> {
  const network = await Network.load(`${folder}${name}/model.onnx`)
  t.teardown(() => network.dispose())
  return network
}

for (const name of right) {
  test(`${name}: the references, in every method and block size`, async (t) => {
    const meta = metaOf(name)
    const reference = (file: string) => readArray(`${folder}${name}/ref/${file}`)
    const network = await open(t, name)
    const x = await inputsOf(name, meta)
    const samples = Object.values(x)[0]?.shape[0] ?? 0
    if (meta.forward !== false)
      near(t, await network.run(x), await reference('f.npy'), tolerance, 'the output')
    const kernel = await reference('K.npy')
    for (const block of [1, 3, samples]) {
      for (const method of methods)
        near(t, await network.ntk(x, { method, block }), kernel, tolerance, `${method}, ${block}`)
      const jacobian = await network.jacobian(x, { block })
      for (const [parameter, file] of Object.entries(meta.J)) {
        const found = jacobian.get(parameter)
        if (!found) t.fail(`${parameter} has no Jacobian`)
        else near(t, found, await reference(file), tolerance, `${parameter}, ${block}`)
      }
    }
  })
}

for (const [name, operator] of refused) {
  test(`${name}: refused by name, at every block size`, async (t) => {
    const network = await open(t, name)
    const x = await inputsOf(name, metaOf(name))
    for (const block of [1, 2, 3]) {
      const error = await t.throwsAsync(network.ntk(x, { block }))
      t.is((error as { code?: string }).code, 'UNSUPPORTED')
      t.regex(error?.message ?? '', operator)
    }
  })
}

test('every stored case is tried', (t) => {
  const stored = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const listed = [...right, ...refused.map(([name]) => name)]
  t.deepEqual(listed.sort(), stored.map(({ name }) => name).sort())
})
