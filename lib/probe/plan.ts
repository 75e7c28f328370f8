import type { Labels } from '../io/labels.js'
import type { TangentKernel } from '../kernels/kernel.js'
import type { KernelMethod, NtkOptions } from '../kernels/ntk.js'
import type { Inputs } from '../model/inputs.js'
import type { LeftOut, TargetSums } from './left-out.js'

/** What the measuring of one network shares with that of the others. */
export interface MeasurePlan {
  x: Inputs
  samples: number
  labels: Labels | null
  targetKernel: TangentKernel | null
  order: readonly number[]
  /** What the alignments and their standard errors need of the target's kernel. */
  targetSums: TargetSums | null
  /** The first network's numbers with each sample left out, by quantity: later ones differ from it. */
  first: Map<string, LeftOut>
  /** Cells on a side of the whole kernel's picture, and of a layer's. */
  cells: { whole: number; layer: number }
  /** Rows of a Gram matrix up to which its spectrum is computed. */
  spectrumLimit: number
  /** Bytes that the network's calls may take. */
  memory: number
  /** Rows of the Gram matrix that the adaptive model is fitted to at most. */
  adaptiveRows: number
  options: Pick<NtkOptions, 'outputs' | 'threads' | 'memory' | 'signal'> & {
    method?: KernelMethod | undefined
  }
  onProgress?: ((fraction: number) => void) | undefined
}
