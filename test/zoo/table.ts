// `npm run test:zoo [-- NAME …]`: every exported architecture against its references, each in a
// process of its own so that its memory is its own. Without names all, and docs/zoo.md is written.
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { about, compare, type Figures, type ZooFile } from './compare.js'

interface Row extends Figures {
  name: string
  file: ZooFile
  /** Peak resident memory of the process, bytes. */
  memory: number
}

const root = fileURLToPath(new URL('../../../', import.meta.url))
const groups = {
  large: `${root}test/zoo/networks`,
  small: `${root}test/fixtures/zoo`,
}
const limits = { output: 1e-4, kernel: 1e-4, trace: 1e-4, part: 1e-3 }
const start = '<!-- written by npm run test:zoo -->'

const heads = [
  'network',
  'export',
  'parameters',
  'output',
  'kernel',
  'trace kernel',
  'worst parameter',
  'forward',
  'kernel of 2 outputs',
  'trace kernels by parameter',
  'peak memory',
]

const [word, folder, name] = process.argv.slice(2)
if (word === '--one') await one(folder as string, name as string)
else process.exitCode = await all(process.argv.slice(2))

async function one(folder: string, name: string): Promise<void> {
  const file = about(folder).files.find((entry) => entry.file === name) as ZooFile
  const figures = await compare(folder, file)
  const memory = process.resourceUsage().maxRSS * 1024
  process.stdout.write(JSON.stringify({ ...figures, memory }))
}

async function measured(folder: string, file: ZooFile): Promise<Omit<Row, 'name' | 'file'>> {
  const self = fileURLToPath(import.meta.url)
  const { stdout } = await promisify(execFile)(process.execPath, [self, '--one', folder, file.file])
  return JSON.parse(stdout)
}

async function all(wanted: readonly string[]): Promise<number> {
  let failures = 0
  const tables: string[] = []
  const missing: string[] = []
  for (const [group, parent] of Object.entries(groups)) {
    const names = existsSync(parent) ? readdirSync(parent) : []
    const rows: Row[] = []
    for (const name of names) {
      const folder = `${parent}/${name}`
      if ((wanted.length > 0 && !wanted.includes(name)) || !existsSync(`${folder}/about.json`))
        continue
      for (const [file, why] of Object.entries(about(folder).missing ?? {}))
        missing.push(`- ${name}, ${file}: ${why}.`)
      for (const file of about(folder).files) {
        try {
          const row = { name, file, ...(await measured(folder, file)) }
          rows.push(row)
          const over = Object.entries(limits).filter(
            ([what, limit]) => !(row[what as keyof typeof limits] < limit),
          )
          failures += over.length
          process.stdout.write(`${line(row).join('  ')}\n`)
          for (const [what] of over) process.stdout.write(`  FAILED: ${what} (${row.worst})\n`)
        } catch (error) {
          failures += 1
          const { stderr = '' } = error as { stderr?: string }
          process.stdout.write(
            `${name} ${file.file}  FAILED: ${stderr || (error as Error).message}\n`,
          )
        }
      }
    }
    if (rows.length === 0 && group === 'large' && wanted.length === 0) {
      process.stdout.write('No full-size network here: see test/zoo/make.py\n')
    } else tables.push(table(rows))
  }
  if (failures === 0 && wanted.length === 0 && tables.length === 2) write(tables, missing)
  return failures > 0 ? 1 : 0
}

function line(row: Row): string[] {
  const seconds = (value: number) => `${value.toPrecision(2)} s`
  const error = (value: number) => value.toExponential(0)
  return [
    row.name,
    `${row.file.exporter} ${row.file.opset}${row.file.reference === '' ? '' : ', folded'}`,
    row.parameters.toLocaleString('en'),
    error(row.output),
    error(row.kernel),
    error(row.trace),
    error(row.part),
    seconds(row.seconds.forward),
    seconds(row.seconds.kernel),
    seconds(row.seconds.traces),
    `${Math.round(row.memory / 2 ** 20)} MiB`,
  ]
}

function table(rows: readonly Row[]): string {
  const cells = [heads, heads.map((_, k) => (k < 2 ? '---' : '--:')), ...rows.map(line)]
  return cells.map((entries) => `| ${entries.join(' | ')} |`).join('\n')
}

/** Replaces what follows the mark in docs/zoo.md. */
function write([large, small]: string[], missing: readonly string[]): void {
  const path = `${root}docs/zoo.md`
  const text = readFileSync(path, 'utf8')
  const kept = text.slice(0, text.indexOf(start) + start.length)
  const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} threads`
  const body = `\n\n## At full size\n\n${large}\n\n## Scaled down, in every test run\n\n${small}\n\n## Left out\n\n${missing.join('\n')}\n\nTimes on ${machine}.\n`
  writeFileSync(`${path}.part`, kept + body)
  renameSync(`${path}.part`, path)
}
