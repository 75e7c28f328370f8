// Running other programs, and words to the person who waits. All of it goes to stderr: stdout
// belongs to the command that asked for the set-up.
import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The root of the checkout (or of the installed package). */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/** Ends the set-up with one sentence for the user. */
export class SetupError extends Error {}

/** @param {string} text */
export function say(text) {
  process.stderr.write(`[set-up] ${text}\n`)
}

/**
 * What a program prints on stdout, or undefined when it cannot run or fails.
 * @param {string} command
 * @param {string[]} args
 */
export function output(command, args) {
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 2 ** 28,
  })
  return result.status === 0 ? result.stdout : undefined
}

/**
 * Runs a program to its end and returns its exit status and all that it printed. In CI the output
 * is shown as it comes, and with `show`; elsewhere it is kept, for the caller to show if something
 * fails.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, show?: boolean }} [options]
 * @returns {Promise<{ status: number, text: string }>}
 */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    /** @param {Buffer} chunk */
    const keep = (chunk) => {
      text += chunk
      if (process.env.CI || options.show) process.stderr.write(chunk)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) => resolve({ status: 127, text: `${text}${error.message}\n` }))
    child.on('close', (status, signal) => resolve({ status: signal ? 128 : (status ?? 1), text }))
  })
}

/**
 * Runs one step of the set-up; when it fails, shows the end of what it printed and throws.
 * @param {string} title
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 */
export async function step(title, command, args, options) {
  say(`${title} …`)
  const { status, text } = await run(command, args, options)
  if (status === 0) return
  if (!process.env.CI) process.stderr.write(text.split('\n').slice(-60).join('\n'))
  throw new SetupError(`${title} failed: ${[command, ...args].join(' ')} (exit status ${status})`)
}
