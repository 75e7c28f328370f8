// Figure 4: test error of fixed features, adaptive features and the network itself against the
// number of samples, by gradient descent on cross-entropy.
import {
  buildCnn,
  buildMlp,
  Network,
  type OptimizerOptions,
  type TrainOptions,
  train,
} from 'adaptive-tangent'
import type { Context, CurveOptions } from './context.js'
import { chosen, type DataSet, type Images } from './data.js'
import { bestRate } from './search.js'

export type Model = 'full' | 'adaptive' | 'fixed'
export const models: readonly Model[] = ['full', 'adaptive', 'fixed']

/** All that one training depends on. */
export interface CurveSettings {
  dataset: string
  network: string
  /** `redrawn`: n other samples in every epoch. `fixed-set`: the same n in all. */
  protocol: CurveOptions['protocol']
  n: number
  model: Model
  seed: number
  optimizer: 'sgd' | 'adam'
  learningRate: number
  batch: number
  epochs: number
  /** Epochs between evaluations of the test set. */
  evaluateEvery: number
  /** Samples evaluated on: the test set's first, or (`validation`) training samples left out. */
  evaluated: 'test' | 'validation'
  testSamples: number
}

export interface CurveRun {
  /** Epoch, test error, mean training loss of the epoch, at every evaluation. */
  history: [epoch: number, error: number, loss: number][]
  /** Least test error and its epoch, as the paper picks it. */
  best: { epoch: number; error: number }
  last: number
  /** The loss became infinite: nothing else is told then. */
  diverged: boolean
}

/** Samples for choosing a learning rate: the last ones of the training set. */
const validation = 5000

/** Of a thorough plan: rates beyond the list, doublings of a training, tests for one at its start. */
const moreRates = 3
const doublings = 3
const finer = 10

/** Sizes of one figure. */
export interface CurvePlan {
  sizes: readonly number[]
  rates: Readonly<Record<Model, readonly number[]>>
  /** Samples with which the rate is chosen; undefined: for each n with n. */
  rateSize: number | undefined
  /**
   * Rates are tried beyond the list, trainings repeated that end at their best epoch, and starts that
   * are the best looked at again.
   */
  thorough: boolean
  settings(n: number): Pick<CurveSettings, 'batch' | 'epochs' | 'evaluateEvery' | 'testSamples'>
  width: number
}

/** The network at its initial weights: LeCun's variance, truncated, no biases (METHOD.md 5). */
export async function initialNetwork(
  data: DataSet,
  width: number,
  seed: number,
  threads: number,
): Promise<Network> {
  const [, channels, height, wide] = data.train.shape
  const draw = { scheme: 'lecun', truncated: true, seed, outputs: 10 } as const
  const model =
    data.name === 'MNIST'
      ? // Five dense layers.
        await buildMlp({ ...draw, inputs: [channels, height, wide], hidden: Array(4).fill(width) })
      : await buildCnn({ ...draw, image: [channels, height, wide], width })
  return Network.load(model, { threads })
}

/** n samples of the training set, drawn by the seed; never those for validation. */
export function fixedSet({ train }: DataSet, n: number, seed: number): Images {
  const random = generator(seed)
  const pool = train.labels.length - validation
  const rows = new Set<number>()
  while (rows.size < n) rows.add(Math.floor(random() * pool))
  return chosen(train, [...rows])
}

