// Work on many numbers that lets other work of the thread have its turn.
import { abortError } from './abort.js'

/** Numbers between two turns of other work. */
const breath = 1 << 22

/** Gives other work of the thread its turn. */
export async function pause(signal?: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  if (signal?.aborted) throw abortError(signal)
}

/** Told how many numbers were read, gives other work its turn where it is time. */
export type Breathe = (cost: number) => Promise<void> | undefined

export function breathing(signal?: AbortSignal | undefined): Breathe {
  let spent = 0
  return (cost) => {
    spent += cost
    if (spent < breath) return undefined
    spent = 0
    return pause(signal)
  }
}

/**
 * Calls work(i) for every i below count, other work of the thread getting its turn.
 * @param cost numbers that one call reads
 */
export async function each(
  count: number,
  cost: number,
  work: (i: number) => void,
  signal?: AbortSignal | undefined,
): Promise<void> {
  const together = Math.max(1, Math.floor(breath / Math.max(1, cost)))
  for (let first = 0; first < count; first += together) {
    if (first > 0) await pause(signal)
    else if (signal?.aborted) throw abortError(signal)
    const end = Math.min(count, first + together)
    for (let i = first; i < end; i += 1) work(i)
  }
}
