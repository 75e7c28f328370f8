// How time and memory grow: `npm run bench:growth [-- SERIES …] [-- --seconds S --threads T]`. Each
// series varies one size over a decade, a process for each size; exponents are least-squares slopes on
// logarithms, and the theory's are those of its own sums of FLOPs and bytes over the same sizes.
// Series are stored in out/peers/growth, so that they may be run one at a time; the last table is made
// of all that are there (`--table`: nothing is measured).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
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
    sizes: [256, 450, 800, 1440, 2560],
    at: (width) => ({ samples: 200, outputs: 10, network: mlpOf(width, 4, 10) }),
  },
  {
    name: 'depth',
    title: 'depth, MLP 784→128×depth→10, N = 400',
    sizes: [10, 18, 32, 56, 100],
    at: (depth) => ({ samples: 400, outputs: 10, network: mlpOf(128, depth, 10) }),
  },
  {
    name: 'samples-cnn',
    title: 'N, CNN of width 16',
    sizes: [40, 70, 126, 225, 400],
    at: (samples) => ({ samples, outputs: 10, network: () => cnn(16) }),
  },
  {
    name: 'width-cnn',
    title: 'width, CNN, N = 40',
    sizes: [8, 14, 25, 45, 80],
    at: (width) => ({ samples: 40, outputs: 10, network: () => cnn(width) }),
  },
]

/** Sums that the theory gives for one kernel: FLOPs, and bytes that must be held at once. */
interface Theory {
  flops: number
  /**
   * The kernel; the weights in the file and in use; every layer's values; features of all layers, or
   * of the widest one where all samples go in one block and features are multiplied as they come.
   */
  bytes: number
}

/** Rows of one block of samples at most (native/jobs/job.cc). */
const blockRows = 4096

function theory({ layers }: BenchNetwork, { samples, outputs }: Point): Theory {
  const { passes, contraction } = cheapestWork(layers, samples, outputs)
  const rows = samples * outputs
  let numbers = rows ** 2
  let widest = 0
  let all = 0
  for (const { rows: m, columns: k, positions: t } of layers) {
    numbers += 2 * m * k + samples * t * m
    const features = Math.min(rows * m * k, samples * t * (k + outputs * m))
    widest = Math.max(widest, features)
    all += features
  }
  numbers += rows <= blockRows ? widest : all
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

/** One size of a series. `bytes` are those beyond a process that does next to nothing. */
interface Measured {
  size: number
  seconds: number
  bytes: number
  theory: Theory
}

interface Stored {
  machine: string[]
  /** Bytes of a process that computes the kernel of two samples of a tiny network. */
  fixed: number
  points: Measured[]
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    table: { type: 'boolean', default: false },
  },
})
const threads = Number(options.threads)
const wanted = series.filter(
  ({ name }) => !options.table && (positionals.length === 0 || positionals.includes(name)),
)
if (wanted.length === 0 && !options.table) {
  const names = series.map(({ name }) => name).join(', ')
  process.stderr.write(`Expected series among ${names} but received ${positionals.join(' ')}\n`)
  process.exit(2)
}

const folder = join(out, 'growth')
const fileOf = (name: string) => join(folder, `${name}.json`)
mkdirSync(folder, { recursive: true })

async function measured(point: Point): Promise<{ seconds: number; bytes: number; theory: Theory }> {
  const network = await prepare({ ...point, call: 'ntk' }, folder)
  const spec: Spec = {
    workload: folder,
    call: 'ntk',
    threads,
    seconds: Number(options.seconds),
    repeats: 20,
    limit: memoryLimit,
    alone: true,
  }
  writeFileSync(join(folder, 'spec.json'), JSON.stringify(spec))
  const figures = runOurs(folder, 120)
  if (typeof figures === 'string') throw new Error(figures)
  const bytes = figures.peak - figures.baseline
  return { seconds: best(figures.times), bytes, theory: theory(network, point) }
}

for (const { name, title, sizes, at } of wanted) {
  process.stderr.write(`${title}\n`)
  const machine = machineLines(threads, memoryLimit)
  const tiny = await measured({ samples: 2, outputs: 2, network: () => mlp([4, 4, 2]) })
  const points: Measured[] = []
  for (const size of sizes) {
    const { seconds, bytes, theory } = await measured(at(size))
    points.push({ size, seconds, bytes: bytes - tiny.bytes, theory })
  }
  const stored: Stored = { machine, fixed: tiny.bytes, points }
  writeFileSync(fileOf(name), JSON.stringify(stored))
}

const MIB = 2 ** 20
const lines: string[] = []
const exponents: string[] = []
for (const { name, title } of series) {
  if (!existsSync(fileOf(name))) continue
  const { machine, fixed, points } = JSON.parse(readFileSync(fileOf(name), 'utf8')) as Stored
  lines.push(`\n### ${title}\n`, ...machine.map((line) => `- ${line}`))
  lines.push(`- A process that does next to nothing: ${(fixed / MIB).toFixed(0)} MiB\n`)
  lines.push('| size | time | GFLOP/s | memory beyond that | theory: GFLOP | theory: memory |')
  lines.push('| ---: | ---: | ---: | ---: | ---: | ---: |')
  for (const { size, seconds, bytes, theory } of points) {
    const cells = [
      `${size}`,
      `${seconds.toPrecision(3)} s`,
      (theory.flops / seconds / 1e9).toFixed(0),
      `${(bytes / MIB).toFixed(0)} MiB`,
      (theory.flops / 1e9).toPrecision(3),
      `${(theory.bytes / MIB).toFixed(0)} MiB`,
    ]
    lines.push(`| ${cells.join(' | ')} |`)
  }
  const slopes = (of: (point: Measured) => number) =>
    [points, points.slice(-2)].map((some) =>
      exponent(
        some.map(({ size }) => size),
        some.map(of),
      ).toFixed(2),
    )
  const columns = [
    slopes(({ seconds }) => seconds),
    slopes(({ theory }) => theory.flops),
    slopes(({ bytes }) => bytes),
    slopes(({ theory }) => theory.bytes),
  ]
  exponents.push(`| ${title} | ${columns.map(([whole, end]) => `${whole} (${end})`).join(' | ')} |`)
}
lines.push('\nExponents over the decade (between the two largest sizes):\n')
lines.push('| size that grows | time | theory | memory | theory |')
lines.push('| --- | ---: | ---: | ---: | ---: |', ...exponents)
process.stdout.write(`${lines.join('\n')}\n`)
writeFileSync(join(out, 'growth.md'), `${lines.join('\n')}\n`)
