// What candidates of price and ridge are compared by, where targets are classes.
import test from 'ava'
import { heldOut, shuffled } from '../../lib/fit/folds.js'
import { errorsOf, type HeldOut } from '../../lib/fit/held-out.js'
import { buildMlp, fitAdaptive, type NdArray, Network, take } from '../../lib/index.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const outputs = 3

/** One-hot truth, and predictions that know something of it. */
function fold(samples: number, seed: number): HeldOut {
  const noise = gaussians(samples * outputs, seed)
  const truth = Float64Array.from({ length: samples * outputs }, (_, r) =>
    Number(r % outputs === (Math.floor(r / outputs) * 7 + seed) % outputs),
  )
  return { truth, prediction: truth.map((y, r) => 0.3 * y + 0.2 * (noise[r] as number)) }
}

/** The mean of −log softmax(t·f), of the true class or with some of the others. */
function direct({ prediction, truth }: HeldOut, t: number, others = 0): number {
  const samples = truth.length / outputs
  let sum = 0
  for (let i = 0; i < samples; i += 1) {
    const powers = Array.from(prediction.slice(i * outputs, (i + 1) * outputs), (f) =>
      Math.exp(t * f),
    )
    const own = truth.slice(i * outputs, (i + 1) * outputs).indexOf(1)
    const all = powers.reduce((a, b) => a + b)
    powers.forEach((power, o) => {
      sum -= (o === own ? 1 - 2 * others : others) * Math.log(power / all)
    })
  }
  return sum / samples
}

test('cross-entropy: that of the best common scale', (t) => {
  const folds = [fold(8, 1), fold(7, 2), fold(7, 3)]
  const found = errorsOf(folds, outputs, 'cross-entropy')
  const total = (values: number[]) =>
    8 * (values[0] as number) + 7 * (values[1] as number) + 7 * (values[2] as number)
  const scales = Array.from({ length: 3000 }, (_, k) => 10 ** (k / 1000 - 1))
  // 22 samples of 3 classes: the true one has (22 + 1)/(22 + 3).
  const fitted = scales.map((s) => total(folds.map((each) => direct(each, s, 1 / 25))))
  const scale = scales[fitted.indexOf(Math.min(...fitted))] as number
  near(
    t,
    found,
    folds.map((each) => direct(each, scale)),
    1e-2,
  )
  near(t, total(found), total(folds.map((each) => direct(each, scale))), 1e-2)
  // In any units.
  for (const factor of [1e-6, 1e5]) {
    const scaled = folds.map(({ prediction, truth }) => ({
      truth,
      prediction: prediction.map((f) => factor * f),
    }))
    near(t, errorsOf(scaled, outputs, 'cross-entropy'), found, 1e-9)
  }
  // Two classes of one output: as two outputs ∓f.
  const signs = Float64Array.of(1, -1, 1, 1, -1)
  const f = Float64Array.of(0.8, 0.1, 1.2, -0.2, -0.9)
  const one = errorsOf([{ prediction: f, truth: signs }], 1, 'cross-entropy')
  const both = [...f].flatMap((value) => [-value, value])
  const truth = Float64Array.from([...signs].flatMap((y) => [Number(y < 0), Number(y > 0)]))
  near(t, one, errorsOf([{ prediction: Float64Array.from(both), truth }], 2, 'cross-entropy'), 1e-9)
})

test('cross-entropy: the ends', (t) => {
  const { truth } = fold(9, 4)
  const errors = (prediction: Float64Array) =>
    errorsOf([{ prediction, truth }], outputs, 'cross-entropy')
  // Where all are right: the logarithm of (9 + 1)/(9 + 3), and clearer answers are better.
  near(t, errors(truth), [Math.log(12 / 10)], 1e-3)
  const clear = (least: number) =>
    errors(truth.map((y, r) => (Math.floor(r / outputs) % 3 === 0 ? least * y : y)))
  t.true((clear(0.6)[0] as number) < (clear(0.2)[0] as number))
  near(t, errors(new Float64Array(27)), [Math.log(3)], 1e-12)
  // What points the wrong way is as good as nothing.
  near(t, errors(truth.map((y) => -y)), [Math.log(3)], 1e-2)
})

test('auto of classes is chosen by cross-entropy, of numbers by squared error', async (t) => {
  await using network = await Network.load(
    await buildMlp({ inputs: 2, hidden: [8], outputs: 2, seed: 3 }),
  )
  const samples = 20
  const x = { data: Float32Array.from(gaussians(2 * samples, 5)), shape: [samples, 2] }
  const labels = Int32Array.from({ length: samples }, (_, i) =>
    Number((x.data[2 * i] as number) > 0.3 * (x.data[2 * i + 1] as number)),
  )
  const y: NdArray = { data: labels, shape: [samples] }
  const numbers = {
    data: Float32Array.from([...labels].flatMap((label) => [1 - label, label])),
    shape: [samples, 2],
  }
  const ridge = 0.3
  const options = {
    ridge,
    price: 'auto',
    selection: { prices: [1], folds: 4, repeats: 1 },
  } as const
  const { model } = await fitAdaptive(network, x, y, options)
  const other = await fitAdaptive(network, x, numbers, options)
  t.is(model.selection?.by, 'cross-entropy')
  t.is(other.model.selection?.by, 'squared error')
  const order = shuffled(samples, 1)
  for (const price of [Number.POSITIVE_INFINITY, 1]) {
    const folds: HeldOut[] = []
    for (let f = 0; f < 4; f += 1) {
      const [kept, held] = heldOut(order, f, 4)
      const own = { ridge, price }
      const fitted = await fitAdaptive(network, take(x, kept), take(numbers, kept), own)
      const { data } = await fitted.predict(network, take(x, held))
      folds.push({ prediction: data, truth: Float64Array.from(take(numbers, held).data) })
    }
    const entry = (each: typeof model) => each.selection?.grid.find((one) => one.price === price)
    for (const [found, by] of [
      [model, 'cross-entropy'],
      [other.model, 'squared error'],
    ] as const) {
      const errors = errorsOf(folds, 2, by)
      const mean = errors.reduce((sum, value) => sum + value, 0) / 4
      near(t, entry(found)?.error, mean, 1e-2, `${by} ${price}`)
    }
  }
})
