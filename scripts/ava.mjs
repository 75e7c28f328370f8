// Runs ava and counts: on a terminal it reports as usual, elsewhere in TAP, which passes through.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from './setup/run.mjs'

const program = join(root, 'node_modules/ava/entrypoints/cli.mjs')

/**
 * @param {string[]} args files and options of ava
 * @param {{ env?: NodeJS.ProcessEnv, terminal?: boolean }} [options] with `terminal` nothing is counted
 * @returns {Promise<{ passed: number, failed: number, status: number }>}
 */
export async function runAva(args, { env = {}, terminal = false } = {}) {
  const child = spawn(process.execPath, [program, ...(terminal ? [] : ['--tap']), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', terminal ? 'inherit' : 'pipe', 'inherit'],
  })
  /** @type {Promise<number>} */
  const ended = new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)))
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
  return { passed, failed, status: await ended }
}
