// A kernel by the device of the tests, with what it left to the processor.
import { cutKernel } from '../../lib/derivatives/blocks.js'
import { execute } from '../../lib/derivatives/derive.js'
import type { NdArray, Network } from '../../lib/index.js'
import { planKernels } from '../../lib/kernels/ntk.js'
import { cores } from '../../lib/model/core.js'
import { testDevice } from './device.js'

/** The kernel's numbers, and the nodes that the processor served, "name (Op)". */
export async function kernelOnDevice(
  network: Network,
  inputs: NdArray | Record<string, NdArray>,
): Promise<{ data: ArrayLike<number>; onHost: string[] }> {
  const core = cores.get(network)
  if (!core) throw new Error('a network without a core')
  const planned = await planKernels(core, inputs, undefined, { device: testDevice })
  const { arrays, result } = await execute(planned)
  const [kernel] = arrays
  if (!kernel || !result.device) throw new Error('nothing ran on the device')
  const { prepared, kind } = planned
  const { samples } = prepared
  return {
    data: cutKernel(prepared, kernel.data, kind, [samples, samples]),
    onHost: result.device.onHost,
  }
}

/** Of "name (Op)". */
export const operatorOf = (node: string): string => / \((.*)\)$/.exec(node)?.[1] ?? node
