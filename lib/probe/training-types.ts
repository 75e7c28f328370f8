import type { CheckpointUnit } from '../alignment/checkpoint-files.js'
import type { PlainMeasures } from '../alignment/table.js'
import type { ProbeEstimate } from './left-out.js'
import type { ProbeRaster } from './raster.js'

/** One checkpoint of the whole training: numbers to 6 significant digits. */
export interface ProbeCheckpoint {
  index: number
  name: string
  step: number | null
  /** What `step` counts. */
  unit: CheckpointUnit
  /** Share of the samples whose largest output is not their class; null where that has no meaning. */
  error: number | null
  total: PlainMeasures
  /** Of the whole kernel's centred alignment with the labels; `change` is that since the start. */
  centred?: ProbeEstimate
  /** In the order of `ProbeTraining.parts`. */
  parts: PlainMeasures[]
}

/** A checkpoint that is shown in full. */
export interface ProbeFrame {
  /** Index of the checkpoint. */
  index: number
  /** The whole trace kernel, in the report's order of samples. */
  raster: ProbeRaster
  /** Points (rank, eigenvalue) of the spectrum, thinned on the log axis; empty without a spectrum. */
  spectrum: { rank: number; value: number }[]
}

/** The kernel along training: what `alignmentAlong` measures, trace kernels by layer. */
export interface ProbeTraining {
  /** What ŷ is in K_ŷ = (ŷ − f_0)(ŷ − f_0)ᵀ, in words; null where there is none. */
  learned: string | null
  /** Numbers of leading eigenvectors of the energies. */
  top: number[]
  /** Layers, from the input to the output. */
  parts: string[]
  checkpoints: ProbeCheckpoint[]
  /** At most 24, evenly over the checkpoints, the first and the last among them. */
  frames: ProbeFrame[]
}
