// Integers (N,) are classes in every call that takes a target.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  alignmentAlong,
  fitByProducts,
  fitFixed,
  type NdArray,
  readNpy,
  targetKernel,
  train,
  writeNpy,
} from '../lib/index.js'
import { classesOf, classNumbers } from '../lib/io/classes.js'
import { near, relativeError } from './support/near.js'
import { load, mlp, samples } from './support/networks.js'
import { Random } from './support/random.js'

const main = fileURLToPath(new URL('../lib/cli/main.js', import.meta.url))
const ints = (...values: number[]): NdArray => ({
  data: BigInt64Array.from(values, BigInt),
  shape: [values.length],
})
const floats = (shape: number[], ...values: number[]): NdArray => ({
  data: Float64Array.from(values),
  shape,
})

test('numbers of classes: one-hot by the number of the output, ∓1 for one output', (t) => {
  const numbers = (values: number[], outputs: number[], pair?: number[]) => {
    const found = classNumbers(classesOf(values), { outputs, pair })
    return typeof found === 'string' ? found : [...found]
  }
  t.deepEqual(numbers([2, 0, 2], [0, 1, 2]), [0, 0, 1, 1, 0, 0, 0, 0, 1])
  t.deepEqual(numbers([7, 5], [5, 6, 7]), [0, 0, 1, 1, 0, 0])
  t.deepEqual(numbers([3, 9, 3], [4]), [-1, 1, -1])
  t.deepEqual(numbers([9, 9], [0], [3, 9]), [1, 1])
  t.regex(String(numbers([0, 1, 2], [0])), /two labels for one output.*3 \(0, 1, 2\).*floats/)
  t.regex(String(numbers([1, 1], [0])), /1 \(1\)/)
  t.regex(String(numbers([4], [0], [3, 9])), /4 in addition to 3, 9/)
  t.regex(String(numbers([0, 3], [0, 1, 2])), /3 outputs \(0, 1, 2\).*3 is among.*each class/)
  t.regex(String(numbers([0, 1], [5, 6])), /0 is among/)
})

test('a fit of labels is the fit of their one-hot numbers', async (t) => {
  const random = new Random(1)
  const x = samples(random, [6, 4])
  const network = await load(t, mlp(random, [4, 8, 3]))
  const labels = [2, 0, 1, 1, 0, 2]
  const hot = floats([6, 3], ...labels.flatMap((label) => [0, 1, 2].map((o) => +(o === label))))
  for (const method of [fitFixed, fitByProducts]) {
    const truth = await (await method(network, x, hot, { ridge: 0.1 })).predict(network, x)
    for (const target of [
      ints(...labels),
      { data: Uint8Array.from(labels), shape: [6] },
      { data: Int32Array.from(labels), shape: [6] },
    ]) {
      const model = await method(network, x, target, { ridge: 0.1 })
      near(t, await model.predict(network, x), truth, 0)
    }
  }
  const refused = (y: NdArray, outputs: number[] | undefined, message: RegExp) =>
    t.throwsAsync(fitFixed(network, x, y, { outputs }), { code: 'BAD_ARGUMENT', message })
  await refused(ints(0, 1, 2, 3, 4, 5), undefined, /3 outputs.*an output for each class/)
  await refused(ints(...labels), [1], /two labels for one output, but there are 3/)
  await refused(ints(0, 1), undefined, /\(6, 3\).*\(2\)/)
  await refused(floats([6], ...labels), undefined, /\(6, 3\).*integers would be classes.*outputs/)
  // Floats are numbers, of the one output that is fitted.
  await t.notThrowsAsync(fitFixed(network, x, floats([6], ...labels), { outputs: [1] }))
})

