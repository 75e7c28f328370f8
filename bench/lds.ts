// `npm run bench -- lds [--samples n] [--subsets m] [--queries q] [--seeds r] [--checkpoints c] [--from d] [--model] [logistic]
// [mlp]`: the linear datamodelling score (Park et al. 2023) of every way to say what a training sample does. Models are
// trained again on random halves of the samples; the score is Spearman's correlation of a query's margin by
// these models with the sum of the half's influences, the mean over queries.
import { parseArgs } from 'node:util'
import { chosen, type Images, readDataSet } from '../examples/paper/data.js'
import {
  buildMlp,
  fitAdaptive,
  type Influence,
  type InfluenceOptions,
  influence,
  type NdArray,
  Network,
  train,
} from '../lib/index.js'
import { permutation, stream } from '../lib/linear/random.js'
import { rankCorrelation } from '../lib/linear/statistics.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    samples: { type: 'string', default: '500' },
    subsets: { type: 'string', default: '50' },
    queries: { type: 'string', default: '60' },
    seeds: { type: 'string', default: '3' },
    checkpoints: { type: 'string', default: '10' },
    /** The first digit, of the training and of the test set. */
    from: { type: 'string', default: '0' },
    /** The ridge model's leave-one-out as well, of fixed and of adapted features. */
    model: { type: 'boolean', default: false },
  },
})
const samples = Number(values.samples)
const subsets = Number(values.subsets)
const queries = Number(values.queries)
const seeds = Number(values.seeds)
const checkpoints = Number(values.checkpoints)
const from = Number(values.from)

const say = (text: string) => process.stdout.write(`${text}\n`)
const range = (count: number) => Array.from({ length: count }, (_, i) => i)
const arrays = (images: Images): { x: NdArray; y: NdArray } => ({
  x: { data: images.data, shape: images.shape },
  y: { data: images.labels, shape: [images.labels.length] },
})

interface Kind {
  name: string
  hidden: number[]
  epochs: number
  learningRate: number
  weightDecay: number
  /** Trainings differ by their starts and orders: so many are averaged. */
  seeds: number
  checkpoints: number
}

const kinds: Kind[] = [
  {
    ...{ name: 'logistic', hidden: [], epochs: 40, learningRate: 0.05, weightDecay: 1e-2 },
    ...{ seeds: 1, checkpoints: 1 },
  },
  {
    ...{ name: 'mlp', hidden: [64], epochs: 30, learningRate: 0.05, weightDecay: 1e-3 },
    ...{ seeds, checkpoints },
  },
]

const mnist = readDataSet('mnist')
const digits = (count: number) => range(count).map((i) => from + i)
const training = chosen(mnist.train, digits(samples))
const asked = chosen(mnist.test, digits(queries))
const { x, y } = arrays(training)
const query = arrays(asked)

async function trained(kind: Kind, rows: number[], seed: number): Promise<Network> {
  const start = await Network.load(
    await buildMlp({ inputs: [1, 28, 28], hidden: kind.hidden, outputs: 10, seed }),
  )
  const some = arrays(chosen(training, rows))
  const { weights } = await train(
    start,
    { x: some.x, target: some.y },
    {
      optimizer: {
        ...{ kind: 'sgd', learningRate: kind.learningRate },
        ...{ momentum: 0.9, weightDecay: kind.weightDecay },
      },
      ...{ epochs: kind.epochs, batch: 25, seed, schedule: 'cosine' },
    },
  )
  const network = await start.withParameters(weights)
  await start.dispose()
  return network
}

/** log p/(1 − p) of every query's own label. */
async function margins(network: Network): Promise<number[]> {
  const { data } = await network.run(query.x)
  return range(queries).map((q) => {
    const f = Array.from(data.slice(q * 10, q * 10 + 10) as Float32Array)
    const own = f[asked.labels[q] as number] as number
    const others = f.filter((_, o) => o !== asked.labels[q])
    const most = Math.max(...others)
    return own - most - Math.log(others.reduce((sum, v) => sum + Math.exp(v - most), 0))
  })
}

/** Mean over queries, and its standard error. */
function score(scores: Float64Array, halves: number[][], truth: number[][]) {
  const each = range(queries).map((q) =>
    rankCorrelation(
      halves.map((half) => half.reduce((sum, j) => sum + (scores[q * samples + j] as number), 0)),
      truth.map((values) => values[q] as number),
    ),
  )
  const mean = each.reduce((sum, value) => sum + value, 0) / queries
  const spread = each.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (queries - 1)
  return { mean, error: Math.sqrt(spread / queries) }
}

