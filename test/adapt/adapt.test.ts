// From labels to a model in one call.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { planFolds } from '../../lib/adapt/folds.js'
import { fitHead } from '../../lib/adapt/linear-head.js'
import { wilson } from '../../lib/adapt/scores.js'
import { adapt, loadModel, type NetworkModel, type TangentError } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { clouds, right } from './data.js'

type T = { teardown(fn: () => Promise<void>): void }

const fixed = { structure: 'fixed' } as const

async function adapted(t: T, ...args: Parameters<typeof adapt>) {
  const found = await adapt(...args)
  t.teardown(() => found.dispose())
  return found
}

test('a new head has the gradient 0 of ridge regression with a free bias', async (t) => {
  const random = new Random(3)
  const [n, width, columns, ridge] = [9, 4, 2, 0.3]
  const values = Float64Array.from(random.normals(n * width), (value) => value + 1)
  const y = Float64Array.from(random.normals(n * columns))
  const rows = [0, 2, 3, 4, 6, 7, 8]
  const { weight, bias } = await fitHead({ values, width }, y, rows, ridge, {})
  const rest = (row: number, c: number) => {
    let f = bias.data[c] as number
    for (let k = 0; k < width; k += 1) {
      f += (weight.data[c * width + k] as number) * (values[row * width + k] as number)
    }
    return f - (y[row * columns + c] as number)
  }
  const slopes: number[] = []
  for (let c = 0; c < columns; c += 1) {
    slopes.push(rows.reduce((sum, row) => sum + rest(row, c), 0))
    for (let k = 0; k < width; k += 1) {
      const own = ridge * (weight.data[c * width + k] as number)
      slopes.push(
        rows.reduce((sum, r) => sum + rest(r, c) * (values[r * width + k] as number), own),
      )
    }
  }
  near(t, slopes, new Float64Array(slopes.length), { absolute: 1e-5 })
})

test('three classes on a network of two outputs: fitted, saved, read back, served', async (t) => {
  const network = await load(t, mlp(new Random(1), [3, 8, 8, 2]))
  const { x, labels } = clouds(30, 3)
  const test = clouds(60, 3, 2)
  const told: number[] = []
  const found = await adapted(t, network, x, labels, {
    ...fixed,
    selection: { folds: 3, repeats: 1 },
    holdout: { x: test.x, y: test.labels },
    onProgress: ({ fraction }) => told.push(fraction),
  })
  t.deepEqual(found.labels, [0, 1, 2])
  t.true(found.newHead)
  t.regex(found.notes[0] ?? '', /2 outputs and the targets have 3 classes/)
  t.is(told.at(-1), 1)
  t.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  )

  const folder = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await found.save(folder)
  t.deepEqual((await readdir(folder)).sort(), ['choice.json', 'model.safetensors', 'network.onnx'])
  const predicted = await found.predict(test.x)
  const again = await load(t, join(folder, 'network.onnx'))
  const model = (await loadModel(join(folder, 'model.safetensors'))) as NetworkModel
  t.deepEqual((await model.predict(again, test.x)).data, predicted.data)
  t.deepEqual(model.classes, [0, 1, 2])
  await model.exportOnnx(again, join(folder, 'served.onnx'))
  const served = await load(t, join(folder, 'served.onnx'), { unsupported: 'defer' })
  near(t, await served.run(test.x), predicted, 1e-6)

  const score = found.holdout?.fitted.accuracy
  t.is(score?.value, right(predicted, test.labels))
  t.true((score?.value ?? 0) > 0.9)
  t.is(found.holdout?.network, null)
  t.true((found.holdout?.probe?.accuracy?.value ?? 0) > 0.5)
  const choice = JSON.parse(await readFile(join(folder, 'choice.json'), 'utf8'))
  t.is(choice.grid.length, 21)
  t.is(choice.price, 'infinite')
  t.is(choice.ridge, found.fitted.model.ridge)
})

