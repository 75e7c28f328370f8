// Does adapting pay? `npm run bench -- adapting [TASK …] [--splits NUMBER] [--results FILE]` runs the
// splits that FILE lacks and writes them into it as they come; `--table` prints the tables from
// it and writes them into docs/adapting.md, without running anything.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { write } from '../../examples/paper/store.js'
import { prepare } from './peers.js'
import { Results } from './results.js'
import { runSplit } from './run.js'
import { page, withTables } from './table.js'
import { tasks } from './tasks.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    splits: { type: 'string', default: '20' },
    results: { type: 'string', default: 'bench/adapting/results.json' },
    table: { type: 'boolean', default: false },
  },
})
const names = tasks.map(({ name }) => name)
const strange = positionals.find((name) => !names.includes(name))
if (strange !== undefined) {
  process.stderr.write(`Expected tasks among ${names.join(', ')} but received ${strange}\n`)
  process.exit(2)
}
const results = new Results(values.results)
if (!values.table) {
  prepare()
  const wanted = tasks.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const most = Number(values.splits)
  for (let split = 0; split < most; split += 1) {
    for (const task of wanted) {
      if (split >= task.splits || results.of(task).some((r) => r.split === split)) continue
      const result = await runSplit(task, split)
      results.add(result)
      const shown = Object.entries(result.errors).map(
        ([method, { error, wrong }]) => `${method} ${wrong ?? error}`,
      )
      const took = Object.values(result.seconds).map((seconds) => seconds.toFixed(1))
      process.stderr.write(`${task.name} ${split}: ${shown.join(', ')}; ${took.join(' + ')} s\n`)
    }
  }
}
const shown = page(results)
process.stdout.write(shown)
if (values.table) {
  const path = 'docs/adapting.md'
  write(path, withTables(readFileSync(path, 'utf8'), shown))
}
