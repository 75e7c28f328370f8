// Does adapting pay? `npm run bench -- adapting [TASK …] [--splits NUMBER] [--results FILE]` runs the
// splits that FILE lacks and writes them into it as they come; `--table` prints the tables of
// docs/adapting.md from it without running anything.
import { parseArgs } from 'node:util'
import { prepare } from './peers.js'
import { Results } from './results.js'
import { runSplit } from './run.js'
import { page } from './table.js'
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
process.stdout.write(page(results))