test('names, one-hot rows and integers are the same classes', async (t) => {
  const network = await load(t, mlp(new Random(1), [3, 6, 2]))
  const { x, labels } = clouds(18, 3)
  const rows = Float32Array.from({ length: 54 }, (_, e) =>
    e % 3 === Math.floor(e / 3) % 3 ? 1 : 0,
  )
  const names = Array.from(labels.data, (label) => ['a', 'b', 'c'][label] as string)
  const column = { data: BigInt64Array.from(labels.data, BigInt), shape: [18, 1] }
  const options = { ...fixed, ridge: 0.1, selection: { folds: 3, repeats: 1 } }
  const first = await (await adapted(t, network, x, labels, options)).predict(x)
  for (const y of [names, { data: rows, shape: [18, 3] }, column]) {
    const found = await adapted(t, network, x, y, options)
    t.deepEqual((await found.predict(x)).data, first.data)
    t.deepEqual(found.labels, Array.isArray(y) ? ['a', 'b', 'c'] : [0, 1, 2])
  }
})

test('a kept head is fitted as by fit, and scored next to the network as it was', async (t) => {
  const network = await load(t, mlp(new Random(1), [3, 8, 3]))
  const { x, labels } = clouds(24, 3)
  const found = await adapted(t, network, x, labels, { ...fixed, holdout: 0.25 })
  t.false(found.newHead)
  t.is(found.network, network)
  t.is(found.samples, 18)
  t.is(found.holdout?.samples, 6)
  const { accuracy: untouched } = found.holdout?.network ?? {}
  t.true(untouched !== undefined && untouched.low < untouched.high)
  t.deepEqual(found.selection.headRidge, null)
})

test('targets in other units give the same model', async (t) => {
  const network = await load(t, mlp(new Random(1), [3, 8, 2]))
  const { x } = clouds(20, 4)
  const y = Float64Array.from({ length: 20 }, (_, i) => Math.sin(x.data[3 * i] as number))
  const of = (factor: number, shift: number) =>
    adapted(
      t,
      network,
      x,
      { data: y.map((v) => factor * v + shift), shape: [20, 1] },
      {
        selection: { folds: 4, repeats: 1, prices: [1] },
        holdout: 0.2,
      },
    )
  const [one, other] = [await of(1, 0), await of(4096, 0)]
  const [a, b] = [await one.predict(x), await other.predict(x)]
  near(
    t,
    b.data.map((value) => value / 4096),
    a,
    1e-6,
  )
  near(t, one.fitted.model.largestStretch, other.fitted.model.largestStretch, 1e-6)
  near(t, other.selection.ridge / 4096 ** 2, one.selection.ridge, 1e-6)
  t.true((one.holdout?.fitted.r2?.value ?? 0) > 0.5)
  near(t, (other.holdout?.fitted.rmse?.low ?? 0) / 4096, one.holdout?.fitted.rmse?.low ?? 1, 1e-6)
  const shifted = await of(1, 100)
  near(
    t,
    (await shifted.predict(x)).data.map((value) => value - 100),
    a,
    { absolute: 1e-3 },
  )
})

test('what saw a label is fitted again in every fold: noise stays noise', async (t) => {
  const random = new Random(5)
  // More numbers before the last layer than samples: they can tell each by heart.
  const network = await load(t, mlp(random, [4, 64, 1]))
  const x = samples(random, [24, 4])
  const y = Float64Array.from(random.normals(48))
  const found = await adapted(
    t,
    network,
    x,
    { data: y, shape: [24, 2] },
    {
      selection: { folds: 4, repeats: 2, prices: [0.1] },
    },
  )
  const mean = y.reduce((sum, value) => sum + value, 0) / 48
  const variance = y.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 48
  for (const { error } of found.selection.grid) t.true(error > 0.8 * variance, `${error}`)
  for (const { error } of found.probe?.grid ?? []) t.true(error > 0.8, `${error}`)
})

test('folds hold every class in equal shares', (t) => {
  const of = Int32Array.from({ length: 23 }, (_, i) => (i < 5 ? 0 : i < 13 ? 1 : 2))
  const plan = planFolds({ kind: 'classes', labels: [0, 1, 2], of }, 23, {
    folds: 5,
    repeats: 1,
    seed: 1,
  })
  const order = plan.order(0)
  t.deepEqual(
    order.toSorted((a, b) => a - b),
    Array.from({ length: 23 }, (_, i) => i),
  )
  for (let fold = 0; fold < 5; fold += 1) {
    const held = order.filter((_, i) => i % 5 === fold)
    const count = (column: number) => held.filter((row) => of[row] === column).length
    t.is(count(0), 1)
    t.true(count(1) >= 1 && count(1) <= 2)
    t.true(count(2) >= 2)
  }
})

