import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { type ProbeReport, renderReport, writeNpy } from '../../lib/index.js'
import { floats, model } from '../support/onnx.js'
import { launch, look, ownScripts } from './browser.js'

const example = 'examples/fashion-mnist'
const files = { init: `${example}/mlp_init.onnx`, trained: `${example}/mlp_trained.onnx` }

const run = promisify(execFile)
const main = 'dist/lib/cli/main.js'

test('the demo: a table on stdout, a page that renders, a report for programs', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'probe-'))
  const browser = await launch()
  try {
    const out = join(folder, 'new', 'demo')
    const { stdout, stderr } = await run(process.execPath, [
      ...[main, 'probe', files.init, files.trained, '--out', out],
      ...['--input', `${example}/images.npy`, '--target', `${example}/labels.npy`],
      ...['--class-names', `${example}/class-names.txt`],
    ])
    t.regex(stderr, /^(\d+ %.*\n)*$/, 'progress at most')
    t.regex(stdout, /net\.5 .*\n/)
    t.true(stdout.endsWith(`Report: ${join(out, 'report.html')}\n`))
    t.deepEqual((await readdir(out)).sort(), ['report.html', 'report.json'])

    const report: ProbeReport = JSON.parse(await readFile(join(out, 'report.json'), 'utf8'))
    const [before, after] = report.networks
    t.is(report.samples, 240)
    t.true((before!.accuracy as number) < 0.2 && (after!.accuracy as number) > 0.8)
    t.true(after!.alignment!.centred > before!.alignment!.centred + 0.1)
    t.deepEqual(report.groups[9], { name: 'Ankle boot', start: 216, count: 24 })

    const page = await readFile(join(out, 'report.html'), 'utf8')
    t.is(renderReport(report), page, 'the page comes from report.json alone')
    for (const width of [400, 1280]) {
      const seen = await look(browser, page, width)
      t.deepEqual(seen.complaints, [])
      t.is(seen.overflow, 0)
      t.is(seen.images.loaded, seen.images.count)
      t.true(seen.figures.every((figure) => figure.width > 50 && figure.height > 20))
      t.notRegex(seen.text, /NaN|undefined|Infinity/)
    }
  } finally {
    await browser.close()
    await rm(folder, { recursive: true, force: true })
  }
})

test('what does not fit is one sentence and exit 2, and nothing is written', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'probe-'))
  try {
    const out = join(folder, 'out')
    const refused = async (args: string[], message: RegExp) => {
      const error = await t.throwsAsync<Error & { code: number; stderr: string }>(
        run(process.execPath, [main, 'probe', ...args, '--out', out]),
      )
      t.is(error?.code, 2)
      t.regex(error?.stderr ?? '', message)
      const progress = /^\d+ %.*\n/gm
      t.is(error?.stderr.replace(progress, '').trim().split('\n').length, 1)
    }
    const input = ['--input', `${example}/images.npy`]
    await refused(
      [files.init, ...input, '--target', `${example}/images.npy`],
      /Expected the shape \(240\).*received \(240, 1, 28, 28\)/,
    )
    await refused([files.init, '--input', `${example}/labels.npy`], /Expected/)
    await refused([files.init, 'nowhere.onnx', ...input], /nowhere\.onnx/)
    t.deepEqual(await readdir(folder), [])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('a hostile model: its names are text in the page, in the table and in the JSON', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'probe-'))
  const browser = await launch()
  const hostile = '<img src=x onerror=alert(1)>'
  try {
    const path = join(folder, `${hostile.replace('=x', '')}.onnx`)
    const weight = Float32Array.from({ length: 12 }, (_, i) => Math.cos(i))
    const bytes = model({
      inputs: [{ name: `${hostile}in`, shape: ['N', 4] }],
      outputs: [{ name: '</title><script>alert(2)</script>', shape: ['N', 3] }],
      initializers: {
        [`${hostile}.\u001b[2Jweight`]: floats([4, 3], weight),
        [`"'>&${hostile}.bias`]: floats([3], [1, 2, 3]),
      },
      nodes: [
        {
          op: 'Gemm',
          inputs: [`${hostile}in`, `${hostile}.\u001b[2Jweight`, `"'>&${hostile}.bias`],
          outputs: ['</title><script>alert(2)</script>'],
        },
      ],
    })
    await writeFile(path, bytes)
    const x = join(folder, 'x.npy')
    await writeNpy(x, {
      data: Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)),
      shape: [5, 4],
    })
    const out = join(folder, 'out')
    const { stdout } = await run(process.execPath, [
      main,
      'probe',
      path,
      '--input',
      x,
      '--out',
      out,
    ])
    t.false(stdout.includes('\u001b'))
    const page = await readFile(join(out, 'report.html'), 'utf8')
    t.false(page.includes('<img') || page.includes('\u001b'))
    ownScripts(t, page)
    const seen = await look(browser, page, 1280)
    t.deepEqual(seen.complaints, [])
    t.true(seen.text.includes(hostile))
    t.true(JSON.parse(await readFile(join(out, 'report.json'), 'utf8')).networks.length === 1)
  } finally {
    await browser.close()
    await rm(folder, { recursive: true, force: true })
  }
})
