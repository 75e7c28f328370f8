import type { ProbeEigenvector, ProbeNetwork, ProbeReport } from '../../probe/types.js'
import { figure } from '../figure.js'
import { num, percent, short, tick } from '../format.js'
import { html, type Markup } from '../html.js'
import { Plot } from '../libraries.js'
import type { Section } from '../section.js'
import { drawnSeries, type Series } from '../series.js'
import { groupOf, thumbnails } from '../thumbnails.js'

/** Classes whose mean entry is drawn: those of the largest. */
const classLimit = 12

/** Mean entry of the classes, as bars from 0. */
function classBars(
  report: ProbeReport,
  { classMeans }: ProbeEigenvector,
  id: string,
  title: string,
): Markup | null {
  const all = classMeans.map((value, at) => ({ name: report.groups[at]?.name ?? '', value, at }))
  const kept = all
    .toSorted((a, b) => Math.abs(b.value) - Math.abs(a.value))
    .slice(0, classLimit)
    .sort((a, b) => a.at - b.at)
  if (kept.length < 2) return null
  const most = Math.max(...kept.map(({ value }) => Math.abs(value)))
  return figure({
    id,
    title: `Mean entry by class, ${title}`,
    description: `From ${num(Math.min(...classMeans))} to ${num(Math.max(...classMeans))}.`,
    values: {
      columns: ['class', 'mean entry'],
      rows: kept.map(({ name, value }) => [name, value]),
      hover: 'y',
      place: (row, _, scale) => [scale('x', kept[row]?.value), scale('y', kept[row]?.at)],
    },
    width: 250,
    height: 42 + 15 * kept.length,
    ...{ marginLeft: 92, marginRight: 10, marginTop: 4, marginBottom: 34 },
    x: {
      ...{ domain: [-most, most], label: 'mean entry', labelAnchor: 'center' },
      ...{ labelArrow: 'none', ticks: 3, tickFormat: tick },
    },
    y: {
      ...{ domain: kept.map(({ at }) => at), label: null, tickSize: 0, padding: 0.25 },
      tickFormat: (at: number) => short(all[at]?.name ?? '', 14),
    },
    marks: [
      Plot.barX(kept, {
        ...{ x: 'value', y: 'at', rx: 1 },
        fill: ({ value }: { value: number }) => (value < 0 ? 'var(--before)' : 'var(--after)'),
      }),
      Plot.ruleX([0]),
    ],
  })
}

function vector(report: ProbeReport, one: ProbeEigenvector, at: number, place: number): Markup {
  const title = `eigenvector ${at + 1}`
  const ends = (what: string, list: ProbeEigenvector['high']) =>
    list.length > 0 &&
    html`<p class="end-name">${what}</p>${thumbnails(
      report,
      list.map(({ sample, value }) => ({ sample, note: num(value, 2) })),
    )}`
  return html`<div class="vector"><p class="strip-name">Eigenvector ${at + 1} <small class="note">eigenvalue ${num(one.eigenvalue)}, ${percent(one.share)} of the trace</small></p>
<div class="vector-parts"><div>${ends('Greatest entries', one.high)}${ends('Least entries', one.low)}</div>${classBars(
    report,
    one,
    `vector-${place}-${at}`,
    title,
  )}</div></div>`
}

function vectors(report: ProbeReport, network: ProbeNetwork, place: number): Markup {
  return html`${(network.eigenvectors ?? []).map((one, at) => vector(report, one, at, place))}`
}

function table(report: ProbeReport, series: Series[]): Markup {
  const list = (ends: ProbeEigenvector['high']) =>
    ends
      .map(({ sample, value }) => {
        const group = groupOf(report, sample)
        return `${sample}${group === undefined ? '' : ` ${group}`} (${num(value, 2)})`
      })
      .join(', ')
  return html`<details><summary>Samples of the eigenvectors</summary><div class="scroll"><table>
<thead><tr><th>Network</th><th class="n">Eigenvector</th><th class="n">Of the trace</th><th>Greatest entries</th><th>Least entries</th></tr></thead><tbody>${series.flatMap(
    ({ network, role }) =>
      (network.eigenvectors ?? []).map(
        ({ share, high, low }, at) =>
          html`<tr><th scope="row">${role}</th><td class="n">${at + 1}</td><td class="n">${percent(share)}</td><td>${list(high)}</td><td>${list(low)}</td></tr>`,
      ),
  )}</tbody></table></div></details>`
}

export const eigenvectors: Section = {
  id: 'eigenvectors',
  title: 'The samples behind the eigenvectors',
  render(report) {
    const series = drawnSeries(report, 2).filter(
      ({ network }) => (network.eigenvectors ?? []).length > 0,
    )
    const last = series.at(-1)
    if (!last) return null
    const [first] = series.length > 1 ? series : []
    return html`<p>Leading eigenvectors of the trace kernel of ${last.network.name}. A step on samples at one end of an eigenvector moves those of the same end alike and those of the other end the opposite way, and along the first it is learned first. The sign of an eigenvector is arbitrary: here its largest entry is positive.</p>
${vectors(report, last.network, 1)}
${first && html`<details><summary>The same for ${first.network.name}</summary>${vectors(report, first.network, 0)}</details>`}
${table(report, series)}`
  },
}
