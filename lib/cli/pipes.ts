// The pipes that a command reads from.
import type { Readable } from 'node:stream'

export const pipes = new Set<Readable>()

/** Ends what waits for more of a pipe. */
export function endPipes(): void {
  for (const stream of pipes) stream.destroy()
}
