import type { ProbeReport } from '../probe/types.js'
import type { Markup } from './html.js'

/**
 * A part of the page. Its file draws one thing from the report's numbers and computes none; a new one
 * is a file in `sections/` and a row in `sections/index.ts`. To draw there is
 * - `figure` (figure.ts): a plot as SVG with a title, a description, the link that saves its
 *   `values` as CSV, and their hover values, `place` telling where each lies;
 * - `heatmap` and `colorBar` (heatmap.ts): a square picture of samples or classes, its names, its
 *   numbers as NPY, hover values with the samples' pictures;
 * - `thumbnails` (thumbnails.ts): samples by their numbers in the input, as pictures or numbers. Those
 *   of `report.thumbnails` can be shown; `thumbnailsOf` (lib/probe) makes them;
 * - `html`: everything put into it is escaped text, unless it is `Markup`.
 * A table of a figure's numbers goes beneath it in `<details>`, which is open on paper.
 */
export interface Section {
  /** The anchor in the page. */
  id: string
  title: string
  /** Null where the report holds nothing to show. */
  render(report: ProbeReport): Markup | null
}
