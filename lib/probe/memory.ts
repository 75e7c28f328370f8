import { formatBytes, roomBeside } from '../core/memory.js'
import type { Network } from '../network/network.js'

/**
 * The (N, N) kernels that measuring one network keeps: one for each layer and their sum, which is added up in
 * float64, and the target's. Told before any of them is computed.
 * @throws TangentError MEMORY_BUDGET that says how many samples would fit.
 */
export function checkKernels(
  network: Network,
  samples: number,
  { target, memory }: { target: boolean; memory: number },
): void {
  const learned = network.parameters.filter(({ frozen }) => !frozen)
  const layers = new Set(learned.map(({ layer }) => layer)).size
  const pair = 4 * layers + 8 + 4 + (target ? 4 : 0)
  const what = `Measuring ${layers} layers, with ${formatBytes(pair)} for each pair of ${samples} samples,`
  roomBeside(pair * samples ** 2, memory, what, () => {
    const fit = Math.floor(Math.sqrt(memory / pair))
    return `${fit} samples would fit; ntk with a sink or openKernel keep kernels on disk`
  })
}
