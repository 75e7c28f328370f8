// What a call of a network comes to, by which `auto` chooses its device.
import { hostNodes } from '../model/devices.js'
import { fasterDevice, type Rates, type Work } from '../native/choose.js'
import type { ChosenDevice } from '../native/device.js'
import type { Costs, MatrixLayer } from '../runtime/protocol.js'
import type { Prepared } from './prepared.js'

/** What decides what a call costs. */
export interface Call {
  layers: readonly MatrixLayer[]
  samples: number
  /** Of a kernel's other side: the same ones, where they are `same`. */
  samples2: number
  same: boolean
  outputs: number
  /** Are products between samples computed, as for a kernel? */
  pairs: boolean
  /** Numbers of all values of one sample. */
  extent: number
  /** Bytes of the results, and of one number. */
  results: number
  bytes: number
  /** Of the nodes with derivatives: all, and those that a card leaves to the processor. */
  nodes: number
  onHost: number
}

/**
 * Counted from shapes as docs/architecture.md has it: a pass multiplies O cotangents by every weight, a
 * kernel's pairs cost what their cheapest method does.
 */
export function workOf(call: Call): Work {
  const { samples, samples2, outputs: O, pairs, bytes } = call
  const N = samples + (call.same ? 0 : samples2)
  // Of a kernel of samples with themselves half is computed.
  const both = (call.same ? 1 : 2) * samples * samples2
  let flops = 0
  let factors = 0
  for (const { rows: m, columns: k, positions: T } of call.layers) {
    flops += 2 * N * O * T * m * k
    factors += N * T * (O * m + k)
    if (!pairs) continue
    const formed = 2 * N * O * T * m * k
    flops += Math.min(
      formed + both * O * O * m * k,
      both * (T * T * k + O * O * T * T * m),
      formed + both * (O * T * m * k + O * O * T * m),
    )
  }
  const passed = N * O * call.extent
  const weights = call.layers.reduce((sum, { rows, columns }) => sum + rows * columns, 0)
  // What the processor serves comes down and goes up again.
  const fetched = call.nodes === 0 ? 0 : (2 * passed * call.onHost) / call.nodes
  return {
    flops,
    moved: bytes * (3 * passed + 2 * factors) + 3 * call.results,
    traffic: bytes * (N * call.extent + weights + fetched) + call.results,
    // Blocks as jobs cut them.
    launches: call.nodes * 4 * Math.ceil((N * O) / 4096),
  }
}

/**
 * The device for a call that may choose.
 * @param other samples of a kernel's other side, absent: the same ones
 * @param numbers of the results
 */
export function deviceForCall(
  { core, device, samples, width, extent, threads }: Prepared,
  { layers, rates }: Costs,
  { pairs, other, numbers }: { pairs: boolean; other: number | undefined; numbers: number },
): ChosenDevice {
  const { double } = core.architecture
  const { nodes, onHost } = hostNodes(core.architecture)
  const bytes = double ? 8 : 4
  const work = workOf({
    ...{ layers, samples, samples2: other ?? samples, same: other === undefined },
    ...{ outputs: width, pairs },
    ...{ extent, bytes, results: bytes * numbers, nodes, onHost: onHost.length },
  })
  return fasterDevice(device, work, { ...ratesFor(rates, double), threads }, double)
}

/** The processor's rates for numbers of 8 bytes, which it multiplies half as fast, or of 4. */
export const ratesFor = ({ flops, bandwidth }: Rates, double: boolean): Rates => ({
  flops: double ? flops / 2 : flops,
  bandwidth,
})
