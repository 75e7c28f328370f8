import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { NetworkModel } from '../../lib/fit/network.js'
import { loadModel, type NdArray, readNpy, readTensor, writeNpy } from '../../lib/index.js'
import { near } from '../support/near.js'

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
    ...['--left', '2', '--right', '1', '--ridge', '0.01', '--price', 'absolute:1'],
  ]
  const done = await runFit(...args, '--export', at('fitted.onnx'), '--out', at('fit'))
  t.is(done.code, 0, done.stderr)
  t.regex(done.stdout, /converged after \d+ iterations/)
  const summary = JSON.parse(readFileSync(at('fit/summary.json'), 'utf8'))
  near(t, summary.objective, expected.objective, 1e-4)
  near(t, summary.penalty, expected.penalty, 1e-4)
  t.is(summary.status, 'converged')
  t.true(summary.iterations > 1)
  t.deepEqual(
    Object.keys(summary.singular_values).sort(),
    Object.keys(expected.singular_values).sort(),
  )
  const predictions = await readNpy(at('fit/predictions.npy'))
  t.deepEqual(predictions.shape, [80])
  near(t, predictions.data, expected.predictions, { absolute: 1e-3 })
  const model = await loadModel(at('fit/model.safetensors'))
  t.true(model instanceof NetworkModel)
  const served = await InferenceSession.create(at('fitted.onnx'))
  const { data: x2, shape } = await readNpy(at('x2.npy'))
  const [name = ''] = served.inputNames
  const x = new Tensor('float32', Float32Array.from(x2 as Float32Array), shape)
  const results = await served.run({ [name]: x })
  t.deepEqual(served.outputNames, ['prediction'])
  const own = results.prediction?.data as Float32Array
  const size = Math.max(...Array.from(predictions.data as Float64Array, Math.abs))
  near(t, own, predictions.data, { absolute: 1e-5 * size })
  t.deepEqual((await readdir(at('fit'))).sort(), [
    'model.safetensors',
    'predictions.npy',
    'summary.json',
  ])
  // Without --predict there are none: those of the run before would pass for this one's.
  const again = await runFit(...args.filter((_, k) => k !== 5 && k !== 6), '--out', at('fit'))
  t.is(again.code, 0, again.stderr)
  t.deepEqual((await readdir(at('fit'))).sort(), ['model.safetensors', 'summary.json'])
})

test.serial(
  'prices: in units, as such, chosen with the ridge; the summary tells how far it went',
  async (t) => {
    const { at } = await data(t)
    const common = [`${small}model.onnx`, '--input', at('x.npy'), '--target', at('y.npy')]
    const summaries: Record<string, Record<string, unknown>> = {}
    for (const price of ['1', '1e9', 'absolute:1', 'auto']) {
      const more = price === 'auto' ? ['--max-iterations', '20'] : ['--ridge', '0.1']
      const done = await runFit(...common, '--price', price, ...more, '--out', at('fit'))
      t.is(done.code, 0, done.stderr)
      const summary = JSON.parse(readFileSync(at('fit/summary.json'), 'utf8'))
      summaries[price] = summary
      if (price === '1e9') t.regex(done.stdout, /Nothing was stretched.*lower --price/)
      if (price === '1') t.regex(done.stdout, /largest stretch is 1\.\d/)
      const model = (await loadModel(at('fit/model.safetensors'))) as NetworkModel
      t.is(model.model.largestStretch, summary.largest_stretch)
      const { value } = model.model.price
      t.is(Number.isFinite(value) ? value : 'infinite', summary.price)
    }
    t.is(summaries['absolute:1']?.price, 1)
    t.is(summaries['absolute:1']?.relative_price, null)
    t.is(summaries['1']?.relative_price, 1)
    t.true((summaries['1']?.largest_stretch as number) > 1.01)
    const { selection } = summaries.auto as {
      selection: { grid: { price: unknown }[]; gain: object }
    }
    t.is(selection.grid.length, 24)
    t.true(selection.grid.some(({ price }) => price === 'infinite'))
    // Fixed features at the ridge of least leave-one-out error; several starts.
    const fixed = ['--features', 'fixed', '--ridge', 'auto', '--out', at('fixed')]
    t.is((await runFit(...common, ...fixed)).code, 0)
    const own = JSON.parse(readFileSync(at('fixed/summary.json'), 'utf8'))
    t.is(own.price, 'infinite')
    t.true(own.ridge > 0 && own.ridge !== 1e-3)
    const starts = ['--starts', '3', '--right', '1', '--ridge', '0.1', '--out', at('starts')]
    const done = await runFit(...common, ...starts)
    t.is(done.code, 0, done.stderr)
    t.regex(done.stdout, /Of 3 starts number [123] is kept/)
  },
)

