// What few labels are worth: `npm run bench -- few-labels [--samples 20,50,100,200] [--splits 5]
// [--results FILE]` adapts a network that was trained on digits 0 to 4 to the digits 5 to 9, runs what
// FILE lacks, writes it there as it comes, and prints the table of docs/tutorials/few-labels.md;
// `--table` prints it without running anything.
import { existsSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { write } from '../examples/paper/store.js'
import { type AdaptOptions, accuracy, adapt, type NdArray, oneHot } from '../lib/index.js'
import { budget, drawDigits } from './adapting/images.js'
import { fineTuning } from './adapting/methods.js'
import type { Split } from './adapting/task.js'

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '20,50,100,200' },
    splits: { type: 'string', default: '5' },
    results: { type: 'string', default: 'bench/few-labels.json' },
    table: { type: 'boolean', default: false },
  },
})

/** Of the network: the convolutions have 8, 16, 32 and 64 channels. */
const width = 8

const methods = ['probe', 'fixed', 'softmax', 'tuned'] as const
type Method = (typeof methods)[number]
const titles: Record<Method, string> = {
  probe: 'linear probe',
  fixed: 'tangent ridge',
  softmax: 'tangent softmax',
  tuned: 'fine-tuning',
}

interface Result {
  samples: number
  split: number
  accuracy: Partial<Record<Method, number>>
  seconds: Partial<Record<Method, number>>
}

const sizes = values.samples.split(',').map(Number)
const splits = Number(values.splits)
let all: Result[] = existsSync(values.results)
  ? JSON.parse(readFileSync(values.results, 'utf8'))
  : []

const options: Partial<Record<Method, AdaptOptions>> = {
  // As many folds as fine-tuning has.
  fixed: { structure: 'fixed', selection: { repeats: 1 } },
  softmax: { loss: 'softmax', selection: { repeats: 1 } },
}

async function run(samples: number, split: number): Promise<Result> {
  const result: Result = { samples, split, accuracy: {}, seconds: {} }
  const drawn = await drawDigits(samples, split, width)
  const { network, outputs = [], fit, test } = drawn
  // Few labels may lack a class, which the test has: columns say that it is there.
  const columns = ({ data, shape }: NdArray) =>
    oneHot(
      {
        data: Int32Array.from(data as ArrayLike<number>, (label) => outputs.indexOf(Number(label))),
        shape,
      },
      outputs.length,
    )
  const holdout = { x: test.x, y: columns(test.y) }
  const timed = async (method: Method, work: () => Promise<number | undefined>) => {
    const began = performance.now()
    result.accuracy[method] = rounded((await work()) ?? Number.NaN)
    result.seconds[method] = rounded((performance.now() - began) / 1000)
  }
  for (const [method, own] of Object.entries(options) as [Method, AdaptOptions][]) {
    await timed(method, async () => {
      const adapted = await adapt(network, fit.x, columns(fit.y), { ...own, threads: 1, holdout })
      await adapted.dispose()
      const { fitted, probe } = adapted.holdout ?? {}
      result.accuracy.probe = rounded(probe?.accuracy?.value ?? Number.NaN)
      return fitted?.accuracy?.value
    })
  }
  await timed('tuned', () => tuned(drawn))
  await network.dispose()
  return result
}

async function tuned(drawn: Split): Promise<number> {
  const { prediction } = await fineTuning(drawn, budget)
  const { outputs = [], test } = drawn
  const data = Float64Array.from(prediction)
  const shape = [data.length / outputs.length, outputs.length]
  return accuracy({ data, shape }, test.y, { classes: outputs })
}

const rounded = (value: number) => Number(value.toPrecision(4))

if (!values.table) {
  for (let split = 0; split < splits; split += 1) {
    for (const samples of sizes) {
      if (all.some((r) => r.samples === samples && r.split === split)) continue
      const result = await run(samples, split)
      all = [...all, result].sort((a, b) => a.samples - b.samples || a.split - b.split)
      write(values.results, `[\n${all.map((each) => JSON.stringify(each)).join(',\n')}\n]\n`)
      process.stderr.write(`${JSON.stringify(result)}\n`)
    }
  }
}

/** Mean and standard error over splits; no error of a single one. */
function mean(found: readonly number[]): { value: number; error: string } {
  const value = found.reduce((sum, one) => sum + one, 0) / found.length
  const square = found.reduce((sum, one) => sum + (one - value) ** 2, 0)
  const error = Math.sqrt(square / (found.length - 1) / found.length)
  return { value, error: found.length > 1 ? ` ± ${error.toFixed(3)}` : '' }
}

const lines = [
  `| labels | splits | ${methods.map((method) => titles[method]).join(' | ')} |`,
  `|${' --- |'.repeat(methods.length + 2)}`,
]
for (const samples of sizes) {
  const own = all.filter((r) => r.samples === samples && r.split < splits)
  if (own.length === 0) continue
  const cells = methods.map((method) => {
    const { value, error } = mean(own.map((r) => r.accuracy[method] ?? Number.NaN))
    return `${value.toFixed(3)}${error}`
  })
  lines.push(`| ${samples} | ${own.length} | ${cells.join(' | ')} |`)
}
process.stdout.write(`${lines.join('\n')}\n`)
