// Tables of a run of the peers, as Markdown.
import { readFileSync } from 'node:fs'
import { arch, cpus, loadavg, totalmem } from 'node:os'
import { native } from '../../lib/native/index.js'
import { best, type Figures } from './figures.js'
import { floorSeconds, machineRates } from './floor.js'

export interface Outcome {
  workload: string
  title: string
  /** Figures, or why there are none. */
  ours: Figures | string
  peers: Map<string, Figures | string>
  /** Largest difference between the peer's result or output and ours, over its largest entry. */
  errors: Map<string, number>
  /** FLOPs of the cheapest known way; null where nobody knows. */
  work: number | null
}

/** What no peer's time is believed above: XLA's sums over 10⁵ numbers alone are off by 1.3e-4. */
const tolerance = 5e-4

const MIB = 2 ** 20
const added = ({ peak, baseline }: Figures) => peak - baseline
const figure = (value: number, digits = 3) =>
  value >= 10 ** digits ? value.toFixed(0) : value.toPrecision(digits)

export function machineLines(threads: number, memoryLimit: number): string[] {
  const [cpu] = cpus()
  const { gemm, copy } = machineRates(threads)
  const load = loadavg()[0] as number
  return [
    `${cpu?.model.trim()} (${arch()}), ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${kernel()}; load average ${load.toFixed(1)} at the start; ${new Date().toISOString()}`,
    `Node ${process.version}; ${native.blas}; ${threads} thread(s) on every side; peers may allocate ${(memoryLimit / 2 ** 30).toFixed(1)} GiB`,
    `GEMM of 1024³ or 2048³: ${gemm.toFixed(0)} GFLOP/s; copy: ${copy.toFixed(1)} GB/s`,
  ]
}

function kernel(): string {
  try {
    return readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()
  } catch {
    return ''
  }
}

interface Row {
  name: string
  figures: Figures
}

/** Peers whose numbers agree with ours. */
function believed({ peers, errors }: Outcome): Row[] {
  const rows: Row[] = []
  for (const [name, figures] of peers) {
    if (typeof figures !== 'string' && (errors.get(name) ?? Infinity) <= tolerance)
      rows.push({ name, figures })
  }
  return rows
}

const head = [
  'time',
  'CPU time',
  'first call',
  'peak memory',
  'max diff',
  'time / ours',
  'memory / ours',
]

/** One workload: every side. */
export function table(outcome: Outcome): string {
  const { title, ours, peers, errors } = outcome
  const lines = [
    `### ${title}`,
    '',
    `| | ${head.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(head.length)}`,
  ]
  const cells = (name: string, values: string[]) =>
    lines.push(`| ${[name, ...values].join(' | ')} |`)
  const own = typeof ours === 'string' ? undefined : ours
  const measured = (entry: Figures) => [
    `${figure(best(entry.times))} s`,
    `${figure(best(entry.processor))} s`,
    `${figure(entry.first)} s`,
    `${figure(added(entry) / MIB)} MiB`,
  ]
  if (own) cells('adaptive-tangent', [...measured(own), '', '1', '1'])
  else cells('adaptive-tangent', [String(ours)])
  for (const [name, entry] of peers) {
    if (typeof entry === 'string') {
      cells(name, [entry])
      continue
    }
    const error = errors.get(name)
    cells(name, [
      ...measured(entry),
      error === undefined
        ? 'not compared'
        : error.toExponential(1) + (error > tolerance ? ' (disagrees)' : ''),
      own ? figure(best(entry.times) / best(own.times)) : '',
      own ? figure(added(entry) / added(own)) : '',
    ])
  }
  return `${lines.join('\n')}\n`
}

const columns = [
  'time',
  'best peer',
  'its time',
  'ratio',
  'peak',
  'its peak',
  'ratio',
  'least peak of a peer',
  'GFLOP/s',
  'times the floor',
]

/** All workloads, against the best peer of each. */
export function summary(outcomes: readonly Outcome[]): string {
  const lines = [
    `| workload | ${columns.join(' | ')} |`,
    `| --- | ---: | --- |${' ---: |'.repeat(columns.length - 2)}`,
  ]
  for (const outcome of outcomes) {
    const { workload, ours, work } = outcome
    if (typeof ours === 'string') {
      lines.push(`| ${workload} | ${ours} |`)
      continue
    }
    const time = best(ours.times)
    const rows = believed(outcome)
    const fastest = least(rows, (row) => best(row.figures.times))
    const smallest = least(rows, (row) => added(row.figures))
    const floor = ours.machine ? floorSeconds(work, ours.result ?? 0, ours.machine) : 0
    lines.push(
      `| ${[
        workload,
        `${figure(time)} s`,
        fastest?.name ?? 'none',
        fastest ? `${figure(best(fastest.figures.times))} s` : '',
        fastest ? figure(best(fastest.figures.times) / time) : '',
        `${figure(added(ours) / MIB)} MiB`,
        fastest ? `${figure(added(fastest.figures) / MIB)} MiB` : '',
        fastest ? figure(added(fastest.figures) / added(ours)) : '',
        smallest ? `${figure(added(smallest.figures) / MIB)} MiB (${smallest.name})` : '',
        work === null ? '' : figure(work / time / 1e9),
        work === null ? '' : figure(time / floor),
      ].join(' | ')} |`,
    )
  }
  return lines.join('\n')
}

function least(rows: readonly Row[], value: (row: Row) => number): Row | undefined {
  return [...rows].sort((a, b) => value(a) - value(b))[0]
}