test.serial('every structure and split runs; --json prints the summary', async (t) => {
  const { at } = await data(t)
  const common = [`${small}model.onnx`, '--input', at('x.npy'), '--target', at('y.npy'), '--json']
  const few = ['--max-iterations', '3']
  for (const more of [
    ['--features', 'fixed'],
    ['--structure', 'diagonal', '--power', '1'],
    ['--structure', 'flat', '--blocks', 'parameter'],
    ['--structure', 'modes'],
    ['--left', 'none', '--outputs', '0', '--device', 'emulated'],
  ]) {
    const done = await runFit(...common, ...few, ...more, '--out', at('out'))
    t.is(done.code, 0, done.stderr)
    const summary = JSON.parse(done.stdout)
    t.true(summary.objective > 0)
    t.true(['converged', 'iteration limit'].includes(summary.status))
    t.is(summary.device, more.includes('emulated') ? 'emulated' : 'cpu')
    t.false(existsSync(at('out/predictions.npy')))
  }
})

test.serial('targets of every type that numpy writes for labels are one target', async (t) => {
  const { at } = await data(t)
  const signs = (await readNpy(at('y.npy'))).data
  const label = Array.from(signs as Float32Array, (value) => (value > 0 ? 1 : 0))
  const kinds: NdArray[] = [
    { data: Float64Array.from(label, (value) => 2 * value - 1), shape: [80, 1] },
    { data: BigInt64Array.from(label, BigInt), shape: [80] },
    { data: Int32Array.from(label), shape: [80] },
    { data: Uint8Array.from(label), shape: [80], boolean: true },
  ]
  const objectives: number[] = []
  for (const array of kinds) {
    await writeNpy(at('label.npy'), array)
    const args = [`${small}model.onnx`, '--input', at('x.npy'), '--target', at('label.npy')]
    const done = await runFit(...args, '--max-iterations', '2', '--json', '--out', at('out'))
    t.is(done.code, 0, done.stderr)
    objectives.push(JSON.parse(done.stdout).objective)
  }
  t.is(new Set(objectives).size, 1)
})

