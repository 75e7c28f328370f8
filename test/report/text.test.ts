import test from 'ava'
import { subjectNames } from '../../lib/cli/names.js'
import { printable } from '../../lib/core/printable.js'
import {
  changeOf,
  logTick,
  num,
  percent,
  plusMinus,
  shortNames,
  tick,
  times,
  unit,
} from '../../lib/report/format.js'
import { html } from '../../lib/report/html.js'
import { reportTable } from '../../lib/report/index.js'
import { sampleReport } from './sample.js'

test('numbers as people write them', (t) => {
  t.deepEqual(
    [4462.8, 0.012345, -3.2, 2677779, 1.5e-7, 0, Number.NaN].map((value) => num(value)),
    ['4,463', '0.0123', '−3.2', '2.68 × 10⁶', '1.50 × 10⁻⁷', '0', '–'],
  )
  t.deepEqual([0.5, 0.0871, 0.0001, 0, 1].map(percent), [
    '50 %',
    '8.7 %',
    '< 0.1 %',
    '0 %',
    '100 %',
  ])
  t.deepEqual([-0.001, -0.25, 0.999].map(unit), ['0.00', '−0.25', '1.00'])
})

test('changes in words', (t) => {
  t.is(changeOf(2, 2.01), 'about the same')
  t.is(changeOf(1, 600), '600 times as large')
  t.is(changeOf(10, 2), '5 times smaller')
  t.is(changeOf(10, 13), '30 % larger')
  t.is(changeOf(0, 1), 'not comparable')
  t.is(changeOf(3.4e7, 1), '34 million times smaller')
  t.is(changeOf(1, 2.1e17), 'more than 1,000 trillion times as large')
  t.is(changeOf(1, 600, 31), '600 ± 31 times as large')
  t.is(changeOf(1, 1.3, 0.04), '30.0 ± 4.0 % larger')
  t.is(changeOf(1, 1.03, 0.02), 'the ratio, 1.030 ± 0.020, is 1 but for noise')
})

test('numbers with their standard errors, and ticks', (t) => {
  t.is(plusMinus(0.1264, 0.0213), '0.126 ± 0.021')
  t.is(plusMinus(-75.2, 3.14), '−75.2 ± 3.1')
  t.is(plusMinus(2400, 160), '2,400 ± 160')
  t.is(plusMinus(0.5, null), '0.5')
  t.deepEqual([0, 0.2, 1000, 1e6, 2.5e-5, -1e-4].map(tick), [
    '0',
    '0.2',
    '1,000',
    '10⁶',
    '2.5 × 10⁻⁵',
    '−1 × 10⁻⁴',
  ])
  t.deepEqual([0.01, 0.1, 1, 20, 1e5].map(logTick), ['0.01', '0.1', '1', '', '10⁵'])
  t.deepEqual([2.44, 21_234, 1e9].map(times), ['2.4', '21,000', '1 billion'])
})

test('short names still differ', (t) => {
  const names = Array.from({ length: 12 }, (_, at) => `/model/encoder/blocks.${at}/attn/qkv`)
  for (const length of [8, 12, 22]) {
    const short = [...shortNames(names, length).values()]
    t.is(new Set(short).size, names.length, `${length}: ${short}`)
    t.true(short.every((name) => [...name].length <= length && name.length > 0))
  }
  t.deepEqual([...shortNames(['net.1', 'net.3']).values()], ['net.1', 'net.3'])
})

test('html escapes everything but markup, and drops what steers text', (t) => {
  const inner = html`<b>${'<&"\'>'}</b>`
  t.is(html`<i>${[inner, null, false, 3]}</i>`.text, '<i><b>&lt;&amp;&quot;&#39;&gt;</b>3</i>')
  t.is(printable('a\u001b[0m\u202eb\n'), 'a\ufffd[0m\ufffdb\ufffd')
})

test('checkpoints get the shortest names that differ', (t) => {
  t.deepEqual(subjectNames(['a/init.onnx', 'b/last.onnx']), ['init', 'last'])
  t.deepEqual(subjectNames(['x/init/model.onnx', 'x/last/model.onnx']), ['init', 'last'])
  t.deepEqual(subjectNames(['a/m.onnx', 'b/m.onnx', 'b/n.onnx']), ['a/m', 'b/m', 'b/n'])
  t.deepEqual(subjectNames(['m.onnx', 'm.onnx']), ['m (1)', 'm (2)'])
})

test('the table compares the first network with the last', (t) => {
  const lines = reportTable(sampleReport({ networks: ['a', 'b', 'c'], layers: ['one', 'two'] }))
  t.regex(lines[0] as string, /^a, b, c: 24 samples \(4\) in 3 classes$/)
  t.deepEqual(lines[3]?.split(/ {2,}/), ['one', '20', '50 %', '50 %', '0.20', '0.70'])
  t.true(lines.includes('classified right    30 % → 90 %'))
  const bare = reportTable(sampleReport({ networks: ['a'], labels: false }))
  t.notRegex(bare.join('\n'), /alignment|→/)
})
