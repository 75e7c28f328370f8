import type { ProbeReport } from '../probe/types.js'
import { html, type Markup } from './html.js'
import { seriesOf } from './series.js'

/** Names of the networks with their colours; nothing for one network. */
export function legend(report: ProbeReport): Markup | null {
  if (report.networks.length < 2) return null
  return html`<div class="legend">${seriesOf(report).map(
    ({ label, color }) => html`<span><i style="background:${color}"></i>${label}</span> `,
  )}</div>`
}
