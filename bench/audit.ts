// `npm run bench -- audit [--samples n] [--queries q] [--from d] [--network mlp|cnn] [--fashion FOLDER]`: how well an audit finds
// wrong labels and unknown inputs, next to a linear probe and nearest neighbours, and how exactly the dual
// weights give predictions again. Networks at their initialisation, which have seen no labels.
import { parseArgs } from 'node:util'
import { chosen, type Images, readDataSet } from '../examples/paper/data.js'
import {
  audit,
  buildCnn,
  buildMlp,
  fitFixed,
  KernelPosterior,
  type NdArray,
  Network,
  oneHot,
} from '../lib/index.js'
import { permutation, stream } from '../lib/linear/random.js'

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '600' },
    queries: { type: 'string', default: '500' },
    /** The first image, of the training and of the test set. */
    from: { type: 'string', default: '0' },
    network: { type: 'string', default: 'cnn' },
    fashion: { type: 'string' },
  },
})
const samples = Number(values.samples)
const queries = Number(values.queries)
const from = Number(values.from)
const classes = 10

const say = (text: string) => process.stdout.write(`${text}\n`)
const range = (count: number, first = 0) => Array.from({ length: count }, (_, i) => first + i)

/** The probability that a positive has a higher score than a negative. */
function auc(scores: ArrayLike<number>, positive: readonly boolean[]): number {
  const order = range(scores.length).sort((a, b) => (scores[a] as number) - (scores[b] as number))
  let [sum, count] = [0, 0]
  order.forEach((at, rank) => {
    if (!positive[at]) return
    sum += rank + 1
    count += 1
  })
  return (sum - (count * (count + 1)) / 2) / (count * (scores.length - count))
}

const flat = ({ data, shape }: NdArray) => ({
  data: data as Float32Array,
  width: data.length / (shape[0] as number),
})

/** Inner products plus one of rows, (n1, n2). */
function gram(a: NdArray, b: NdArray): NdArray<Float64Array> {
  const [p, q] = [flat(a), flat(b)]
  const [n1 = 0] = a.shape
  const [n2 = 0] = b.shape
  const data = new Float64Array(n1 * n2)
  for (let i = 0; i < n1; i += 1) {
    for (let j = 0; j < n2; j += 1) {
      let sum = 1
      for (let e = 0; e < p.width; e += 1)
        sum += (p.data[i * p.width + e] as number) * (q.data[j * q.width + e] as number)
      data[i * n2 + j] = sum
    }
  }
  return { data, shape: [n1, n2] }
}

/** By how much an out-of-fold linear probe prefers another class to the label. */
async function probeSuspicion(features: NdArray, labels: Int32Array): Promise<Float64Array> {
  const y = oneHot({ data: labels, shape: [samples] }, classes)
  const centred = Float64Array.from(y.data, (value) => value - 1 / classes)
  const posterior = await KernelPosterior.of(gram(features, features), centred)
  const { predictions } = await posterior.leaveOneOut()
  return Float64Array.from(labels, (label, i) => {
    const row = predictions.data.slice(i * classes, (i + 1) * classes)
    const others = row.filter((_, c) => c !== label)
    return Math.max(...others) - (row[label] as number)
  })
}

/** Distance of each query to its nearest training sample. */
function nearest(query: NdArray, train: NdArray): Float64Array {
  const [q, x] = [flat(query), flat(train)]
  const own = (of: typeof q, i: number) =>
    of.data.subarray(i * of.width, (i + 1) * of.width).reduce((sum, v) => sum + v * v, 0)
  const cross = gram(query, train).data
  const sizes = range(samples).map((j) => own(x, j))
  return Float64Array.from(range(query.shape[0] as number), (i) => {
    const size = own(q, i)
    return Math.min(
      ...sizes.map((other, j) => size + other - 2 * ((cross[i * samples + j] as number) - 1)),
    )
  })
}

