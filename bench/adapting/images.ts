// Digits 5 to 9 with few labels: a convolutional network that was trained on 0 to 4 is adapted.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chosen, type Images, readDataSet } from '../../examples/paper/data.js'
import { buildCnn, type NdArray, Network, train, writeSafetensors } from '../../lib/index.js'
import { permutation, stream } from '../../lib/linear/random.js'
import type { Budget, Rows, Samples, Split, Task } from './task.js'

const settings = {
  width: 4,
  images: 5000,
  epochs: 4,
  batch: 50,
  rate: 2e-3,
  networks: 5,
  test: 1000,
}
const outputs = [5, 6, 7, 8, 9]
/** Six candidates, since a fit has up to 1000 rows; the methods in Python keep their 24. */
export const budget: Budget = {
  prices: [3, 1],
  ridges: [1, 3],
  folds: 5,
  repeats: 1,
  oneSide: false,
  rates: [3e-3, 1e-2],
  epochs: 60,
  looks: 3,
  batch: 20,
}

const task = (samples: number, splits: number): Task => ({
  name: `digits-${samples}`,
  title: `digits 5–9 (MNIST), ${samples} labels`,
  kind: 'classes',
  settings: { ...settings, samples },
  budget,
  splits,
  draw: (split) => drawDigits(samples, split),
})

export const images: readonly Task[] = [task(50, 20), task(100, 20), task(200, 20)]

let digits: ReturnType<typeof readDataSet> | undefined

/** @param width w of the network, instead of that of the tasks here */
export async function drawDigits(
  samples: number,
  split: number,
  width = settings.width,
): Promise<Split> {
  digits ??= readDataSet('mnist')
  const network = await pretrained(digits.train, split % settings.networks, width)
  const some = (from: Images, count: number, seed: number) => {
    const rows = among(from, outputs)
    const order = permutation(rows.length, stream(seed, 0))
    return chosen(
      from,
      [...order.subarray(0, count)].map((i) => rows[i] as number),
    )
  }
  const fit = samplesOf(some(digits.train, samples, split + 1))
  const test = samplesOf(some(digits.test, settings.test, split + 1))
  // The methods without a network see its last hidden values.
  const peers = {
    x: await hidden(network, fit.x),
    y: Array.from(fit.y.data as Int32Array, (label) => outputs.map((o) => Number(o === label))),
    test: await hidden(network, test.x),
  }
  return { network, outputs, fit, test, peers }
}

function among({ labels }: Images, classes: readonly number[]): number[] {
  return [...labels.keys()].filter((i) => classes.includes(labels[i] as number))
}

const samplesOf = ({ data, shape, labels }: Images): Samples => ({
  x: { data, shape },
  y: { data: labels, shape: [labels.length] },
})

async function hidden(network: Network, x: NdArray): Promise<Rows> {
  const { data, shape } = await network.run(x, { output: 'dense2/Relu' })
  const width = shape[1] as number
  return Array.from({ length: shape[0] as number }, (_, i) =>
    Array.from(data.slice(i * width, (i + 1) * width) as Float32Array, Number),
  )
}

const folder = fileURLToPath(new URL('../../../out/adapting/networks/', import.meta.url))

async function pretrained(all: Images, seed: number, width: number): Promise<Network> {
  const own = { ...settings, width }
  const { images: count, epochs, batch, rate } = own
  const start = await Network.load(
    await buildCnn({ image: [1, 28, 28], width, outputs: 10, seed: seed + 1 }),
  )
  const path = join(folder, `${JSON.stringify([own, seed]).replace(/\W+/g, '-')}.safetensors`)
  if (!existsSync(path)) {
    const { x, y } = samplesOf(chosen(all, among(all, [0, 1, 2, 3, 4]).slice(0, count)))
    const { weights } = await train(
      start,
      { x, target: y },
      {
        optimizer: { kind: 'adam', learningRate: rate },
        epochs,
        batch,
        seed: seed + 1,
        threads: 1,
      },
    )
    mkdirSync(folder, { recursive: true })
    await writeSafetensors(path, weights)
  }
  const network = await start.withParameters(path)
  await start.dispose()
  return network
}
