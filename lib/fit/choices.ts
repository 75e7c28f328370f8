// What a fit chose, and from what.
import type { SelectionError } from './held-out.js'
import type { SettledPrice } from './price.js'

/** Held-out error of one candidate. */
export interface CandidatePrice {
  /** Infinity: fixed features. */
  price: SettledPrice
  ridge: number
  /** Of what is held out, in the mean over all folds and repeats; see {@link PriceSelection.by}. */
  error: number
  /** Its standard error over folds and repeats, which share their samples (Nadeau & Bengio 2003). */
  standardError: number
}

/** What was chosen, and from what. */
export interface PriceSelection {
  price: SettledPrice
  ridge: number
  /**
   * What errors are: the mean squared error of the held-out rows or, where the targets are classes, the
   * cross-entropy of their held-out samples with outputs scaled to fit it best.
   */
  by: SelectionError
  /** All candidates. */
  grid: CandidatePrice[]
  /**
   * Error of the best fixed features less that of the best adaptive ones, in the mean, with its
   * standard error: adaptive ones are chosen where it is larger than that, or than half of that by
   * cross-entropy. Null where the price was given.
   */
  gain: { mean: number; standardError: number } | null
}

/** Where the starts of one fit ended. */
export interface StartSummary {
  /** Of every start, in their order: the fixed model, down from a large price, random ones. */
  objectives: number[]
  /** The one that was kept. */
  best: number
  /** (largest − least) / least objective. */
  spread: number
}
