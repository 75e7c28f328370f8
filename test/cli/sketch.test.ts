// `sketch`, and samples that a command line names: bytes, folders of images, tables.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Network, normalized, openImages, readArray, sketch, writeNpy } from '../../lib/index.js'
import { near } from '../support/near.js'
import { mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

function cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

async function place(): Promise<(name: string) => string> {
  const folder = await mkdtemp(join(tmpdir(), 'sketch-'))
  return (name) => join(folder, name)
}

test('sketch writes what the call gives, in tiles, and tells the error', async (t) => {
  const at = await place()
  const random = new Random(1)
  await writeFile(at('m.onnx'), mlp(random, [5, 20, 3]))
  const x = samples(random, [9, 5])
  await writeNpy(at('x.npy'), x)
  const network = await Network.load(at('m.onnx'))
  t.teardown(() => network.dispose())
  const same = ['sketch', at('m.onnx'), '--input', at('x.npy'), '--dim', '256', '--seed', '7']
  const { code, stdout } = await cli(...same, '--out', at('s.npy'), '--json')
  t.is(code, 0)
  const told = JSON.parse(stdout)
  t.deepEqual(told.shape, [9, 3, 256])
  t.true(told.relative_error > 0 && told.relative_error < 0.2)
  t.true(told.error.diagonal < 2 * told.error.expected.diagonal)
  const made = await sketch(network, x, { size: 256, seed: 7 })
  near(t, await readArray(at('s.npy')), made.parts.get('total')!, 1e-5)
  const head = await cli(...same, '--head', '1,-1,0', '--check', '0', '--out', at('h.zarr'))
  t.is(head.code, 0)
  t.deepEqual((await readArray(at('h.zarr'))).shape, [9, 256])
  t.is((await cli(...same, '--by', 'layer', '--out', at('parts'))).code, 0)
  t.deepEqual((await readArray(at('parts/l.0.npy'))).shape, [9, 3, 256])
  const landmarks = [...same.slice(0, 4), '--kind', 'nystrom', '--dim', '4']
  t.is((await cli(...landmarks, '--out', at('n.npy'))).code, 0)
  t.deepEqual((await readArray(at('n.npy'))).shape, [9, 3, 12])
  const stored = await cli(...same, '--store', at('s.zarr'), '--tile', '4', '--json')
  t.is(stored.code, 0)
  const { done, relative_error } = JSON.parse(stored.stdout)
  t.is(done, 3)
  t.true(Math.abs(relative_error / told.relative_error - 1) < 1e-3)
  near(t, await readArray(at('s.zarr')), await readArray(at('s.npy')), 1e-6)
  for (const wrong of [
    ['--head', '1,2'],
    ['--kind', 'nystrom', '--by', 'layer'],
    ['--dim', '0'],
  ]) {
    t.is((await cli(...same, ...wrong, '--out', at('w.npy'))).code, 2, wrong.join(' '))
  }
})

test('bytes, images and tables become the floats that are said', async (t) => {
  const at = await place()
  await writeFile(at('m.onnx'), mlp(new Random(1), [3, 4, 2]))
  const bytes = { data: Uint8Array.from({ length: 12 }, (_, e) => e * 20), shape: [4, 3] }
  await writeNpy(at('x.npy'), bytes)
  const run = (...args: string[]) => cli('run', at('m.onnx'), '--out', at('y.npy'), ...args)
  const refused = await run('--input', at('x.npy'))
  t.is(refused.code, 2)
  t.regex(refused.stderr, /type uint8; normalized, or --scale, --mean and --std, make floats/)
  const numbers = ['--scale', '1/255', '--mean', '0.1,0.2,0.3', '--std', '0.5']
  t.is((await run('--input', at('x.npy'), ...numbers)).code, 0)
  const network = await Network.load(at('m.onnx'))
  t.teardown(() => network.dispose())
  const how = { scale: 1 / 255, mean: [0.1, 0.2, 0.3], std: 0.5 }
  near(t, await readArray(at('y.npy')), await network.run(normalized(bytes, how)), 1e-6)
  // A worker reads what the store's own command read.
  const store = ['ntk', at('m.onnx'), '--input', at('x.npy'), ...numbers, '--store', at('k.zarr')]
  t.is((await cli(...store, '--tile', '2', '--plan')).code, 0)
  t.is((await cli('worker', at('k.zarr'))).code, 0)
  near(t, await readArray(at('k.zarr')), await network.ntk(normalized(bytes, how)), 1e-5)
  // (N, 3) of a list column.
  t.is((await run('--input', 'test/io/numbers.parquet#v')).code, 0)
  t.deepEqual((await readArray(at('y.npy'))).shape, [50, 2])
  for (const wrong of [
    ['--scale', 'x'],
    ['--mean', '1,2'],
    ['--size', '2y'],
  ]) {
    t.is((await run('--input', at('x.npy'), ...wrong)).code, 2, wrong.join(' '))
  }
  // The input's channels tell the layout.
  const { floats, model } = await import('../support/onnx.js')
  const net = model({
    nodes: [
      { op: 'Flatten', inputs: ['x'], outputs: ['f'], attributes: { axis: 1 }, name: 'f' },
      { op: 'MatMul', inputs: ['f', 'w'], outputs: ['y'], name: 'm' },
    ],
    initializers: { w: floats([12, 2], new Random(2).normals(24)) },
    inputs: [{ name: 'x', shape: ['N', 2, 2, 3] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
  })
  await writeFile(at('i.onnx'), net)
  const folder = [
    '--input',
    'test/io/pictures',
    '--size',
    '2',
    '--scale',
    '1/255',
    '--mean',
    '0,1,2',
  ]
  t.is((await cli('run', at('i.onnx'), ...folder, '--out', at('z.npy'))).code, 0)
  const images = await openImages('test/io/pictures', {
    ...{ size: [2, 2], channels: 3, layout: 'NHWC', scale: 1 / 255, mean: [0, 1, 2] },
  })
  const other = await Network.load(at('i.onnx'))
  t.teardown(() => other.dispose())
  near(t, await readArray(at('z.npy')), await other.run(images), 1e-6)
})

test('sketches that cannot be written end the call, and it says why', async (t) => {
  if (!existsSync('/dev/full')) return t.pass('there is no /dev/full here')
  const at = await place()
  const random = new Random(2)
  await writeFile(at('m.onnx'), mlp(random, [5, 20, 3]))
  await writeNpy(at('x.npy'), samples(random, [400, 5]))
  const words = ['--input', at('x.npy'), '--dim', '64', '--check', '0', '--out', '/dev/full']
  const { code, stderr } = await cli('sketch', at('m.onnx'), ...words)
  t.is(code, 1)
  t.regex(stderr, /^adaptive-tangent: Cannot write \/dev\/full: .*(space|full)/)
})
