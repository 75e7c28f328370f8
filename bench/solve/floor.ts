// The least time that a fit could take here, from what no iteration can avoid: the products of its
// kernel (of rows with rows, and of dense features with the directions that are stretched) at the
// rate of a float64 GEMM, Σ α X (a GEMM for factors; features multiplied out are read once), one
// dpotrf of the kernel and one dgesdd of every adaptive block, each at what it takes alone on one
// thread, spread over the threads without loss.

import type { FitIteration } from '../../lib/fit/adaptive.js'
import type { BlockShape } from '../../lib/fit/features.js'
import { native } from '../../lib/native/index.js'

export interface Rates {
  /** GFLOP/s of one thread. */
  gemm: number
  /** GB/s that all threads read. */
  read: number
  /** Seconds on one thread. */
  potrf: number
  syevd: number
  gesdd: number
  threads: number
}

export function rates(rows: number, blocks: readonly BlockShape[], threads: number): Rates {
  const shapes = blocks.map(({ m, k }): [number, number] => [m, k])
  const { gemm, potrf, syevd, gesdd } = native.factorisations(rows, shapes)
  // A copy reads and writes.
  const read = 2 * native.machine(512, threads).copy
  return { gemm, read, potrf, syevd, gesdd: gesdd.reduce((sum, s) => sum + s, 0), threads }
}

/** FLOPs of Σ α X of factors, or the bytes of features that were multiplied out. */
export interface Adjoint {
  flops: number
  bytes: number
}

/** Seconds that each part of some iterations would take. */
export function floor(iterations: readonly FitIteration[], adjoint: Adjoint, r: Rates) {
  const once = adjoint.flops / (r.gemm * 1e9 * r.threads) + adjoint.bytes / (r.read * 1e9)
  const adjoints = iterations.length * once
  const flops = iterations.reduce((sum, { kernelFlops }) => sum + kernelFlops, 0)
  const products = flops / (r.gemm * 1e9 * r.threads)
  const factors = (iterations.length * r.potrf) / r.threads
  const singular = (iterations.length * r.gesdd) / r.threads
  return { products, adjoints, factors, singular, total: products + adjoints + factors + singular }
}
