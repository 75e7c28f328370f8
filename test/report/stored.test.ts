// The page of a kernel on disk, known by products: what it says is what the whole kernel is.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import {
  createStore,
  Network,
  openKernel,
  probeKernel,
  renderKernel,
  targetKernel,
  writeNpy,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

test('spectrum, ranks and alignments of a store, on a page and in numbers', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kernel-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const at = (name: string) => join(folder, name)
  const random = new Random(11)
  const network = await Network.load(mlp(random, [4, 30, 3]), { threads: 1, memory: '100MB' })
  t.teardown(() => network.dispose())
  const [n, x] = [30, samples(random, [30, 4])]
  const labels = { data: Int32Array.from({ length: n }, (_, i) => i % 3), shape: [n] }
  const store = await createStore(
    at('K.zarr'),
    network,
    { kind: 'ntk', kernel: 'trace', x },
    { tile: 8 },
  )
  await store.work()
  const whole = await network.ntk(x, { kernel: 'trace' })
  const truth = await whole.eigenvalues()
  const sum = truth.reduce((a, b) => a + b, 0)
  const entropy = truth.reduce((s, v) => s - (v > 0 ? (v / sum) * Math.log(v / sum) : 0), 0)

  const kernel = await openKernel(at('K.zarr'))
  const report = await probeKernel(kernel, { name: '<b>K</b>', count: 10, target: labels })
  near(t, report.trace, sum, 1e-5)
  near(t, report.eigenvalues, truth.slice(0, 10), 1e-5)
  near(t, report.topShare, truth.slice(0, 10).reduce((a, b) => a + b, 0) / sum, 1e-5)
  near(t, report.participationRatio, sum ** 2 / truth.reduce((s, v) => s + v * v, 0), 1e-4)
  const { value, error } = report.effectiveRank
  t.true(Math.abs(value - Math.exp(entropy)) < 5 * error + 1e-3 * value, `${value} ± ${error}`)
  for (const { value: level, count } of report.above) {
    const exact = truth.filter((one) => one >= level).length
    t.true(Math.abs(count.value - exact) <= 5 * count.error + 1.5, `${count.value} for ${exact}`)
  }
  const asked = targetKernel(labels)
  near(t, report.alignment?.cosine, await whole.alignment(asked), 1e-5)
  near(t, report.alignment?.centred, await whole.alignment(asked, { centred: true }), 1e-5)
  const page = renderKernel(JSON.parse(JSON.stringify(report)))
  t.true(page.includes('&lt;b&gt;K&lt;/b&gt;') && !page.includes('<b>K'))
  t.regex(page, /<svg[^>]* id="spectrum"/)
  t.regex(page, /CKA/)
  t.false(/https?:\/\/(?!www\.w3\.org)/.test(page), 'it asks nothing of anywhere')
  await t.throwsAsync(probeKernel(kernel, { count: n + 1 }), { code: 'BAD_ARGUMENT' })
  t.throws(() => renderKernel({} as never), { code: 'BAD_ARGUMENT' })

  await writeNpy(at('y.npy'), labels)
  const command = [
    main,
    'kernel',
    at('K.zarr'),
    '--target',
    at('y.npy'),
    '--out',
    at('r'),
    '--json',
  ]
  const { stdout } = await promisify(execFile)(process.execPath, command)
  near(t, JSON.parse(stdout).eigenvalues.slice(0, 10), truth.slice(0, 10), 1e-5)
  t.is(JSON.parse(await readFile(at('r/report.json'), 'utf8')).name, 'K.zarr')
  t.true((await readFile(at('r/report.html'), 'utf8')).startsWith('<!doctype html>'))
  await writeFile(at('m.txt'), 'no kernel')
  await t.throwsAsync(
    promisify(execFile)(process.execPath, [main, 'kernel', at('m.txt'), '--out', at('q')]),
    {
      message: /is not an array/,
    },
  )
})
