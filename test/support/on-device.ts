// Calls by the device of the tests, with what it left to the processor.
import { cutKernel } from '../../lib/derivatives/blocks.js'
import { execute, type Planned } from '../../lib/derivatives/derive.js'
import { planJvp } from '../../lib/derivatives/jvp.js'
import type { NdArray, Network } from '../../lib/index.js'
import { planKernels } from '../../lib/kernels/ntk.js'
import { cores } from '../../lib/model/core.js'
import { testDevice } from './device.js'

/** Numbers, and the nodes that the processor served, "name (Op)". */
interface OnDevice {
  data: ArrayLike<number>
  onHost: string[]
}

export async function kernelOnDevice(
  network: Network,
  inputs: NdArray | Record<string, NdArray>,
): Promise<OnDevice> {
  const planned = await planKernels(coreOf(network), inputs, undefined, { device: testDevice })
  const { data, onHost } = await ran(planned)
  const { prepared, kind } = planned
  const { samples } = prepared
  return { data: cutKernel(prepared, data, kind, [samples, samples]), onHost }
}

/** J·Δ. */
export async function tangentOnDevice(
  network: Network,
  inputs: NdArray | Record<string, NdArray>,
  direction: ReadonlyMap<string, NdArray<Float32Array>>,
): Promise<OnDevice> {
  return ran(await planJvp(coreOf(network), inputs, direction, { device: testDevice }))
}

function coreOf(network: Network) {
  const core = cores.get(network)
  if (!core) throw new Error('a network without a core')
  return core
}

async function ran(planned: Planned) {
  const { arrays, result } = await execute(planned)
  const [array] = arrays
  if (!array || !result.device) throw new Error('nothing ran on the device')
  return { data: array.data, onHost: result.device.onHost }
}

/** Of "name (Op)". */
export const operatorOf = (node: string): string => / \((.*)\)$/.exec(node)?.[1] ?? node