const mnist = readDataSet('mnist')
const fashion = readDataSet('fashion', values.fashion)
const training = chosen(mnist.train, range(samples, from))
const digits = chosen(mnist.test, range(queries, from))
const clothes = chosen(fashion.test, range(queries, from))

const bytes =
  values.network === 'mlp'
    ? await buildMlp({ inputs: [1, 28, 28], hidden: [256, 256], outputs: classes, seed: 1 })
    : await buildCnn({ image: [1, 28, 28], width: 8, outputs: classes, seed: 1 })
const network = await Network.load(bytes)
const x = { data: training.data, shape: training.shape }

// A tenth of the labels is another one.
const labels = Int32Array.from(training.labels)
const uniform = stream(3, 0)
const flipped = range(samples).map(() => false)
for (const i of permutation(samples, uniform).subarray(0, Math.round(samples / 10))) {
  labels[i] = ((labels[i] as number) + 1 + Math.floor(9 * uniform())) % classes
  flipped[i] = true
}
const both: Images = {
  data: Float32Array.from([...digits.data, ...clothes.data]),
  shape: [2 * queries, 1, 28, 28],
  labels: new Int32Array(2 * queries),
}
const query = { data: both.data, shape: both.shape }
const unknown = range(2 * queries).map((i) => i >= queries)

say(`${values.network} at its initialisation, ${samples} digits, ${2 * queries} queries`)
const begun = performance.now()
const found = await audit(network, x, { data: labels, shape: [samples] }, { query })
say(
  `audit: ${((performance.now() - begun) / 1000).toFixed(1)} s, ridge ${found.ridge.toPrecision(3)}`,
)

// The value that the last layer reads.
const hidden = (await network.values()).filter(
  ({ shape }) => shape?.length === 2 && shape[1] !== classes,
)
const features = await Network.load(bytes, { output: hidden.at(-1)?.name })
const own = await features.run(x)
say('\n10 % of the labels wrong, AUC')
say(`  audit                       ${auc(found.labels.suspicion, flipped).toFixed(3)}`)
say(`  probe on features           ${auc(await probeSuspicion(own, labels), flipped).toFixed(3)}`)
say(`  probe on pixels             ${auc(await probeSuspicion(x, labels), flipped).toFixed(3)}`)

const outputs = (await network.run(query)).data as Float32Array
const softmax = Float64Array.from(range(2 * queries), (i) => {
  const f = Array.from(outputs.slice(i * classes, (i + 1) * classes))
  const most = Math.max(...f)
  return -1 / f.reduce((sum, value) => sum + Math.exp(value - most), 0)
})
const { query: answers } = found
if (!answers) throw new Error('There was a query')
say('\nDigits against Fashion-MNIST, AUROC')
say(`  posterior variance          ${auc(answers.score, unknown).toFixed(3)}`)
say(`  max softmax                 ${auc(softmax, unknown).toFixed(3)}`)
const far = nearest(await features.run(query), own)
say(`  nearest in features         ${auc(far, unknown).toFixed(3)}`)
say(`  nearest in pixels           ${auc(nearest(query, x), unknown).toFixed(3)}`)

const model = await fitFixed(network, x, { data: labels, shape: [samples] }, { ridge: found.ridge })
const predicted = await model.predict(network, query)
let [apart, within, size] = [0, 0, 0]
answers.output.forEach((o, q) => {
  const parts = answers.representers.data.subarray(q * samples, (q + 1) * samples)
  const sum = parts.reduce((all, value) => all + value, outputs[q * classes + o] as number)
  const value = predicted.data[q * classes + o] as number
  apart = Math.max(apart, Math.abs(sum - value))
  const own = answers.predictions.data[q * classes + o] as number
  within = Math.max(within, Math.abs(sum - own))
  size = Math.max(size, Math.abs(value))
})
say('\nPredictions as sums over training samples')
say('  largest difference over the largest prediction')
say(`  to the audit's own          ${(within / size).toExponential(1)}`)
say(`  to a fit of the network     ${(apart / size).toExponential(1)}`)
await features.dispose()
await network.dispose()
