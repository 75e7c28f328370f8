// Commands as processes, that are killed, stopped and continued.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildCnn, writeNpy } from '../../lib/index.js'
import { samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { place } from './folders.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface Running {
  child: ChildProcess
  ended: Promise<Ended>
  /** By whoever started it. */
  killed: boolean
}

const hook = new URL('./hook.js', import.meta.url).href
const running = new Set<ChildProcess>()

/** Ends what a failed test has left. */
export function endAll(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** @param env STORE_FAULT in it loads test/store/hook.ts. */
export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const loaded = env.STORE_FAULT === undefined ? [] : ['--import', hook]
  const command = [...loaded, main, ...args]
  const child = spawn(process.execPath, command, { env: { ...process.env, ...env } })
  running.add(child)
  child.once('exit', () => running.delete(child))
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => {
    stdout += text
  })
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }))
  return { child, ended, killed: false }
}

export const isAlive = ({ child }: Running) => child.exitCode === null && child.signalCode === null

export const run = (args: readonly string[], env?: NodeJS.ProcessEnv) => start(args, env).ended

export interface Setting {
  /** Of the command that makes the store and fills it. */
  command: string[]
  path: string
  folder: string
}

/** A network and samples whose kernel takes a few seconds, and the place of a store. */
export async function setting(
  t: Parameters<typeof place>[0],
  { count = 48, tile = 4 } = {},
): Promise<Setting> {
  const path = await place(t)
  const folder = dirname(path)
  const model = await buildCnn({ image: [1, 16, 16], width: 8, outputs: 4, seed: 1 })
  await writeFile(join(folder, 'm.onnx'), model)
  await writeNpy(join(folder, 'x.npy'), samples(new Random(4), [count, 1, 16, 16]))
  const network = ['ntk', join(folder, 'm.onnx'), '--input', join(folder, 'x.npy')]
  const how = ['--kernel', 'trace', '--threads', '1', '--memory', '200MB', '--tile', String(tile)]
  return { command: [...network, ...how, '--quiet', '--store'], path, folder }
}

/** Waits until it is so, looking often. */
export async function until(so: () => Promise<boolean>, seconds = 60): Promise<void> {
  const end = performance.now() + 1000 * seconds
  while (!(await so())) {
    if (performance.now() > end) throw new Error('it did not come to that')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** The process that holds a lease, of those given. */
export async function holder(path: string, pids: readonly number[]): Promise<number | undefined> {
  const folder = join(path, 'leases')
  for (const name of await readdir(folder).catch(() => [])) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => '{}')
    const { pid } = JSON.parse(text === '' ? '{}' : text) as { pid?: number }
    if (pid !== undefined && pids.includes(pid)) return pid
  }
  return undefined
}
