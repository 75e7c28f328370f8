// Peak memory of this process since a moment of choice. Linux keeps a high-water mark that can be
// set back; elsewhere only the peak since the start is known.
import { readFileSync, writeFileSync } from 'node:fs'

function status(field: string): number | undefined {
  try {
    const line = readFileSync('/proc/self/status', 'utf8').match(
      new RegExp(`${field}:\\s+(\\d+) kB`),
    )
    return line ? Number(line[1]) * 1024 : undefined
  } catch {
    return undefined
  }
}

/** Sets the mark back and returns the bytes in use now. */
export function resetPeak(): number {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // Not Linux, or not allowed: the peak then is the one since the start.
  }
  return process.memoryUsage.rss()
}

/** Bytes in use at the worst moment since resetPeak(). */
export function peak(): number {
  return status('VmHWM') ?? process.resourceUsage().maxRSS * 1024
}
