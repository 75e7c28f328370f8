import { leavable } from '../core/abort.js'

/** Waits so many seconds, or until the signal. */
export async function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const rest = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, 1000 * seconds)
  })
  await leavable(signal, rest).finally(() => clearTimeout(timer))
}
