import test from 'ava'
import type { NdArray } from '../../lib/index.js'
import { readLabels } from '../../lib/io/labels.js'

const bytes = (...values: number[]): NdArray => ({
  data: Uint8Array.from(values),
  shape: [values.length],
})
const floats = (shape: number[], ...values: number[]): NdArray => ({
  data: Float32Array.from(values),
  shape,
})

test('whole numbers that repeat are classes, in the order of their values', (t) => {
  const labels = readLabels(bytes(7, 3, 7, 3, 3), 5)
  t.deepEqual(labels.values, [3, 7])
  t.deepEqual(labels.classes, [1, 0, 1, 0, 0])
  t.deepEqual(labels.order, [1, 3, 4, 0, 2])
  t.deepEqual(labels.groups, [
    { name: '3', start: 0, count: 3 },
    { name: '7', start: 3, count: 2 },
  ])
})

test('signs, 64-bit integers and one-hot rows are classes too', (t) => {
  t.deepEqual(readLabels(floats([3, 1], -1, 1, -1), 3).classes, [0, 1, 0])
  const wide = { data: BigInt64Array.from([5n, 5n, 2n]), shape: [3] }
  t.deepEqual(readLabels(wide, 3).classes, [1, 1, 0])
  t.deepEqual(readLabels(floats([3, 2], 0, 1, 1, 0, 0, 1), 3).classes, [1, 0, 1])
})

test('other numbers are values, sorted by the first column', (t) => {
  const labels = readLabels(floats([3, 2], 0.5, 1, -2, 0, 0.1, 7), 3)
  t.is(labels.classes, null)
  t.deepEqual(labels.order, [1, 2, 0])
  t.deepEqual(labels.target, { kind: 'values', file: null, columns: 2 })
  t.is(readLabels(floats([3], 1, 2, 3), 3).classes, null, 'nothing repeats')
  t.deepEqual(readLabels(bytes(1, 2, 3), 3).classes, [0, 1, 2], 'integers')
})

test('class names go by label, or by order where labels are not 0, 1, 2, …', (t) => {
  const named = (target: NdArray, names: string[]) =>
    readLabels(target, target.shape[0] as number, { names }).groups.map(({ name }) => name)
  t.deepEqual(named(bytes(2, 0, 2), ['a', 'b', 'c']), ['a', 'c'])
  t.deepEqual(named(bytes(20, 10, 10), ['ten', 'twenty']), ['ten', 'twenty'])
  t.deepEqual(named(bytes(0, 1, 1), ['\u001b[31ma', 'b']), ['\ufffd[31ma', 'b'])
  t.throws(() => named(bytes(0, 1, 5, 5), ['a', 'b']), { code: 'BAD_INPUT', message: /0 to 5/ })
})

test('a target that cannot be used is named in one sentence', (t) => {
  const refused = (target: NdArray, samples: number, message: RegExp) =>
    t.throws(() => readLabels(target, samples), { code: 'BAD_INPUT', message })
  refused(bytes(0, 1, 1), 4, /\(4\) or \(4, columns\).*received \(3\)/)
  refused(floats([2, 1, 2], 1, 2, 3, 4), 2, /received \(2, 1, 2\)/)
  refused(floats([2], 1, Number.NaN), 2, /entry 1 is NaN/)
  refused(bytes(4, 4, 4), 3, /all of its rows are the same/)
  refused(floats([2, 2], 0.5, 1, 0.5, 1), 2, /all of its rows are the same/)
})