const labels = query.y
const ways: { name: string; options: InfluenceOptions }[] = [
  { name: 'gradient', options: { method: 'gradient' } },
  { name: 'cosine', options: { method: 'cosine' } },
  { name: 'gradient, kron', options: { method: 'gradient', metric: 'kron' } },
  { name: 'gradient, diagonal', options: { method: 'gradient', metric: 'diagonal' } },
  ...[256, 1024, 4096].map((size) => ({
    name: `trak, ${size} numbers`,
    options: { method: 'trak', sketch: { size, check: 0 } } satisfies InfluenceOptions,
  })),
]
/** Times the damping that is chosen. */
const dampings = [0.01, 0.1, 1, 10]

/** The ridge model of a network at its initialisation, of fixed and of adapted features. */
async function ridgeModels(kind: Kind, add: (name: string, found: Influence) => void) {
  const start = await Network.load(
    await buildMlp({ inputs: [1, 28, 28], hidden: kind.hidden, outputs: 10, seed: 1 }),
  )
  const fixed = await influence(start, x, y, query.x, { labels })
  add('leave-one-out, fixed features', fixed)
  if (kind.hidden.length > 0) {
    for (const price of [1, 0.1]) {
      const model = await fitAdaptive(start, x, y, {
        ...{ ridge: fixed.damping as number, price, maxIterations: 12, tolerance: 1e-3 },
      })
      const stretch = model.model.largestStretch.toFixed(2)
      const name = `leave-one-out, adapted, price ${price}, stretch ${stretch}`
      add(name, await influence(start, x, y, query.x, { labels, model }))
    }
  }
  await start.dispose()
}

async function measured(kind: Kind): Promise<void> {
  say(`\n${kind.name}: ${samples} digits, ${subsets} halves × ${kind.seeds} trainings`)
  const halves = range(subsets).map((s) =>
    Array.from(permutation(samples, stream(11, s)).subarray(0, samples >> 1)),
  )
  const truth: number[][] = []
  for (const [s, half] of halves.entries()) {
    const sums = new Array<number>(queries).fill(0)
    for (let seed = 1; seed <= kind.seeds; seed += 1) {
      const network = await trained(kind, half, 1000 + seed)
      for (const [q, value] of (await margins(network)).entries())
        sums[q] = (sums[q] as number) + value / kind.seeds
      await network.dispose()
    }
    truth.push(sums)
    if ((s + 1) % 10 === 0) say(`  trained on ${s + 1} halves`)
  }
  const sums = new Map<string, Float64Array>()
  const used = new Map<string, number | null>()
  const counts = new Map<string, number>()
  const add = (name: string, { scores, damping }: Influence) => {
    const sum = sums.get(name) ?? new Float64Array(scores.data.length)
    scores.data.forEach((value, e) => {
      sum[e] = (sum[e] as number) + value
    })
    sums.set(name, sum)
    used.set(name, damping)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  for (let c = 1; c <= kind.checkpoints; c += 1) {
    const network = await trained(kind, range(samples), c)
    for (const { name, options } of ways) {
      add(name, await influence(network, x, y, query.x, { ...options, labels }))
    }
    const newton = await influence(network, x, y, query.x, { method: 'newton', labels })
    add('newton, damping chosen', newton)
    for (const times of dampings.filter((one) => one !== 1)) {
      const damping = times * (newton.damping as number)
      const found = await influence(network, x, y, query.x, { method: 'newton', damping, labels })
      add(`newton, ${times} of it`, found)
    }
    if (c === 1 && values.model) await ridgeModels(kind, add)
    await network.dispose()
    if (c === 1 || c === 3 || c === kind.checkpoints) {
      for (const [name, scores] of sums) {
        const { mean, error } = score(scores, halves, truth)
        const damping = used.get(name)
        const told = damping == null ? '' : `, damping ${damping.toPrecision(2)}`
        say(
          `  ${mean.toFixed(3)} ± ${error.toFixed(3)}  ${name} (checkpoints: ${counts.get(name)}${told})`,
        )
      }
    }
  }
}

for (const kind of kinds) {
  if (positionals.length === 0 || positionals.includes(kind.name)) await measured(kind)
}