// Brown, Cai & DasGupta 2001 and R's prop.test without correction.
test("Wilson's interval has the published values", (t) => {
  for (const [count, n, low, high] of [
    [0, 10, 0, 0.27753],
    [8, 10, 0.49016, 0.94331],
    [50, 100, 0.40383, 0.59617],
  ] as const) {
    const found = wilson(count, n)
    near(t, [found.value, found.low, found.high], [count / n, low, high], { absolute: 1e-5 })
  }
})

test('an abort ends it, and leaves the network as it was', async (t) => {
  const network = await load(t, mlp(new Random(1), [3, 8, 2]))
  const { x, labels } = clouds(30, 3)
  const control = new AbortController()
  const work = adapt(network, x, labels, {
    signal: control.signal,
    onProgress: ({ fraction }) => {
      if (fraction > 0.2) control.abort()
    },
  })
  const error = await t.throwsAsync(work, { any: true })
  t.is((error as Error | undefined)?.name, 'AbortError')
  t.is((await network.run(x)).shape[1], 2)
})

test('wrong targets, holdouts and options: one sentence before any work', async (t) => {
  const network = await load(t, mlp(new Random(1), [3, 8, 2]))
  const { x, labels } = clouds(12, 3)
  const y = (data: Float32Array | Int32Array, ...shape: number[]) => ({ data, shape })
  const cases: [RegExp, unknown, object?][] = [
    [/targets of 12 samples, \(12\) or \(12, columns\) for y/, y(labels.data.slice(0, 11), 11)],
    [/12 labels for y but received 2/, ['a', 'b']],
    [/at least four/, labels, { holdout: 0.8 }],
    [/texts .* for the labels in y/, Array.from(labels.data)],
    [
      /at least two classes for y but received the label 4 for all samples/,
      y(new Int32Array(12).fill(4), 12),
    ],
    [/numbers that differ between samples for y/, y(new Float32Array(12).fill(4), 12)],
    [
      /NaN/,
      y(
        Float32Array.from({ length: 12 }, (_, i) => (i === 3 ? Number.NaN : i)),
        12,
      ),
    ],
    [
      /whole numbers for y but received 0.5/,
      y(new Float32Array(12).fill(0.5), 12),
      { target: 'classes' },
    ],
    [/for the network's 2 outputs for y but received 3 columns/, labels, { head: 'keep' }],
    [/a share between 0 and 1/, labels, { holdout: 0 }],
    [/a share between 0 and 1/, labels, { holdout: 1 }],
    [/leaves samples on both sides of 12/, labels, { holdout: 0.01 }],
    [
      /at least one sample/,
      labels,
      { holdout: { x: { data: new Float32Array(), shape: [0, 3] }, y: [] } },
    ],
    [
      /among the 3 classes \(0, 1, 2\) but received 5/,
      labels,
      { holdout: { x, y: y(new Int32Array(12).fill(5), 12) } },
    ],
    [/whole number ≥ 2/, labels, { selection: { folds: 1 } }],
    [/one of auto, new, keep for options.head/, labels, { head: 'other' }],
  ]
  for (const [words, given, options] of cases) {
    const error = (await t.throwsAsync(
      adapt(network, x, given as never, options as never),
    )) as TangentError
    t.regex(error.message, words)
    t.true(['BAD_ARGUMENT', 'BAD_INPUT'].includes(error.code), `${error.code} ${error.message}`)
  }
  await t.throwsAsync(adapt(network, x, labels, { memory: 1000 }), { code: 'MEMORY_BUDGET' })
})

test('a class whose only sample is held out is told, and folds without a class are borne', async (t) => {
  const network = await load(t, mlp(new Random(1), [3, 8, 2]))
  const { x } = clouds(20, 2)
  const data = Int32Array.from({ length: 20 }, (_, i) => (i === 19 ? 9 : i % 2))
  const options = { ...fixed, selection: { folds: 2, repeats: 1 } }
  const found = await adapted(t, network, x, { data, shape: [20] }, options)
  t.deepEqual(found.labels, [0, 1, 9])
  t.true(Number.isFinite(found.selection.grid[0]?.error))
})
