// The main thread's side of a worker: one per architecture, shared by all its networks.
import type { Worker } from 'node:worker_threads'
import { abortError, leavable, onAbort } from '../core/abort.js'
import { type ErrorCode, TangentError } from '../core/errors.js'
import { checkAddressSpace } from '../core/memory.js'
import { type OnProgress, timed, type Watch } from '../core/progress.js'
import { native } from '../native/index.js'
import { busy, endByForce } from './exit.js'
import { threadFailure } from './failures.js'
import type {
  FeedArray,
  FromWorker,
  PlanMessage,
  Reply,
  Request,
  RowsMessage,
  TileMessage,
  ToWorker,
  WeightMessage,
  WorkerInit,
} from './protocol.js'
import { LentSources } from './rows.js'
import { takeThread } from './thread.js'

/** A request without what the host adds. */
export type Asked = DistributedOmit<Request, 'id' | 'control' | 'network'>
type DistributedOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

/** Takes a tile, whose blocks are its own then; what it throws ends the call. */
export type OnTile = (tile: TileMessage) => Promise<void>

interface Pending {
  onTile: OnTile | undefined
  signal: AbortSignal | undefined
  failure?: { error: unknown }
  resolve(result: unknown): void
  reject(error: unknown): void
}

const progressEvery = 100
/** Memory of a call is kept for the next one for this many milliseconds. */
const keepMemory = 2000
/** Aborted calls get so many milliseconds to end before nobody waits for them any more. */
const disposeGrace = 2000
/** An aborted call rejects at the latest after this many milliseconds. */
const abortGrace = 60

export class Host {
  readonly #init: WorkerInit
  readonly #entry: URL | undefined
  /** What the worker reads from this thread. */
  readonly sources = new LentSources()
  #worker: Worker | undefined
  readonly #pending = new Map<number, Pending>()
  /** What the running worker knows. */
  #planned = false
  readonly #networks = new Set<number>()
  #queue: Promise<unknown> = Promise.resolve()
  #nextId = 1
  #closed = false
  /** Of the calls that are not settled. */
  readonly #controls = new Set<BigInt64Array>()
  #idle: NodeJS.Timeout | undefined

  /** @param entry the worker's file, where tests want another. */
  constructor(init: WorkerInit, entry?: URL) {
    this.#init = init
    this.#entry = entry
  }

