// `npm run bench [-- WORKLOAD …] [-- --method METHOD]`: each workload by each method.
import { spawnSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { native } from '../lib/native/index.js'
import { workloads } from './cases/index.js'
import type { Measurement } from './measure.js'
import { type Method, methods, type Workload } from './workload.js'

const MINUTES = 10
const MIB = 2 ** 20

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { method: { type: 'string' } },
})

function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

function measured(workload: Workload, method: Method): Measurement | string {
  const script = fileURLToPath(new URL('measure.js', import.meta.url))
  const { stdout, stderr, status, error } = spawnSync(
    process.execPath,
    [script, workload.name, method],
    { encoding: 'utf8', timeout: MINUTES * 60_000 },
  )
  if (error) return `not done in ${MINUTES} minutes`
  if (status !== 0) return stderr.trim().split('\n').at(-1) ?? 'failed'
  return JSON.parse(stdout)
}

function row(method: string, m: Measurement): string {
  const rate = m.work / m.seconds / 1e9
  return [
    method.padEnd(11),
    `${m.seconds.toPrecision(3)} s ±${m.margin.toFixed(1)} %`.padStart(18),
    `${rate.toFixed(1)}`.padStart(9),
    `${((100 * rate) / m.gemm).toFixed(0)} %`.padStart(9),
    `${((m.peak - m.before) / MIB).toFixed(0)}`.padStart(12),
    `${(m.peak / MIB).toFixed(0)}`.padStart(10),
    `${(m.result / MIB).toFixed(1)}`.padStart(10),
  ].join(' ')
}

const HEAD = [
  'method'.padEnd(11),
  'time'.padStart(18),
  'GFLOP/s'.padStart(9),
  'of GEMM'.padStart(9),
  'added MiB'.padStart(12),
  'peak MiB'.padStart(10),
  'K MiB'.padStart(10),
].join(' ')

const wanted = workloads.filter(
  ({ name }) => positionals.length === 0 || positionals.some((text) => name.includes(text)),
)
const chosen = methods.filter((method) => !values.method || method === values.method)
if (wanted.length === 0 || chosen.length === 0) {
  process.stderr.write(
    `Expected workloads among ${workloads.map(({ name }) => name).join(', ')} and a method among ${methods.join(', ')}\n`,
  )
  process.exit(2)
}

const [cpu] = cpus()
print(
  `${cpu?.model ?? 'unknown processor'}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; Node ${process.version}`,
)
print(`BLAS: ${native.blas}`)
for (const threads of new Set([1, cpus().length])) {
  const { gemm, copy } = native.machine(1024, threads)
  print(
    `GEMM of 1024³, float32, ${threads} thread(s): ${gemm.toFixed(0)} GFLOP/s; copy ${copy.toFixed(1)} GB/s`,
  )
}
for (const workload of wanted) {
  print(`\n${workload.title} (${workload.name})\n${HEAD}`)
  const times = new Map<Method, number>()
  let ways: string[] = []
  for (const method of chosen) {
    const result = measured(workload, method)
    if (typeof result === 'string') {
      print(`${method.padEnd(11)} ${result}`)
      continue
    }
    times.set(method, result.seconds)
    ways = result.ways
    print(row(method, result))
  }
  print(`cheapest ways counted: ${ways.join(', ')}`)
  const auto = times.get('auto')
  times.delete('auto')
  const [best] = [...times].sort((a, b) => a[1] - b[1])
  if (auto && best) print(`auto / best forced (${best[0]}): ${(auto / best[1]).toFixed(2)}`)
}
