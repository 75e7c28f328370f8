import type { DataSetName } from './data.js'
import type { Store } from './store.js'

/** What every experiment is run with. */
export interface Context {
  /** Where figures, pages and data go. */
  out: string
  /** Results of single runs. */
  store: Store
  threads: number
  seeds: readonly number[]
  /** The paper's scale, one of minutes, or one of seconds for tests. */
  scale: Scale
  /** Draws what results there are and runs nothing. */
  stored: boolean
  say(text: string): void
}

export type Scale = 'paper' | 'quick' | 'tiny'

/** Options of the figure that compares models. */
export interface CurveOptions {
  dataset: DataSetName
  /** Folder of the data set's files. */
  folder: string | undefined
  protocol: 'redrawn' | 'fixed-set'
  /** Samples per epoch, or in all; default: the protocol's own. */
  sizes: readonly number[] | undefined
  /** Fits by the solver as well, up to this many samples; 0: none. */
  solver: number | undefined
}
