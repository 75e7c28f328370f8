// Targets that are known: of one or two directions of the inputs, a change of the network of low rank,
// and one of full rank, where there is nothing to adapt to.
import { buildMlp, type NdArray, Network, train } from '../../lib/index.js'
import { gaussians } from '../../lib/linear/random.js'
import { fullBudget, type Samples, type Split, type Task } from './task.js'

const settings = {
  inputs: 10,
  hidden: [32, 32],
  samples: 120,
  test: 1000,
  noise: 0.1,
  /** Of the network that has learned the direction of `related` already. */
  before: { samples: 500, epochs: 40, batch: 20, rate: 3e-3 },
}

type Target = 'one direction' | 'two directions' | 'related' | 'rank one' | 'full rank'

const task = (name: string, target: Target, title: string): Task => ({
  name,
  title,
  kind: 'numbers',
  settings: { ...settings, target },
  budget: { ...fullBudget, epochs: 90 },
  splits: 20,
  draw: (split) => drawTeacher(target, split),
})

export const teachers: readonly Task[] = [
  task('one-direction', 'one direction', 'one direction'),
  task('two-directions', 'two directions', 'two directions'),
  task('related', 'related', 'one direction, related network'),
  task('rank-one', 'rank one', 'change of rank one'),
  task('full-rank', 'full rank', 'change of full rank'),
]

async function drawTeacher(target: Target, split: number): Promise<Split> {
  const { inputs, hidden, samples, test, noise } = settings
  const start = await Network.load(await buildMlp({ inputs, hidden, outputs: 1, seed: split + 1 }))
  const count = samples + test
  const seed = 1000 * (split + 1)
  const network = target === 'related' ? await knowing(start, seed) : start
  const x: NdArray<Float32Array> = {
    data: Float32Array.from(gaussians(count * inputs, seed)),
    shape: [count, inputs],
  }
  const pure = target.includes('rank')
    ? await changeOf(network, x, target, seed)
    : ridgeFunction(x, target, seed)
  const deviation = Math.hypot(...centred(pure)) / Math.sqrt(count)
  const errors = gaussians(count, seed + 9)
  const own = target.includes('rank') ? (await network.run(x)).data : new Float32Array(count)
  const changed = pure.map((value, i) => value / deviation + noise * (errors[i] as number))
  const part = (from: number, to: number): Samples => ({
    x: { data: x.data.slice(from * inputs, to * inputs), shape: [to - from, inputs] },
    y: {
      data: Float32Array.from(changed.subarray(from, to), (v, i) => v + Number(own[from + i])),
      shape: [to - from, 1],
    },
  })
  const rows = Array.from({ length: count }, (_, i) => [
    ...x.data.subarray(i * inputs, (i + 1) * inputs),
  ])
  // The methods without a network are told its outputs and fit the change.
  const peers = {
    x: rows.slice(0, samples),
    y: [...changed.subarray(0, samples)].map((value) => [value]),
    test: rows.slice(samples),
    offset: Array.from(own.slice(samples) as Float32Array, (value) => [Number(value)]),
  }
  return { network, fit: part(0, samples), test: part(samples, count), peers }
}

function centred(values: Float64Array): Float64Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return values.map((value) => value - mean)
}

function ridgeFunction(x: NdArray<Float32Array>, target: Target, seed: number): Float64Array {
  const [count = 0, inputs = 0] = x.shape
  const [u, v] = [unit(inputs, seed + 1), unit(inputs, seed + 2)]
  const along = (i: number, w: Float64Array) =>
    w.reduce((sum, value, c) => sum + value * (x.data[i * inputs + c] as number), 0)
  return Float64Array.from(
    { length: count },
    (_, i) => Math.abs(along(i, u)) - (target === 'two directions' ? Math.abs(along(i, v)) : 0),
  )
}

/** The network after training on another function of the direction that it will be adapted to. */
async function knowing(start: Network, seed: number): Promise<Network> {
  const { inputs, before } = settings
  const { samples, epochs, batch, rate } = before
  const data = Float32Array.from(gaussians(samples * inputs, seed + 30))
  const w = unit(inputs, seed + 1)
  const y = Float32Array.from({ length: samples }, (_, i) =>
    Math.tanh(2 * w.reduce((sum, value, c) => sum + value * (data[i * inputs + c] as number), 0)),
  )
  const x = { data, shape: [samples, inputs] }
  const { weights } = await train(
    start,
    { x, target: { data: y, shape: [samples, 1] } },
    { loss: 'squared', optimizer: { kind: 'adam', learningRate: rate }, epochs, batch, threads: 1 },
  )
  const network = await start.withParameters(weights)
  await start.dispose()
  return network
}

function unit(count: number, seed: number): Float64Array {
  const w = gaussians(count, seed)
  const length = Math.hypot(...w)
  return w.map((value) => value / length)
}

/** ⟨X_x, B*⟩. */
async function changeOf(
  network: Network,
  x: NdArray,
  target: Target,
  seed: number,
): Promise<Float64Array> {
  const direction = new Map<string, NdArray<Float32Array>>()
  network.parameters.forEach(({ name, shape: sizes }, p) => {
    const shape = [...sizes]
    const [m = 1, k = 1] = shape
    if (target === 'full rank') {
      direction.set(name, { data: Float32Array.from(gaussians(m * k, seed + 20 + p)), shape })
    } else if (name === 'dense2.weight') {
      const [u, v] = [gaussians(m, seed + 3), gaussians(k, seed + 4)]
      const outer = [...u].flatMap((a) => [...v].map((b) => a * b))
      direction.set(name, { data: Float32Array.from(outer), shape })
    }
  })
  const { data } = await network.jvp(x, direction)
  return Float64Array.from(data as Float32Array)
}
