// The command audit: the files that it promises, of classes and of numbers, against the calls.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  audit,
  buildMlp,
  type NdArray,
  Network,
  readNpy,
  selfKernel,
  writeNpy,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

const run = (...args: string[]) => command('audit', ...args)

function command(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

const array = (shape: number[], seed: number): NdArray<Float32Array> => ({
  data: Float32Array.from(
    gaussians(
      shape.reduce((a, b) => a * b),
      seed,
    ),
  ),
  shape,
})
const x = array([15, 1, 8, 8], 1)
const query = array([4, 1, 8, 8], 2)
const labels = { data: Int32Array.from({ length: 15 }, (_, i) => i % 3), shape: [15] }

async function stage(t: ExecutionContext) {
  const dir = await mkdtemp(join(tmpdir(), 'audit-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const at = (name: string) => join(dir, name)
  const bytes = await buildMlp({ inputs: [1, 8, 8], hidden: [6], outputs: 3, seed: 1 })
  await writeFile(at('net.onnx'), bytes)
  await writeNpy(at('x.npy'), x)
  await writeNpy(at('q.npy'), query)
  await writeNpy(at('y.npy'), labels)
  const network = await Network.load(bytes)
  t.teardown(() => network.dispose())
  return { at, network }
}

async function table(path: string): Promise<{ head: string; rows: string[][] }> {
  const [head = '', ...lines] = (await readFile(path, 'utf8')).trimEnd().split('\n')
  return { head, rows: lines.map((line) => line.split(',')) }
}

test('audit of classes writes labels, queries, arrays and a report with pictures', async (t) => {
  const { at, network } = await stage(t)
  const done = await run(
    ...[at('net.onnx'), '--input', at('x.npy'), '--target', at('y.npy'), '--query', at('q.npy')],
    ...['--ridge', '0.5', '--json', '--quiet', '--out', at('out')],
  )
  t.is(done.code, 0, done.stderr)
  const found = await audit(network, x, labels, { ridge: 0.5, query })
  const { head, rows } = await table(at('out/labels.csv'))
  t.true(head.startsWith('sample,label,loo_prediction,loo_residual,suspicion'))
  t.deepEqual(
    rows.map((row) => row[1]),
    [...labels.data].map(String),
  )
  near(
    t,
    rows.map((row) => Number(row[4])),
    found.labels.suspicion,
    1e-12,
  )
  near(t, await readNpy(at('out/loo.npy')), found.labels.predictions, 0)
  near(t, await readNpy(at('out/influence.npy')), found.query!.influence, 0)
  const variance = await readNpy(at('out/variance.npy'))
  near(t, variance, found.query!.variance, 0)
  const own = await selfKernel(network, query)
  t.true(variance.data.every((value, e) => Number(value) <= Number(own.data[e]) * (1 + 1e-6)))
  const queries = await table(at('out/query.csv'))
  t.true(queries.head.startsWith('sample,variance,nearest'))
  t.deepEqual(
    queries.rows.map((row) => Number(row[2])),
    found.query!.nearest,
  )
  const page = await readFile(at('out/report.html'), 'utf8')
  t.regex(page, /data:image\/png;base64/)
  t.regex(page, /Leave-one-out is exact/)
  const summary = JSON.parse(done.stdout)
  t.is(summary.ridge, 0.5)
  for (const file of summary.files) t.true(existsSync(at(`out/${file}`)), file)
})

test('numbers give residuals without labels', async (t) => {
  const { at } = await stage(t)
  await writeNpy(at('values.npy'), array([15, 1], 5))
  const args = ['--input', at('x.npy'), '--target', at('values.npy'), '--outputs', '1']
  const done = await run(at('net.onnx'), ...args, '--quiet', '--out', at('out'))
  t.is(done.code, 0, done.stderr)
  const { rows } = await table(at('out/labels.csv'))
  const loo = await readNpy(at('out/loo.npy'))
  t.deepEqual(loo.shape, [15, 1])
  const values = await readNpy(at('values.npy'))
  for (const [i, [, label, prediction, residual]] of rows.entries()) {
    t.is(label, '')
    near(t, Number(prediction), Number(loo.data[i]), 1e-12)
    near(t, Number(residual) + Number(prediction), Number(values.data[i]), 1e-12)
  }
  t.false(existsSync(at('out/query.csv')))
})

test('adaptive features say what leave-one-out means with them', async (t) => {
  const { at } = await stage(t)
  const args = ['--input', at('x.npy'), '--target', at('y.npy'), '--features', 'adaptive']
  const done = await run(
    ...[at('net.onnx'), ...args, '--ridge', '0.5', '--price', '0.01', '--json', '--quiet'],
    ...['--out', at('out')],
  )
  t.is(done.code, 0, done.stderr)
  const { features, leave_one_out: left, ridge } = JSON.parse(done.stdout)
  t.deepEqual([features, left.exact, ridge], ['adaptive', false, 0.5])
})

test('mistakes end with 2 and one sentence, nothing is written', async (t) => {
  const { at } = await stage(t)
  await writeNpy(at('short.npy'), { data: new Int32Array(3), shape: [3] })
  await writeNpy(at('wide.npy'), array([4, 1, 9, 9], 3))
  await writeNpy(at('numbers.npy'), array([15, 3], 4))
  await writeFile(at('two.txt'), 'no\nyes\n')
  const given = [at('net.onnx'), '--input', at('x.npy'), '--out', at('out'), '--target']
  for (const [args, said] of [
    [[at('short.npy')], /y/],
    [[at('y.npy'), '--query', at('wide.npy')], /query/],
    [[at('y.npy'), '--ridge', '-1'], /ridge/],
    [[at('y.npy'), '--tokens', at('two.txt')], /an input of integers for .*tokens/],
    [[at('y.npy'), '--class-names', at('two.txt')], /a name for each label \(0 to 2\).*2 names/],
    [[at('numbers.npy'), '--class-names', at('two.txt')], /targets that are classes/],
  ] as const) {
    const { code, stderr } = await run(...given, ...args)
    t.is(code, 2)
    t.regex(stderr, said)
    t.is(stderr.trim().split('\n').length, 1, stderr)
  }
  t.false(existsSync(at('out')))
})

test('predict --std gives the audit’s deviations, from the files that fit read', async (t) => {
  const { at, network } = await stage(t)
  const given = ['--input', at('x.npy'), '--target', at('y.npy'), '--ridge', '0.5']
  const fit = await command(
    'fit',
    at('net.onnx'),
    ...given,
    '--features',
    'fixed',
    '--out',
    at('f'),
  )
  t.is(fit.code, 0, fit.stderr)
  const ask = ['--input', at('q.npy'), '--out', at('p.npy'), '--std', at('s.npy')]
  const done = await command('predict', at('f'), at('net.onnx'), ...ask)
  t.is(done.code, 0, done.stderr)
  const { query: found, evidence } = await audit(network, x, labels, { ridge: 0.5, query })
  const truth = { ...found!.variance, data: found!.variance.data.map(Math.sqrt) }
  near(t, await readNpy(at('s.npy')), truth, 1e-5)
  near(t, await readNpy(at('p.npy')), found!.predictions, 1e-4)

  const likely = await command('predict', at('f'), at('net.onnx'), ...ask, '--prior', 'evidence')
  t.is(likely.code, 0, likely.stderr)
  const scaled = truth.data.map((value) => value * Math.sqrt(evidence.prior))
  near(t, (await readNpy(at('s.npy'))).data, scaled, 1e-4)

  await writeNpy(at('other.npy'), { ...x, data: x.data.map((value) => 2 * value) })
  const wrong = await command(
    'predict',
    at('f'),
    at('net.onnx'),
    ...ask,
    '--train',
    at('other.npy'),
  )
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /samples of the fit/)
  await rm(at('x.npy'))
  const gone = await command('predict', at('f'), at('net.onnx'), ...ask)
  t.is(gone.code, 2)
  t.regex(gone.stderr, /x\.npy/)
})
