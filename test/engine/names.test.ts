// Names from a file may be any text: those of JavaScript's own objects, very long ones, and such as
// differ by case or by what a file name cannot hold.
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import {
  alignmentAlong,
  averageKernel,
  fitAdaptive,
  loadModel,
  type NdArray,
  Network,
  type NetworkModel,
  probe,
  readNpy,
  saveModel,
  train,
  writeNpy,
} from '../../lib/index.js'
import { fileNames } from '../../lib/io/names.js'
import { samples } from '../support/networks.js'
import { floats, model } from '../support/onnx.js'
import { Random } from '../support/random.js'

const long = 'é'.repeat(150)
type Place = 'x' | 'z' | 'h' | 'y' | 'w1' | 'b1' | 'w2' | 'b2' | 'w3'
const plain = Object.fromEntries(
  ['x', 'z', 'h', 'y', 'w1', 'b1', 'w2', 'b2', 'w3'].map((name) => [name, name]),
) as Record<Place, string>
const odd: Record<string, Record<Place, string>> = {
  'of objects': {
    x: '__proto__',
    z: 'constructor',
    h: 'valueOf',
    y: 'hasOwnProperty',
    w1: 'toString',
    b1: '__defineGetter__',
    w2: 'isPrototypeOf',
    b2: 'then',
    w3: 'length',
  },
  'of objects, the other way': {
    x: 'then',
    z: 'toString',
    h: 'constructor',
    y: '__proto__',
    w1: 'data',
    b1: 'shape',
    w2: '__proto__.weight',
    b2: '__proto__.bias',
    w3: 'valueOf',
  },
  'that are long, or equal but for case or signs': {
    x: `${long}x`,
    z: `${long}z`,
    h: 'H',
    y: `${long}y`,
    w1: 'Weight',
    b1: 'wEIGHT',
    w2: 'a/b:c',
    b2: 'a_b_c',
    w3: long,
  },
}
const sizes: [Place, number[]][] = [
  ['w1', [4, 3]],
  ['b1', [4]],
  ['w2', [2, 4]],
  ['b2', [2]],
  ['w3', [3]],
]

const random = new Random(17)
const numbers = new Map(sizes.map(([place, shape]) => [place, samples(random, shape)]))
const moved = new Map(sizes.map(([place, shape]) => [place, samples(random, shape)]))
const x = samples(random, [5, 3])
const z = samples(random, [5, 3])
const u = samples(random, [5, 2])

/** y = W2 tanh(W1 (x + w3 z) + b1) + b2. */
function network(names: Record<Place, string>): Uint8Array {
  const weights = sizes.map(([place, shape]) => {
    const { data } = numbers.get(place) as NdArray<Float32Array>
    return [names[place], floats(shape, data)]
  })
  const gemm = { transB: 1 }
  return model({
    inputs: [names.x, names.z].map((name) => ({ name, shape: ['N', 3] })),
    outputs: [{ name: names.y, shape: ['N', 2] }],
    initializers: Object.fromEntries(weights),
    nodes: [
      { op: 'Mul', inputs: [names.z, names.w3], outputs: ['scaled'] },
      { op: 'Add', inputs: [names.x, 'scaled'], outputs: ['sum'] },
      { op: 'Gemm', inputs: ['sum', names.w1, names.b1], outputs: ['s'], attributes: gemm },
      { op: 'Tanh', inputs: ['s'], outputs: [names.h] },
      { op: 'Gemm', inputs: [names.h, names.w2, names.b2], outputs: [names.y], attributes: gemm },
    ],
  })
}

