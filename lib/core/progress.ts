import { wholeNumber } from './errors.js'

/** How far a long computation has come. */
export interface Progress {
  /** Between 0 and 1. */
  fraction: number
  /** Estimate of the seconds left; null while too little is known. */
  remaining: number | null
}

export type OnProgress = (progress: Progress) => void

export interface Watch {
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

/**
 * Progress from now on. @returns to be told which part is done.
 * @param before the part that was done earlier: it took none of the time since now
 */
export function timed(onProgress: OnProgress | undefined, before = 0): (fraction: number) => void {
  const start = performance.now()
  return (fraction) => {
    const seconds = (performance.now() - start) / 1000
    const done = fraction - before
    const remaining = done > 0.01 ? (seconds * (1 - fraction)) / done : null
    onProgress?.({ fraction, remaining: fraction === 1 ? 0 : remaining })
  }
}

/**
 * Progress over stages of the same length, of which there are `count` or at least as many as were
 * seen. @returns to be told how much of which stage is done.
 */
export function stages(
  count: number,
  onProgress: OnProgress | undefined,
): (stage: number, part: number) => void {
  wholeNumber('options.count', count, 0)
  const report = timed(onProgress)
  return (stage, part) => report(Math.min(1, (stage + part) / Math.max(count, stage + 1)))
}
