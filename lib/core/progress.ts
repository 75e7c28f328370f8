import { wholeNumber } from './errors.js'

/** How far a long computation has come. */
export interface Progress {
  /** Between 0 and 1. */
  fraction: number
  /** Estimate of the seconds left; null while too little is known. */
  remaining: number | null
}

export interface Watch {
  signal?: AbortSignal | undefined
  onProgress?: ((progress: Progress) => void) | undefined
}

/**
 * Progress over stages of the same length, of which there are `count` or at least as many as were
 * seen. @returns to be told how much of which stage is done.
 */
export function stages(
  count: number,
  onProgress: ((progress: Progress) => void) | undefined,
): (stage: number, part: number) => void {
  wholeNumber('options.count', count, 0)
  const start = performance.now()
  return (stage, part) => {
    const fraction = Math.min(1, (stage + part) / Math.max(count, stage + 1))
    const seconds = (performance.now() - start) / 1000
    const remaining = fraction > 0.01 ? (seconds * (1 - fraction)) / fraction : null
    onProgress?.({ fraction, remaining })
  }
}
