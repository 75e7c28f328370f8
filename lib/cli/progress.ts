import cliProgress from 'cli-progress'
import type { Progress } from '../core/progress.js'

/** A bar on stderr with the time left; null where stderr is no terminal. */
export function progressBar(): { update(progress: Progress): void; stop(): void } | null {
  if (!process.stderr.isTTY) return null
  const bar = new cliProgress.SingleBar({
    format: '{bar} {percentage} % {left}',
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
  })
  let started = false
  return {
    update({ fraction, remaining }) {
      const left = remaining === null ? '' : `${duration(remaining)} left`
      if (!started) bar.start(1000, 0, { left })
      started = true
      bar.update(Math.floor(1000 * fraction), { left })
    },
    stop() {
      if (started) bar.stop()
    },
  }
}

/** `'4 s'`, `'3 min'`, `'2.5 h'`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} min`
  return `${(seconds / 3600).toFixed(1)} h`
}
