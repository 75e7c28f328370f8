// The tables of docs/adapting.md, from the results alone.
import type { Errors } from './judge.js'
import type { Method, Results, SplitResult } from './results.js'
import { average, holm, pairedTest, standardError } from './statistics.js'
import { tasks } from './tasks.js'

const titles: Record<Exclude<Method, 'always'>, string> = {
  fixed: 'fixed',
  one: 'one side',
  two: 'two sides',
  gp: 'GP, RBF',
  rfm: 'RFM',
  tuned: 'fine-tuned',
  untouched: 'untouched',
}
type Shown = keyof typeof titles
const shown = Object.keys(titles) as Shown[]
const compared = shown.filter((method) => method !== 'fixed')
const level = 0.05

interface Row {
  title: string
  results: SplitResult[]
  /** Of every method that is compared: Holm's probability, and whether its errors are lower. */
  tests: Map<Shown, { p: number; better: boolean }>
}

/** Share of wrong classes, or squared error over the variance. */
const main = ({ error, wrong }: Errors) => wrong ?? error
/** What is fitted and what candidates are chosen by. */
const squared = ({ error }: Errors) => error

export function page(results: Results): string {
  const rows = rowsOf(results, main)
  if (rows.length === 0) return 'No results.\n'
  const head = ['task', 'labels', 'splits', ...shown.map((method) => titles[method])]
  const lines = [head, head.map((_, c) => (c === 0 ? '---' : '---:')), ...rows.map(line)]
  const table = lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
  const second = rowsOf(results, squared)
  const sums = [
    ...(['one', 'two'] as const).map((method) => summary(method, rows, 'by the errors shown')),
    ...(['one', 'two'] as const).map((method) => summary(method, second, 'by squared error')),
  ]
  return `${table}\n\n${sums.join('\n')}\n\n${choices(rows)}\n`
}

/** A page with these tables between its marks. */
export function withTables(text: string, tables: string): string {
  const [before, rest = ''] = text.split(begin)
  const [, after = ''] = rest.split(end)
  return `${before}${begin}\n\n${tables}\n${end}${after}`
}
const begin = '<!-- made by npm run bench -- adapting --table -->'
const end = '<!-- to here -->'

function rowsOf(results: Results, by: (errors: Errors) => number): Row[] {
  const rows = tasks.flatMap((task) => {
    const found = results.of(task)
    return found.length < 2 ? [] : [{ title: task.title, results: found, tests: new Map() } as Row]
  })
  for (const method of compared) {
    const tried = rows.filter(({ results: all }) => all.every(({ errors }) => errors[method]))
    const tests = tried.map((row) =>
      pairedTest(errorsOf(row, method, by), errorsOf(row, 'fixed', by)),
    )
    const adjusted = holm(tests.map(({ p }) => p))
    tried.forEach(({ tests: own }, i) => {
      own.set(method, { p: adjusted[i] as number, better: (tests[i]?.mean as number) < 0 })
    })
  }
  return rows
}

const errorsOf = ({ results }: Row, method: Method, by: (errors: Errors) => number) =>
  results.map(({ errors }) => by(errors[method] as Errors))

function line(row: Row): string[] {
  const cells = shown.map((method) => {
    if (method !== 'fixed' && !row.tests.has(method)) return '–'
    const errors = errorsOf(row, method, main)
    const test = row.tests.get(method)
    const mark = test && test.p < level ? (test.better ? ' ▲' : ' ▼') : ''
    return `${digits(average(errors))} ± ${digits(standardError(errors))}${mark}`
  })
  const [first] = row.results
  return [row.title, String(first?.samples), String(row.results.length), ...cells]
}

const digits = (value: number) => (value < 0.995 ? value.toFixed(3).slice(1) : value.toFixed(2))

function summary(method: Shown, all: Row[], by: string): string {
  const rows = all.filter(({ tests }) => tests.has(method))
  const named = (wanted: boolean) =>
    rows.filter(({ tests }) => {
      const { p, better } = tests.get(method) as { p: number; better: boolean }
      return p < level && better === wanted
    })
  const list = (some: Row[]) =>
    some.length === 0 ? 'none' : `${some.length} (${some.map(({ title }) => title).join('; ')})`
  return `- ${titles[method]} against fixed, ${by}: better on ${list(named(true))}, worse on ${list(named(false))}, of ${rows.length}.`
}

/** How often something adapted, how far, and what it would have been worth on the other splits. */
function choices(rows: Row[]): string {
  const head = '| task | adapted | median stretch | always adapted, less fixed | its splits |'
  const lines = rows.map(({ title, results }) => {
    const adapted = results.filter(({ chosen }) => chosen.two?.price !== 'infinite')
    const stretches = adapted.map(({ chosen }) => Number(chosen.two?.stretch)).sort((a, b) => a - b)
    const middle = stretches[Math.floor(stretches.length / 2)]
    const both = results.filter(({ errors }) => errors.always)
    const differences = both.map(
      ({ errors }) => main(errors.always as Errors) - main(errors.fixed as Errors),
    )
    const known = differences.length > 1
    const worth = known
      ? `${signed(average(differences))} ± ${digits(standardError(differences))}`
      : '–'
    const often = `${adapted.length} of ${results.length}`
    const cells = [title, often, middle?.toFixed(2) ?? '–', worth, String(both.length)]
    return `| ${cells.join(' | ')} |`
  })
  return [head, '| --- | ---: | ---: | ---: | ---: |', ...lines].join('\n')
}

const signed = (value: number) => `${value < 0 ? '−' : '+'}${digits(Math.abs(value))}`
