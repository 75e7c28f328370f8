import type { ProbeReport } from '../probe/types.js'
import { html, type Markup } from './html.js'
import { seriesOf } from './series.js'

export interface LegendEntry {
  label: string
  color: string
  /** As SVG writes it. */
  dash?: string | undefined
}

/** What the lines or marks of a figure stand for, each with its colour and its dashes. */
export function legendOf(entries: readonly LegendEntry[]): Markup {
  return html`<div class="legend">${entries.map(
    ({ label, color, dash = 'none' }) =>
      html`<span><svg width="22" height="10" aria-hidden="true"><line x1="1" x2="21" y1="5" y2="5" style="stroke:${color};stroke-dasharray:${dash}"/></svg>${label}</span> `,
  )}</div>`
}

/** Names of the networks with their colours; nothing for one network. */
export function legend(report: ProbeReport): Markup | null {
  return report.networks.length < 2 ? null : legendOf(seriesOf(report))
}