test('one output: two labels are −1 and 1 in fits, trainings and alignments', async (t) => {
  const random = new Random(2)
  const x = samples(random, [5, 4])
  const network = await load(t, mlp(random, [4, 6, 1]))
  const labels = ints(0, 1, 1, 0, 1)
  const signs = floats([5], -1, 1, 1, -1, 1)
  const fitted = async (y: NdArray) => (await fitFixed(network, x, y)).predict(network, x)
  near(t, await fitted(labels), await fitted(signs), 0)
  t.true(relativeError(await fitted(floats([5], 0, 1, 1, 0, 1)), await fitted(signs)) > 0.1)

  const trained = async (target: NdArray, test?: NdArray) => {
    const { history } = await train(
      network,
      { x, target },
      {
        loss: 'squared',
        epochs: 2,
        batch: 5,
        optimizer: { kind: 'sgd', learningRate: 0.01 },
        ...(test ? { test: { x, target: test } } : {}),
      },
    )
    return history
  }
  // The test samples hold one of the two labels only.
  const ones = ints(1, 1, 1, 1, 1)
  t.deepEqual(
    await trained(labels, ones),
    await trained(signs, { data: Float64Array.of(1, 1, 1, 1, 1), shape: [5] }),
  )
  await t.throwsAsync(trained(labels, ints(0, 1, 2, 0, 1)), {
    code: 'BAD_ARGUMENT',
    message: /test\.target.*2 in addition to 0, 1/,
  })
  await t.throwsAsync(trained(ints(0, 1, 2, 0, 1)), { message: /for target.*there are 3/ })

  const learned = async (target: NdArray, kernel: 'trace' | 'full') => {
    for await (const { total } of alignmentAlong(network, x, [network], { target, kernel })) {
      return total.learned?.alignment
    }
    return undefined
  }
  for (const kernel of ['trace', 'full'] as const) {
    t.is(await learned(labels, kernel), await learned(signs, kernel))
  }
})

test('squared loss trains integer labels one-hot', async (t) => {
  const random = new Random(3)
  const x = samples(random, [6, 4])
  const network = await load(t, mlp(random, [4, 6, 3]))
  const labels = [2, 0, 1, 1, 0, 2]
  const options = {
    loss: 'squared' as const,
    epochs: 2,
    optimizer: { kind: 'sgd' as const, learningRate: 0.01 },
  }
  const hot = floats([6, 3], ...labels.flatMap((label) => [0, 1, 2].map((o) => +(o === label))))
  const one = await train(network, { x, target: ints(...labels) }, options)
  const two = await train(network, { x, target: hot }, options)
  t.deepEqual(one.history, two.history)
})

test('signs as labels have a target kernel', (t) => {
  t.deepEqual(targetKernel(ints(-1, 1, -1)).data, targetKernel(ints(0, 1, 0)).data)
})

test.serial('fit on the command line: ten classes are ten outputs', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const at = (name: string) => join(dir, name)
  const random = new Random(4)
  const network = await load(t, mlp(random, [6, 8, 10]))
  await writeFile(at('net.onnx'), await network.toOnnx())
  const x = samples(random, [10, 6])
  const labels = Array.from({ length: 10 }, (_, i) => (3 * i) % 10)
  await writeNpy(at('x.npy'), x)
  await writeNpy(at('labels.npy'), ints(...labels))
  await writeNpy(at('numbers.npy'), floats([10], ...labels))
  const runFit = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const all = [main, 'fit', at('net.onnx'), '--input', at('x.npy'), '--out', at('fit'), ...args]
      execFile(process.execPath, all, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
      })
    })
  const settings = ['--features', 'fixed', '--ridge', '1e-6', '--predict', at('x.npy')]
  const done = await runFit('--target', at('labels.npy'), ...settings)
  t.is(done.code, 0, done.stderr)
  const summary = JSON.parse(readFileSync(at('fit/summary.json'), 'utf8'))
  t.is(summary.outputs, 10)
  t.deepEqual(summary.classes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  const { data, shape } = await readNpy(at('fit/predictions.npy'))
  t.deepEqual(shape, [10, 10])
  const rows = labels.map((_, i) => Array.from(data as Float64Array).slice(i * 10, i * 10 + 10))
  t.deepEqual(
    rows.map((row) => row.indexOf(Math.max(...row))),
    labels,
  )
  for (const [args, message] of [
    [['--target', at('labels.npy'), '--outputs', '3'], /two labels for one output/],
    [['--target', at('labels.npy'), '--outputs', '0:9'], /9 is among/],
    [['--target', at('labels.npy'), '--output', '3'], /did you mean --outputs 3/],
    [['--target', at('numbers.npy')], /targets \(10, 10\)/],
  ] as [string[], RegExp][]) {
    const { code, stderr } = await runFit(...args)
    t.is(code, 2, stderr)
    t.regex(stderr, message)
  }
  const one = await runFit('--target', at('numbers.npy'), '--outputs', '3', ...settings)
  t.is(one.code, 0, one.stderr)
  t.deepEqual((await readNpy(at('fit/predictions.npy'))).shape, [10])
})
