// The report's script in a browser: values by pointer and by keys are those of the report; without the
// script, and on paper, nothing is missing.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { parseHTML } from 'linkedom'
import type { Browser, Page } from 'playwright-core'
import { audit, buildMlp, Network, renderAudit } from '../../lib/index.js'
import { decodeNpy } from '../../lib/io/index.js'
import type { ProbeReport } from '../../lib/probe/types.js'
import { renderReport } from '../../lib/report/index.js'
import { near } from '../support/near.js'
import { launch } from './browser.js'
import { sampleReport } from './sample.js'

let browser: Browser
let folder: string
test.before(async () => {
  browser = await launch()
  folder = await mkdtemp(join(tmpdir(), 'interact-'))
})
test.after.always(async () => {
  await browser?.close()
  if (folder) await rm(folder, { recursive: true, force: true })
})

const open = (report: ProbeReport, options = {}) => openPage(renderReport(report), options)

async function openPage(text: string, options = {}): Promise<Page> {
  const file = join(folder, 'report.html')
  await writeFile(file, text)
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options })
  await page.goto(pathToFileURL(file).href)
  return page
}

const tip = async (page: Page) =>
  ((await page.locator('.tip').textContent()) ?? '').replace(/\s+/g, ' ')

test.serial('a heatmap tells value, samples and classes, by pointer and by keys', async (t) => {
  const report = sampleReport()
  const page = await open(report)
  const svg = page.locator('#kernel-1')
  await svg.scrollIntoViewIfNeeded()
  const box = (await svg.locator('image').boundingBox())!
  const { size, values } = report.networks[1]!.raster
  const { samples, order, groups } = report
  const [row, column] = [3, size - 2]
  const cell = box.width / size
  await page.mouse.move(box.x + (column + 0.5) * cell, box.y + (row + 0.5) * cell)
  const value = values[row * size + column]! / (report.networks[1]!.trace / samples)
  const text = await tip(page)
  near(t, Number(/diagonal ([\d.]+)/.exec(text)?.[1]), value, 5e-3)
  t.true(text.includes(`row: sample ${order[row]}, ${groups[0]!.name}`), text)
  t.true(text.includes(`column: sample ${order[column]}, ${groups[2]!.name}`), text)
  t.is(await page.locator('.tip .thumb').count(), 2)
  await page.mouse.move(0, 0)
  t.false(await page.locator('.tip').isVisible())

  await svg.focus()
  for (const key of ['Home', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key)
  t.regex(await tip(page), new RegExp(`row: sample ${order[1]},.*column: sample ${order[1]},`))
  await page.keyboard.press('Escape')
  t.false(await page.locator('.tip').isVisible())
  await page.close()
})

test.serial(
  'a plot tells the values of a row, and every figure can be reached by keys',
  async (t) => {
    const report = sampleReport()
    const page = await open(report)
    const figures = await page.locator('svg[data-hover], svg[data-square]').all()
    t.true(figures.length > 12)
    for (const figure of figures) {
      t.is(await figure.getAttribute('tabindex'), '0')
      t.true(((await figure.getAttribute('aria-label')) ?? '').length > 5)
      if (!(await figure.isVisible())) continue
      await figure.focus()
      await page.keyboard.press('End')
      t.true(await page.locator('.tip').isVisible(), `${await figure.getAttribute('id')}`)
      t.notRegex(await tip(page), /NaN|undefined|null/)
    }
    await page.locator('#spectrum').focus()
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowRight')
    const [first, last] = report.networks.map(({ spectrum }) => spectrum.eigenvalues[1]!)
    const told = await tip(page)
    t.regex(told, /^eigenvalue 2 /)
    const numbers = [...told.matchAll(/\) ([\d.]+)/g)].map(([, number]) => Number(number))
    near(t, numbers, [first!, last!], 5e-3)
    await page.locator('#layer-graph').focus()
    await page.keyboard.press('Home')
    t.regex(await tip(page), /layer net\.1 .*share of the trace, last 0\.5/)
    await page.close()
  },
)

