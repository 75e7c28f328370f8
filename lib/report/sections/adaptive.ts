import type { ProbeAdaptive, ProbeReport } from '../../probe/types.js'
import { evenly } from '../curves.js'
import { figure } from '../figure.js'
import { logTick, num, percent, plusMinus, shortNames, whole } from '../format.js'
import { html, type Markup } from '../html.js'
import { Plot } from '../libraries.js'
import type { Section } from '../section.js'
import { type Series, seriesOf } from '../series.js'

/** Layers whose singular values are drawn; the table has all. */
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
  const change = percent(Math.abs(1 - adapted.error / fixed.error))
  const noise = Math.abs(gain.mean) <= 2 * gain.standardError
  const size = `${plusMinus(Math.abs(gain.mean), gain.standardError)}`
  const compared = noise
    ? `the held-out squared errors of fixed and adaptive features differ by noise: ${plusMinus(gain.mean, gain.standardError)}`
    : `the held-out squared error of adaptive features is ${change} ${gain.mean >= 0 ? 'lower' : 'higher'} than with fixed features, by ${size}`
  const stretched =
    largestStretch < 1.001
      ? 'nothing was stretched, so that these are fixed features'
      : `the largest stretch is ${num(largestStretch)}`
  return `${role}: ${compared} (${num(adapted.error)} against ${num(fixed.error)}, ± the paired standard error over the folds); adapting takes the kernel’s alignment with the target from ${num(alignment.before)} to ${num(alignment.after)}; ${stretched}.`
}

/** Singular values of one block, on the scale of all. */
function blockFigure(
  { name, singularValues, stableRank }: ProbeAdaptive['blocks'][number],
  { network, color }: Entry,
  { place, caption, domain }: { place: number; caption: string; domain: [number, number] },
): Markup {
  const [top = 0] = singularValues
  const points = singularValues.flatMap((value, j) =>
    value > 1e-6 * top ? [{ rank: j + 1, value }] : [],
  )
  return html`<figure><figcaption title="${name}">${caption}</figcaption>${figure({
    id: `adaptive-spectrum-${place}`,
    title: `Singular values of the change of ${name}, ${network.name}`,
    description: `The largest is ${num(top)}${stableRank === undefined ? '' : `, the stable rank ${num(stableRank)}`}.`,
    values: {
      columns: ['singular value', name],
      rows: points.map(({ rank, value }) => [rank, value]),
      hover: 'x',
      place: (row, _, scale) => [scale('x', points[row]?.rank), scale('y', points[row]?.value)],
      colors: [color],
    },
    width: 230,
    height: 150,
    marginTop: 20,
    marginBottom: 36,
    marginLeft: 46,
    marginRight: 8,
    x: {
      ...{ type: 'log', domain: [1, 64], label: 'place', labelAnchor: 'center' },
      ...{ labelArrow: 'none', ticks: 3, tickFormat: logTick },
    },
    y: {
      ...{ type: 'log', domain, label: 'σ', labelArrow: 'none', ticks: 3 },
      ...{ grid: true, tickFormat: logTick },
    },
    marks: [
      Plot.line(points, { x: 'rank', y: 'value', stroke: color, strokeWidth: 1.6 }),
      Plot.dot(points, { x: 'rank', y: 'value', r: 1.8, fill: color }),
    ],
  })}</figure>`
}