test.serial('wrong calls end with 2 and one sentence, and nothing is written', async (t) => {
  const { at } = await data(t)
  const write = async (name: string, array: NdArray) => {
    await writeNpy(at(name), array)
    return at(name)
  }
  const y = (await readNpy(at('y.npy'))).data as Float32Array
  const pixels = (await readNpy(at('x.npy'))).data as Float32Array
  const short = await write('short.npy', { data: y.slice(1), shape: [79] })
  const wide = await write('wide.npy', { data: new Float32Array(160), shape: [80, 2] })
  const cube = await write('cube.npy', { data: y, shape: [20, 2, 2] })
  const holed = await write('holed.npy', {
    data: y.map((v, i) => (i === 7 ? NaN : v)),
    shape: [80],
  })
  const narrow = await write('narrow.npy', { data: pixels.slice(0, 400), shape: [80, 5] })
  await writeFile(at('text.npy'), 'hello')
  await writeFile(at('cut.npy'), (await readFile(at('y.npy'))).subarray(0, 300))
  const common = [`${small}model.onnx`, '--input', at('x.npy'), '--target', at('y.npy')]
  for (const [more, message] of [
    [['--left', 'three'], /positive power, or none/],
    [['--ridge', '-1'], /number ≥ 0/],
    [['--power', '0'], /positive power/],
    [['--price', '0'], /number above 0, absolute:<number> or auto/],
    [['--price', 'absolute:cheap'], /number above 0, absolute:<number> or auto/],
    [['--outputs', '7'], /indices from 0 to 0.*received 7/],
    [['--structure', 'round'], /Allowed choices are matrix/],
    [['--target', at('x.npy')], /shape \(N\) or \(N, O\) for --target/],
    [['--target', short], /targets \(80\) or \(80, 1\) for y but received an array \(79\)$/m],
    [['--target', wide], /received an array \(80, 2\)$/m],
    [['--target', wide, '--outputs', '0'], /received an array \(80, 2\)$/m],
    [['--target', cube], /received \(20, 2, 2\)/],
    [['--target', holed], /target of row 7 is NaN/],
    [['--target', at('text.npy')], /not a valid .npy file/],
    [['--target', at('cut.npy')], /bytes of data/],
    [['--target', at('none.npy')], /no such file/],
    [['--predict', narrow], /shape \(N, 1, 28, 28\) for x/],
    [['--solver', 'products', '--ridge', '0'], /ridge above 0/],
    [['--memory', '1MiB'], /80 rows .* need at least [\d.]+ MiB but the budget is 1\.0 MiB/],
    [['--export', at('.')], /file for --export but .* is a folder/],
    [['--checkpoint', at('y.npy')], /checkpoint/],
    [['--lef', '2'], /Unknown option/],
  ] as [string[], RegExp][]) {
    const done = await runFit(...common, ...more, '--out', at('bad'))
    t.is(done.code, 2, `${more.join(' ')}: ${done.stderr}`)
    t.regex(done.stderr, message)
    t.is(done.stdout, '')
  }
  t.false(existsSync(at('bad')))
  const blocked = await runFit(...common, '--out', at('text.npy'))
  t.is(blocked.code, 2)
  t.regex(blocked.stderr, /folder for --out but .* is a file/)
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  test.serial(
    `${signal}: the same command goes on from --checkpoint to the same bits`,
    async (t) => {
      const { at } = await data(t)
      const samples = ['--input', at('x.npy'), '--target', at('y.npy')]
      const slow = ['--right', '1', '--ridge', '1e-4', '--price', 'absolute:1']
      const args = [`${small}model.onnx`, ...samples, ...slow]
      const whole = await runFit(...args, '--out', at('whole'))
      t.is(whole.code, 0, whole.stderr)
      const kept = [...args, '--checkpoint', at('states/fit.npy'), '--out', at('fit')]
      const child = spawn(process.execPath, [main, 'fit', ...kept])
      const ended = once(child, 'exit')
      child.stdout.on('data', (text) => {
        if (/Iteration 20/.test(String(text))) child.kill(signal)
      })
      t.deepEqual(await ended, signal === 'SIGKILL' ? [null, signal] : [130, null])
      t.true(existsSync(at('states/fit.npy')))
      t.false(existsSync(at('fit/summary.json')))
      const done = await runFit(...kept)
      t.is(done.code, 0, done.stderr)
      const read = async (name: string) =>
        (await loadModel(at(`${name}/model.safetensors`))) as NetworkModel
      const [a, b] = [(await read('fit')).model, (await read('whole')).model]
      t.deepEqual(a.coefficients(), b.coefficients())
      t.is(a.objective, b.objective)
      t.true((a.iterations[0]?.iteration as number) > 10)
      const [first, second] = ['fit', 'whole'].map((name) =>
        JSON.parse(readFileSync(at(`${name}/summary.json`), 'utf8')),
      )
      t.deepEqual(first, second)
      // Done: nothing is left to go on from.
      t.false(existsSync(at('states/fit.npy')))
    },
  )
}
