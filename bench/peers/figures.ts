// What a measured process prints, ours and a peer's alike.

/** Written by the run into a workload's folder, read by both sides. */
export interface Spec {
  workload: string
  call: string
  threads: number
  /** Warm calls go on until this many seconds or repeats. */
  seconds: number
  repeats: number
  /** Bytes that a peer may allocate. */
  limit: number
  block?: number
  count?: number
  chunk?: number
  /** Nothing is compared: no result is written. */
  alone?: boolean
}

export interface Figures {
  /** Seconds of the first call, compilation and sessions included. */
  first: number
  /** Seconds of the warm calls, and the processor's seconds in them. */
  times: number[]
  processor: number[]
  /** Resident bytes after the imports, and at the worst moment of the warm calls. */
  baseline: number
  peak: number
  /** The same of the first call. */
  peakWithCompilation: number
  /** Ours: the machine's GFLOP/s in the better GEMM and GB/s of a copy, on as many threads. */
  machine?: { gemm: number; copy: number }
  /** Ours: bytes of the result. */
  result?: number
}

export const best = (values: readonly number[]) => Math.min(...values)
