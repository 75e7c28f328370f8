// The least time that a fit could take here: for every iteration the products of its kernel
// (of rows with rows, and of dense features with the directions that are stretched) at the rate of a float64 GEMM, one dpotrf of the kernel and one dgesdd of every adaptive
// block, each at what it takes alone on one thread, spread over the threads without loss.
import { native } from '../../lib/native.js'
import type { FitIteration } from '../../lib/solve/adaptive.js'
import type { BlockShape } from '../../lib/solve/features.js'

export interface Rates {
  /** GFLOP/s of one thread. */
  gemm: number
  /** Seconds on one thread. */
  potrf: number
  syevd: number
  gesdd: number
  threads: number
}

export function rates(rows: number, blocks: readonly BlockShape[], threads: number): Rates {
  const shapes = blocks.map(({ m, k }): [number, number] => [m, k])
  const { gemm, potrf, syevd, gesdd } = native.factorisations(rows, shapes)
  return { gemm, potrf, syevd, gesdd: gesdd.reduce((sum, s) => sum + s, 0), threads }
}

/** Seconds that each part of some iterations would take. */
export function floor(iterations: readonly FitIteration[], r: Rates) {
  const flops = iterations.reduce((sum, { kernelFlops }) => sum + kernelFlops, 0)
  const products = flops / (r.gemm * 1e9 * r.threads)
  const factors = (iterations.length * r.potrf) / r.threads
  const singular = (iterations.length * r.gesdd) / r.threads
  return { products, factors, singular, total: products + factors + singular }
}
