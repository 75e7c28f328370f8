// Figures 1 and 3: what training on a smooth target and on its sign does to the tangent kernel.
import {
  averageKernel,
  buildMlp,
  initialize,
  type NdArray,
  Network,
  type TangentKernel,
  train,
} from 'adaptive-tangent'
import type { Images } from './data.js'

/** Sizes of the experiment; METHOD.md section 5 has the paper's. */
export interface KernelSettings {
  /** Digits 2 and 3 that are trained on. */
  samples: number
  /** Of them, those whose kernels are drawn. */
  drawn: number
  width: number
  epochs: number
  /** Of the fit of the target's head. */
  headEpochs: number
  batch: number
  /** Of ½(f − y)²: twice the paper's 0.1, which goes with (f − y)². */
  learningRate: number
  momentum: number
  points: number
  seed: number
}

export const paperSettings: Omit<KernelSettings, 'seed'> = {
  samples: 5000,
  drawn: 500,
  width: 256,
  epochs: 500,
  headEpochs: 400,
  batch: 100,
  learningRate: 0.2,
  momentum: 0.9,
  points: 50,
}

export type Target = 'smooth' | 'sign'

/** What the network is trained on. */
export const wantedOf = (y: Float32Array, target: Target): Float32Array =>
  target === 'sign' ? y.map((value) => (value < 0 ? -1 : 1)) : y

/** Numbers of one training; arrays are of the drawn samples, in the data's order. */
export interface KernelRun {
  /** y(x), the smooth function; what was trained is this or its sign. */
  y: number[]
  /** ŷ, the trained network's output. */
  output: number[]
  /** Diagonal of K̄. */
  diagonal: number[]
  trainLoss: number
  /** ⟨K, K'⟩ / (‖K‖ ‖K'‖), uncentred. */
  alignment: { averageTarget: number; initialTarget: number; averageInitial: number }
  /** K̄ ≈ initial·K_0 + target·K_ŷ + rest, least squares; rest is ‖rest‖ / ‖K̄‖. */
  split: { initial: number; target: number; rest: number }
  /** ‖f1 − f0 − F̄Δθ‖ / ‖f1 − f0‖. */
  residual: number
}

export interface Kernels {
  initial: Float32Array
  average: Float32Array
  target: Float32Array
}

/** Digits 2 (−1) and 3 (+1), each image centred and of norm 1. */
export function twosAndThrees(
  { data, labels }: Images,
  count: number,
): {
  x: NdArray<Float32Array>
  signs: Float32Array
} {
  const rows = [...labels.keys()].filter((i) => labels[i] === 2 || labels[i] === 3).slice(0, count)
  const size = data.length / labels.length
  const x = new Float32Array(rows.length * size)
  rows.forEach((row, at) => {
    const image = data.subarray(row * size, (row + 1) * size)
    const mean = image.reduce((sum, value) => sum + value, 0) / size
    const norm = Math.sqrt(image.reduce((sum, value) => sum + (value - mean) ** 2, 0))
    image.forEach((value, p) => {
      x[at * size + p] = (value - mean) / norm
    })
  })
  const signs = Float32Array.from(rows, (row) => (labels[row] === 2 ? -1 : 1))
  return { x: { data: x, shape: [rows.length, size] }, signs }
}

/** y(x): a frozen random network, its linear head fitted to the first `samples` of ±1 by squared loss. */
export async function smoothTarget(
  x: NdArray<Float32Array>,
  signs: Float32Array,
  { samples, width, headEpochs, batch, learningRate, momentum, seed }: KernelSettings,
  threads: number,
): Promise<Float32Array> {
  const [rows = 0, inputs = 0] = x.shape
  const body = await buildMlp({
    inputs,
    hidden: [width, width],
    outputs: 1,
    bias: false,
    seed: 1000 + seed,
  })
  await using network = await Network.load(body, { parameters: 'dense3.weight', threads })
  // The head's tangent features are the hidden layer itself.
  const features = (await network.jacobian(x)).get('dense3.weight')?.data ?? new Float32Array()
  const linear = await buildMlp({
    inputs: width,
    hidden: [],
    outputs: 1,
    bias: false,
    seed: 2000 + seed,
  })
  await using head = await Network.load(linear, { threads })
  const h = { data: features as Float32Array, shape: [rows, width] }
  const target = { data: signs, shape: [rows, 1] }
  const { weights } = await train(
    head,
    { x: first(h, samples), target: first(target, samples) },
    {
      loss: 'squared',
      optimizer: { kind: 'sgd', learningRate, momentum },
      schedule: 'cosine',
      epochs: headEpochs,
      batch,
      seed,
    },
  )
  await using fitted = await head.withParameters(weights)
  return Float32Array.from((await fitted.run(h)).data as Float32Array)
}

