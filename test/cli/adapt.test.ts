// Labels to a model on the command line, and its predictions.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { readNpy, writeNpy } from '../../lib/index.js'
import { clouds } from '../adapt/data.js'
import { near } from '../support/near.js'
import { load, mlp } from '../support/networks.js'
import { Random } from '../support/random.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

function cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

async function task(t: { teardown(fn: () => Promise<void>): void }) {
  const folder = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const at = (name: string) => join(folder, name)
  const { x, labels } = clouds(24, 3)
  const names = ['low', 'middle', 'high']
  await writeFile(at('model.onnx'), mlp(new Random(1), [3, 8, 2]))
  await writeNpy(at('x.npy'), x)
  await writeNpy(at('y.npy'), labels)
  await writeNpy(at('test.npy'), clouds(5, 3, 2).x)
  const texts = Array.from(labels.data, (label) => names[label] as string)
  await writeFile(at('names.txt'), `${texts.join('\n')}\n`)
  await writeFile(
    at('names.csv'),
    `id,label\n${texts.map((text, i) => `${i},${text}`).join('\n')}\n`,
  )
  return at
}

const quick = ['--features', 'fixed', '--folds', '3', '--repeats', '1']

test('names and a holdout: a folder that predicts with the old network and with its own', async (t) => {
  const at = await task(t)
  await mkdir(at('out'))
  await writeFile(at('out/network.onnx'), 'of an earlier run')
  const call = ['adapt', at('model.onnx'), '--input', at('x.npy'), '--holdout', '0.25']
  const files = ['--predict', at('test.npy'), '--export', at('served.onnx'), '--out', at('out')]
  const { code, stdout, stderr } = await cli(
    ...call,
    '--target',
    at('names.txt'),
    ...quick,
    ...files,
  )
  t.is(code, 0, stderr)
  t.regex(stdout, /The network has 2 outputs and the targets have 3 classes/)
  t.regex(stdout, /^→ head ridge .*, ridge .*, price infinite +\S+ ± \S+$/m)
  t.regex(
    stdout,
    /On 6 held-out samples, with 95 % intervals:\n {2}this model: accuracy .*\n {2}linear probe: accuracy/,
  )
  const names = [
    'choice.json',
    'model.safetensors',
    'network.onnx',
    'predictions.npy',
    'summary.json',
  ]
  t.deepEqual((await readdir(at('out'))).sort(), names)
  const choice = JSON.parse(await readFile(at('out/choice.json'), 'utf8'))
  t.deepEqual(choice.labels, ['high', 'low', 'middle'])
  t.is(choice.samples, 18)
  t.is(choice.holdout.samples, 6)
  t.is(choice.grid.length, 21)

  const predicted = await readNpy(at('out/predictions.npy'))
  t.deepEqual(predicted.shape, [5, 3])
  for (const model of ['model.onnx', 'out/network.onnx']) {
    const again = await cli(
      'predict',
      at('out'),
      at(model),
      '--input',
      at('test.npy'),
      '--out',
      at('p.npy'),
    )
    t.is(again.code, 0, again.stderr)
    t.deepEqual((await readNpy(at('p.npy'))).data, predicted.data)
  }
  const served = await load(t, at('served.onnx'), { unsupported: 'defer' })
  near(t, await served.run(await readNpy(at('test.npy'))), predicted, 1e-5)

  // A named column of a table, and files for the holdout: the same classes.
  const out = ['--holdout', at('x.npy'), '--holdout-target', at('names.txt'), '--out', at('other')]
  const json = await cli(
    ...call.slice(0, 4),
    ...['--target', `${at('names.csv')}#label`, '--ridge', '0.1', '--json', '--quiet'],
    ...quick,
    ...out,
  )
  t.is(json.code, 0, json.stderr)
  const result = JSON.parse(json.stdout)
  t.deepEqual(result.labels, ['high', 'low', 'middle'])
  t.is(result.holdout.samples, 24)
  t.is(result.ridge, 0.1)
})

test('what is wrong is one sentence, exit code 2, and no folder', async (t) => {
  const at = await task(t)
  await writeFile(at('short.txt'), 'a\nb\n')
  const calls: [RegExp, string[]][] = [
    [/24 labels for y but received 2/, ['--target', at('short.txt')]],
    [
      /share between 0 and 1 for --holdout, or files/,
      ['--target', at('y.npy'), '--holdout', at('x.npy')],
    ],
    [/--holdout with the samples/, ['--target', at('y.npy'), '--holdout-target', at('y.npy')]],
    [/a share between 0 and 1/, ['--target', at('y.npy'), '--holdout', '1.5']],
    [/2 outputs for y but received 3 columns/, ['--target', at('y.npy'), '--head', 'keep']],
  ]
  await Promise.all(
    calls.map(async ([words, more]) => {
      const given = ['--input', at('x.npy'), ...more, '--out', at('out')]
      const { code, stderr } = await cli('adapt', at('model.onnx'), ...given)
      t.is(code, 2, stderr)
      t.regex(stderr, words)
      t.is(stderr.trim().split('\n').length, 1, stderr)
    }),
  )
  t.false((await readdir(at('.'))).includes('out'))
})
