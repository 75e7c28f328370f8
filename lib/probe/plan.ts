import type { Labels } from '../io/labels.js'
import type { TangentKernel } from '../kernels/kernel.js'
import type { NtkOptions } from '../kernels/ntk.js'
import type { Inputs } from '../model/inputs.js'

/** What the measuring of one network shares with that of the others. */
export interface MeasurePlan {
  x: Inputs
  samples: number
  labels: Labels | null
  targetKernel: TangentKernel | null
  order: readonly number[]
  /** Cells on a side of the whole kernel's picture, and of a layer's. */
  cells: { whole: number; layer: number }
  /** Rows of a Gram matrix up to which its spectrum is computed. */
  spectrumLimit: number
  /** Rows of the Gram matrix that the adaptive model is fitted to at most. */
  adaptiveRows: number
  options: Pick<NtkOptions, 'method' | 'outputs' | 'threads' | 'memory' | 'signal'>
  onProgress?: ((fraction: number) => void) | undefined
}
