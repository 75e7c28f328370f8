// What onnxruntime's messages mean for the caller.
import { type ErrorCode, TangentError } from '../core/errors.js'
import { shapeInFile } from './feeds.js'
import type { Feed } from './protocol.js'

/** onnxruntime's message on one line. */
function told(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, ' ').trim()
}

const noMemory =
  /bad_alloc|bad allocation|failed to allocate memory|out of memory|cannot allocate memory|PosixThread|failed to map segment|WORKER_OUT_OF_MEMORY/i
const badNumbers = /out of (data )?bounds|out of range|invalid index|indices.*must be/i
const badShapes = /dimension|shape|broadcast|rank|axis|size/i

/** Why a thread of this package's ended; where memory is short its libraries cannot be loaded. */
export function threadFailure(thread: string, cause: Error & { code?: string }): TangentError {
  const message = told(cause)
  const code = noMemory.test(`${cause.code} ${message}`) ? 'OUT_OF_MEMORY' : 'FAILED'
  return new TangentError(code, `The ${thread} failed: ${message}`, { cause })
}

/** Why a session could not be opened. */
export function openFailure(cause: unknown): TangentError {
  const message = told(cause)
  const code = noMemory.test(message) ? 'OUT_OF_MEMORY' : 'BAD_FILE'
  return new TangentError(code, `onnxruntime cannot open the network: ${message}`, { cause })
}

/**
 * Why a run failed.
 * @param free do the inputs leave sizes other than the batch to the caller?
 */
export function runFailure(cause: unknown, feed: Feed, free: boolean): TangentError {
  const message = told(cause)
  const shapes = feed.arrays.map((array) => {
    const { axis = 0 } = array
    const sizes: (number | string)[] = shapeInFile(array, 0)
    return `(${(axis === null ? sizes : sizes.with(axis, 'N')).join(', ')})`
  })
  const fail = (code: ErrorCode, on = '') =>
    new TangentError(code, `onnxruntime cannot run the network${on}: ${message}`, { cause })
  if (noMemory.test(message)) return fail('OUT_OF_MEMORY')
  if (badNumbers.test(message)) return fail('BAD_INPUT', ' on these numbers')
  if (!badShapes.test(message)) return fail('FAILED')
  // Where the file fixes all sizes only the file can be at fault.
  return fail(free ? 'BAD_INPUT' : 'BAD_FILE', ` on inputs of shape ${shapes.join(', ')}`)
}
