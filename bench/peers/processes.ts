// Runs one side of a workload in a process of its own and compares what it left behind.
import { spawnSync } from 'node:child_process'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Figures } from './figures.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const python = join(root, 'bench/peers/python')

/** Where environments, networks, inputs and results lie. */
export const out = join(root, 'out/peers')
/** Bytes that a peer may allocate. */
export const memoryLimit = Math.floor(0.5 * totalmem())

const gibibytes = (memoryLimit / 2 ** 30).toFixed(1)
const outOfMemory =
  /MemoryError|RESOURCE_EXHAUSTED|bad_alloc|not enough memory|can't allocate memory|Out of memory/i

/** The error that ended a program; libraries add where it was and advice. */
function reason(stderr: string): string {
  const lines = stderr.trim().split('\n')
  return (
    lines.findLast((line) => /^[\w.]*(Error|Exception)\b/.test(line)) ?? lines.at(-1) ?? 'failed'
  )
}

/** Runs a process to its end; its figures, or why there are none. */
function run(command: string, args: string[], limit: number): Figures | string {
  const { stdout, stderr, status, signal, error } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: limit * 1000,
    killSignal: 'SIGKILL',
  })
  if (error && 'code' in error && error.code === 'ETIMEDOUT') return `not done in ${limit} s`
  if (error) return error.message
  if (outOfMemory.test(stderr)) return `out of memory (limit ${gibibytes} GiB)`
  if (signal) return `killed by ${signal} under a memory limit of ${gibibytes} GiB`
  if (status !== 0) return reason(stderr)
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}

export function runOurs(folder: string, limit: number): Figures | string {
  const script = fileURLToPath(new URL('ours.js', import.meta.url))
  return run(process.execPath, ['--expose-gc', script, folder], limit)
}

/** `peer`: side and way, as in `jax structured`. */
export function runPeer(peer: string, folder: string, limit: number): Figures | string {
  const [side = '', way = ''] = peer.split(' ')
  const interpreter = join(out, `venv-${side === 'torch' ? 'torch' : 'jax'}/bin/python`)
  return run(interpreter, [join(python, 'peer.py'), side, way, folder], limit)
}

/** Largest difference over the truth's largest entry: of the outputs and of the results. */
export function compared(peer: string, folder: string): number {
  const interpreter = join(out, 'venv-torch/bin/python')
  const file = join(folder, peer.replace(' ', '-'))
  let worst = 0
  for (const kind of ['', '.output']) {
    const args = [join(python, 'compare.py'), `${file}${kind}.npy`, join(folder, `ours${kind}.npy`)]
    const { stdout } = spawnSync(interpreter, args, { encoding: 'utf8' })
    const [error] = JSON.parse(stdout || '[null]') as [number | null]
    worst = Math.max(worst, error ?? Infinity)
  }
  return worst
}

/** Keeps all times of two runs, the better first call and the larger peaks. */
export function merged(
  a: Figures | string | undefined,
  b: Figures | string | undefined,
): Figures | string {
  if (a === undefined || typeof a === 'string') return b ?? a ?? 'not run'
  if (b === undefined || typeof b === 'string') return a
  return {
    ...a,
    ...b,
    first: Math.min(a.first, b.first),
    times: [...a.times, ...b.times],
    processor: [...a.processor, ...b.processor],
    peak: Math.max(a.peak, b.peak),
    peakWithCompilation: Math.max(a.peakWithCompilation, b.peakWithCompilation),
  }
}