  /**
   * Sends one request when those before it are done. `settled` resolves when the worker has let go
   * of everything that the request named, which may be after an abort has rejected it.
   * @param discard releases what came although the call was aborted.
   * @param onTile of requests whose results leave tile by tile.
   */
  ask<T>(
    network: number,
    weights: () => WeightMessage[],
    plan: PlanMessage | undefined,
    asked: Asked,
    watch: Watch,
    discard?: (result: T) => void,
    onTile?: OnTile,
  ): { result: Promise<T>; settled: Promise<void> } {
    const control = new BigInt64Array(new SharedArrayBuffer(24))
    const { signal } = watch
    const { request, release } = this.sources.lend(asked)
    const answer = this.#queue.then(() => {
      if (signal?.aborted) throw abortError(signal)
      return this.#send(network, weights, plan, request, control, { onTile, signal })
    })
    this.#controls.add(control)
    const settled = answer
      .finally(() => {
        this.#controls.delete(control)
        release()
      })
      .then(
        (result) => {
          if (signal?.aborted) discard?.(result as T)
        },
        () => {},
      )
    this.#queue = settled
    return { result: this.#watched(answer as Promise<T>, control, watch), settled }
  }

  #send(
    network: number,
    weights: () => WeightMessage[],
    plan: PlanMessage | undefined,
    request: Asked,
    control: BigInt64Array,
    how: Pick<Pending, 'onTile' | 'signal'>,
  ): Promise<unknown> {
    if (this.#closed) throw new TangentError('DISPOSED', 'The network was disposed')
    const worker = this.#start()
    const post = (message: ToWorker) => worker.postMessage(message)
    if (plan && !this.#planned) {
      this.#planned = true
      post({ type: 'plan', plan })
    }
    if (!this.#networks.has(network)) {
      this.#networks.add(network)
      post({ type: 'weights', network, weights: weights() })
    }
    clearTimeout(this.#idle)
    endByForce()
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, ...how })
      busy.add(this)
      // A waiting caller keeps the process alive, an idle worker does not.
      worker.ref()
      post({ ...request, id, network, control } as Request)
    })
  }

  async #watched<T>(answer: Promise<T>, control: BigInt64Array, watch: Watch): Promise<T> {
    const { signal, onProgress } = watch
    let timer: NodeJS.Timeout | undefined
    let end = () => {}
    const aborted = new Promise<never>((_, reject) => {
      end = onAbort(signal, () => {
        Atomics.store(control, 0, 1n)
        setTimeout(() => reject(abortError(signal)), abortGrace)
      })
    })
    aborted.catch(() => {})
    if (onProgress) timer = setInterval(reporter(control, onProgress), progressEvery)
    try {
      const result = await (signal ? Promise.race([answer, aborted]) : answer)
      if (signal?.aborted) throw abortError(signal)
      onProgress?.({ fraction: 1, remaining: 0 })
      return result
    } catch (error) {
      if (signal?.aborted) throw abortError(signal)
      throw error
    } finally {
      clearInterval(timer)
      end()
    }
  }

  #start(): Worker {
    if (this.#worker) return this.#worker
    checkAddressSpace("A network's thread")
    const worker = takeThread({ ...this.#init, instance: native.instance }, this.#entry)
    worker.on('message', (reply: FromWorker) => this.#receive(reply))
    worker.on('error', (cause) => {
      this.#lose(worker, threadFailure('worker', cause))
    })
    worker.on('exit', (code) => {
      const why = this.#closed ? 'The network was disposed' : `The worker ended with code ${code}`
      this.#lose(worker, new TangentError(this.#closed ? 'DISPOSED' : 'FAILED', why))
    })
    this.#worker = worker
    return worker
  }

  #receive(reply: FromWorker): void {
    const pending = this.#pending.get(reply.id)
    if ('tile' in reply) {
      void this.#take(reply, pending)
      return
    }
    if ('rows' in reply) {
      void this.#give(reply.rows, pending)
      return
    }
    this.#pending.delete(reply.id)
    if (this.#pending.size === 0) {
      busy.delete(this)
      this.#worker?.unref()
      this.#idle = setTimeout(() => this.#rest(), keepMemory).unref()
    }
    if (reply.ok) pending?.resolve(reply.result)
    else pending?.reject(pending.failure ? pending.failure.error : errorFrom(reply))
  }

  async #take({ id, tile }: FromWorker & { tile: TileMessage }, pending?: Pending): Promise<void> {
    try {
      await pending?.onTile?.(tile)
    } catch (error) {
      if (pending) pending.failure ??= { error }
    }
    const failed = pending?.failure !== undefined
    this.#worker?.postMessage({ type: 'written', id, failed } satisfies ToWorker)
  }

  /** Rows that the worker waits for; an aborted call waits for no source. */
  async #give(rows: RowsMessage, pending?: Pending): Promise<void> {
    let data: FeedArray['data'] | undefined
    try {
      data = await leavable(pending?.signal, this.sources.rows(rows))
    } catch (error) {
      if (pending) pending.failure ??= { error }
    }
    const message = { type: 'rows', ticket: rows.ticket, data } satisfies ToWorker
    this.#worker?.postMessage(message, data ? [data.buffer as ArrayBuffer] : [])
  }

  #rest(): void {
    if (this.#worker) this.#worker.postMessage({ type: 'rest' } satisfies ToWorker)
    else native.releaseSpareMemory()
  }

  /** The worker is gone: whoever waits hears of it, and the next request starts another. */
  #lose(worker: Worker, error: TangentError): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#planned = false
    this.#networks.clear()
    const waiting = [...this.#pending.values()]
    this.#pending.clear()
    busy.delete(this)
    for (const { reject } of waiting) reject(error)
  }

  /** Waits for all calls; true where one that was aborted does not end. */
  async #isStuck(): Promise<boolean> {
    let ended = false
    const queue = this.#queue.then(() => {
      ended = true
    })
    let since: number | undefined
    for (;;) {
      // The first is the one that runs.
      const [first] = this.#controls
      if (first && Atomics.load(first, 0) !== 0n) since ??= performance.now()
      else since = undefined
      let timer: NodeJS.Timeout | undefined
      const pause = new Promise((done) => {
        timer = setTimeout(done, 100)
      })
      await Promise.race([queue, pause])
      clearTimeout(timer)
      if (ended) return false
      if (since !== undefined && performance.now() - since > disposeGrace) return true
    }
  }

  /** Drops one network's weights. */
  forget(network: number): void {
    if (this.#networks.delete(network)) this.#worker?.postMessage({ type: 'forget', network })
  }

  /**
   * Ends the worker when what it does is done. Calls that were aborted get a while for it: a network
   * that never ends keeps its thread, as onnxruntime cannot be interrupted, but nobody waits for it.
   */
  async close(): Promise<void> {
    if (this.#closed) return
    const stuck = await this.#isStuck()
    this.#closed = true
    const worker = this.#worker
    if (worker && !stuck) {
      // It ends between two messages: a thread that is ended inside onnxruntime takes the process along.
      worker.ref()
      const ended = new Promise((resolve) => worker.once('exit', resolve))
      worker.postMessage({ type: 'end' } satisfies ToWorker)
      const late = setTimeout(() => void worker.terminate(), disposeGrace)
      await ended
      clearTimeout(late)
    } else if (worker) {
      void worker.terminate()
      worker.unref()
      this.#lose(worker, new TangentError('DISPOSED', 'The network was disposed'))
      // What it holds is in use as long as the process lives.
      busy.add(this)
    }
    clearTimeout(this.#idle)
    native.releaseSpareMemory()
  }
}

function errorFrom(reply: Reply & { ok: false }): Error {
  if (reply.name === 'TangentError' || /^[A-Z_]+$/.test(reply.code)) {
    return new TangentError(reply.code as ErrorCode, reply.message)
  }
  return new TangentError('FAILED', reply.message)
}

/** Reads the shared counters: [1] done of [2] in all. */
function reporter(control: BigInt64Array, onProgress: OnProgress): () => void {
  const report = timed(onProgress)
  return () => {
    const done = Number(Atomics.load(control, 1))
    const total = Number(Atomics.load(control, 2))
    if (total > 0) report(Math.min(done / total, 1))
  }
}
