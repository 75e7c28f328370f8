// Small parts by themselves: names, sizes, a worker that dies.
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { formatBytes, parseBytes } from '../../lib/core/memory.js'
import { readableName, scopeOf } from '../../lib/graph/names.js'
import { findBinary } from '../../lib/native/binary.js'
import { Host } from '../../lib/runtime/host.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { floats, ints, model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { fixture, reference } from '../support/reference.js'

test('modules from the names of nodes', (t) => {
  t.is(scopeOf('/b/b.0/a/qkv/MatMul'), 'b.0.a.qkv')
  t.is(scopeOf('/layer1/layer1.0/conv1/Conv'), 'layer1.0.conv1')
  t.is(scopeOf('/Relu'), '')
  t.is(scopeOf('Conv_12'), '')
})

test('readable names of parameters', (t) => {
  const cases: [string, string, string, number, string, string][] = [
    ['net.1.weight', '/net/net.1/Gemm', 'Gemm', 1, 'net.1', 'net.1.weight'],
    ['pos', '/Add', 'Add', 1, 'pos', 'pos'],
    ['onnx::MatMul_12', '/b/b.0/a/qkv/MatMul', 'MatMul', 1, 'b.0.a.qkv', 'b.0.a.qkv.weight'],
    [
      'onnx::Conv_40',
      '/layer1/layer1.0/conv1/Conv',
      'Conv',
      2,
      'layer1.0.conv1',
      'layer1.0.conv1.bias',
    ],
    ['onnx::Add_3', '/Add', 'Add', 1, 'onnx::Add_3', 'onnx::Add_3'],
    ['w#2', 'second', 'MatMul', 1, 'w', 'w#2'],
  ]
  for (const [name, node, op, position, layer, label] of cases) {
    t.deepEqual(readableName(name, { name: node, op }, position), { layer, label })
  }
})

test('the reference networks get the layers that PyTorch has', async (t) => {
  const network = await load(t, fixture('vit', 'model.onnx'), { unsupported: 'defer' })
  const renamed = network.parameters.filter(({ name }) => name.startsWith('onnx::'))
  const { oracle } = await reference('vit')
  for (const { label, shape } of renamed) {
    // PyTorch's weight is the transposed one.
    t.deepEqual(oracle.parameters[label], [...shape].reverse(), label)
  }
  t.is(renamed.length, 8)
})

test('sizes in words', (t) => {
  t.is(parseBytes('2GiB'), 2 ** 31)
  t.is(parseBytes('1.5 kB'), 1500)
  t.is(parseBytes(1000), 1000)
  t.is(parseBytes('300'), 300)
  for (const wrong of ['', 'GiB', '-1', '2 apples', 0, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => parseBytes(wrong), { code: 'BAD_ARGUMENT' })
  }
  t.is(formatBytes(512), '512 bytes')
  t.is(formatBytes(1.5 * 2 ** 30), '1.50 GiB')
})

test('a worker that dies rejects what waits for it, and another takes its place', async (t) => {
  const init = {
    skeleton: new Uint8Array(),
    graph: { values: [], nodes: [] },
    inputs: [],
    free: false,
    double: false,
    outputs: [],
  }
  const entry = new URL('../support/mortal.js', import.meta.url)
  const host = new Host(init, entry)
  const ask = (output: string) => {
    const x = { samples: 1, arrays: [] }
    const rest = { axis: undefined, threads: 1, batch: 0, memory: 1e9 }
    const request = { type: 'run', x, output, ...rest } as const
    return host.ask(1, () => [], undefined, request, {}).result
  }
  t.is(await ask('live'), 'live')
  const deaths = [ask('throw'), ask('live'), ask('exit'), ask('live')]
  await t.throwsAsync(deaths[0] as Promise<unknown>, { code: 'FAILED', message: /died/ })
  t.is(await deaths[1], 'live')
  await t.throwsAsync(deaths[2] as Promise<unknown>, { code: 'FAILED', message: /code 7/ })
  t.is(await deaths[3], 'live')
  await host.close()
  await t.throwsAsync(ask('live'), { code: 'DISPOSED' })
})

test('a compiled core that is replaced while the process runs is refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'at-core-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const copy = join(folder, 'adaptive_tangent.node')
  await copyFile(findBinary()?.path as string, copy)
  // This thread has the copy, those that are started later what stands in its place.
  const program = `
    const open = process.dlopen
    const copied = (file) => file.endsWith('adaptive_tangent.node') ? ${JSON.stringify(copy)} : file
    process.dlopen = (module, file, ...rest) => open.call(process, module, copied(file), ...rest)
    const { buildMlp, Network } = await import(${JSON.stringify(new URL('../../lib/index.js', import.meta.url))})
    const network = await Network.load(await buildMlp({ inputs: 1, hidden: [2], outputs: 1 }))
    const x = { data: Float32Array.of(1, 2), shape: [2, 1] }
    const said = await network.ntk(x).catch(({ code, message }) => [code, message].join(': '))
    console.log(said)`
  const args = ['--input-type=module', '--eval', program]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  t.regex(stdout, /^FAILED: .* compiled core is not the one that this process began with/)
})

