// The least time that a workload could take on this machine: the FLOPs of the passes and of the
// cheapest known contraction at the GEMM rate, or the bytes of the result at the copy rate.
import { native } from '../../lib/native/index.js'
import { cheapestWork, type MatrixLayer } from '../flops.js'
import type { Call } from './workloads.js'

/** FLOPs of a call on N samples and O outputs; the notation is ../flops.ts's. */
export function work(
  call: Call,
  layers: readonly MatrixLayer[],
  samples: number,
  outputs: number,
): number | null {
  const { passes, contraction } = cheapestWork(layers, samples, outputs)
  switch (call) {
    case 'ntk':
      return passes + contraction
    case 'jacobian':
      return (
        passes +
        sum(layers, ({ rows, columns, positions: t }) => 2 * samples * outputs * t * rows * columns)
      )
    case 'trace':
      return (
        passes +
        sum(layers, ({ rows: m, columns: n, positions: t }) => {
          const pairs = samples ** 2
          return Math.min(
            2 * samples * outputs * t * m * n + pairs * outputs * m * n,
            pairs * (t ** 2 * n + outputs * t ** 2 * m),
            2 * pairs * outputs * (t ** 2 * n + t * m * n),
          )
        })
      )
    case 'gradient':
      return sum(layers, ({ rows, columns, positions: t }) => 6 * samples * t * rows * columns)
    case 'eigenvalues':
      // The number of products depends on the spectrum.
      return null
  }
}

function sum(layers: readonly MatrixLayer[], cost: (layer: MatrixLayer) => number): number {
  return layers.reduce((total, layer) => total + cost(layer), 0)
}

/** GFLOP/s of the better of two matrix products, GB/s of a copy. */
export function machineRates(threads: number): { gemm: number; copy: number } {
  const rates = [1024, 2048].map((size) => native.machine(size, threads))
  return {
    gemm: Math.max(...rates.map(({ gemm }) => gemm)),
    copy: Math.max(...rates.map(({ copy }) => copy)),
  }
}

/** Seconds; bytes are written once. */
export function floorSeconds(
  flops: number | null,
  bytes: number,
  machine: { gemm: number; copy: number },
): number {
  return Math.max((flops ?? 0) / machine.gemm, bytes / machine.copy) / 1e9
}
