import type { ProbeAlignment, ProbeNetwork } from '../../probe/types.js'
import { alignmentFacts } from '../facts.js'
import { figure } from '../figure.js'
import { plusMinus, shortNames, tick, unit } from '../format.js'
import { html, type Markup } from '../html.js'
import { legend } from '../legend.js'
import { Plot } from '../libraries.js'
import type { Section } from '../section.js'
import { type Series, seriesOf } from '../series.js'

type Kind = keyof ProbeAlignment

interface Point {
  name: string
  /** Place of its layer from the input; −1 for the whole kernel. */
  depth: number
  value: number
  label: string
  color: string
}

const total = 'whole kernel'
/** More layers than this are drawn as curves over depth. */
const layerLimit = 40

function points(series: Series[], kind: Kind): Point[] {
  return series.flatMap(({ network, label, color }) => {
    const whole = { name: total, depth: -1, alignment: network.alignment }
    const layers = network.layers.map(({ name, alignment }, depth) => ({ name, depth, alignment }))
    return [whole, ...layers].flatMap(({ name, depth, alignment }) =>
      alignment ? [{ name, depth, value: alignment[kind], label, color }] : [],
    )
  })
}

const texts = (data: Point[], kind: Kind, title: string) => ({
  id: `alignment-${kind}`,
  title: `${title} with the labels, by layer`,
  description: data.map(({ name, label, value }) => `${name}, ${label}: ${unit(value)}.`).join(' '),
})

const tip = (d: Point) => `${d.name}, ${d.label}: ${unit(d.value)}`
const lowest = (data: Point[]) => Math.min(0, ...data.map(({ value }) => value))

const columnsOf = (series: readonly Series[]) => [
  'layer',
  ...series.map(({ label }) => label),
  ...series.map(({ label }) => `± ${label}`),
]

/** Values of the whole kernel and of layers, a column for each network, and their standard errors. */
function rowsOf(names: readonly string[], series: readonly Series[], kind: Kind) {
  return names.map((name) => [
    name,
    ...series.map(({ network }) => {
      const alignment =
        name === total ? network.alignment : network.layers.find((l) => l.name === name)?.alignment
      return alignment ? Number(alignment[kind].toPrecision(6)) : null
    }),
    ...series.map(({ network }) => partOf(network, name)?.estimates?.[kind]?.standardError ?? null),
  ])
}

/** A row for each layer, a dot for each network. */
function dumbbells(series: Series[], kind: Kind, title: string): Markup {
  const data = points(series, kind)
  const names = shortNames(
    [...new Set(data.filter(({ depth }) => depth >= 0).map(({ name }) => name))],
    18,
  )
  const domain = [total, ...names.keys()]
  const spans = domain.flatMap((name) => {
    const values = data.filter((point) => point.name === name).map(({ value }) => value)
    return values.length > 1 ? [{ name, from: Math.min(...values), to: Math.max(...values) }] : []
  })
  const rows = rowsOf(domain, series, kind)
  return figure({
    ...texts(data, kind, title),
    values: {
      columns: columnsOf(series),
      rows,
      hover: 'y',
      place: (row, column, scale) =>
        column > series.length ? null : [scale('x', rows[row]?.[column]), scale('y', domain[row])],
      colors: series.map(({ color }) => color),
    },
    height: 62 + domain.length * 24,
    marginLeft: 128,
    marginTop: 6,
    marginBottom: 40,
    x: {
      domain: [lowest(data), 1],
      label: title.toLowerCase(),
      grid: true,
      tickFormat: tick,
      ticks: 5,
      labelAnchor: 'center',
      labelArrow: 'none',
    },
    y: { domain, label: null, tickSize: 0, tickFormat: (name: string) => names.get(name) ?? name },
    r: { type: 'identity' },
    marks: [
      Plot.ruleX([0]),
      Plot.ruleY(spans, {
        y: 'name',
        x1: 'from',
        x2: 'to',
        stroke: 'var(--line)',
        strokeWidth: 3,
      }),
      Plot.dot(data, {
        x: 'value',
        y: 'name',
        r: (d: Point) => (d.depth < 0 ? 7 : 5),
        fill: 'color',
        stroke: 'var(--paper)',
        title: tip,
      }),
    ],
  })
}