/** xorshift32: places in the data set, the same on every machine. */
function generator(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

export function firstOf(images: Images, count: number): Images {
  const rows = Array.from({ length: Math.min(count, images.labels.length) }, (_, i) => i)
  return rows.length === images.labels.length ? images : chosen(images, rows)
}

const samplesOf = ({ data, shape, labels }: Images) => ({
  x: { data, shape },
  target: { data: labels, shape: [labels.length] },
})

/** One training. */
export async function curveRun(
  data: DataSet,
  width: number,
  settings: CurveSettings,
  { threads, say }: Pick<Context, 'threads' | 'say'>,
): Promise<CurveRun> {
  const { protocol, n, model, seed, batch, epochs, evaluateEvery, learningRate } = settings
  await using network = await initialNetwork(data, width, seed, threads)
  const count = data.train.labels.length
  const held = Array.from({ length: validation }, (_, i) => count - validation + i)
  const test =
    settings.evaluated === 'test'
      ? firstOf(data.test, settings.testSamples)
      : chosen(data.train, held.slice(0, settings.testSamples))
  const optimizer: OptimizerOptions =
    settings.optimizer === 'sgd'
      ? { kind: 'sgd', learningRate, momentum: 0.9 }
      : { kind: 'adam', learningRate }
  const options: TrainOptions = {
    model,
    optimizer,
    batch,
    epochs,
    evaluateEvery,
    seed,
    test: samplesOf(test),
    ...(protocol === 'redrawn' ? { samplesPerEpoch: n } : {}),
  }
  const own = protocol === 'redrawn' ? data.train : fixedSet(data, n, seed)
  const history: CurveRun['history'] = []
  try {
    await train(network, samplesOf(own), {
      ...options,
      onEpoch: ({ epoch, testError, trainLoss }) => {
        if (testError !== null) history.push([epoch, testError, Number(trainLoss.toPrecision(4))])
      },
    })
  } catch (error) {
    if ((error as { code?: string }).code !== 'NUMERICAL') throw error
    return { history, best: { epoch: 0, error: 1 }, last: 1, diverged: true }
  }
  const [first] = history as [CurveRun['history'][number]]
  const [epoch, error] = history.reduce(
    (least, entry) => (entry[1] < least[1] ? entry : least),
    first,
  )
  const last = history.at(-1)?.[1] as number
  const rate = `${settings.optimizer} ${learningRate}`
  say(`${protocol} n ${n} ${model} seed ${seed} ${rate}: ${error} at epoch ${epoch}, last ${last}`)
  return { history, best: { epoch, error }, last, diverged: false }
}

/** The rate of least error on samples left out, for a model (and n, where the plan asks for it). */
async function chosenRate(
  data: DataSet,
  plan: CurvePlan,
  settings: Omit<CurveSettings, 'learningRate' | 'evaluated' | 'seed'>,
  context: Context,
): Promise<number> {
  const rates = plan.rates[settings.model]
  if (rates.length === 1) return rates[0] as number
  const n = plan.rateSize ?? settings.n
  return bestRate(rates, plan.thorough ? moreRates : 0, async (learningRate) => {
    const own = {
      ...settings,
      n,
      ...plan.settings(n),
      learningRate,
      seed: 0,
      evaluated: 'validation',
    } as const
    return (await once(data, plan, own, context)).best.error
  })
}

/**
 * One training; by a thorough plan a longer one that does not end at its best epoch and, where the
 * first tested epoch is the best, with more tests up to the second.
 */
async function longEnough(
  data: DataSet,
  plan: CurvePlan,
  settings: CurveSettings,
  context: Context,
): Promise<{ run: CurveRun; epochs: number }> {
  let { epochs } = settings
  let run = await once(data, plan, settings, context)
  if (!plan.thorough) return { run, epochs }
  for (let k = 0; k < doublings && run.best.epoch === epochs; k += 1) {
    epochs *= 2
    run = await once(data, plan, { ...settings, epochs }, context)
  }
  const { evaluateEvery } = settings
  const often = Math.ceil(evaluateEvery / finer)
  if (often < evaluateEvery && run.best.epoch === evaluateEvery) {
    const start = { ...settings, epochs: 2 * evaluateEvery, evaluateEvery: often }
    const { best } = await once(data, plan, start, context)
    if (best.error < run.best.error) run = { ...run, best }
  }
  return { run, epochs }
}

export function once(
  data: DataSet,
  plan: CurvePlan,
  settings: CurveSettings,
  context: Context,
): Promise<CurveRun> {
  const { protocol, n, model, seed, evaluated } = settings
  const name = `${protocol}-${settings.dataset}-n${n}-${model}-${evaluated}-s${seed}`
  return context.store.once(name, { ...settings, width: plan.width }, () => {
    if (context.stored) throw new NotStored(name)
    return curveRun(data, plan.width, settings, context)
  })
}

/** A run that is not there, where none may be made. */
export class NotStored extends Error {}

/** What `run` gives, or undefined when it needs a run that may not be made. */
export async function ifStored<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof NotStored) return undefined
    throw error
  }
}