/** The first rows of an array. */
export function first({ data, shape }: NdArray<Float32Array>, rows: number): NdArray<Float32Array> {
  const width = data.length / (shape[0] as number)
  return { data: data.slice(0, rows * width), shape: [rows, ...shape.slice(1)] }
}

/** The network before and after training on all of x; dispose of both. */
export async function trainedOn(
  x: NdArray<Float32Array>,
  wanted: Float32Array,
  { width, epochs, batch, learningRate, momentum, seed }: KernelSettings,
  { threads, say }: { threads: number; say(text: string): void },
) {
  const [samples = 0, inputs = 0] = x.shape
  const model = await buildMlp({ inputs, hidden: [width, width], outputs: 1, seed })
  await using blank = await Network.load(model, { threads })
  const initial = await initialize(blank, { seed, biases: 'uniform' })
  const before = await blank.withParameters(initial)
  const { weights, history } = await train(
    before,
    { x, target: { data: wanted, shape: [samples, 1] } },
    {
      loss: 'squared',
      optimizer: { kind: 'sgd', learningRate, momentum },
      schedule: 'cosine',
      epochs,
      batch,
      seed,
      onEpoch: ({ epoch, trainLoss }) => {
        if (epoch % Math.ceil(epochs / 10) === 0)
          say(`epoch ${epoch}: loss ${trainLoss.toPrecision(3)}`)
      },
    },
  )
  const after = await before.withParameters(weights)
  return { before, after, initial, weights, trainLoss: history.at(-1)?.trainLoss ?? Number.NaN }
}

/** Trains on y or its sign and compares the kernels of the first samples. */
export async function kernelRun(
  x: NdArray<Float32Array>,
  y: Float32Array,
  target: Target,
  settings: KernelSettings,
  context: { threads: number; say(text: string): void },
): Promise<{ run: KernelRun; kernels: Kernels }> {
  const { drawn, points } = settings
  const trained = await trainedOn(x, wantedOf(y, target), settings, context)
  await using before = trained.before
  await using after = trained.after
  const few = first(x, drawn)
  const initial = await before.ntk(few)
  const { kernel: average, residual } = await averageKernel(before, after, few, { points })
  const change = residual.change.data
  const byTarget = new Float32Array(drawn * drawn)
  change.forEach((a, i) => {
    change.forEach((b, j) => {
      byTarget[i * drawn + j] = a * b
    })
  })
  const wantedKernel = { data: byTarget, shape: [drawn, drawn] }
  const gram = (kernel: TangentKernel) => kernel.gram()
  const run: KernelRun = {
    y: Array.from(y.subarray(0, drawn)),
    output: Array.from((await after.run(few)).data as Float32Array),
    diagonal: Array.from({ length: drawn }, (_, i) => average.data[i * drawn + i] as number),
    trainLoss: trained.trainLoss,
    alignment: {
      averageTarget: await average.alignment(wantedKernel),
      initialTarget: await initial.alignment(wantedKernel),
      averageInitial: await average.alignment(gram(initial)),
    },
    split: split(average.data, initial.data, byTarget),
    residual: residual.relative,
  }
  return { run, kernels: { initial: initial.data, average: average.data, target: byTarget } }
}

/** a·first + b·second nearest to k. */
function split(k: Float32Array, first: Float32Array, second: Float32Array): KernelRun['split'] {
  const inner = (a: Float32Array, b: Float32Array) => {
    let sum = 0
    for (let e = 0; e < a.length; e += 1) sum += (a[e] as number) * (b[e] as number)
    return sum
  }
  const [ff, fs, ss] = [inner(first, first), inner(first, second), inner(second, second)]
  const [kf, ks] = [inner(k, first), inner(k, second)]
  const determinant = ff * ss - fs * fs
  const initial = (kf * ss - ks * fs) / determinant
  const target = (ks * ff - kf * fs) / determinant
  const rest = k.map(
    (value, e) => value - initial * (first[e] as number) - target * (second[e] as number),
  )
  return { initial, target, rest: Math.sqrt(inner(rest, rest) / inner(k, k)) }
}

/** What the figure must show of K̄'s diagonal. */
export function boundaryPeak({ y, diagonal }: Pick<KernelRun, 'y' | 'diagonal'>): {
  /** Mean over the 5 % of samples with the smallest |y|, over the median of all. */
  nearest: number
  /** Maximum over the median. */
  largest: number
} {
  const sorted = [...diagonal].sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] as number
  const order = [...y.keys()].sort((a, b) => Math.abs(y[a] as number) - Math.abs(y[b] as number))
  const near = order.slice(0, Math.max(1, Math.round(0.05 * y.length)))
  const mean = near.reduce((sum, i) => sum + (diagonal[i] as number), 0) / near.length
  return { nearest: mean / median, largest: (sorted.at(-1) as number) / median }
}