test.serial('the figures of an audit tell their values, too, and give them away', async (t) => {
  await using network = await Network.load(await buildMlp({ inputs: 1, hidden: [16], outputs: 2 }))
  const x = { data: Float32Array.from({ length: 20 }, (_, i) => i / 10 - 0.95), shape: [20, 1] }
  const y = { data: Int32Array.from(x.data, (value) => Number(value > 0)), shape: [20] }
  const found = await audit(network, x, y, { query: x })
  const page = await openPage(renderAudit(found))
  const figures = await page.locator('svg.plot').all()
  t.is(figures.length, 2)
  for (const figure of figures) {
    await figure.focus()
    await page.keyboard.press('Home')
    t.regex(await tip(page), /share of .*\d/)
    t.notRegex(await tip(page), /NaN|undefined|null/)
  }
  t.is(await page.locator('.plot-box a[download]').count(), 2)
  await page.close()
})

test.serial('without the script nothing is missing; on paper all tables are open', async (t) => {
  const report = sampleReport()
  const plain = await open(report, { javaScriptEnabled: false })
  const text = await plain.locator('body').innerText()
  const shown = await (await open(report)).locator('body').innerText()
  t.is(text.trim(), shown.trim())
  await plain.close()
  const page = await open(report)
  const closed = await page.locator('details table').first().isVisible()
  t.false(closed)
  await page.emulateMedia({ media: 'print' })
  for (const table of await page.locator('table').all()) t.true(await table.isVisible())
  await page.close()
})

test.serial('links hold the numbers of their figures', (t) => {
  const report = sampleReport()
  const { document } = parseHTML(renderReport(report))
  const figures = [...document.querySelectorAll('svg.plot')]
  for (const svg of figures) {
    // A colour bar is the legend of other figures.
    if (svg.id.includes('colors')) continue
    const link = document.querySelector(`#${svg.id}-data`)
    t.regex(link?.getAttribute('href') ?? '', /^data:(text\/csv|application\/octet-stream;base64,)/)
    t.regex(link?.getAttribute('download') ?? '', /^[\w-]+\.(csv|npy)$/)
  }
  const href = (id: string) => document.querySelector(`#${id}-data`)?.getAttribute('href') ?? ''
  const csv = decodeURIComponent(href('layer-shares').replace(/^[^,]*,/, ''))
  t.deepEqual(csv.split('\n'), [
    'layer,"share of the trace, before (first)","share of the trace, after (last)"',
    'net.1,0.5,0.5',
    'net.3,0.5,0.5',
    '',
  ])
  const bytes = Buffer.from(href('kernel-0').replace(/^[^,]*,/, ''), 'base64')
  const array = decodeNpy(bytes)
  const { raster, trace } = report.networks[0]!
  t.deepEqual(array.shape, [raster.size, raster.size])
  const unit = trace / report.samples
  near(
    t,
    [...(array.data as Float32Array)],
    raster.values.map((v) => v / unit),
    1e-3,
  )
})

test.serial('axes have names, and names of layers are no formulas', (t) => {
  const report = sampleReport({ layers: ['=HYPERLINK("http://x")', 'b,"c"'] })
  const page = renderReport(report)
  const { document } = parseHTML(page)
  for (const svg of document.querySelectorAll('svg.plot')) {
    for (const axis of ['x', 'y']) {
      const ticks = svg.querySelectorAll(`[aria-label="${axis}-axis tick label"] text`).length
      // Names of layers, classes and the places of a small multiple say what they are.
      const named = svg.querySelector(`[aria-label="${axis}-axis label"]`) !== null
      const small = axis === 'y' && /^(alignment-|vector-|adaptive-spectrum)/.test(svg.id)
      t.true(ticks === 0 || named || small, `${svg.id} ${axis}`)
    }
  }
  const csv = decodeURIComponent(
    document.querySelector('#layer-shares-data')?.getAttribute('href') ?? '',
  )
  t.true(csv.includes(`"'=HYPERLINK(""http://x"")"`))
  t.true(csv.includes('"b,""c"""'))
})
