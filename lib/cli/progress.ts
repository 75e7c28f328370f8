// How far a command has come, on standard error: a bar on a terminal, JSON lines with --json, else lines.
import cliProgress from 'cli-progress'
import type { Progress } from '../core/progress.js'

export interface ProgressDisplay {
  update(progress: Progress): void
  /** @param done whether the work is, as a whole. */
  stop(done: boolean): void
}

/** Milliseconds between JSON lines. */
const jsonEvery = 500
/** Milliseconds between lines for people, and before the first one. */
const lineEvery = 5000

/** null where nothing is to be told. */
export function progressDisplay(options: {
  quiet?: boolean
  json?: boolean
}): ProgressDisplay | null {
  if (options.quiet) return null
  if (options.json) return jsonLines()
  return process.stderr.isTTY ? bar() : lines()
}

/** One line of JSON on standard error. */
export function jsonLine(event: string, value: object): void {
  process.stderr.write(`${JSON.stringify({ event, ...value })}\n`)
}

function jsonLines(): ProgressDisplay {
  const begun = performance.now()
  let last = Number.NEGATIVE_INFINITY
  const tell = (progress: Progress) => {
    const elapsed = Math.round(performance.now() - begun) / 1000
    jsonLine('progress', { ...progress, elapsed })
  }
  return {
    update(progress) {
      const now = performance.now()
      if (now - last < jsonEvery || progress.fraction >= 1) return
      last = now
      tell(progress)
    },
    stop(done) {
      if (done) tell({ fraction: 1, remaining: 0 })
    },
  }
}

function lines(): ProgressDisplay {
  let last = performance.now()
  return {
    update({ fraction, remaining }) {
      const now = performance.now()
      if (now - last < lineEvery) return
      last = now
      const left = remaining === null ? '' : `, ${duration(remaining)} left`
      process.stderr.write(`${Math.floor(100 * fraction)} %${left}\n`)
    },
    stop() {},
  }
}

function bar(): ProgressDisplay {
  const shown = new cliProgress.SingleBar({
    format: '{bar} {percentage} % {left}',
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
  })
  let started = false
  return {
    update({ fraction, remaining }) {
      const left = remaining === null ? '' : `${duration(remaining)} left`
      if (!started) shown.start(1000, 0, { left })
      started = true
      shown.update(Math.floor(1000 * fraction), { left })
    },
    stop() {
      if (started) shown.stop()
    },
  }
}

/** `'4 s'`, `'3 min'`, `'2.5 h'`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} min`
  return `${(seconds / 3600).toFixed(1)} h`
}
