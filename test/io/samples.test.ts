import test from 'ava'
import { accuracy, type NdArray, oneHot, sortCheckpoints, split, take } from '../../lib/index.js'

const x: NdArray = { data: Float32Array.from({ length: 60 }, (_, e) => e), shape: [20, 3] }
const y: NdArray = { data: Int32Array.from({ length: 20 }, (_, i) => i % 4), shape: [20] }

test('take: the first rows, or those listed, as arrays of their own', (t) => {
  const first = take(x, 2)
  t.deepEqual(first, { data: Float32Array.of(0, 1, 2, 3, 4, 5), shape: [2, 3] })
  first.data[0] = 9
  t.is(x.data[0], 0)
  t.deepEqual(take(x, [19, 0, 19]).data, Float32Array.of(57, 58, 59, 0, 1, 2, 57, 58, 59))
  t.deepEqual(take(y, []).shape, [0])
  const flags: NdArray = { data: Uint8Array.of(1, 0), shape: [2], boolean: true }
  t.true(take(flags, 1).boolean)
  for (const rows of [21, -1, 0.5, [20], [-1]]) {
    t.throws(() => take(x, rows), { code: 'BAD_ARGUMENT' })
  }
  t.throws(() => take({ data: Float32Array.of(1), shape: [] }, 1), { code: 'BAD_ARGUMENT' })
})

test('split: all samples once, by seed, in equal shares of classes', (t) => {
  const [train, rest] = split({ x, y }, { fraction: 0.75, seed: 3 })
  t.deepEqual([train.x.shape, rest.x.shape, train.y.shape], [[15, 3], [5, 3], [15]])
  const rows = (part: { x: NdArray }) =>
    Array.from(part.x.data as Float32Array).filter((_, e) => e % 3 === 0)
  const all = [...rows(train), ...rows(rest)].sort((a, b) => a - b)
  t.deepEqual(
    all,
    Array.from({ length: 20 }, (_, i) => 3 * i),
  )
  t.deepEqual(
    rows(train),
    rows(train).toSorted((a, b) => a - b),
  )
  // The labels went with their samples.
  for (const part of [train, rest]) {
    rows(part).forEach((value, i) => {
      t.is(part.y.data[i], (value / 3) % 4)
    })
  }
  t.deepEqual(split({ x, y }, { fraction: 0.75, seed: 3 }), [train, rest])
  t.notDeepEqual(split({ x, y }, { fraction: 0.75, seed: 4 })[0], train)
  t.deepEqual(split(x, { fraction: 0.75, seed: 3 })[0], train.x)
  for (let seed = 0; seed < 20; seed += 1) {
    const [some] = split(y, { fraction: 0.6, seed, classes: y })
    for (let label = 0; label < 4; label += 1) {
      t.is(Array.from(some.data as Int32Array).filter((value) => value === label).length, 3)
    }
  }
  t.is(split(x, { fraction: 1 })[1].shape[0], 0)
  t.throws(() => split({ x, y: take(y, 3) }), { code: 'BAD_ARGUMENT', message: /y/ })
  t.throws(() => split(x, { fraction: 2 }), { message: /options\.fraction/ })
  t.throws(() => split(x, { classes: take(y, 3) }), { message: /options\.classes/ })
})

test('every sample is as likely in a part as the others', (t) => {
  const counts = new Float64Array(20)
  for (let seed = 0; seed < 2000; seed += 1) {
    for (const row of take(
      split({ data: Int32Array.from(counts.keys()), shape: [20] }, { fraction: 0.3, seed })[0],
      6,
    ).data) {
      counts[Number(row)] = (counts[Number(row)] as number) + 1
    }
  }
  // 600 expected, with a standard deviation of 20.5.
  for (const count of counts) t.true(Math.abs(count - 600) < 5 * 20.5, `${count}`)
})

test('oneHot', (t) => {
  const labels: NdArray = { data: BigInt64Array.of(2n, 0n), shape: [2] }
  t.deepEqual(oneHot(labels), { data: Float32Array.of(0, 0, 1, 1, 0, 0), shape: [2, 3] })
  t.deepEqual(oneHot(labels, 4).shape, [2, 4])
  t.throws(() => oneHot(labels, 2), { code: 'BAD_ARGUMENT' })
  t.throws(() => oneHot({ data: Float32Array.of(0.5), shape: [1] }), { message: /whole numbers/ })
  t.throws(() => oneHot(x), { message: /classes \(N\)/ })
})

test('accuracy of several outputs, of one, of labels in several forms', (t) => {
  const f: NdArray = { data: Float64Array.of(3, 1, 2, 0, 0, 1, 5, 5, 1), shape: [3, 3] }
  const labels = (...data: number[]): NdArray => ({
    data: Int32Array.from(data),
    shape: [data.length],
  })
  t.is(accuracy(f, labels(0, 2, 0)), 1)
  t.is(accuracy(f, labels(0, 1, 1)), 1 / 3)
  t.is(accuracy(f, oneHot(labels(0, 2, 1), 3)), 2 / 3)
  t.is(accuracy(f, labels(7, 9, 9), { classes: [7, 8, 9] }), 2 / 3)
  const one: NdArray = { data: Float32Array.of(-0.2, 0.7, 3, -1), shape: [4, 1] }
  t.is(accuracy(one, labels(4, 9, 4, 4)), 0.75)
  t.is(accuracy({ ...one, shape: [4] }, labels(4, 4, 4, 4), { classes: [9, 4] }), 0.5)
  t.is(accuracy(one, { data: Float32Array.of(-1, 1, 1, 1), shape: [4] }), 0.75)
  t.is(accuracy(one, { data: Float32Array.of(-1, 1, 1, 1), shape: [4, 1] }), 0.75)
  const bad: [NdArray, NdArray, object][] = [
    [f, labels(0, 1), {}],
    [f, labels(0, 1, 3), {}],
    [f, labels(0, 1, 2), { classes: [1, 2] }],
    [one, labels(1, 1, 1, 1), {}],
    [one, labels(1, 2, 3, 1), {}],
    [{ data: Float32Array.of(Number.NaN, 1), shape: [2] }, labels(0, 1), {}],
    [{ data: new Float32Array(0), shape: [0, 2] }, labels(), {}],
    [f, oneHot(labels(0, 1, 1), 2), {}],
  ]
  for (const [predictions, told, options] of bad) {
    t.throws(() => accuracy(predictions, told, options), { code: 'BAD_ARGUMENT' })
  }
})

test('checkpoints are sorted by the numbers in their names', (t) => {
  const orders = [
    ['step-2.onnx', 'step-10.onnx', 'step-100.onnx'],
    // The loss that some tools write is no step.
    ['weights.01-0.93.onnx', 'weights.02-0.53.onnx', 'weights.10-0.07.onnx'],
    ['loss-0.9-step-5.onnx', 'loss-0.25-step-10.onnx', 'loss-0.3-step-20.onnx'],
    ['epoch-1-step-90.onnx', 'epoch-2-step-5.onnx', 'epoch-10-step-1.onnx'],
    ['e1-90.onnx', 'e2-5.onnx', 'e10-1.onnx'],
    ['resnet18-9.onnx', 'resnet18-80.onnx'],
    ['start.safetensors', 'a-3.safetensors', 'b_12.safetensors'],
    ['b/1.onnx', 'a/2.onnx'],
  ]
  for (const names of orders) {
    t.deepEqual(sortCheckpoints([...names].reverse()), names)
    t.deepEqual(sortCheckpoints([...names].sort()), names)
  }
})
