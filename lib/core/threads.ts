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

/**
 * What every worker is started with. None of the process's own arguments: some, such as --input-type,
 * let no file be run. And less room for compiled code than the 512 MiB of addresses that Node reserves
 * otherwise: under a limit of the address space that reservation ends the process, or it hangs.
 */
export const workerOptions: { execArgv: string[]; resourceLimits: { codeRangeSizeMb: number } } = {
  execArgv: [],
  resourceLimits: { codeRangeSizeMb: 64 },
}
