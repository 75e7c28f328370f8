// `npm run test:full`: what takes longer than CI allows, one after the other. All of it runs, whatever
// fails; the last line counts the parts.
import { spawnSync } from 'node:child_process'
import { npm } from './setup/packages.mjs'
import { root } from './setup/run.mjs'

/** @type {[title: string, args: string[]][]} */
const parts = [
  ['all tests', ['test']],
  ['installing from the packed files', ['run', 'test:install', '--', '--source']],
  ['the unit tests and the addon under sanitizers', ['run', 'test:sanitize']],
  ['code for all cards, without one', ['run', 'test:cuda']],
  ['the check of a card, without one', ['run', 'gpu:check', '--', '--device', 'emulated']],
  ['real architectures at full size', ['run', 'test:zoo']],
  ['ten thousand changed files', ['run', 'fuzz']],
  ['stores whose workers, disks, networks and clocks fail', ['run', 'test:store']],
]
const [command = 'npm', ...first] = npm()

const failed = parts.filter(([title, args]) => {
  process.stdout.write(`\n=== ${title}: npm ${args.join(' ')}\n`)
  return spawnSync(command, [...first, ...args], { cwd: root, stdio: 'inherit' }).status !== 0
})
for (const [title] of failed) process.stdout.write(`failed: ${title}\n`)
process.stdout.write(`\n${parts.length - failed.length} passed, ${failed.length} failed\n`)
process.exitCode = failed.length > 0 ? 1 : 0
