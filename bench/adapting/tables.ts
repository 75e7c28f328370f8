// Tabular sets: a small network, trained on one half of the labels, is adapted with the other half.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildMlp, Network, train } from '../../lib/index.js'
import { permutation, stream } from '../../lib/linear/random.js'
import { fullBudget, type Rows, type Samples, type Split, type Task } from './task.js'

interface Table {
  x: Rows
  y: number[]
  classes: boolean
}

/** Of the network, and of the split. */
const settings = {
  hidden: [32, 32],
  epochs: 10,
  batch: 10,
  rate: 3e-3,
  most: 80,
  share: 0.35,
  test: 400,
}

const sets: [string, string][] = [
  ['iris', 'iris'],
  ['wine', 'wine'],
  ['cancer', 'breast cancer'],
  ['pima', 'Pima (MASS)'],
  ['diabetes', 'diabetes'],
  ['boston', 'Boston (MASS)'],
  ['cpus', 'processors (MASS)'],
  ['caschool', 'schools (Ecdat)'],
]
const numbers = new Set(['diabetes', 'boston', 'cpus', 'caschool'])

export const tables: readonly Task[] = sets.map(([name, title]) => ({
  name,
  title,
  kind: numbers.has(name) ? 'numbers' : 'classes',
  settings,
  budget: fullBudget,
  splits: 20,
  draw: (split) => drawTable(readTable(name), split),
}))

const folder = fileURLToPath(new URL('../../../out/adapting/sets/', import.meta.url))

export const readTable = (name: string): Table =>
  JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'))

/** A split of a table into two halves with labels and a test set. */
export async function drawTable(table: Table, split: number): Promise<Split> {
  const order = [...permutation(table.y.length, stream(split + 1, 0))]
  const half = Math.min(settings.most, Math.floor(settings.share * order.length))
  const known = order.slice(0, 2 * half)
  const { x, y } = standardised(table, known)
  const part = (rows: readonly number[]) => samplesOf(rows, x, y, table.classes)
  const first = part(known.slice(0, half))
  const fit = part(known.slice(half))
  const tested = order.slice(2 * half, 2 * half + settings.test)
  const classes = table.classes ? Math.max(...table.y) + 1 : 1
  const network = await trained(first, classes > 2 ? classes : 1, split)
  const rows = (chosen: readonly number[]) => chosen.map((i) => x[i] as number[])
  const targets = known.map((i) => oneHot(y[i] as number, table.classes ? classes : 0))
  // The methods without a network see both halves.
  const peers = { x: rows(known), y: targets, test: rows(tested) }
  return { network, fit, test: part(tested), peers }
}

/** A class as the network's targets have it; 0 classes: a number. */
function oneHot(y: number, classes: number): number[] {
  if (classes === 0) return [y]
  if (classes === 2) return [2 * y - 1]
  return Array.from({ length: classes }, (_, c) => Number(c === y))
}

/** Columns of mean 0 and deviation 1 over some rows; so are numbers to predict. */
function standardised({ x, y, classes }: Table, rows: readonly number[]) {
  const scale = (values: readonly number[]) => {
    const mean = rows.reduce((sum, i) => sum + (values[i] as number), 0) / rows.length
    const square = rows.reduce((sum, i) => sum + ((values[i] as number) - mean) ** 2, 0)
    const deviation = Math.sqrt(square / rows.length) || 1
    return values.map((value) => (value - mean) / deviation)
  }
  const columns = (x[0] as number[]).map((_, c) => scale(x.map((row) => row[c] as number)))
  return {
    x: x.map((_, i) => columns.map((column) => column[i] as number)),
    y: classes ? y : scale(y),
  }
}

function samplesOf(rows: readonly number[], x: Rows, y: number[], classes: boolean): Samples {
  const inputs = Float32Array.from(rows.flatMap((i) => x[i] as number[]))
  const targets = rows.map((i) => y[i] as number)
  return {
    x: { data: inputs, shape: [rows.length, inputs.length / rows.length] },
    y: classes
      ? { data: Int32Array.from(targets), shape: [rows.length] }
      : { data: Float32Array.from(targets), shape: [rows.length, 1] },
  }
}

async function trained({ x, y }: Samples, outputs: number, split: number): Promise<Network> {
  const { hidden, epochs, batch, rate } = settings
  const inputs = x.shape[1] as number
  await using start = await Network.load(await buildMlp({ inputs, hidden, outputs, seed: split }))
  const { weights } = await train(
    start,
    { x, target: y },
    {
      loss: 'squared',
      optimizer: { kind: 'adam', learningRate: rate },
      epochs,
      batch,
      seed: split + 1,
      threads: 1,
    },
  )
  return await start.withParameters(weights)
}
