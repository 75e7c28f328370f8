// The report's part along training: its JSON, its page, its slider in a real browser.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { parseHTML } from 'linkedom'
import { type NdArray, probe, probeTraining, renderReport } from '../../lib/index.js'
import type { ProbeReport } from '../../lib/probe/types.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { launch, look, ownScripts } from './browser.js'

const hostile = '<img src=x onerror=alert(1)>'

type Teardown = { teardown(fn: () => Promise<void>): void }

/** A report of `count` checkpoints that wander off. */
async function made(
  t: Teardown,
  count: number,
  options: { samples?: number; target?: boolean } = {},
) {
  const random = new Random(31)
  const n = options.samples ?? 30
  const network = await load(t, mlp(random, [4, 7, 6, 3]))
  const x = samples(random, [n, 4])
  const labels = { data: Int32Array.from({ length: n }, (_, i) => i % 3), shape: [n] }
  const target = options.target === false ? undefined : labels
  const own = network.weight('l.1.weight')
  const moves = random.normals(own.data.length)
  const checkpoints = Array.from({ length: count }, (_, k) => {
    const data = own.data.map((w, e) => w + 0.02 * k * (moves[e] as number))
    return {
      source: new Map<string, NdArray>([['l.1.weight', { data, shape: own.shape }]]),
      name: k === 1 ? hostile : `weights ${k}`,
      step: 10 * k,
    }
  })
  const report = await probe([{ name: 'start', network }], x, target, { adaptiveRows: 0 })
  report.training = await probeTraining(network, x, checkpoints, target)
  return report
}

test('the part along training holds every checkpoint in numbers, and few in full', async (t) => {
  const { training } = await made(t, 60)
  t.is(training?.checkpoints.length, 60)
  t.deepEqual(training?.parts, ['l.0', 'l.1', 'l.2'])
  t.is(training?.learned, 'the target')
  const frames = training?.frames ?? []
  t.true(frames.length <= 24 && frames.length >= 12)
  t.deepEqual([frames[0]?.index, frames.at(-1)?.index], [0, 59])
  for (const { raster, spectrum } of frames) {
    t.is(raster.values.length, raster.size ** 2)
    t.true(spectrum.length > 0 && spectrum.length <= 60)
  }
  for (const { step, index, error, total, parts } of training?.checkpoints ?? []) {
    t.is(step, 10 * index)
    t.is(parts.length, 3)
    t.true(error !== null && error >= 0 && error <= 1)
    t.true(Math.abs(total.labels?.centred as number) <= 1)
    t.is(total.learned?.energy.length, training?.top.length)
  }
  t.deepEqual(JSON.parse(JSON.stringify(training)), training)
})

test('pictures are of bounded size, whatever the samples', async (t) => {
  const report = await made(t, 3, { samples: 150 })
  for (const { raster } of report.training?.frames ?? []) t.true(raster.size <= 64)
  t.true(renderReport(await made(t, 200, { samples: 70 })).length < 1.8e6)
})

test('the page: figures, a slider that needs no script, and no markup from names', async (t) => {
  const report = await made(t, 12)
  const page = renderReport(report)
  const { document } = parseHTML(page)
  ownScripts(t, page)
  t.false(page.includes('<img'))
  const section = document.querySelector('#training')
  const inputs = [...(section?.querySelectorAll('.slider > input[type=radio]') ?? [])]
  t.is(inputs.length, 12)
  t.is(new Set(inputs.map((input) => input.getAttribute('name'))).size, 1)
  t.is(inputs.filter((input) => input.hasAttribute('checked')).length, 1)
  t.true(inputs.every((input) => (input.getAttribute('aria-label') ?? '').length > 0))
  t.is(section?.querySelectorAll('.frame').length, 12)
  for (const id of ['alignment', 'distance', 'rotation', 'step', 'rank', 'energy', 'split']) {
    const svg = section?.querySelector(`#along-${id}`)
    t.true((svg?.querySelector('desc')?.textContent ?? '').length > 5, id)
  }
  t.is(section?.querySelectorAll('.small-curves').length, 4)
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id)
  t.is(new Set(ids).size, ids.length, 'ids are unique')
  t.is(renderReport(JSON.parse(JSON.stringify(report)) as ProbeReport), page)
  // Without a target there is less to show, and nothing breaks.
  const plain = parseHTML(renderReport(await made(t, 2, { target: false }))).document
  t.truthy(plain.querySelector('#along-distance'))
  t.falsy(plain.querySelector('#along-alignment'))
  t.notRegex(plain.querySelector('#training')?.textContent ?? '', /NaN|undefined|null/)
})

test('in a browser: it fits, and the keys walk through the checkpoints', async (t) => {
  const page = renderReport(await made(t, 9))
  const browser = await launch()
  const folder = await mkdtemp(join(tmpdir(), 'training-'))
  try {
    for (const [width, scheme] of [
      [360, 'light'],
      [1280, 'dark'],
    ] as const) {
      const seen = await look(browser, page, width, scheme)
      t.deepEqual(seen.complaints, [])
      t.is(seen.overflow, 0, `${width}`)
      t.notRegex(seen.text, /NaN|undefined|Infinity|\[object/)
    }
    const file = join(folder, 'report.html')
    await writeFile(file, page)
    const tab = await browser.newPage()
    await tab.goto(pathToFileURL(file).href)
    const shown = () =>
      tab.$$eval('.frame', (frames) =>
        frames.flatMap((frame, at) => (frame.getBoundingClientRect().height > 0 ? [at] : [])),
      )
    t.deepEqual(await shown(), [8])
    // The buttons lie side by side over the whole width.
    const places = await tab.$$eval('.slider > input', (inputs) =>
      inputs.map((input) => input.getBoundingClientRect().left),
    )
    for (let at = 1; at < 9; at += 1) {
      t.true((places[at] as number) - (places[at - 1] as number) > 20, `${places}`)
    }
    await tab.focus('#at-8')
    await tab.keyboard.press('ArrowLeft')
    t.deepEqual(await shown(), [7])
    await tab.keyboard.press('ArrowRight')
    await tab.keyboard.press('ArrowRight')
    t.deepEqual(await shown(), [0])
  } finally {
    await browser.close()
    await rm(folder, { recursive: true, force: true })
  }
})
