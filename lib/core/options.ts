// What options of all calls have in common, refused before anything is computed.
import { badArgument } from './errors.js'

const functions = ['onProgress', 'onIteration', 'onEpoch', 'onCheckpoint']

/** @throws TangentError BAD_ARGUMENT for what are no options, or no signal or function among them. */
export function checkCall(options: unknown): void {
  const plain = typeof options === 'object' && options !== null && !Array.isArray(options)
  if (!plain) throw badArgument('options', 'an object', options)
  const given = options as Record<string, unknown>
  const { signal } = given
  if (signal !== undefined && !isSignal(signal)) {
    throw badArgument('options.signal', 'an AbortSignal', signal)
  }
  for (const name of functions) {
    const value = given[name]
    if (value === undefined || typeof value === 'function') continue
    throw badArgument(`options.${name}`, 'a function', value)
  }
}

/** Of another realm or library, too. */
function isSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>
  return typeof aborted === 'boolean' && typeof addEventListener === 'function'
}
