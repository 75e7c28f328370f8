// `npm test [-- files or options of ava]`; `--fast` runs the files that test/fast.json names, `--rest`
// all others. On a terminal ava reports as usual; elsewhere the last line counts:
// "N passed, N failed".
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runAva } from './ava.mjs'
import { root } from './setup/run.mjs'
import { findBrowser } from './setup/system.mjs'
import { setup } from './setup.mjs'

/** A test is named by its source; what runs is the compiled file. @param {string} name */
const compiled = (name) => name.replace(/^(?:\.\/)?(test\/.*\.test)\.ts$/, 'dist/$1.js')

/** @param {string} arg */
function files(arg) {
  if (arg !== '--fast' && arg !== '--rest') return [compiled(arg)]
  /** @type {string[]} */
  const fast = JSON.parse(readFileSync(join(root, 'test/fast.json'), 'utf8')).map(compiled)
  return arg === '--fast' ? fast : ['dist/test/**/*.test.js', ...fast.map((file) => `!${file}`)]
}

await setup({ tests: true })

const terminal = process.stdout.isTTY && !process.env.CI
const { passed, failed, status } = await runAva(process.argv.slice(2).flatMap(files), {
  env: { CHROME_PATH: findBrowser() },
  terminal,
})
if (!terminal) process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
process.exitCode = status || (failed > 0 || (passed === 0 && !terminal) ? 1 : 0)
