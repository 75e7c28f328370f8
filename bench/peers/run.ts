// `npm run bench:peers [-- WORKLOAD …] [-- --rounds R --seconds S --threads T --samples N --only PEER]`
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { best, type Figures, type Spec } from './figures.js'
import { work } from './floor.js'
import { prepare } from './prepare.js'
import { compared, memoryLimit, merged, out, runOurs, runPeer } from './processes.js'
import { store, stored, writeTable } from './store.js'
import { machineLines, type Outcome, summary, table } from './table.js'
import { type PeerWorkload, workloadNamed, workloads } from './workloads.js'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '2' },
    /** Warm calls of a process go on for so long, or so often. */
    seconds: { type: 'string', default: '5' },
    repeats: { type: 'string', default: '10' },
    threads: { type: 'string', default: String(availableParallelism()) },
    /** Seconds that a process may take, its compilation included. */
    limit: { type: 'string', default: '240' },
    /** This many samples instead of each workload's own, to try both sides out. */
    samples: { type: 'string' },
    /** Only peers whose name contains one of these, with commas between; `none` for ours alone. */
    only: { type: 'string' },
    /** Forgets what earlier runs stored for these workloads. */
    fresh: { type: 'boolean', default: false },
    /** Measures nothing: only the table of what is stored. */
    table: { type: 'boolean', default: false },
  },
})
const threads = Number(options.threads)
const limit = Number(options.limit)

/** A peer this many times slower than ours is run in one round only. */
const FAR = 5

interface Variant {
  peer: string
  label: string
  block?: number | undefined
}

/** What these libraries take is all samples at once. */
const wholeOnly = new Set(['torch laplace', 'torch curvlinops', 'jaxonnxruntime contraction'])

/** Every peer with the whole problem, then in blocks of samples. */
function variants({ peers, block }: PeerWorkload): Variant[] {
  const all = peers.flatMap((peer): Variant[] => [
    { peer, label: peer },
    ...(block && !wholeOnly.has(peer)
      ? [{ peer, label: `${peer}, blocks of ${block}`, block }]
      : []),
  ])
  const only = options.only?.split(',') ?? ['']
  return all.filter(({ label }) => only.some((part) => label.includes(part)))
}

function far(figures: Figures, ours: Figures | string): boolean {
  return typeof ours !== 'string' && best(figures.times) > FAR * best(ours.times)
}

async function measure(workload: PeerWorkload): Promise<Outcome> {
  const folder = join(out, workload.name)
  const network = await prepare(workload, folder)
  const outcome: Outcome = {
    ours: 'not run',
    peers: new Map(),
    errors: new Map(),
    ...(options.fresh ? undefined : stored(workload.name)),
    workload: workload.name,
    title: workload.title,
    work: work(workload.call, network.layers, workload.samples, network.outputs),
  }
  const spec = (block?: number) => {
    const content: Spec = {
      workload: workload.name,
      call: workload.call,
      threads,
      seconds: Number(options.seconds),
      repeats: Number(options.repeats),
      limit: memoryLimit,
      ...(block ? { block } : {}),
      ...(workload.count ? { count: workload.count } : {}),
      ...(workload.chunk ? { chunk: workload.chunk } : {}),
    }
    writeFileSync(join(folder, 'spec.json'), JSON.stringify(content))
  }
  for (let round = 0; round < Number(options.rounds); round += 1) {
    spec()
    outcome.ours = merged(outcome.ours, runOurs(folder, limit))
    store(outcome)
    for (const { peer, label, block } of variants(workload)) {
      const before = outcome.peers.get(label)
      // What failed once fails again.
      if (round > 0 && (typeof before === 'string' || (before && far(before, outcome.ours))))
        continue
      spec(block)
      const figures = runPeer(peer, folder, limit)
      outcome.peers.set(label, merged(before, figures))
      if (typeof figures !== 'string' && typeof outcome.ours !== 'string')
        outcome.errors.set(label, compared(peer, folder))
      // After each, so that what was measured is not lost.
      store(outcome)
    }
  }
  return outcome
}

const { samples } = options
const wanted = (positionals.length > 0 ? positionals.map(workloadNamed) : workloads).map(
  (workload) =>
    samples
      ? { ...workload, name: `${workload.name}-n${samples}`, samples: Number(samples) }
      : workload,
)
const print = (text: string) => process.stdout.write(`${text}\n`)
print(machineLines(threads, memoryLimit).join('\n'))
mkdirSync(out, { recursive: true })
if (!options.table) {
  for (const workload of wanted) {
    const outcome = await measure(workload)
    print(`\n${table(outcome)}\n${summary([outcome])}`)
  }
}
const names = samples ? wanted.map(({ name }) => name) : workloads.map(({ name }) => name)
print(`\n${writeTable(names, threads)}`)
