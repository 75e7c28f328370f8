// Weights that are not plain initializers, against float64: test/constants/make.py.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { type KernelMethod, Network, readArray } from '../lib/index.js'
import { near } from './support/near.js'
import { load } from './support/networks.js'

const folder = fileURLToPath(new URL('../../test/constants/', import.meta.url))
const tolerance = 1e-5
const methods: KernelMethod[] = ['jacobian', 'structured', 'mixed']
const stored = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())

interface Meta {
  /** By parameter the file of its Jacobian. */
  J: Record<string, string>
  /** What is a constant, and why. */
  constants: Record<string, string>
  /** Beginnings of notes. */
  notes: string[]
}

const names = (network: Network) => network.parameters.map(({ name }) => name).sort()
const model = (name: string) => `${folder}${name}/model.onnx`

for (const { name } of stored) {
  test(`${name}: parameters, constants, derivatives`, async (t) => {
    const meta: Meta = JSON.parse(readFileSync(`${folder}${name}/meta.json`, 'utf8'))
    const reference = (file: string) => readArray(`${folder}${name}/ref/${file}`)
    const network = await load(t, model(name))
    t.deepEqual(names(network), Object.keys(meta.J).sort())
    for (const [constant, why] of Object.entries(meta.constants)) {
      t.is(network.constants.get(constant), why, constant)
    }
    for (const note of meta.notes) {
      t.true(
        network.notes.some((text) => text.startsWith(note)),
        note,
      )
    }
    const x = await readArray(`${folder}${name}/x.npy`)
    near(t, await network.run(x), await reference('f.npy'), tolerance, 'the output')
    const kernel = await reference('K.npy')
    for (const method of methods)
      near(t, await network.ntk(x, { method }), kernel, tolerance, method)
    const jacobian = await network.jacobian(x)
    for (const [parameter, file] of Object.entries(meta.J)) {
      const found = jacobian.get(parameter)
      if (!found) t.fail(`${parameter} has no Jacobian`)
      else near(t, found, await reference(file), tolerance, parameter)
    }
  })
}

test('none of the Constant nodes, all of them, some by name', async (t) => {
  const file = model('paddle_convolutions')
  await t.throwsAsync(Network.load(file, { constants: 'none' }), {
    code: 'UNSUPPORTED',
    message: /"conv2d_0\.w_0" \(a Constant node\).*--constants/,
  })
  const plain = await load(t, file)
  const all = await load(t, file, { constants: 'all' })
  // Clip bounds and running statistics are asked for by name.
  t.deepEqual(names(all), [...names(plain), 'sixth', 'three'].sort())
  const asked = await load(t, file, { constants: ['six', 'batch_norm2d_0.w_2'] })
  t.deepEqual(names(asked), [...names(plain), 'batch_norm2d_0.w_2', 'six'].sort())
  const only = await load(t, file, { parameters: ['three'] })
  t.deepEqual(
    only.parameters.filter(({ frozen }) => !frozen).map(({ name }) => name),
    ['three'],
  )
  const torch = model('torch_constants')
  const basis = await load(t, torch, { constants: ['/basis'] })
  t.true(names(basis).includes('/basis'))
  await t.throwsAsync(Network.load(file, { constants: 'some' as 'all' }), {
    code: 'BAD_ARGUMENT',
    message: /'all', 'none' or a list of names.*options\.constants.*"some"/,
  })
})

test('weights in Constant nodes are exchanged as others are', async (t) => {
  const file = model('paddle_attention')
  const network = await load(t, file)
  const same = await network.withParameters(file)
  t.teardown(() => same.dispose())
  const x = await readArray(`${folder}paddle_attention/x.npy`)
  near(t, await same.ntk(x), await network.ntk(x), 1e-6, 'the same file')
  const bias = network.weight('head.b_0')
  const moved = { ...bias, data: bias.data.map((value) => value + 1) }
  const other = await network.withParameters(new Map([['head.b_0', moved]]))
  t.teardown(() => other.dispose())
  const before = await network.run(x)
  const shifted = { ...before, data: Float32Array.from(before.data as Float32Array, (v) => v + 1) }
  near(t, await other.run(x), shifted, 1e-5, 'the output')
})