/** For deep networks: a curve over depth for each network. */
function curves(series: Series[], kind: Kind, title: string): Markup {
  const data = points(series, kind)
  const layers = data.filter(({ depth }) => depth >= 0)
  const whole = data.filter(({ depth }) => depth < 0)
  const names = [...new Set(layers.map(({ name }) => name))]
  const rows = rowsOf(names, series, kind)
  return figure({
    ...texts(data, kind, title),
    values: {
      columns: columnsOf(series),
      rows,
      hover: 'x',
      place: (row, column, scale) =>
        column > series.length
          ? null
          : [
              scale('x', layers.find(({ name }) => name === names[row])?.depth),
              scale('y', rows[row]?.[column]),
            ],
      colors: series.map(({ color }) => color),
    },
    height: 300,
    marginTop: 26,
    marginBottom: 42,
    x: {
      label: 'layer, from input to output',
      labelAnchor: 'center',
      labelArrow: 'none',
      tickFormat: (depth: number) => (Number.isInteger(depth) ? String(depth + 1) : ''),
    },
    y: {
      domain: [lowest(data), 1],
      label: title.toLowerCase(),
      labelArrow: 'none',
      grid: true,
      tickFormat: tick,
    },
    marks: [
      Plot.ruleY(whole, { y: 'value', stroke: 'color', strokeDasharray: '4 4', title: tip }),
      Plot.lineY(layers, { x: 'depth', y: 'value', z: 'label', stroke: 'color' }),
      Plot.dot(layers, { x: 'depth', y: 'value', r: 2.5, fill: 'color', title: tip }),
    ],
  })
}

/** A layer's numbers, or the whole kernel's. */
const partOf = (network: ProbeNetwork, name: string) =>
  name === total ? network : network.layers.find((layer) => layer.name === name)

function table(series: Series[]): Markup {
  const names = [...new Set(points(series, 'centred').map(({ name }) => name))]
  const later = (kind: Kind, { network }: Series, name: string) => {
    const change = partOf(network, name)?.estimates?.[kind]?.change
    return change ? plusMinus(change.value, change.standardError) : '–'
  }
  const own = (kind: Kind, { network }: Series, name: string) => {
    const part = partOf(network, name)
    const error = part?.estimates?.[kind]?.standardError
    return part?.alignment ? plusMinus(part.alignment[kind], error) : '–'
  }
  return html`<details><summary>Numbers by layer</summary><div class="scroll"><table>
<thead><tr><th>Layer</th>${series.map(
    ({ role }, at) =>
      html`<th class="n">Centred, ${role}</th>${at > 0 && html`<th class="n">change</th>`}`,
  )}${series.map(
    ({ role }, at) =>
      html`<th class="n">Cosine, ${role}</th>${at > 0 && html`<th class="n">change</th>`}`,
  )}</tr></thead><tbody>${names.map((name) => {
    const cells = (['centred', 'cosine'] as const).flatMap((kind) =>
      series.map(
        (one, at) =>
          html`<td class="n">${own(kind, one, name)}</td>${at > 0 && html`<td class="n">${later(kind, one, name)}</td>`}`,
      ),
    )
    return html`<tr class="${name === total && 'total'}"><th scope="row"><code>${name}</code></th>${cells}</tr>`
  })}</tbody></table></div></details>`
}

export const alignment: Section = {
  id: 'alignment',
  title: 'Alignment with the labels',
  render(report) {
    if (!report.target || !report.networks.some((network) => network.alignment)) return null
    const series = seriesOf(report)
    const most = Math.max(...report.networks.map(({ layers }) => layers.length))
    const draw = most > layerLimit ? curves : dumbbells
    return html`<p>How much the trace kernel K (N × N) looks like the kernel that would be ideal for these labels, YYᵀ, with ${
      report.target.kind === 'classes'
        ? 'Y the one-hot labels minus their column means'
        : 'Y the target values minus their column means'
    }. 1 is perfect, 0 is no relation.${
      most > layerLimit && ' The dashed lines are the whole kernel.'
    }</p>
${legend(report)}
<div class="pictures"><figure><figcaption>Centred (CKA)</figcaption>${draw(series, 'centred', 'Centred alignment')}</figure>
<figure><figcaption>Cosine, uncentred</figcaption>${draw(series, 'cosine', 'Cosine')}</figure></div>
<ul class="facts">${alignmentFacts(report).map((fact) => html`<li>${fact}</li>`)}</ul>
${table(series)}`
  },
}
