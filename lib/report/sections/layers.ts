import type { ProbeLayer, ProbeReport } from '../../probe/types.js'
import { layerFacts } from '../facts.js'
import { figure } from '../figure.js'
import { num, percent, plusMinus, shortNames, tick } from '../format.js'
import { html, type Markup } from '../html.js'
import { graphNote, layerGraph } from '../layer-graph.js'
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

/** Shares by layer, a column for each network. */
function sharesOf(names: readonly string[], data: readonly Point[]) {
  const labels = [...new Set(data.map(({ label }) => label))]
  const share = (name: string, label: string) =>
    data.find((point) => point.name === name && point.label === label)?.share
  return {
    columns: ['layer', ...labels.map((label) => `share of the trace, ${label}`)],
    rows: names.map((name) => [
      name,
      ...labels.map((label) => {
        const found = share(name, label)
        return found === undefined ? null : Number(found.toPrecision(6))
      }),
    ]),
    colors: labels.map((label) => data.find((point) => point.label === label)?.color ?? ''),
  }
}

function bars(report: ProbeReport): Markup {
  const data = points(report)
  const names = shortNames([...new Set(data.map(({ name }) => name))])
  const order = [...names.keys()]
  const places = new Set(data.map(({ place }) => place)).size
  // A bar is 1 high; between layers lies half a bar.
  const top = ({ name, place }: Point) => order.indexOf(name) * (places + 0.5) + place
  const table = sharesOf(order, data)
  return figure({
    ...texts(report),
    values: {
      ...table,
      hover: 'y',
      place: (row, column, scale) => [
        scale('x', table.rows[row]?.[column]),
        scale('y', row * (places + 0.5) + column - 0.5),
      ],
    },
    height: 16 + names.size * (8 + 15 * places),
    marginLeft: 140,
    marginRight: 48,
    marginTop: 8,
    marginBottom: 8,
    x: { axis: null, domain: [0, Math.max(...data.map(({ share }) => share))] },
    y: { axis: null, domain: [0, order.length * (places + 0.5) - 0.5], reverse: true },
    marks: [
      Plot.rect(data, {
        ...{ x1: 0, x2: 'share', y1: (d: Point) => top(d) + 0.06, y2: (d: Point) => top(d) + 0.94 },
        ...{ fill: 'color', rx2: 2 },
        title: (d: Point) => `${d.name}, ${d.label}: ${percent(d.share)}`,
      }),
      Plot.text(data, {
        x: 'share',
        y: (d: Point) => top(d) + 0.5,
        text: (d: Point) => percent(d.share),
        textAnchor: 'start',
        dx: 5,
        fontSize: 11,
      }),
      Plot.text(order, {
        x: 0,
        y: (_: string, at: number) => at * (places + 0.5) + places / 2,
        text: (name: string) => names.get(name) ?? name,
        textAnchor: 'end',
        dx: -8,
      }),
      Plot.ruleX([0]),
    ],
  })
}

function curves(report: ProbeReport): Markup {
  const data = points(report)
  const names = [...new Set(data.map(({ name }) => name))]
  const table = sharesOf(names, data)
  return figure({
    ...texts(report),
    values: {
      ...table,
      hover: 'x',
      place: (row, column, scale) => [scale('x', row), scale('y', table.rows[row]?.[column])],
    },
    height: 280,
    marginLeft: 52,
    marginTop: 26,
    marginBottom: 42,
    x: {
      label: 'layer, from input to output',
      labelAnchor: 'center',
      labelArrow: 'none',
      tickFormat: (at: number) => (Number.isInteger(at) ? String(at + 1) : ''),
    },
    y: {
      ...{ label: 'share of the trace', labelArrow: 'none', grid: true, zero: true },
      tickFormat: (share: number) => `${tick(100 * share)} %`,
    },
    marks: [
      Plot.lineY(data, {
        ...{ x: (d: Point) => names.indexOf(d.name), y: 'share', z: 'label', stroke: 'color' },
        title: 'label',
      }),
      Plot.dot(data, {
        x: (d: Point) => names.indexOf(d.name),
        y: 'share',
        r: 2,
        fill: 'color',
        title: (d: Point) => `${d.name}, ${d.label}: ${percent(d.share)}`,
      }),
    ],
  })
}

/** Of a hundred, with its standard error. */
function shareText({ share, estimates }: ProbeLayer): string {
  const error = estimates?.share?.standardError
  return error == null ? percent(share) : `${plusMinus(100 * share, 100 * error)} %`
}

function changeText(layer: ProbeLayer | undefined): string {
  const change = layer?.estimates?.share?.change
  if (!change) return '–'
  const error = change.standardError === null ? null : 100 * change.standardError
  return `${plusMinus(100 * change.value, error)} points`
}

function table(report: ProbeReport): Markup {
  const series = seriesOf(report)
  const names = new Set(series.flatMap(({ network }) => network.layers.map(({ name }) => name)))
  return html`<details><summary>Numbers by layer</summary><div class="scroll"><table>
<thead><tr><th>Layer</th>${series.map(({ role }, at) => html`<th class="n">Trace, ${role}</th><th class="n">Share</th>${at > 0 && html`<th class="n">change of the share</th>`}`)}</tr></thead>
<tbody>${[...names].map(
    (name) =>
      html`<tr><th scope="row"><code>${name}</code></th>${series.map(({ network }, at) => {
        const layer = network.layers.find((one) => one.name === name)
        return html`<td class="n">${layer ? num(layer.trace) : '–'}</td><td class="n">${layer ? shareText(layer) : '–'}</td>${at > 0 && html`<td class="n">${changeText(layer)}</td>`}`
      })}</tr>`,
  )}<tr class="total"><th scope="row">Total</th>${series.map(
    ({ network }, at) =>
      html`<td class="n">${num(network.trace)}</td><td class="n">100 %</td>${at > 0 && html`<td></td>`}`,
  )}</tr></tbody></table></div></details>`
}

export const layers: Section = {
  id: 'layers',
  title: 'Where the kernel comes from',
  render(report) {
    const most = Math.max(...report.networks.map((network) => network.layers.length))
    const graph = layerGraph(report)
    return html`<div class="split"><figure>${legend(report)}${most > barLimit ? curves(report) : bars(report)}</figure>
<div><p>The kernel is a sum over layers. A layer’s share of the trace says how much of the network’s sensitivity lies in its weights: a small step on them moves the outputs that much. ${leftOut(report, networkLimit)}</p>
<ul class="facts">${layerFacts(report).map((fact) => html`<li>${fact}</li>`)}</ul></div></div>
${
  graph &&
  html`<h3>Along the flow</h3>
<p>The layers of ${report.networks.at(-1)?.name} in the order in which samples pass them, with the places where paths meet. ${graphNote(report)}</p>
${graph}`
}
${table(report)}`
  },
}