test('outputs of another rank are flattened', async (t) => {
  const random = new Random(4)
  const w = random.normals(24)
  const source = (reshape: boolean) =>
    model({
      nodes: [
        { op: 'MatMul', inputs: ['x', 'w'], outputs: [reshape ? 'h' : 'y'] },
        ...(reshape ? [{ op: 'Reshape', inputs: ['h', 'shape'], outputs: ['y'] }] : []),
      ],
      initializers: { w: floats([4, 6], w), ...(reshape ? { shape: ints([-1, 2, 3]) } : {}) },
      inputs: [{ name: 'x', shape: ['N', 4] }],
      outputs: [{ name: 'y', shape: reshape ? ['N', 2, 3] : ['N', 6] }],
    })
  const [flat, deep] = [await load(t, source(false)), await load(t, source(true))]
  const x = samples(random, [5, 4])
  t.deepEqual((await deep.run(x)).shape, [5, 6])
  t.deepEqual(await deep.ntk(x), await flat.ntk(x))
})

test('an output may have its batch on another axis', async (t) => {
  const w = floats([4, 6], new Random(5).normals(24))
  const last = { op: 'Transpose', inputs: ['h'], outputs: ['y'], attributes: { perm: [1, 0] } }
  const turned = await load(
    t,
    model({
      nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] }, last],
      initializers: { w },
      inputs: [{ name: 'x', shape: ['N', 4] }],
      outputs: [{ name: 'y', shape: [6, 'N'] }],
    }),
  )
  // As many samples as outputs leave it open which axis is which.
  for (const n of [5, 6]) {
    const x = samples(new Random(6), [n, 4])
    const product = Float64Array.from({ length: n * 6 }, (_, e) => {
      const [i, o] = [Math.floor(e / 6), e % 6]
      return [0, 1, 2, 3].reduce(
        (sum, k) => sum + (x.data[i * 4 + k] as number) * (w.data[k * 6 + o] as number),
        0,
      )
    })
    near(t, await turned.run(x), { data: product, shape: [n, 6] }, 1e-6)
    const { data } = await turned.ntk(x)
    const gram = Float64Array.from({ length: n * 6 * n * 6 }, (_, e) => {
      const [row, column] = [Math.floor(e / (6 * n)), e % (6 * n)]
      if (row % 6 !== column % 6) return 0
      const [i, j] = [Math.floor(row / 6), Math.floor(column / 6)]
      const at = (s: number, k: number) => x.data[s * 4 + k] as number
      return [0, 1, 2, 3].reduce((sum, k) => sum + at(i, k) * at(j, k), 0)
    })
    const shape = [n, 6, n, 6]
    near(t, { data, shape }, { data: gram, shape }, 1e-6)
  }
})

test('another shape of sample is probed again', async (t) => {
  const network = await load(
    t,
    model({
      nodes: [
        { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] },
        { op: 'Relu', inputs: ['h'], outputs: ['y'] },
      ],
      initializers: { w: floats([4, 2], new Random(7).normals(8)) },
      inputs: [{ name: 'x', shape: ['N', 'T', 4] }],
      outputs: [{ name: 'y', shape: ['N', 'T', 2] }],
    }),
  )
  const random = new Random(8)
  const [three, five] = [samples(random, [4, 3, 4]), samples(random, [4, 5, 4])]
  t.deepEqual((await network.ntk(three)).shape, [4, 6, 4, 6])
  t.deepEqual((await network.ntk(five)).shape, [4, 10, 4, 10])
  const whole = await network.ntk(three)
  near(t, await network.ntk(three, { block: 1 }), whole, 1e-6)
  await t.throwsAsync(network.ntk(three, five), { code: 'BAD_ARGUMENT', message: /x2/ })
})

test('one sample is enough, and the same numbers as among others', async (t) => {
  const random = new Random(9)
  const network = await load(t, mlp(random, [4, 5, 3]))
  const x = samples(random, [3, 4])
  const full = await network.ntk(x)
  const one = await network.ntk({ data: x.data.subarray(4, 8), shape: [1, 4] })
  const part = Float32Array.from({ length: 9 }, (_, e) => {
    const [o, p] = [Math.floor(e / 3), e % 3]
    return full.data[((3 + o) * 3 + 1) * 3 + p] as number
  })
  near(t, one, { data: part, shape: [1, 3, 1, 3] }, 1e-6)
})
