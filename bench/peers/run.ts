// `npm run bench:peers [-- WORKLOAD …] [-- --rounds R --seconds S --threads T --samples N --only PEER]`
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Network, writeNpy } from '../../lib/index.js'
import { Random } from '../../test/support/onnx.js'
import type { Figures, Spec } from './figures.js'
import { work } from './floor.js'
import { machineLines, type Outcome, summary, table } from './table.js'
import { type PeerWorkload, workloadNamed, workloads } from './workloads.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const python = join(root, 'bench/peers/python')
const out = join(root, 'out/peers')

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '10' },
    repeats: { type: 'string', default: '10' },
    threads: { type: 'string', default: String(availableParallelism()) },
    minutes: { type: 'string', default: '10' },
    /** This many samples instead of each workload's own, to try both sides out. */
    samples: { type: 'string' },
    /** Only peers whose name contains this; `none` for ours alone. */
    only: { type: 'string' },
  },
})
const threads = Number(options.threads)
const limit = Math.floor(0.6 * totalmem())

/** Writes the network, the inputs and the directions that a Jacobian is compared along. */
async function prepare(workload: PeerWorkload, folder: string) {
  mkdirSync(folder, { recursive: true })
  const network = workload.network()
  writeFileSync(join(folder, 'model.onnx'), network.bytes)
  const random = new Random(2)
  const { vocabulary, samples } = workload
  const size = network.input.reduce((product, extent) => product * extent, samples)
  const data = vocabulary
    ? BigInt64Array.from({ length: size }, () => BigInt(random.integer(0, vocabulary - 1)))
    : random.normals(size)
  await writeNpy(join(folder, 'x.npy'), { data, shape: [samples, ...network.input] })
  if (workload.call === 'jacobian') {
    await using loaded = await Network.load(network.bytes)
    for (const [k, { count }] of loaded.parameters.entries()) {
      const direction = { data: random.normals(count), shape: [count] }
      await writeNpy(join(folder, `direction_${k}.npy`), direction)
    }
  }
  return network
}

/** Runs a process to its end; its figures, or why there are none. */
function run(command: string, args: string[], environment: NodeJS.ProcessEnv): Figures | string {
  const { stdout, stderr, status, signal, error } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: Number(options.minutes) * 60_000,
    env: { ...process.env, ...environment },
  })
  if (error && 'code' in error && error.code === 'ETIMEDOUT')
    return `not done in ${options.minutes} minutes`
  if (error) return error.message
  if (
    /MemoryError|RESOURCE_EXHAUSTED|bad_alloc|not enough memory|can't allocate memory|Out of memory/i.test(
      stderr,
    )
  )
    return `out of memory (limit ${(limit / 2 ** 30).toFixed(1)} GiB)`
  if (signal) return `killed by ${signal}`
  if (status !== 0) return stderr.trim().split('\n').at(-1) ?? 'failed'
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}

function runOurs(folder: string): Figures | string {
  const script = fileURLToPath(new URL('ours.js', import.meta.url))
  return run(process.execPath, ['--expose-gc', script, folder], {})
}

function runPeer(peer: string, folder: string): Figures | string {
  const [side = '', way = ''] = peer.split(' ')
  const interpreter = join(out, `venv-${side}/bin/python`)
  return run(interpreter, [join(python, 'peer.py'), side, way, folder], {})
}

/** Largest difference over the truth's largest entry: of the outputs and of the results. */
function compared(peer: string, folder: string): number {
  const interpreter = join(out, 'venv-torch/bin/python')
  const file = join(folder, peer.replace(' ', '-'))
  let worst = 0
  for (const kind of ['', '.output']) {
    const args = [join(python, 'compare.py'), `${file}${kind}.npy`, join(folder, `ours${kind}.npy`)]
    const { stdout } = spawnSync(interpreter, args, { encoding: 'utf8' })
    const [error] = JSON.parse(stdout || '[null]') as [number | null]
    worst = Math.max(worst, error ?? Infinity)
  }
  return worst
}

/** Keeps the better times of two runs and the larger peaks. */
function merged(a: Figures | string | undefined, b: Figures | string): Figures | string {
  if (a === undefined || typeof a === 'string') return b
  if (typeof b === 'string') return a
  return {
    ...a,
    first: Math.min(a.first, b.first),
    times: [...a.times, ...b.times],
    processor: [...a.processor, ...b.processor],
    peak: Math.max(a.peak, b.peak),
  }
}

async function measure(workload: PeerWorkload): Promise<Outcome> {
  const folder = join(out, options.samples ? `${workload.name}-n${options.samples}` : workload.name)
  const network = await prepare(workload, folder)
  const outcome: Outcome = {
    workload: workload.name,
    title: workload.title,
    ours: 'not run',
    peers: new Map(),
    errors: new Map(),
    work: work(workload.call, network.layers, workload.samples, network.outputs),
  }
  const variants = workload.peers.flatMap((peer) => [
    { peer, label: peer, block: undefined as number | undefined },
    ...(workload.block
      ? [{ peer, label: `${peer}, blocks of ${workload.block}`, block: workload.block }]
      : []),
  ])
  const chosen = variants.filter(({ label }) => !options.only || label.includes(options.only))
  const spec = (block?: number) => {
    const content: Spec = {
      workload: workload.name,
      call: workload.call,
      threads,
      seconds: Number(options.seconds),
      repeats: Number(options.repeats),
      limit,
      ...(block ? { block } : {}),
      ...(workload.count ? { count: workload.count } : {}),
    }
    writeFileSync(join(folder, 'spec.json'), JSON.stringify(content))
  }
  for (let round = 0; round < Number(options.rounds); round += 1) {
    spec()
    outcome.ours = merged(outcome.ours, runOurs(folder))
    for (const { peer, label, block } of chosen) {
      const before = outcome.peers.get(label)
      // What failed once fails again.
      if (typeof before === 'string') continue
      spec(block)
      const figures = runPeer(peer, folder)
      outcome.peers.set(label, merged(before, figures))
      if (typeof figures !== 'string' && typeof outcome.ours !== 'string')
        outcome.errors.set(label, compared(peer, folder))
    }
  }
  return outcome
}

const wanted = (positionals.length > 0 ? positionals.map(workloadNamed) : workloads).map(
  (workload) => (options.samples ? { ...workload, samples: Number(options.samples) } : workload),
)
const print = (text: string) => process.stdout.write(`${text}\n`)
const lines = machineLines(threads)
print(lines.join('\n'))
const outcomes: Outcome[] = []
mkdirSync(out, { recursive: true })
for (const workload of wanted) {
  const outcome = await measure(workload)
  outcomes.push(outcome)
  print(`\n${table(outcome)}`)
  // After each, so that what was measured is not lost.
  const markdown = [
    ...lines.map((line) => `- ${line}`),
    '',
    summary(outcomes),
    '',
    ...outcomes.map(table),
  ]
  writeFileSync(join(out, 'results.md'), `${markdown.join('\n')}\n`)
  writeFileSync(join(out, 'results.json'), JSON.stringify(outcomes, replacer, 1))
}
print(`\n${summary(outcomes)}`)

function replacer(_: string, value: unknown) {
  return value instanceof Map ? Object.fromEntries(value) : value
}
