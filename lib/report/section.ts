import type { ProbeReport } from '../probe/types.js'
import type { Markup } from './html.js'

/** A part of the page. Its file draws one thing from the report's numbers and computes none. */
export interface Section {
  /** The anchor in the page. */
  id: string
  title: string
  /** Null where the report holds nothing to show. */
  render(report: ProbeReport): Markup | null
}
