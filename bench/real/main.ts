// `npm run bench -- real [NETWORK …] [--seconds S]`: networks in the shapes of real files, next to a plain PyTorch
// loop of one backward pass for each sample and output and onnxruntime's own forward run. All sides in
// processes of their own, one after the other, on the same threads. Needs Python 3.11. First calls, ours and
// onnxruntime's of the file as it is, take turns: medians of several processes.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { median } from '../../lib/linear/statistics.js'
import type { First } from './first.js'
import type { Ours } from './ours.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const folder = `${root}out/real`
const script = `${root}bench/real/networks.py`
const run = promisify(execFile)
const print = (line: string) => process.stdout.write(`${line}\n`)

interface Real {
  name: string
  samples: number
  outputs: number[]
  parameters: number
}

interface Loop {
  first: number
  warm: number
  kernel: number[]
}

/** Python with what the networks need, made the first time: AT_PYTHON names another. */
async function python(): Promise<string> {
  if (process.env.AT_PYTHON) return process.env.AT_PYTHON
  const venv = `${folder}/venv`
  const made = `${venv}/bin/python`
  if (existsSync(`${venv}/made`)) return made
  await run('python3', ['-m', 'venv', venv])
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  await run(made, [...pip, 'torch==2.13.0', 'numpy', 'onnx'])
  await run('touch', [`${venv}/made`])
  return made
}

/** The largest difference over the largest entry. */
function difference(a: readonly number[], b: readonly number[]): number {
  const largest = a.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const off = a.reduce((most, value, k) => Math.max(most, Math.abs(value - (b[k] ?? NaN))), 0)
  return off / largest
}

/** Of so many processes the median is taken. */
const processes = 5

/** Seconds that the first call takes more than a later one. */
async function firstCalls(given: readonly string[]): Promise<{ ours: number; session: number }> {
  const script = fileURLToPath(new URL('first.js', import.meta.url))
  const extra = async (side: string) => {
    const { stdout } = await run(process.execPath, [script, side, ...given])
    const { first, later }: First = JSON.parse(stdout)
    return first - later
  }
  const found: Record<'ours' | 'session', number[]> = { ours: [], session: [] }
  for (let k = 0; k < processes; k += 1) {
    found.ours.push(await extra('ours'))
    found.session.push(await extra('onnxruntime'))
  }
  return { ours: median(found.ours), session: median(found.session) }
}

const milliseconds = (seconds: number) => `${(1000 * seconds).toPrecision(3)} ms`
const columns = ['network', 'N × O', 'parameters', 'warm', 'PyTorch loop', 'loop / warm']
const more = [
  'first − warm',
  'of onnxruntime',
  'run',
  'onnxruntime',
  'run / onnxruntime',
  'with taps / onnxruntime',
  'added MiB',
  'difference',
]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '5' } },
})
await mkdir(folder, { recursive: true })
const command = await python()
await run(command, [script, 'export', folder])
const all: Real[] = JSON.parse(await readFile(`${folder}/networks.json`, 'utf8'))
const unknown = positionals.filter((name) => !all.some((net) => net.name === name))
if (unknown.length > 0) {
  process.stderr.write(`Expected networks among ${all.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}
print(`${cpus()[0]?.model}, ${cpus().length} threads; Node ${process.version}, PyTorch 2.13.0\n`)
print(`| ${[...columns, ...more].join(' | ')} |`)
print(
  `| --- | ${[...columns, ...more]
    .slice(1)
    .map(() => '---:')
    .join(' | ')} |`,
)
for (const { name, samples, outputs, parameters } of all) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  const own = fileURLToPath(new URL('ours.js', import.meta.url))
  const given = [folder, name, outputs.join(','), values.seconds]
  const firsts = await firstCalls([folder, name, outputs.join(',')])
  const ours: Ours = JSON.parse((await run(process.execPath, [own, ...given])).stdout)
  const peer = await run(command, [script, 'loop', name, values.seconds])
  const loop: Loop = JSON.parse(peer.stdout)
  const cells = [
    name,
    `${samples} × ${outputs.length}`,
    `${(parameters / 1e6).toFixed(2)} M`,
    milliseconds(ours.kernel),
    milliseconds(loop.warm),
    (loop.warm / ours.kernel).toFixed(2),
    milliseconds(firsts.ours),
    milliseconds(firsts.session),
    milliseconds(ours.run),
    milliseconds(ours.session),
    (ours.run / ours.session).toFixed(2),
    (ours.tapped / ours.session).toFixed(2),
    (ours.memory / 2 ** 20).toFixed(0),
    difference(loop.kernel, ours.numbers).toExponential(0),
  ]
  print(`| ${cells.join(' | ')} |`)
}
