// The softmax loss on tangent features, against numpy's Newton on explicit features (softmax.py).
import { readFileSync } from 'node:fs'
import test from 'ava'
import { fitSoftmaxNetwork } from '../../lib/fit/softmax.js'
import { accuracy, adapt, oneHot, type TangentError } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp } from '../support/networks.js'
import { floats, model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { clouds } from './data.js'

const reference = JSON.parse(readFileSync('test/adapt/softmax.json', 'utf8'))

const network = () =>
  model({
    nodes: [
      { op: 'Gemm', inputs: ['x', 'w1', 'b1'], outputs: ['z'], attributes: { transB: 1 } },
      { op: 'Relu', inputs: ['z'], outputs: ['h'] },
      { op: 'Gemm', inputs: ['h', 'w2', 'b2'], outputs: ['y'], attributes: { transB: 1 } },
    ],
    initializers: {
      w1: floats([4, 3], reference.w1),
      b1: floats([4], reference.b1),
      w2: floats([3, 4], reference.w2),
      b2: floats([3], reference.b2),
    },
    inputs: [{ name: 'x', shape: ['N', 3] }],
    outputs: [{ name: 'y', shape: ['N', 3] }],
  })

for (const { ridge, loss, norm, logits } of reference.fits) {
  test(`numpy's optimum in the primal, ridge ${ridge}`, async (t) => {
    const given = await load(t, network())
    const rows = (first: number, last: number) => ({
      data: Float32Array.from(reference.x.slice(3 * first, 3 * last)),
      shape: [last - first, 3],
    })
    const labels = { data: Int32Array.from(reference.y), shape: [12] }
    const fitted = await fitSoftmaxNetwork(given, rows(0, 12), oneHot(labels, 3), { ridge })
    near(t, await fitted.predict(given, rows(12, 16)), { data: logits, shape: [4, 3] }, 1e-5)
    near(t, fitted.model.penalty, norm, 1e-5)
    const { data } = await fitted.predict(given, rows(0, 12))
    const found = labels.data.reduce((sum, label, i) => {
      const own = data.slice(3 * i, 3 * i + 3)
      const level = Math.log(own.reduce((all, value) => all + Math.exp(value), 0))
      return sum + level - (own[label] as number)
    }, 0)
    near(t, found, loss, 1e-4)
  })
}

test('adapt with the softmax loss: ridge by cross-entropy, classes by the largest logit', async (t) => {
  const given = await load(t, mlp(new Random(1), [3, 8, 2]))
  const { x, labels } = clouds(30, 3)
  const other = clouds(30, 3, 2)
  const found = await adapt(given, x, labels, {
    loss: 'softmax',
    holdout: { x: other.x, y: other.labels },
    selection: { folds: 3, repeats: 1 },
  })
  t.teardown(() => found.dispose())
  const { selection, holdout } = found
  t.is(selection.loss, 'softmax')
  t.is(selection.price, Number.POSITIVE_INFINITY)
  const least = Math.min(...selection.grid.map(({ error }) => error))
  t.is(selection.grid.find((one) => one.error === least)?.ridge, selection.ridge)
  // Chance is log 3.
  t.true(least < 0.5 * Math.log(3), `${least}`)
  t.is(holdout?.fitted.accuracy?.value, accuracy(await found.predict(other.x), other.labels))
  t.true((holdout?.fitted.accuracy?.value ?? 0) > 0.85)
})

test('what softmax cannot do is refused', async (t) => {
  const given = await load(t, mlp(new Random(1), [3, 8, 2]))
  const { x, labels } = clouds(12, 2)
  const told = async (y: object, options: object, words: RegExp) => {
    const all = { loss: 'softmax', ...options } as const
    const error = (await t.throwsAsync(adapt(given, x, y as never, all))) as TangentError
    t.is(error.code, 'BAD_ARGUMENT')
    t.regex(error.message, words)
  }
  const numbers = Float32Array.from({ length: 12 }, (_, i) => i / 3)
  await told({ data: numbers, shape: [12] }, {}, /classes with loss 'softmax' for y/)
  await told(labels, { price: 1 }, /with loss 'softmax', which adapts no features/)
  await told(labels, { loss: 'hinge' }, /one of squared, softmax for options.loss/)
})
