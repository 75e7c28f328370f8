/** Stable words for what went wrong; `error.code` is one of these. */
export type ErrorCode =
  /** A value given by the caller is wrong: type, shape, range, unknown name. */
  | 'BAD_ARGUMENT'
  /** An input array does not fit the network: shape, rank, type, NaN, empty. */
  | 'BAD_INPUT'
  /** The file is not what it should be: not ONNX, truncated, inconsistent, a `.npy` of objects. */
  | 'BAD_FILE'
  /** The network holds operators that cannot be differentiated. */
  | 'UNSUPPORTED'
  /** The memory budget is too small; the message says what would fit. */
  | 'MEMORY_BUDGET'
  /** The system gave no memory. */
  | 'OUT_OF_MEMORY'
  /** The device that was asked for is not there, or cannot be used; the message says why. */
  | 'NO_DEVICE'
  /** A size that cannot be represented. */
  | 'TOO_LARGE'
  /** The network was disposed, or the factor freed. */
  | 'DISPOSED'
  /** A numerical method did not reach its goal. */
  | 'NUMERICAL'
  /** The work failed for another reason. */
  | 'FAILED'

/**
 * The one error class of this package. Aborts reject with a DOMException named AbortError.
 * @example
 * ```js
 * import { Network, TangentError } from 'adaptive-tangent'
 *
 * try {
 *   await Network.load('no-such-file.onnx')
 * } catch (error) {
 *   if (!(error instanceof TangentError)) throw error
 *   console.log(error.code)
 * }
 * // BAD_FILE
 * ```
 * @since 0.1.0
 */
export class TangentError extends Error {
  override readonly name = 'TangentError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** *Expected ⟨what⟩ for ⟨name⟩ but received ⟨value⟩ of type ⟨type⟩*. */
export function badArgument(name: string, expected: string, received: unknown): TangentError {
  const type = received === null ? 'null' : Array.isArray(received) ? 'array' : typeof received
  return new TangentError(
    'BAD_ARGUMENT',
    `Expected ${expected} for ${name} but received ${shown(received)} of type ${type}`,
  )
}

/** A value in a message, whatever it is. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  try {
    return String(value)
  } catch {
    // It has no words for itself, or holds what has none.
    return Object.prototype.toString.call(value)
  }
}

/** The same where what came is told in words, such as its shape. */
export function mismatch(name: string, expected: string, received: string): TangentError {
  return new TangentError(
    'BAD_ARGUMENT',
    `Expected ${expected} for ${name} but received ${received}`,
  )
}

/** Refuses what is not a whole number from `low` to `high`. */
export function wholeNumber(
  name: string,
  value: number,
  low: number,
  high: number = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isInteger(value) && value >= low && value <= high) return
  const bounded = high < Number.MAX_SAFE_INTEGER || (typeof value === 'number' && value > high)
  const range = bounded ? `from ${low} to ${high}` : `≥ ${low}`
  throw badArgument(name, `a whole number ${range}`, value)
}

/** One of some words; the first where nothing is given. */
export function oneOf<T extends string>(
  value: T | undefined,
  choices: readonly T[],
  name: string,
): T {
  if (value === undefined) return choices[0] as T
  if (choices.includes(value)) return value
  throw badArgument(name, `one of ${choices.join(', ')}`, value)
}
