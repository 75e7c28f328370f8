// What docs/comparison.md counts as a gradient, and how it groups reasons.
import test from 'ava'
import type { Exported } from '../../bench/routes/networks.js'
import { general, outcome, page } from '../../bench/routes/page.js'

const net = (name: string): Exported => ({
  name,
  exporter: 'some exporter',
  file: '',
  inputs: [],
  output: 0,
  chosen: null,
  options: {},
  truth: 4,
  tolerance: 1e-3,
})

test('a gradient counts where its norm is that of the kernel', (t) => {
  t.is(outcome(net('a'), { name: 'a', squared: 4.001 }), 'right')
  t.is(outcome(net('a'), { name: 'a', squared: 5 }), 'other')
  t.is(outcome(net('a'), { name: 'a', squared: 0 }), 'none')
  t.is(outcome(net('a'), { name: 'a', stage: 'conversion', reason: 'no' }), 'none')
  t.is(outcome(net('a'), undefined), 'none')
})

test('reasons that differ in names and numbers are one', (t) => {
  t.is(general('KeyError: "a.b"'), general('KeyError: "c"'))
  t.is(general('size 3 at 0x7f12'), general('size 44 at 0xabc'))
  const answers = new Map([
    ['a', { name: 'a', squared: 4 }],
    ['b', { name: 'b', stage: 'conversion', reason: 'Gelu | is unknown at 3' }],
    ['c', { name: 'c', stage: 'conversion', reason: 'Gelu | is unknown at 7' }],
  ])
  const text = page(
    ['a', 'b', 'c'].map(net),
    [{ title: 'a route', versions: 'it 1.0', answers }],
    [],
  )
  t.regex(text, /^\| \*\*all\*\* \| 3 \| \*\*1\*\* \|$/m)
  t.regex(text, /^\| 2 \| conversion: Gelu \\\| is unknown at n \| b, c \|$/m)
  t.regex(text, /with it 1\.0;/)
})