/** What all calls give, by places instead of names. */
async function results(names: Record<Place, string>): Promise<unknown> {
  const folder = await mkdtemp(join(tmpdir(), 'names-'))
  const own = await Network.load(network(names), {
    batchAxis: Object.fromEntries([[names.x, 0]]),
  })
  const input = Object.fromEntries([
    [names.x, x],
    [names.z, z],
  ])
  const direction = new Map([...moved].map(([place, array]) => [names[place], array]))
  const byPlace = (arrays: ReadonlyMap<string, unknown>) =>
    sizes.map(([place]) => arrays.get(names[place]))
  const other = await own.withParameters(direction)
  const options = { maxIterations: 3, ridge: 0.1 } as const
  const fitted = await fitAdaptive(own, input, u, { ...options, blocks: 'parameter' })
  await saveModel(join(folder, 'fit.safetensors'), fitted)
  const again = (await loadModel(join(folder, 'fit.safetensors'))) as NetworkModel
  const trained = await train(own, { x: input, target: u } as never, {
    loss: 'squared',
    optimizer: { kind: 'sgd', learningRate: 0.1 },
    epochs: 2,
    batch: 5,
  })
  const copy = await Network.load(await other.toOnnx())
  const along = []
  for await (const { parts } of alignmentAlong(own, input, [own, direction], { by: 'parameter' }))
    along.push(sizes.map(([place]) => parts.get(names[place])?.effectiveRank))
  const report = await probe([{ name: '__proto__', network: own, file: 'm' }] as never, input, u)
  const found = {
    y: await own.run(input),
    hidden: await own.run(input, { output: names.h }),
    axes: (await own.batchAxes()).map(({ axis }) => axis),
    ntk: (await own.ntk(input)).data,
    parts: byPlace(await own.ntk(input, { by: 'parameter' })),
    jacobian: byPlace(await own.jacobian(input)),
    vjp: byPlace(await own.vjp(input, u)),
    jvp: await own.jvp(input, direction),
    normal: byPlace(await own.normalProduct(input, direction)),
    product: await own.ntkProduct(input, u),
    other: await other.run(input),
    copy: await copy.run(input),
    average: (await averageKernel(own, other, input, { points: 2 })).kernel.data,
    weights: sizes.map(([place]) => own.weight(names[place]).data),
    fit: await fitted.predict(own, input),
    again: await again.predict(own, input),
    trained: byPlace(trained.weights as never),
    along,
    spectrum: report.networks[0]?.spectrum,
    values: (await own.values()).length,
  }
  for (const one of [own, other, copy]) await one.dispose()
  return found
}

for (const [kind, names] of Object.entries(odd)) {
  test(`all calls give the same with names ${kind}`, async (t) => {
    t.deepEqual(await results(names), await results(plain))
  })

  test(`files of their own for names ${kind}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'names-'))
    const at = (name: string) => join(folder, name)
    await writeFile(at('m.onnx'), network(names))
    await writeNpy(at('x.npy'), x)
    await writeNpy(at('z.npy'), z)
    const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))
    const given = [
      ...['--input', `${names.x}=${at('x.npy')}`, '--input', `${names.z}=${at('z.npy')}`],
      ...['--quiet', '--out'],
    ]
    const own = await Network.load(at('m.onnx'))
    const input = Object.fromEntries([
      [names.x, x],
      [names.z, z],
    ])
    const truth = {
      jacobian: await own.jacobian(input),
      ntk: await own.ntk(input, { by: 'parameter' }),
    }
    await own.dispose()
    for (const [command, index, more] of [
      ['jacobian', 'parameters.json', []],
      ['ntk', 'kernels.json', ['--by', 'parameter']],
    ] as const) {
      const out = at(command)
      const args = [main, command, at('m.onnx'), ...more, ...given, out]
      await promisify(execFile)(process.execPath, args)
      const listed = JSON.parse(await readFile(join(out, index), 'utf8'))
      t.is(listed.length, 5)
      t.is(new Set(listed.map(({ file }: { file: string }) => file.toLowerCase())).size, 5)
      t.deepEqual(
        (await readdir(out)).sort(),
        [...listed.map(({ file }: { file: string }) => file), index].sort(),
      )
      for (const { name, file } of listed) {
        const { data } = truth[command].get(name) as NdArray
        t.deepEqual((await readNpy(join(out, file))).data, data, name)
      }
    }
  })
}

test('file names: no folder, no case alone, no more than 255 bytes', (t) => {
  const names = ['a/b', 'a:b', 'A_B', 'é', 'e\u0301', '', long, `${long}2`, '😀'.repeat(90), '..']
  const files = [...fileNames(names).values()]
  t.deepEqual(files.slice(0, 3), ['a_b.npy', 'a_b-2.npy', 'A_B-3.npy'])
  const same = (file: string) => file.normalize('NFC').toLowerCase()
  t.is(new Set(files.map(same)).size, names.length)
  for (const file of files) {
    t.true(Buffer.byteLength(file) < 255)
    t.is(basename(file), file)
    t.is(Buffer.from(file).toString(), file)
  }
})
