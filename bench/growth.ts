// How time and memory grow: `npm run bench:growth [-- SERIES …] [-- --seconds S --threads T]`. Each
// series varies one size over a decade; exponents are least-squares slopes on logarithms, and the
// theory's are those of its own sums of FLOPs and bytes over the same sizes.
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cheapestWork } from './flops.js'
import { type BenchNetwork, cnn, mlp } from './models.js'
import { best, type Spec } from './peers/figures.js'
import { prepare } from './peers/prepare.js'
import { memoryLimit, out, runOurs } from './peers/processes.js'
import { machineLines } from './peers/table.js'

interface Point {
  samples: number
  outputs: number
  network(): BenchNetwork
}

interface Series {
  name: string
  title: string
  sizes: readonly number[]
  at(size: number): Point
}

const mlpOf = (width: number, depth: number, outputs: number) => () =>
  mlp([784, ...Array.from({ length: depth }, () => width), outputs])

const series: readonly Series[] = [
  {
    name: 'samples',
    title: 'N, MLP 784→128×4→10',
    sizes: [200, 350, 600, 1100, 2000],
    at: (samples) => ({ samples, outputs: 10, network: mlpOf(128, 4, 10) }),
  },
  {
    name: 'outputs',
    title: 'O, MLP 784→128×4→O, N = 100',
    sizes: [20, 35, 60, 110, 200],
    at: (outputs) => ({ samples: 100, outputs, network: mlpOf(128, 4, outputs) }),
  },
  {
    name: 'width',
    title: 'width, MLP 784→width×4→10, N = 200',
    sizes: [128, 224, 400, 720, 1280],
    at: (width) => ({ samples: 200, outputs: 10, network: mlpOf(width, 4, 10) }),
  },
  {
    name: 'depth',
    title: 'depth, MLP 784→128×depth→10, N = 400',
    sizes: [4, 7, 12, 22, 40],
    at: (depth) => ({ samples: 400, outputs: 10, network: mlpOf(128, depth, 10) }),
  },
  {
    name: 'samples-cnn',
    title: 'N, CNN of width 16',
    sizes: [20, 35, 60, 110, 200],
    at: (samples) => ({ samples, outputs: 10, network: () => cnn(16) }),
  },
  {
    name: 'width-cnn',
    title: 'width, CNN, N = 40',
    sizes: [4, 7, 12, 22, 40],
    at: (width) => ({ samples: 40, outputs: 10, network: () => cnn(width) }),
  },
]

/** Sums that the theory gives for one kernel: FLOPs, and bytes that must be held at once. */
interface Theory {
  flops: number
  /** The kernel; the weights, in the file, here and in the worker; the features kept. */
  bytes: number
}

function theory({ layers }: BenchNetwork, { samples, outputs }: Point): Theory {
  const { passes, contraction, ways } = cheapestWork(layers, samples, outputs)
  let numbers = (samples * outputs) ** 2
  layers.forEach(({ rows, columns, positions }, k) => {
    const dense = ways[k]?.endsWith('jacobian') ?? false
    numbers += 2 * rows * columns
    numbers += dense
      ? samples * outputs * rows * columns
      : samples * positions * (columns + outputs * rows)
  })
  return { flops: passes + contraction, bytes: 4 * numbers }
}

/** The slope of log y over log x. */
function exponent(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length
  const [u, v] = [x.map(Math.log), y.map(Math.log)]
  const [mu, mv] = [mean(u), mean(v)]
  const covariance = mean(u.map((value, k) => (value - mu) * ((v[k] as number) - mv)))
  return covariance / mean(u.map((value) => (value - mu) ** 2))
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
})
const threads = Number(options.threads)
const wanted = series.filter(
  ({ name }) => positionals.length === 0 || positionals.some((text) => name.startsWith(text)),
)
if (wanted.length === 0) {
  const names = series.map(({ name }) => name).join(', ')
  process.stderr.write(`Expected series among ${names} but received ${positionals.join(' ')}\n`)
  process.exit(2)
}

const MIB = 2 ** 20
const lines: string[] = machineLines(threads, memoryLimit).map((line) => `- ${line}`)
const print = (line: string) => {
  lines.push(line)
  process.stdout.write(`${line}\n`)
}

interface Measured {
  /** Of the processor in the best call: what other work on the machine distorts least. */
  seconds: number
  bytes: number
}

async function measured(point: Point, folder: string): Promise<Measured & { theory: Theory }> {
  const network = await prepare({ ...point, call: 'ntk' }, folder)
  const spec: Spec = {
    workload: folder,
    call: 'ntk',
    threads,
    seconds: Number(options.seconds),
    repeats: 20,
    limit: memoryLimit,
  }
  writeFileSync(join(folder, 'spec.json'), JSON.stringify(spec))
  const figures = runOurs(folder, 120)
  if (typeof figures === 'string') throw new Error(figures)
  const bytes = figures.peak - figures.baseline
  return { seconds: best(figures.processor), bytes, theory: theory(network, point) }
}

const exponents: string[] = []
for (const { name, title, sizes, at } of wanted) {
  print(`\n### ${title}\n`)
  print('| size | CPU time | GFLOP/s of a core | peak memory | theory: GFLOP | theory: memory |')
  print('| ---: | ---: | ---: | ---: | ---: | ---: |')
  const points: (Measured & { theory: Theory })[] = []
  for (const size of sizes) {
    const folder = join(out, `growth-${name}`)
    mkdirSync(folder, { recursive: true })
    const point = await measured(at(size), folder)
    points.push(point)
    const { flops, bytes } = point.theory
    const cells = [
      `${size}`,
      `${point.seconds.toPrecision(3)} s`,
      (flops / point.seconds / 1e9).toFixed(0),
      `${(point.bytes / MIB).toFixed(0)} MiB`,
      (flops / 1e9).toPrecision(3),
      `${(bytes / MIB).toFixed(0)} MiB`,
    ]
    print(`| ${cells.join(' | ')} |`)
  }
  const slope = (of: (point: Measured & { theory: Theory }) => number) =>
    exponent(sizes, points.map(of)).toFixed(2)
  exponents.push(
    `| ${title} | ${slope((p) => p.seconds)} | ${slope((p) => p.theory.flops)} | ${slope((p) => p.bytes)} | ${slope((p) => p.theory.bytes)} |`,
  )
}
print('\n| size that grows | CPU time | theory | memory | theory |')
print('| --- | ---: | ---: | ---: | ---: |')
for (const line of exponents) print(line)
writeFileSync(join(out, 'growth.md'), `${lines.join('\n')}\n`)
