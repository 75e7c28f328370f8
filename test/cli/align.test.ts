import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import {
  averageKernel,
  Network,
  type ProbeReport,
  readNpy,
  train,
  writeNpy,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

const run = promisify(execFile)
const main = 'dist/lib/cli/main.js'
type Teardown = { teardown(fn: () => Promise<void>): void }

/** A network, samples, labels, and a folder of a training's checkpoints. */
async function made(t: Teardown) {
  const folder = await mkdtemp(join(tmpdir(), 'align-cli-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const random = new Random(41)
  const bytes = mlp(random, [4, 6, 3])
  const network = await load(t, bytes)
  const x = samples(random, [20, 4])
  const target = { data: Int32Array.from({ length: 20 }, (_, i) => i % 3), shape: [20] }
  const paths = {
    model: join(folder, 'start.onnx'),
    x: join(folder, 'x.npy'),
    y: join(folder, 'y.npy'),
    steps: join(folder, 'steps'),
    out: join(folder, 'out'),
  }
  await writeFile(paths.model, bytes)
  await writeNpy(paths.x, x)
  await writeNpy(paths.y, target)
  await train(
    network,
    { x, target },
    {
      epochs: 12,
      batch: 10,
      optimizer: { kind: 'sgd', learningRate: 0.1 },
      checkpoints: { folder: paths.steps, every: 3 },
    },
  )
  return paths
}

test('align: a folder of checkpoints becomes JSON, CSV and eigenvalues', async (t) => {
  const { model, steps, x, y, out } = await made(t)
  const args = [main, 'align', model, steps, '--input', x, '--target', y, '--top', '1,4']
  const { stdout, stderr } = await run(process.execPath, [...args, '--out', out])
  t.regex(stderr, /^(\d+ %.*\n)*$/, 'progress at most')
  t.regex(stdout, /weights-12 /)
  t.deepEqual((await readdir(out)).sort(), ['alignment.csv', 'alignment.json', 'eigenvalues.npy'])
  const found = JSON.parse(await readFile(join(out, 'alignment.json'), 'utf8'))
  t.is(found.kind, 'adaptive-tangent/alignment')
  t.is(found.learned, 'last')
  const seen = found.checkpoints.map(({ name, step }: { name: string; step: number }) => [
    name,
    step,
  ])
  t.deepEqual(seen, [
    ['start', 0],
    ['weights-3', 3],
    ['weights-6', 6],
    ['weights-9', 9],
    ['weights-12', 12],
  ])
  t.is(found.checkpoints[0].total.initial.distance, 0)
  t.true(found.checkpoints[4].total.initial.distance > 0)
  t.deepEqual(Object.keys(found.checkpoints[1].parts), ['l.0', 'l.1'])
  t.is(found.checkpoints[1].total.labels.energy.length, 2)
  for (const { margin } of [found.checkpoints[4].total, found.checkpoints[4].parts['l.1']]) {
    t.true(margin.near > 0 && margin.peak >= margin.near)
  }
  const lines = (await readFile(join(out, 'alignment.csv'), 'utf8')).trimEnd().split('\n')
  t.is(lines.length, 1 + 5 * 3)
  t.true(lines.every((line) => line.split(',').length === lines[0]?.split(',').length))
  t.deepEqual((await readNpy(join(out, 'eigenvalues.npy'))).shape, [5, 20])

  const { stdout: json } = await run(process.execPath, [
    ...[main, 'align', model, join(steps, 'weights-3.safetensors'), '--no-model', '--json'],
    ...['--input', x, '--by', 'total', '--kernel', 'full', '--spectrum', 'none', '--out', out],
  ])
  const { checkpoints } = JSON.parse(json)
  t.is(checkpoints.length, 1)
  t.is(checkpoints[0].total.labels, null)
  t.is(checkpoints[0].total.effectiveRank, null)
})

test('what does not fit is one sentence and exit 2', async (t) => {
  const { model, steps, x, out } = await made(t)
  const refused = async (args: string[], message: RegExp) => {
    const error = await t.throwsAsync<Error & { code: number; stderr: string }>(
      run(process.execPath, [main, ...args, '--out', out]),
    )
    t.is(error?.code, 2)
    t.regex(error?.stderr ?? '', message)
    t.is(error?.stderr.trim().split('\n').length, 1)
  }
  const state = join(steps, 'state.safetensors')
  await refused(['align', model, state, '--input', x], /state\.safetensors/)
  await refused(['align', model, out, '--input', x], /out/)
  await refused(['align', model, join(steps, 'no.onnx'), '--input', x], /no\.onnx/)
  const target = ['--input', x, '--target', x.replace('x.npy', 'short.npy')]
  await writeNpy(target[3] as string, { data: new Int32Array(3), shape: [3] })
  await refused(['align', model, steps, ...target], /\(3\)/)
  await refused(['probe', model, '--checkpoints', steps, ...target], /\(3\)/)
  await refused(['probe', model, '--checkpoints', state, '--input', x], /state\.safetensors/)
  t.false(existsSync(out))
  // The place is looked at before the work.
  const blocked = await t.throwsAsync<Error & { code: number; stderr: string }>(
    run(process.execPath, [main, 'align', model, steps, '--input', x, '--out', model]),
  )
  t.is(blocked?.code, 2)
  t.regex(blocked?.stderr ?? '', /folder for --out but .* is a file/)
  await refused(
    ['align', model, join(steps, '..', 'steps', '..'), '--input', x, '--learned', 'target'],
    /target/,
  )
})

test('classes that are no outputs are refused as what was learned', async (t) => {
  const { model, steps, x, out } = await made(t)
  const many = x.replace('x.npy', 'many.npy')
  await writeNpy(many, { data: Int32Array.from({ length: 20 }, (_, i) => i % 7), shape: [20] })
  const args = [main, 'align', model, steps, '--input', x, '--target', many, '--out', out]
  const refused = async (more: string[]) => {
    const error = await t.throwsAsync<Error & { code: number; stderr: string }>(
      run(process.execPath, [...args, ...more]),
    )
    t.is(error?.code, 2)
    t.regex(error?.stderr ?? '', /numbers of the \d outputs .* take a network with an output for/)
  }
  await refused(['--learned', 'target'])
  await refused(['--kernel', 'full'])
})

test('probe --checkpoints: the report follows the training', async (t) => {
  const { model, steps, x, y, out } = await made(t)
  const args = [main, 'probe', model, '--checkpoints', steps, '--input', x, '--target', y]
  await run(process.execPath, [...args, '--out', out])
  const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as ProbeReport
  t.deepEqual(
    report.networks.map(({ name }) => name),
    ['start', 'weights-12'],
  )
  t.is(report.training?.checkpoints.length, 5)
  t.is(report.training?.learned, 'the last checkpoint’s outputs')
  // The last checkpoint is the network after training.
  const { trace } = report.networks[1] ?? {}
  const last = report.training?.checkpoints.at(-1)?.total.trace as number
  near(t, last, trace, 1e-4)
  const page = await readFile(join(out, 'report.html'), 'utf8')
  t.true(page.includes('id="training"'))
  t.true(page.includes('id="along-margin"') && page.includes('id="along-margin-0"'))
})

test('average: along a folder of checkpoints, piece by piece', async (t) => {
  const { model, steps, x, out } = await made(t)
  const args = [main, 'average', model, steps, '--input', x, '--points', '4', '--json']
  const { stdout } = await run(process.execPath, [...args, '--out', `${out}.npy`])
  const found = JSON.parse(stdout)
  t.is(found.pieces, 4)
  const network = await Network.load(model)
  t.teardown(() => network.dispose())
  const path = [network]
  for (const epoch of [3, 6, 9, 12]) {
    const next = await network.withParameters(join(steps, `weights-${epoch}.safetensors`))
    t.teardown(() => next.dispose())
    path.push(next)
  }
  const input = await readNpy(x)
  const { kernel, residual } = await averageKernel(path, undefined, input, { points: 4 })
  t.deepEqual((await readNpy(`${out}.npy`)).data, kernel.data)
  t.is(found.residual.relative, residual.relative)
})