function spectra(entry: Entry): Markup {
  const blocks = evenly(entry.adaptive.blocks, drawnBlocks)
  const names = shortNames(blocks.map(({ name }) => name))
  const drawn = blocks.flatMap(({ singularValues }) => {
    const [top = 0] = singularValues
    return singularValues.filter((value) => value > 1e-6 * top)
  })
  const domain: [number, number] = [Math.min(...drawn) / 1.5, Math.max(...drawn) * 1.5]
  return html`<h3>What was stretched</h3>
<p>Singular values σ of every layer’s change B in the adaptive model of ${entry.network.name}, on one scale${
    blocks.length < entry.adaptive.blocks.length &&
    `; of ${entry.adaptive.blocks.length} layers ${blocks.length}, evenly over depth`
  }. The stable rank, Σσ² ÷ σ₁², counts the directions that a change takes.</p>
<div class="small-curves">${blocks.map((block, place) =>
    block.singularValues.length > 0 && (block.singularValues[0] ?? 0) > 0
      ? blockFigure(block, entry, { place, caption: names.get(block.name) ?? '', domain })
      : html`<figure><figcaption>${names.get(block.name)}</figcaption><p class="note">no change</p></figure>`,
  )}</div>`
}

function table(all: Entry[], samples: number): Markup {
  const classes = all.some(({ adaptive }) => adaptive.fixed.misclassified > 0)
  const [{ adaptive: one }] = all as [Entry]
  const ridges = ({ ridge, tried }: ProbeAdaptive['fixed']) =>
    html`${num(ridge)}${tried && html`<br><small>of ${tried.map(({ ridge: r }) => num(r)).join(', ')}</small>`}`
  return html`<div class="scroll"><table>
<caption>Mean squared error of ${whole(one.folds)}-fold cross-validation on ${whole(one.samples)} of the ${whole(samples)} samples, each model at the best of three ridges. ± is the standard error over the folds; that of a difference is paired, fold by fold.</caption>
<thead><tr><th>Network</th><th>Features</th><th class="n">Ridge</th><th class="n">Held-out error</th><th class="n">Fixed less adaptive</th>${classes && html`<th class="n">Missed</th>`}<th class="n">Alignment with the target</th></tr></thead>
<tbody>${all.flatMap(({ role, adaptive }) =>
    (['fixed', 'adaptive'] as const).map((kind) => {
      const { error, standardError, misclassified } = adaptive[kind]
      const aligned = kind === 'fixed' ? adaptive.alignment.before : adaptive.alignment.after
      const { mean, standardError: paired } = adaptive.gain
      const gain = html`${plusMinus(mean, paired)}${Math.abs(mean) <= 2 * paired && html`<br><small>noise</small>`}`
      return html`<tr><th scope="row">${role}</th><td>${kind}</td><td class="n">${ridges(adaptive[kind])}</td><td class="n">${plusMinus(error, standardError)}</td><td class="n">${kind === 'adaptive' && gain}</td>${classes && html`<td class="n">${percent(misclassified)}</td>`}<td class="n">${num(aligned)}</td></tr>`
    }),
  )}</tbody></table></div>`
}

function ranks(all: Entry[]): Markup {
  return html`<details><summary>Numbers by layer</summary><div class="scroll"><table>
<thead><tr><th>Network</th><th>Layer</th><th class="n">Shape of B</th><th class="n">Stable rank</th><th class="n">Largest singular values</th></tr></thead>
<tbody>${all.flatMap(({ role, adaptive }) =>
    adaptive.blocks.map(
      ({ name, shape, stableRank, singularValues }) =>
        html`<tr><th scope="row">${role}</th><td><code>${name}</code></td><td class="n">${shape.join(' × ')}</td><td class="n">${stableRank === undefined ? '–' : num(stableRank)}</td><td class="n">${singularValues
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
    return html`${table(all, report.samples)}
<div class="split"><ul class="facts">${all.map((entry) => html`<li>${sentence(entry)}</li>`)}</ul>
<div><p>Both models predict the target, its mean taken off, from the network’s tangent features: one keeps them as they are (tangent-kernel regression), the other may stretch directions of every layer’s features while it is fitted (LeJeune &amp; Alemohammad 2024), which makes each layer’s change approximately low-rank. The alignment is the uncentred cosine of the full kernel, of all samples used here, with the target.</p></div></div>
${spectra(last)}
${ranks(all)}${missing}`
  },
}
