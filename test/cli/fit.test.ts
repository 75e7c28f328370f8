import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { loadModel, Network, readNpy, readTensor, writeNpy } from '../../lib/index.js'
import { NetworkModel } from '../../lib/solve/network.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))
const small = fileURLToPath(new URL('../../../test/fixtures/adaptive/mlp_small/', import.meta.url))

function runFit(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, 'fit', ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

async function data(t: ExecutionContext) {
  const dir = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const x = await readTensor(`${small}input_0.pb`)
  const y = await readTensor(`${small}target.pb`)
  const size = x.data.length / 160
  const pixels = x.data as Float32Array
  const shape = [80, ...x.shape.slice(1)]
  await writeNpy(join(dir, 'x.npy'), { data: pixels.slice(0, 80 * size), shape })
  await writeNpy(join(dir, 'x2.npy'), { data: pixels.slice(80 * size), shape })
  await writeNpy(join(dir, 'y.npy'), { data: y.data.slice(0, 80) as Float32Array, shape: [80] })
  return { dir, at: (name: string) => join(dir, name) }
}

test.serial('fit reaches the reference and writes what the contract says', async (t) => {
  const { at } = await data(t)
  const expected = JSON.parse(readFileSync(`${small}layer_left_2_right_1_ridge_0.01.json`, 'utf8'))
  const args = [
    `${small}model.onnx`,
    ...['--input', at('x.npy'), '--target', at('y.npy'), '--predict', at('x2.npy')],
    ...['--left', '2', '--right', '1', '--ridge', '0.01'],
  ]
  const done = await runFit(...args, '--export', at('fitted.onnx'), '--out', at('fit'))
  t.is(done.code, 0, done.stderr)
  t.regex(done.stdout, /converged after \d+ iterations/)
  const summary = JSON.parse(readFileSync(at('fit/summary.json'), 'utf8'))
  t.true(Math.abs(summary.objective / expected.objective - 1) < 1e-4)
  t.true(Math.abs(summary.penalty / expected.penalty - 1) < 1e-4)
  t.is(summary.status, 'converged')
  t.true(summary.iterations > 1)
  t.deepEqual(
    Object.keys(summary.singular_values).sort(),
    Object.keys(expected.singular_values).sort(),
  )
  const predictions = await readNpy(at('fit/predictions.npy'))
  t.deepEqual(predictions.shape, [80])
  expected.predictions.forEach((value: number, i: number) => {
    t.true(Math.abs(value - Number(predictions.data[i])) < 1e-3)
  })
  const model = await loadModel(at('fit/model.safetensors'))
  t.true(model instanceof NetworkModel)
  await using network = await Network.load(at('fitted.onnx'))
  t.is(network.parameters.length, 6)
  t.deepEqual((await readdir(at('fit'))).sort(), [
    'model.safetensors',
    'predictions.npy',
    'summary.json',
  ])
})

test.serial('every structure and split runs; --json prints the summary', async (t) => {
  const { at } = await data(t)
  const common = [`${small}model.onnx`, '--input', at('x.npy'), '--target', at('y.npy'), '--json']
  const few = ['--max-iterations', '3']
  for (const more of [
    ['--features', 'fixed'],
    ['--structure', 'diagonal', '--power', '1'],
    ['--structure', 'flat', '--blocks', 'parameter'],
    ['--structure', 'modes'],
    ['--left', 'none', '--output', '0'],
  ]) {
    const done = await runFit(...common, ...few, ...more, '--out', at('out'))
    t.is(done.code, 0, done.stderr)
    const summary = JSON.parse(done.stdout)
    t.true(summary.objective > 0)
    t.true(['converged', 'iteration limit'].includes(summary.status))
    t.false(existsSync(at('out/predictions.npy')))
  }
})

test.serial('wrong calls end with 2 and one sentence', async (t) => {
  const { at } = await data(t)
  const common = [`${small}model.onnx`, '--input', at('x.npy'), '--target', at('y.npy')]
  for (const more of [
    ['--left', 'three'],
    ['--ridge', '-1'],
    ['--power', '0'],
    ['--output', '7'],
    ['--structure', 'round'],
    ['--target', at('x.npy')],
  ]) {
    const done = await runFit(...common, ...more, '--out', at('bad'))
    t.is(done.code, 2, `${more.join(' ')}: ${done.stderr}`)
    t.true(done.stderr.length > 0)
  }
  t.false(existsSync(at('bad')))
})