/** A point of the figure: a model at a number of samples, over seeds. */
export interface CurvePoint {
  n: number
  model: string
  learningRate: number
  /** Of each seed; none for the solver. */
  epochs: number[]
  /** Least test error of each seed, and where it was. */
  errors: number[]
  bestEpochs: number[]
  /** Test error of each seed after the last epoch. */
  last: number[]
}

/** All trainings of the figure, seeds in the outer loop: what is there early is whole. */
export async function curves(
  data: DataSet,
  plan: CurvePlan,
  protocol: CurveOptions['protocol'],
  context: Context,
): Promise<CurvePoint[]> {
  const points = new Map<string, CurvePoint>()
  for (const seed of context.seeds) {
    for (const n of plan.sizes) {
      for (const model of models) {
        const base = {
          dataset: data.name,
          network: data.name === 'MNIST' ? 'mlp' : 'cnn',
          protocol,
          n,
          model,
          optimizer: data.name === 'MNIST' ? ('sgd' as const) : ('adam' as const),
          ...plan.settings(n),
        }
        const found = await ifStored(async () => {
          const learningRate = await chosenRate(data, plan, base, context)
          const settings = { ...base, learningRate, seed, evaluated: 'test' as const }
          return { learningRate, ...(await longEnough(data, plan, settings, context)) }
        })
        if (!found) continue
        const { learningRate, run, epochs } = found
        const key = `${model} ${n}`
        const point = points.get(key) ?? {
          n,
          model,
          learningRate,
          epochs: [],
          errors: [],
          bestEpochs: [],
          last: [],
        }
        point.epochs.push(epochs)
        point.errors.push(run.best.error)
        point.bestEpochs.push(run.best.epoch)
        point.last.push(run.last)
        points.set(key, point)
      }
    }
  }
  return [...points.values()].sort((a, b) => a.n - b.n)
}

/** The protocols' sizes at every scale. */
export function curvePlan(
  data: DataSet,
  { protocol, sizes }: CurveOptions,
  scale: Context['scale'],
): CurvePlan {
  const mnist = data.name === 'MNIST'
  const own = mnist
    ? { redrawn: [125, 250, 500, 1000], 'fixed-set': [125, 250, 500, 1000, 2000, 4000] }[protocol]
    : [125, 250, 500, 1000]
  const batchOf = (n: number) => (n <= 125 ? 25 : 50)
  const paper = mnist ? 0.01 : 1e-3
  const one = { full: [paper], adaptive: [paper], fixed: [paper] }
  const grid = mnist
    ? {
        full: [0.01, 0.03, 0.1, 0.3],
        adaptive: [0.003, 0.01, 0.03, 0.1, 0.3],
        fixed: [0.03, 0.1, 0.3, 1],
      }
    : {
        full: [3e-4, 1e-3, 3e-3, 1e-2],
        adaptive: [3e-4, 1e-3, 3e-3, 1e-2, 3e-2],
        fixed: [3e-4, 1e-3, 3e-3, 1e-2, 3e-2],
      }
  // Steps of a training on a fixed set; the redrawn protocol has 1000 epochs.
  // A step of the CNN costs 30 times one of the MLP.
  const steps = { paper: mnist ? 10_000 : 2000, quick: mnist ? 3000 : 500, tiny: 200 }[scale]
  const redrawn = { paper: 1000, quick: 100, tiny: 80 }[scale]
  return {
    sizes: sizes ?? (scale === 'paper' ? own : scale === 'quick' ? own.slice(0, 3) : [125]),
    rates: protocol === 'redrawn' || scale === 'tiny' ? one : grid,
    rateSize: mnist ? undefined : 500,
    thorough: scale === 'paper' && protocol === 'fixed-set',
    width: mnist ? (scale === 'tiny' ? 64 : 128) : scale === 'tiny' ? 2 : 16,
    settings(n) {
      const batch = batchOf(n)
      const epochs =
        protocol === 'redrawn' ? redrawn : Math.max(20, Math.round(steps / Math.floor(n / batch)))
      const most = protocol === 'redrawn' ? 100 : mnist ? 50 : 20
      const evaluations = { paper: most, quick: Math.min(most, 20), tiny: 3 }[scale]
      return {
        batch,
        epochs,
        evaluateEvery: Math.max(1, Math.round(epochs / evaluations)),
        testSamples: scale === 'tiny' ? 1000 : 10_000,
      }
    },
  }
}
