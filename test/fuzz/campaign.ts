// Tries many changed models in child processes, so that a crash or a hang is seen and survived.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Outcome } from './attempt.js'
import { patience } from './patience.js'

export interface Result extends Omit<Outcome, 'kind'> {
  index: number
  name: string
  kind: Outcome['kind'] | 'crash' | 'hang'
}

export interface Campaign {
  /** How often each kind came out. */
  counts: Map<string, number>
  /** Crashes, hangs, wrong answers and errors without a type. */
  faults: Result[]
}

export interface CampaignOptions {
  first: number
  count: number
  processes: number
  /** Milliseconds of its own that one model may take: computing, or asleep. */
  timeout: number
  onResult?: (result: Result, counts: ReadonlyMap<string, number>) => void
}

const faulty = new Set<Result['kind']>(['crash', 'hang', 'wrong', 'untyped'])
const entry = fileURLToPath(new URL('./child.js', import.meta.url))
/** Kilobytes of data that a child may have: a model may ask for sizes that no machine has. */
const dataLimit = 6_000_000

function start(): ChildProcess {
  const command = `ulimit -c 0; ulimit -d ${dataLimit}; exec "$0" "$1"`
  return spawn('sh', ['-c', command, process.execPath, entry], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
}

class Runner {
  #child: ChildProcess | undefined
  #errors = ''

  /** A fresh child, ready for models. */
  async #ready(): Promise<ChildProcess> {
    if (this.#child?.connected) return this.#child
    const child = start()
    this.#errors = ''
    child.stderr?.on('data', (text) => {
      this.#errors = (this.#errors + text).slice(-2000)
    })
    await new Promise((resolve, reject) => {
      child.once('message', resolve)
      child.once('exit', (code) => reject(new Error(`child ended (${code}): ${this.#errors}`)))
    })
    child.removeAllListeners('exit')
    this.#child = child
    return child
  }

  async try(index: number, timeout: number): Promise<Result> {
    const child = await this.#ready()
    return new Promise((resolve) => {
      const done = (result: Result) => {
        stop()
        child.removeAllListeners('message')
        child.removeAllListeners('exit')
        resolve(result)
      }
      const stop = patience(child.pid as number, timeout, (detail) => {
        this.#child = undefined
        done({ index, name: '', kind: 'hang', detail })
        child.kill('SIGKILL')
      })
      child.once('message', (result) => done(result as Result))
      child.once('exit', (code, signal) => {
        this.#child = undefined
        done({ index, name: '', kind: 'crash', detail: `${signal ?? code} ${this.#errors}` })
      })
      child.send(index)
    })
  }

  stop(): void {
    this.#child?.kill()
  }
}

/** Tries the models number `first` to `first + count − 1`. */
export async function campaign(options: CampaignOptions): Promise<Campaign> {
  const counts = new Map<string, number>()
  const faults: Result[] = []
  const end = options.first + options.count
  let next = options.first
  const work = async () => {
    const runner = new Runner()
    while (next < end) {
      const index = next++
      const result = await runner.try(index, options.timeout)
      counts.set(result.kind, (counts.get(result.kind) ?? 0) + 1)
      if (faulty.has(result.kind)) faults.push(result)
      options.onResult?.(result, counts)
    }
    runner.stop()
  }
  await Promise.all(Array.from({ length: options.processes }, work))
  return { counts, faults }
}
