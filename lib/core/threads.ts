import { badArgument } from './errors.js'

/** A number of threads that was asked for, checked; undefined where none was. */
export function threadCount(
  threads: number | undefined,
  name = 'options.threads',
): number | undefined {
  if (threads === undefined) return undefined
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw badArgument(name, 'a whole number of threads from 1 to 1024', threads)
  }
  return threads
}
