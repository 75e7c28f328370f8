import type { ProbeAdaptive, ProbeReport } from '../../probe/types.js'
import { figure } from '../figure.js'
import { num, percent, shortNames, whole } from '../format.js'
import { html, type Markup } from '../html.js'
import { Plot } from '../libraries.js'
import type { Section } from '../section.js'
import { type Series, seriesOf } from '../series.js'

/** Blocks with more are left out of the picture, not of the table. */
const drawnBlocks = 12

interface Entry extends Series {
  adaptive: ProbeAdaptive
}

const entries = (report: ProbeReport): Entry[] =>
  seriesOf(report).flatMap((one) =>
    one.network.adaptive ? [{ ...one, adaptive: one.network.adaptive }] : [],
  )

function sentence({ role, adaptive }: Entry): string {
  const { fixed, adaptive: adapted, gain, alignment, largestStretch } = adaptive
  const change = 1 - adapted.error / fixed.error
  const clear = Math.abs(gain.mean) > 2 * gain.standardError
  const direction = gain.mean >= 0 ? 'lower' : 'higher'
  const size = clear
    ? `${percent(Math.abs(change))} ${direction} than with fixed features`
    : 'no different from that of fixed features beyond its standard error'
  const stretched =
    largestStretch < 1.001
      ? 'nothing was stretched, so that these are fixed features'
      : `the largest stretch is ${num(largestStretch)}`
  return `${role}: the held-out squared error of adaptive features is ${size} (${num(adapted.error)} against ${num(fixed.error)}); adapting takes the kernel’s alignment with the target from ${num(alignment.before)} to ${num(alignment.after)}; ${stretched}.`
}

function spectra({ adaptive, network, color }: Entry, index: number): Markup {
  const blocks = adaptive.blocks.slice(0, drawnBlocks)
  const names = shortNames(blocks.map(({ name }) => name))
  const points = blocks.flatMap(({ name, singularValues }) => {
    const [top = 0] = singularValues
    return singularValues.flatMap((value, j) =>
      value > 1e-6 * top ? [{ name, place: j + 1, value }] : [],
    )
  })
  return figure({
    id: `adaptive-spectra-${index}`,
    title: `Singular values of every block, ${network.name}`,
    description: adaptive.blocks
      .slice(0, drawnBlocks)
      .map(({ name, effectiveRank }) => `${name}: effective rank ${num(effectiveRank)}.`)
      .join(' '),
    height: 60 + 70 * Math.ceil(blocks.length / 2),
    marginBottom: 36,
    marginLeft: 52,
    x: { type: 'log', label: 'place', labelAnchor: 'center', labelArrow: 'none', ticks: 3 },
    y: { type: 'log', label: null, ticks: 3, grid: true, tickFormat: '.0e' },
    fx: { domain: [0, 1], axis: null },
    fy: { axis: null, padding: 0.2 },
    marks: [
      Plot.lineY(points, {
        fx: (d: { name: string }) => [...names.keys()].indexOf(d.name) % 2,
        fy: (d: { name: string }) => Math.floor([...names.keys()].indexOf(d.name) / 2),
        x: 'place',
        y: 'value',
        z: 'name',
        stroke: color,
        marker: 'dot',
      }),
      Plot.text(blocks, {
        fx: (_: unknown, i: number) => i % 2,
        fy: (_: unknown, i: number) => Math.floor(i / 2),
        text: (d: { name: string }) => names.get(d.name) ?? d.name,
        frameAnchor: 'top-right',
        fontSize: 11,
      }),
    ],
  })
}

function table(all: Entry[]): Markup {
  const classes = all.some(({ adaptive }) => adaptive.fixed.misclassified > 0)
  return html`<div class="scroll"><table>
<thead><tr><th>Network</th><th>Features</th><th class="n">Ridge</th><th class="n">Held-out error</th><th class="n">± standard error</th>${classes && html`<th class="n">Missed</th>`}<th class="n">Alignment with the target</th></tr></thead>
<tbody>${all.flatMap(({ role, adaptive }) =>
    (['fixed', 'adaptive'] as const).map((kind) => {
      const { ridge, error, standardError, misclassified } = adaptive[kind]
      const aligned = kind === 'fixed' ? adaptive.alignment.before : adaptive.alignment.after
      return html`<tr><th scope="row">${role}</th><td>${kind}</td><td class="n">${num(ridge)}</td><td class="n">${num(error)}</td><td class="n">${num(standardError)}</td>${classes && html`<td class="n">${percent(misclassified)}</td>`}<td class="n">${num(aligned)}</td></tr>`
    }),
  )}</tbody></table></div>`
}

function ranks(all: Entry[]): Markup {
  return html`<details><summary>Numbers by block</summary><div class="scroll"><table>
<thead><tr><th>Network</th><th>Block</th><th class="n">Shape</th><th class="n">Effective rank</th><th class="n">Largest singular values</th></tr></thead>
<tbody>${all.flatMap(({ role, adaptive }) =>
    adaptive.blocks.map(
      ({ name, shape, effectiveRank, singularValues }) =>
        html`<tr><th scope="row">${role}</th><td><code>${name}</code></td><td class="n">${shape.join(' × ')}</td><td class="n">${num(effectiveRank)}</td><td class="n">${singularValues
          .slice(0, 4)
          .map((value) => num(value))
          .join(', ')}</td></tr>`,
    ),
  )}</tbody></table></div></details>`
}

export const adaptive: Section = {
  id: 'adaptive',
  title: 'What adapting the features gains',
  render(report) {
    const all = entries(report)
    const [first] = all
    const missing = seriesOf(report).flatMap(({ role, network }) =>
      network.adaptiveMissing
        ? [html`<p>${role}: not fitted, as ${network.adaptiveMissing}.</p>`]
        : [],
    )
    if (!first) return missing.length > 0 ? html`${missing}` : null
    const last = all.at(-1) as Entry
    const { samples, folds } = first.adaptive
    return html`${table(all)}
<div class="split"><ul class="facts">${all.map((entry) => html`<li>${sentence(entry)}</li>`)}</ul>
<div><p>Both models predict the target, its mean taken off, from the network’s tangent features: one keeps them as they are (tangent-kernel regression), the other may stretch directions of every layer’s features while it is fitted (LeJeune &amp; Alemohammad 2024), which makes each layer’s change approximately low-rank. The errors are those of ${whole(folds)}-fold cross-validation on ${whole(samples)} samples, each model at the best of three ridges; the alignment is the uncentred cosine of the full kernel.</p></div></div>
<figure><p>Singular values of every layer’s change in the adaptive model of ${last.network.name}:</p>${spectra(last, 0)}</figure>
${ranks(all)}${missing}`
  },
}
