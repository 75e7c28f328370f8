import type { ProbeLayer, ProbeReport } from '../../probe/types.js'
import { layerFacts } from '../facts.js'
import { figure } from '../figure.js'
import { num, percent, shortNames } from '../format.js'
import { html, type Markup } from '../html.js'
import { legend } from '../legend.js'
import { Plot } from '../libraries.js'
import type { Section } from '../section.js'
import { drawnSeries, leftOut, seriesOf } from '../series.js'

/** More layers than this are drawn as curves over depth instead of bars with names. */
const barLimit = 40
/** More networks than this are left out but for the first and the last. */
const networkLimit = 4

interface Point extends ProbeLayer {
  depth: number
  /** Place of its network among those drawn. */
  place: number
  label: string
  color: string
}

function points(report: ProbeReport): Point[] {
  return drawnSeries(report, networkLimit).flatMap(({ network, label, color }, place) =>
    network.layers.map((layer, depth) => ({ ...layer, depth, place, label, color })),
  )
}

const texts = (report: ProbeReport) => ({
  id: 'layer-shares',
  title: 'Share of the kernel’s trace by layer',
  description: layerFacts(report).join(' '),
})

function bars(report: ProbeReport): Markup {
  const data = points(report)
  const names = shortNames([...new Set(data.map(({ name }) => name))])
  const places = [...new Set(data.map(({ place }) => place))]
  return figure({
    ...texts(report),
    height: 16 + names.size * (8 + 15 * places.length),
    marginLeft: 140,
    marginRight: 48,
    marginTop: 8,
    marginBottom: 8,
    x: { axis: null, domain: [0, Math.max(...data.map(({ share }) => share))] },
    y: { axis: null, domain: places, padding: 0.15 },
    fy: {
      label: null,
      domain: [...names.keys()],
      tickFormat: (name: string) => names.get(name) ?? '',
      padding: 0.2,
    },
    marks: [
      Plot.barX(data, {
        fy: 'name',
        y: 'place',
        x: 'share',
        fill: 'color',
        rx2: 2,
        title: (d: Point) => `${d.name}, ${d.label}: ${percent(d.share)}`,
      }),
      Plot.text(data, {
        fy: 'name',
        y: 'place',
        x: 'share',
        text: (d: Point) => percent(d.share),
        textAnchor: 'start',
        dx: 5,
        fontSize: 11,
      }),
      Plot.ruleX([0]),
    ],
  })
}

function curves(report: ProbeReport): Markup {
  return figure({
    ...texts(report),
    height: 280,
    marginBottom: 42,
    x: { label: 'layer, from input to output', labelAnchor: 'center', labelArrow: 'none' },
    y: { label: 'share of the trace, %', percent: true, grid: true, zero: true },
    marks: [
      Plot.lineY(points(report), { x: 'depth', y: 'share', z: 'label', stroke: 'color' }),
      Plot.dot(points(report), {
        x: 'depth',
        y: 'share',
        r: 2,
        fill: 'color',
        title: (d: Point) => `${d.name}, ${d.label}: ${percent(d.share)}`,
      }),
    ],
  })
}

function table(report: ProbeReport): Markup {
  const series = seriesOf(report)
  const names = new Set(series.flatMap(({ network }) => network.layers.map(({ name }) => name)))
  return html`<details><summary>Numbers by layer</summary><div class="scroll"><table>
<thead><tr><th>Layer</th>${series.map(({ role }) => html`<th class="n">Trace, ${role}</th><th class="n">Share</th>`)}</tr></thead>
<tbody>${[...names].map(
    (name) =>
      html`<tr><th scope="row"><code>${name}</code></th>${series.map(({ network }) => {
        const layer = network.layers.find((one) => one.name === name)
        return layer
          ? html`<td class="n">${num(layer.trace)}</td><td class="n">${percent(layer.share)}</td>`
          : html`<td class="n">–</td><td class="n">–</td>`
      })}</tr>`,
  )}<tr class="total"><th scope="row">Total</th>${series.map(
    ({ network }) => html`<td class="n">${num(network.trace)}</td><td class="n">100 %</td>`,
  )}</tr></tbody></table></div></details>`
}

export const layers: Section = {
  id: 'layers',
  title: 'Where the kernel comes from',
  render(report) {
    const most = Math.max(...report.networks.map((network) => network.layers.length))
    return html`<div class="split"><figure>${legend(report)}${most > barLimit ? curves(report) : bars(report)}</figure>
<div><p>The kernel is a sum over layers. A layer’s share of the trace says how much of the network’s sensitivity lies in its weights: a small step on them moves the outputs that much. ${leftOut(report, networkLimit)}</p>
<ul class="facts">${layerFacts(report).map((fact) => html`<li>${fact}</li>`)}</ul></div></div>
${table(report)}`
  },
}
