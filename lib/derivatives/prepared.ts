import type { Core, DerivativeOptions } from '../model/core.js'
import type { ChosenDevice, ProductPrecision } from '../native/device.js'
import type { Costs, Feed, FixedBlock, PlanMessage } from '../runtime/protocol.js'

/** A derivative call, ready to go. */
export interface Prepared {
  core: Core
  plan: PlanMessage
  x: Feed
  /** Of x; not what `x` says where the file takes blocks. */
  samples: number
  /**
   * Set where the file takes a fixed number of samples at once, or all are wanted as one: then x and
   * outputs are of blocks.
   */
  block?: FixedBlock | undefined
  threads: number
  /** Flat outputs of the network. */
  allOutputs: number
  /** Numbers of all values of one sample. */
  extent: number
  /** Those wanted. */
  outputs: number[]
  /** How many are wanted of each sample. */
  width: number
  /** 1 where samples have to be run one by one, else 0. */
  batch: number
  /** Memory budget in bytes. */
  budget: number
  nonFinite: 'throw' | 'return'
  device: ChosenDevice
  precision: ProductPrecision
  /** Where `auto` is to choose between the processor and a card. */
  costs?: Costs | undefined
  options: DerivativeOptions
}
