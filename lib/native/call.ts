// What the calls into the solver's core share: aborts, errors, threads, budgets.
import { availableParallelism } from 'node:os'
import { abortError, onAbort } from '../core/abort.js'
import { type ErrorCode, TangentError } from '../core/errors.js'
import { defaultBudget, parseBytes } from '../core/memory.js'
import { threadCount } from '../core/threads.js'
import { native } from './index.js'

/** Options of every computation of the solver. */
export interface SolveOptions {
  /** Aborts with a DOMException named AbortError. */
  signal?: AbortSignal | undefined
  /** Threads (default: what the machine has). */
  threads?: number | undefined
  /** Memory budget: bytes, or a text such as `'2GiB'` (default: half of what the process may use). */
  memory?: number | string | undefined
}

export function threadsOf(options: SolveOptions): number {
  return threadCount(options.threads) ?? availableParallelism()
}

export function memoryOf(options: SolveOptions): number {
  return options.memory === undefined
    ? defaultBudget()
    : parseBytes(options.memory, 'options.memory')
}

/** Runs one call of the core, with its errors as this package's and with aborts passed on. */
export async function call<T>(
  signal: AbortSignal | undefined,
  work: (control: BigInt64Array) => Promise<T>,
): Promise<T> {
  if (signal?.aborted) throw abortError(signal)
  const control = new BigInt64Array(new SharedArrayBuffer(24))
  const end = onAbort(signal, () => Atomics.store(control, 0, 1n))
  try {
    native.reserveThreads(0)
    return await work(control)
  } catch (error) {
    throw translated(error, signal)
  } finally {
    end()
  }
}

/** Like `call`, for work that answers at once. */
export function callSync<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw translated(error, undefined)
  }
}

function translated(error: unknown, signal: AbortSignal | undefined): unknown {
  if (error instanceof TangentError || error instanceof DOMException) return error
  const { code, message } = error as { code?: string; message: string }
  if (code === 'ABORTED') return abortError(signal)
  if (code !== undefined && /^[A-Z_]+$/.test(code)) {
    return new TangentError(code as ErrorCode, message, { cause: error })
  }
  return error
}
