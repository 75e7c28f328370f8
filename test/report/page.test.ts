import test from 'ava'
import { parseHTML } from 'linkedom'
import { renderReport } from '../../lib/report/index.js'
import { launch, look, ownScripts } from './browser.js'
import { type SampleOptions, sampleReport } from './sample.js'

const hostile = '<img src=x onerror=alert(1)>'

test('a page is one file: nothing fetched, every figure named', (t) => {
  const page = renderReport(sampleReport())
  const { document } = parseHTML(page)
  t.is(document.querySelectorAll('iframe, object, embed, link[rel=stylesheet]').length, 0)
  ownScripts(t, page)
  for (const element of document.querySelectorAll('[src], [href]')) {
    const target = element.getAttribute('src') ?? element.getAttribute('href') ?? ''
    t.regex(target, /^(#|data:)/)
  }
  t.notRegex(page, /url\((?!#|data:image\/png)/)
  const figures = [...document.querySelectorAll('svg.plot')]
  t.true(figures.length >= 9)
  for (const svg of figures) {
    t.true((svg.querySelector('title')?.textContent ?? '').length > 5)
    t.true((svg.querySelector('desc')?.textContent ?? '').length > 5)
    t.is(svg.getAttribute('role'), 'img')
  }
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id)
  t.is(new Set(ids).size, ids.length, 'ids are unique')
})

test('what is shown is what the report says', (t) => {
  const report = sampleReport()
  const text = parseHTML(renderReport(report)).document.body.textContent ?? ''
  t.true(
    text.includes('centred alignment with the labels rose from 0.20 to 0.70 (by 0.500 ± 0.020)'),
  )
  t.true(text.includes('the cosine went from 0.10 to 0.40, which is noise (0.50 ± 0.60)'))
  t.true(text.includes('the full Gram matrix, 24 samples × 3 outputs = 72 rows'))
  t.true(text.includes('30 %') && text.includes('90 %'))
  t.true(text.includes('What adapting the features gains'))
  t.regex(
    text,
    /held-out squared error of adaptive features is 44 % lower.*by 0\.0400 ± 0\.0050 \(0\.05 against 0\.09/,
  )
  t.regex(text, /alignment with the target from 0\.2 to 0\.6/)
  const silent = sampleReport({ labels: false })
  t.false(renderReport(silent).includes('What adapting the features gains'))
})

test('names from files are text, in the page and in its figures', (t) => {
  const report = sampleReport({
    networks: [`${hostile}0`, `</title><script>alert(2)</script>`],
    layers: [hostile, '"><svg onload=alert(3)>'],
    className: (at) => `</text>${hostile}${at}`,
  })
  report.networks[0]!.operators = [{ name: hostile, count: 1 }]
  report.networks[0]!.inputs[0]!.name = '\u202e\u0007evil'
  const page = renderReport(report)
  t.false(page.includes('<img'))
  ownScripts(t, page)
  t.false(page.includes('\u202e') || page.includes('\u0007'))
  const { document } = parseHTML(page)
  t.is(document.querySelectorAll('img').length, 0)
  for (const element of document.querySelectorAll('*')) {
    for (const name of element.getAttributeNames()) t.false(name.startsWith('on'), name)
  }
  t.true(document.body.textContent?.includes(hostile))
})

const variants: Record<string, SampleOptions> = {
  'before and after': {},
  'hostile names': {
    networks: [hostile, '</style></title>'],
    layers: [hostile, `${hostile}2`],
    className: (at) => hostile + at,
  },
  'one network, no labels': { networks: ['only'], labels: false },
  'four checkpoints': { networks: ['a', 'b', 'c', 'd'] },
  'negative entries': { signed: true },
  'numbers for samples': { pictures: false },
  'one sample': { samples: 1, classes: 1, labels: false },
  'one layer, one output': { layers: ['dense'], classes: 2, outputs: 1 },
  'many samples, classes and layers': {
    samples: 600,
    classes: 100,
    outputs: 1,
    layers: Array.from({ length: 60 }, (_, at) => `a/rather/long/name/of/the/layer.${at}.conv`),
  },
}

test('pages stay small at the extremes, and say what they leave out', (t) => {
  const long = Array.from({ length: 100 }, (_, at) => `model.blocks.${at}.dense`)
  const size = (options: SampleOptions, most: number) => {
    const page = renderReport(sampleReport(options))
    t.true(page.length < most, `${JSON.stringify(options).slice(0, 60)}: ${page.length}`)
    const { document } = parseHTML(page)
    t.notRegex(document.querySelector('main')?.textContent ?? '', /NaN|undefined|Infinity|\[object/)
    return document
  }
  const many = size({ samples: 1000, classes: 1000, outputs: 1 }, 1.6e6)
  t.regex(many.querySelector('#classes')?.textContent ?? '', /means over 8 × 8 neighbouring/)
  // Names on the axis are some of the classes, far enough apart to be read.
  const names = many.querySelectorAll('#kernel-0 text').length
  t.true(names > 10 && names <= 40, `${names}`)
  const deep = size({ samples: 130, layers: long, outputs: 1 }, 1.6e6)
  t.regex(deep.querySelector('#kernels')?.textContent ?? '', /Of 100 layers, 24 are drawn/)
  t.is(deep.querySelectorAll('#layers table tbody tr').length, 101)
  const single = size({ samples: 20, classes: 1, outputs: 1 }, 3e5)
  t.is(single.querySelector('#classes'), null)
})

test('in a browser: no complaints, figures have size, nothing sticks out', async (t) => {
  const browser = await launch()
  try {
    for (const [name, options] of Object.entries(variants)) {
      const page = renderReport(sampleReport(options))
      for (const [width, scheme] of [
        [1280, 'light'],
        [400, 'dark'],
      ] as const) {
        const seen = await look(browser, page, width, scheme)
        t.deepEqual(seen.complaints, [], `${name}, ${width}`)
        t.is(seen.overflow, 0, `${name}, ${width}`)
        t.true(seen.figures.length >= 3, name)
        for (const figure of seen.figures) {
          t.true(figure.width > 50 && figure.height > 20, `${name}: ${JSON.stringify(figure)}`)
        }
        t.true(seen.images.count >= 2, name)
        t.is(seen.images.loaded, seen.images.count, name)
        t.true(seen.nodes < 6000, `${name}: ${seen.nodes} nodes`)
        t.notRegex(seen.text, /NaN|undefined|Infinity|\[object/, name)
      }
    }
  } finally {
    await browser.close()
  }
})
