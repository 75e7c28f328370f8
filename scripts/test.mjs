// `npm test [-- files or options of ava]`. On a terminal ava reports as usual; elsewhere it reports
// in TAP, which passes through, and the last line counts: "N passed, N failed".
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from './setup/run.mjs'
import { findBrowser } from './setup/system.mjs'
import { setup } from './setup.mjs'

await setup({ tests: true })

const ava = join(root, 'node_modules/ava/entrypoints/cli.mjs')
const terminal = process.stdout.isTTY && !process.env.CI
// A test is named by its source; what runs is the compiled file.
const args = process.argv
  .slice(2)
  .map((arg) => arg.replace(/^(?:\.\/)?(test\/.*\.test)\.ts$/, 'dist/$1.js'))
const child = spawn(process.execPath, [ava, ...(terminal ? [] : ['--tap']), ...args], {
  cwd: root,
  env: { ...process.env, CHROME_PATH: findBrowser() },
  stdio: ['ignore', terminal ? 'inherit' : 'pipe', 'inherit'],
})

let passed = 0
let failed = 0
if (child.stdout) {
  for await (const line of createInterface({ input: child.stdout })) {
    process.stdout.write(`${line}\n`)
    // Indented lines are diagnostics; a skipped or unwritten test has not passed.
    if (/^ok\b(?!.*# (SKIP|T[O]DO)\b)/i.test(line)) passed++
    if (/^not ok\b/.test(line)) failed++
  }
}
const status = await new Promise((resolve) => {
  if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode ?? 1)
  else child.on('close', (code) => resolve(code ?? 1))
})
if (!terminal) process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
process.exitCode = status || (failed > 0 || (passed === 0 && !terminal) ? 1 : 0)
