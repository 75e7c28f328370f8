// Results of one machine, a file per workload, so that a table may come from several runs.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Figures } from './figures.js'
import { memoryLimit, out } from './processes.js'
import { machineLines, type Outcome, summary, table } from './table.js'

interface Stored extends Omit<Outcome, 'peers' | 'errors'> {
  peers: Record<string, Figures | string>
  errors: Record<string, number>
}

const file = (workload: string) => join(out, 'results', `${workload}.json`)

/** What earlier runs measured, or nothing. */
export function stored(workload: string): Outcome | undefined {
  if (!existsSync(file(workload))) return undefined
  const outcome = JSON.parse(readFileSync(file(workload), 'utf8')) as Stored
  const errors = Object.entries(outcome.errors)
  return { ...outcome, peers: new Map(Object.entries(outcome.peers)), errors: new Map(errors) }
}

export function store(outcome: Outcome): void {
  mkdirSync(join(out, 'results'), { recursive: true })
  const content: Stored = {
    ...outcome,
    peers: Object.fromEntries(outcome.peers),
    errors: Object.fromEntries(outcome.errors),
  }
  writeFileSync(file(outcome.workload), `${JSON.stringify(content, undefined, 1)}\n`)
}

/** Writes the table of everything stored for these workloads and returns its summary. */
export function writeTable(workloads: readonly string[], threads: number): string {
  const outcomes = workloads.map(stored).filter((outcome) => outcome !== undefined)
  const lines = machineLines(threads, memoryLimit).map((line) => `- ${line}`)
  const short = summary(outcomes)
  const content = [...lines, '', short, '', ...outcomes.map(table)]
  writeFileSync(join(out, 'results.md'), `${content.join('\n')}\n`)
  return short
}
