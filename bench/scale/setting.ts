// Networks, generated samples and child processes of `npm run bench -- scale`.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ArraySource, buildCnn } from '../../lib/index.js'
import { cnn } from '../models.js'

/** What a child does on a store: bench/scale/job.ts. */
export interface Job {
  model: string
  /** Of one sample. */
  shape: number[]
  samples: number
  store: string
  memory: string
  outputs?: number[]
  tile?: number
  /** Makes the store and tells what it takes; nothing else. */
  plan?: boolean
  /** Processor seconds after which it stops. */
  seconds?: number
}

export interface Told {
  tiles: number
  done: number
  computed: number
  /** Bytes of all chunks. */
  bytes: number
  tasks: number
  /** Of the work: by the clock, of the processor, and by the clock while tiles were written. */
  seconds: number
  processor: number
  writing: number
  /** Of the look at what is there. */
  looking: number
  /** What the plan says of one worker. */
  planned?: number
  /** Peak of resident memory, in bytes. */
  peak: number
}

/** Numbers in [0, 1) that are a function of their place. */
export function generated(samples: number, shape: readonly number[]): ArraySource {
  const size = shape.reduce((product, length) => product * length, 1)
  return {
    length: samples,
    shape: [samples, ...shape],
    dtype: 'float32',
    identity: 'numbers of multiplicative hashes',
    rows: async (first, count) => {
      const data = new Float32Array(count * size)
      for (let e = 0; e < data.length; e += 1) {
        data[e] = (Math.imul(first * size + e + 1, 2654435761) >>> 0) / 2 ** 32
      }
      return { data, shape: [count, ...shape] }
    },
  }
}

export const paperShape = [3, 32, 32]

/** The paper's CNN of width 16, ten outputs. */
export function paperModel(folder: string): string {
  const path = join(folder, 'cnn.onnx')
  writeFileSync(path, cnn(16).bytes)
  return path
}

/** One of about 2.5 million parameters on images of 3 × 512 × 512. */
export async function imageModel(folder: string): Promise<string> {
  const path = join(folder, 'images.onnx')
  writeFileSync(path, await buildCnn({ image: [3, 512, 512], width: 6, outputs: 1, seed: 1 }))
  return path
}

export function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'scale-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const say = (text: string) => process.stdout.write(`${text}\n`)
export const cells = (...of: (string | number)[]) => say(`| ${of.join(' | ')} |`)
export const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`
export const percent = (part: number) => `${(100 * part).toFixed(1)} %`

/** When and under which load a part was measured. */
export function sayLoad(): void {
  const [cpu] = cpus()
  const [minute = 0] = loadavg()
  say(
    `${new Date().toISOString()}, ${cpus().length} × ${cpu?.model.trim()}, load average ${minute.toFixed(1)}\n`,
  )
}

export interface Child {
  pid: number
  /** What it told; undefined for one that was killed. */
  ended: Promise<Told | undefined>
}

export function startJob(job: Job): Child {
  const main = fileURLToPath(new URL('./job.js', import.meta.url))
  const child = spawn(process.execPath, [main, JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (part) => {
    text += part
  })
  const ended = new Promise<Told | undefined>((resolve, reject) => {
    child.on('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(text))
      else if (signal === 'SIGKILL') resolve(undefined)
      else reject(new Error(`the worker ended with ${code ?? signal}`))
    })
  })
  return { pid: child.pid as number, ended }
}

export async function runJob(job: Job): Promise<Told> {
  const told = await startJob(job).ended
  if (!told) throw new Error('the worker was killed')
  return told
}

/** Peak of resident memory of a process that runs, by Linux. */
export function peakOf(pid: number): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return 1024 * Number(line?.[1])
}
