import { thinned } from '../../probe/thinned.js'
import type { ProbeReport, ProbeSpectrum } from '../../probe/types.js'
import { matrixName, spectrumFacts } from '../facts.js'
import { figure } from '../figure.js'
import { num, whole } from '../format.js'
import { html, type Markup } from '../html.js'
import { legend } from '../legend.js'
import { Plot } from '../libraries.js'
import type { Section } from '../section.js'
import { seriesOf } from '../series.js'
import { spectrumFrame } from '../spectrum-frame.js'

function spectra(report: ProbeReport): Markup {
  const series = seriesOf(report)
  const curves = series.flatMap(({ network, label, color, dash }) =>
    thinned(network.spectrum.eigenvalues).map((point) => ({ ...point, label, color, dash })),
  )
  if (curves.length === 0) return html`<p>No eigenvalue lies above rounding.</p>`
  const least = Math.min(...curves.map(({ value }) => value))
  const most = Math.max(...curves.map(({ value }) => value))
  const ranks = series
    .map(({ network, label, color }) => {
      const { effectiveRank, eigenvalues } = network.spectrum
      const at = Math.min(Math.max(Math.round(effectiveRank), 1), eigenvalues.length)
      return { rank: effectiveRank, value: eigenvalues[at - 1] ?? 0, label, color }
    })
    .filter(({ value }) => value > 0)
  const single = curves.filter((point, i) =>
    curves.every((other, j) => i === j || other.label !== point.label),
  )
  const found = [...new Set(curves.map(({ rank }) => rank))].sort((a, b) => a - b)
  const byPlace = new Map(curves.map(({ label, rank, value }) => [`${label} ${rank}`, value]))
  const rows = found.map((rank) => [
    rank,
    ...series.map(({ label }) => byPlace.get(`${label} ${rank}`) ?? null),
  ])
  return figure({
    id: 'spectrum',
    values: {
      columns: ['eigenvalue', ...series.map(({ label }) => label)],
      rows,
      hover: 'x',
      place: (row, column, scale) => [scale('x', rows[row]?.[0]), scale('y', rows[row]?.[column])],
      colors: series.map(({ color }) => color),
    },
    title: 'Eigenvalues of the tangent kernel, on log axes',
    description: spectrumFacts(report).join(' '),
    ...spectrumFrame(Math.max(...curves.map(({ rank }) => rank)), [least, most]),
    marks: [
      ...[...new Set(curves.map(({ dash }) => dash))].map((dash) =>
        Plot.line(
          curves.filter((point) => point.dash === dash),
          {
            ...{ x: 'rank', y: 'value', z: 'label', stroke: 'color', strokeWidth: 2 },
            ...{ strokeDasharray: dash, title: 'label' },
          },
        ),
      ),
      Plot.dot(single, { x: 'rank', y: 'value', fill: 'color' }),
      Plot.dot(ranks, {
        x: 'rank',
        y: 'value',
        r: 5,
        fill: 'var(--paper)',
        stroke: 'color',
        strokeWidth: 2,
        title: (d) => `${d.label}: effective rank ${num(d.rank)}`,
      }),
      Plot.text(ranks.length <= 2 ? ranks : [], {
        x: 'rank',
        y: 'value',
        text: (d) => `effective rank ${num(d.rank)}`,
        textAnchor: 'start',
        dx: 9,
        dy: -9,
        fill: 'color',
        stroke: 'var(--paper)',
        strokeWidth: 4,
        fontWeight: 600,
      }),
    ],
  })
}

function table(report: ProbeReport): Markup {
  const series = seriesOf(report)
  const most = Math.max(...series.map(({ network }) => network.spectrum.size))
  const ranks = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].filter(
    (rank) => rank <= most,
  )
  const row = (name: string, value: (spectrum: ProbeSpectrum) => number | undefined) =>
    html`<tr><th scope="row">${name}</th>${series.map(({ network }) => {
      const number = value(network.spectrum)
      return html`<td class="n">${number === undefined ? '–' : num(number)}</td>`
    })}</tr>`
  return html`<details><summary>Numbers of the spectrum</summary><div class="scroll"><table>
<thead><tr><td></td>${series.map(({ label }) => html`<th class="n" scope="col">${label}</th>`)}</tr></thead>
<tbody>${row('Effective rank', (s) => s.effectiveRank)}${ranks.map((rank) =>
    row(`Eigenvalue ${whole(rank)}`, (s) => s.eigenvalues[rank - 1]),
  )}</tbody></table></div></details>`
}

export const spectrum: Section = {
  id: 'spectrum-section',
  title: 'Eigenvalue spectrum',
  render(report) {
    const first = report.networks[0]
    if (!first) return null
    return html`<div class="split"><figure>${legend(report)}${spectra(report)}</figure>
<div><p>Eigenvalues of ${matrixName(first, report.samples)}. Gradient descent learns along the eigenvector of a large eigenvalue quickly, along that of a small one slowly.</p>
<ul class="facts">${spectrumFacts(report).map((fact) => html`<li>${fact}</li>`)}</ul>
<p class="note">The effective rank, marked on the curves, is exp(−Σ p log p) with p the eigenvalues divided by their sum. Eigenvalues that are only rounding are not drawn: below 10⁻⁷ of the largest, or smaller than the most negative one.</p></div></div>
${table(report)}`
  },
}
