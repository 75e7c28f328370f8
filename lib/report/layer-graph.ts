// The graph of layers as a picture: laid out by dagre, folded into columns where it is long.
import type { ProbeGraph, ProbeGraphNode } from '../probe/graph.js'
import type { ProbeLayer, ProbeReport } from '../probe/types.js'
import type { Cell } from './data.js'
import { clear } from './facts.js'
import { figure } from './figure.js'
import { percent, shortNames, unit } from './format.js'
import { colorBar } from './heatmap.js'
import { html, type Markup } from './html.js'
import { libraries, Plot } from './libraries.js'
import { type ColorScale, colorAt, colorScale } from './raster.js'
import { ends } from './series.js'

/** Pixels: of a layer's name and its two numbers, and of a column before it is folded. */
const nameWidth = 122
const chipWidth = 54
const height = 22
const columnHeight = 860
const gap = 44

interface Box extends ProbeGraphNode {
  x: number
  y: number
  width: number
  column: number
}

const isLayer = ({ kind }: ProbeGraphNode) => kind === 'layer'

function widthOf({ kind, name }: ProbeGraphNode, chips: number): number {
  if (kind === 'layer') return nameWidth + chips * chipWidth
  return Math.min(nameWidth, 20 + 7 * [...name].length)
}

/** Places of all boxes (their middles) and the lines between them, in pixels. */
function layout({ nodes, edges }: ProbeGraph, chips: number) {
  const graph = new libraries.dagre.graphlib.Graph()
  graph.setGraph({ rankdir: 'TB', nodesep: 14, ranksep: 16, marginx: 2, marginy: 2 })
  graph.setDefaultEdgeLabel(() => ({}))
  nodes.forEach((node, at) => {
    graph.setNode(String(at), { width: widthOf(node, chips), height })
  })
  for (const [from, to] of edges) graph.setEdge(String(from), String(to))
  libraries.dagre.layout(graph)
  const size = graph.graph() as { width: number; height: number }
  const columns = Math.ceil(size.height / columnHeight)
  // As equal as can be, and never through a box.
  const each = Math.ceil(size.height / columns / (height + 16)) * (height + 16)
  const fold = (x: number, y: number, column: number) => ({
    x: x + column * (size.width + gap),
    y: y - column * each + (columns > 1 ? 16 : 0),
  })
  const boxes = nodes.map((node, at): Box => {
    const { x, y, width } = graph.node(String(at)) as { x: number; y: number; width: number }
    const column = Math.floor(y / each)
    return { ...node, ...fold(x, y, column), width, column }
  })
  const lines = edges.map(([from, to]) => {
    const { points } = graph.edge(String(from), String(to)) as {
      points: { x: number; y: number }[]
    }
    const { column } = boxes[from] as Box
    return { from, to, points: points.map(({ x, y }) => fold(x, y, column)) }
  })
  return {
    boxes,
    lines,
    width: columns * (size.width + gap) - gap,
    height: Math.min(size.height, each) + (columns > 1 ? 36 : 4),
  }
}

/** What the two numbers of a layer are, and their colours. */
interface Chip {
  title: string
  scale: ColorScale
  text(layer: ProbeLayer): string
  value(layer: ProbeLayer): number | null
}

function chipsOf(report: ProbeReport, layers: readonly ProbeLayer[]): Chip[] {
  const both = ends(report)
  const share: Chip = {
    title: `share of the trace${both ? `, ${both.after.name}` : ''}`,
    scale: colorScale('blues', [0, Math.max(...layers.map((layer) => layer.share), 0.01)]),
    text: (layer) => percent(layer.share),
    value: (layer) => layer.share,
  }
  const early = new Map(both?.before.layers.map((layer) => [layer.name, layer]))
  const change = ({ name, alignment }: ProbeLayer) => {
    const from = early.get(name)?.alignment
    return alignment && from ? alignment.centred - from.centred : null
  }
  const most = Math.max(0.02, ...layers.map((layer) => Math.abs(change(layer) ?? 0)))
  if (layers.some((layer) => change(layer) !== null)) {
    return [
      share,
      {
        title: 'change of the centred alignment',
        scale: colorScale('puor', [-most, most]),
        text: (layer) => {
          const value = change(layer)
          if (value === null) return '–'
          return `${value > 0 ? '+' : ''}${unit(value)}${sure(layer, value) ? '' : ' ≈'}`
        },
        value: change,
      },
    ]
  }
  return layers.some(({ alignment }) => alignment)
    ? [
        share,
        {
          title: 'centred alignment',
          scale: colorScale('oranges', [0, 1]),
          text: ({ alignment }) => (alignment ? unit(alignment.centred) : '–'),
          value: ({ alignment }) => alignment?.centred ?? null,
        },
      ]
    : [share]
}

const sure = ({ estimates }: ProbeLayer, value: number) => clear(0, value, estimates?.centred)

function tableOf(layers: readonly ProbeLayer[], chips: readonly Chip[]) {
  const rounded = (value: number | null): Cell => value && Number(value.toPrecision(6))
  return {
    columns: ['layer', ...chips.map(({ title }) => title), 'standard error of that'],
    rows: layers.map((layer) => [
      layer.name,
      ...chips.map(({ value }) => rounded(value(layer))),
      chips.length < 2
        ? null
        : (layer.estimates?.centred?.change?.standardError ??
          layer.estimates?.centred?.standardError ??
          null),
    ]),
  }
}

/** The last network's layers in the order of the flow, coloured by their numbers. */
export function layerGraph(report: ProbeReport): Markup | null {
  const network = report.networks.at(-1)
  const { graph, layers = [] } = network ?? {}
  if (!network || !graph || layers.length === 0) return null
  const byName = new Map(layers.map((layer) => [layer.name, layer]))
  const chips = chipsOf(report, layers)
  const { boxes, lines, ...size } = layout(graph, chips.length)
  const shown = boxes.filter((box) => isLayer(box) && byName.has(box.name))
  const table = tableOf(
    shown.map(({ name }) => byName.get(name) as ProbeLayer),
    chips,
  )
  const names = shortNames([...new Set(shown.map(({ name }) => name))], 17)
  const cells = shown.flatMap((box) =>
    chips.map((chip, k) => {
      const layer = byName.get(box.name) as ProbeLayer
      const value = chip.value(layer)
      const left = box.x - box.width / 2 + nameWidth + k * chipWidth
      const { fill, ink } =
        value === null ? { fill: 'none', ink: 'currentColor' } : colorAt(chip.scale, value)
      return { left, right: left + chipWidth, y: box.y, fill, ink, text: chip.text(layer) }
    }),
  )
  const stays = lines.filter(({ from, to }) => boxes[from]?.column === boxes[to]?.column)
  const folded = lines.filter((line) => !stays.includes(line))
  const half = height / 2
  const stubs = folded.flatMap(({ from, to }) => {
    const [a, b] = [boxes[from] as Box, boxes[to] as Box]
    return [
      { x: a.x, y1: a.y + half, y2: a.y + half + 11, text: '' },
      { x: b.x, y1: b.y - half - 11, y2: b.y - half - 1, text: '' },
    ]
  })
  const picture = figure({
    id: 'layer-graph',
    title: 'The graph of layers',
    description: `${shown.length} layers from the input to the output${chips.length > 1 ? `, each with its ${chips.map(({ title }) => title).join(' and its ')}` : ''}.`,
    values: {
      ...table,
      hover: 'xy',
      place: (row) => [shown[row]?.x ?? 0, shown[row]?.y ?? 0],
    },
    ...size,
    ...{ marginTop: 0, marginBottom: 0, marginLeft: 0, marginRight: 0 },
    x: { axis: null, type: 'linear', domain: [0, size.width], range: [0, size.width] },
    y: { axis: null, type: 'linear', domain: [0, size.height], range: [0, size.height] },
    marks: [
      Plot.rect(boxes, {
        x1: (box: Box) => box.x - box.width / 2,
        x2: (box: Box) => box.x + box.width / 2,
        y1: (box: Box) => box.y - half,
        y2: (box: Box) => box.y + half,
        ...{ fill: 'var(--raised)', stroke: 'var(--line)', rx: 4 },
        title: (box: Box) => box.name,
      }),
      Plot.line(
        stays.flatMap(({ points }, edge) => points.map((point) => ({ ...point, edge }))),
        {
          ...{ x: 'x', y: 'y', z: 'edge', curve: 'basis', stroke: 'var(--soft)' },
          markerEnd: 'arrow',
        },
      ),
      Plot.link(stubs, {
        ...{ x1: 'x', x2: 'x', y1: 'y1', y2: 'y2', stroke: 'var(--soft)', markerEnd: 'arrow' },
        strokeDasharray: '2 2',
      }),
      Plot.rect(cells, {
        ...{ x1: 'left', x2: 'right', fill: 'fill', rx: 2 },
        y1: ({ y }: { y: number }) => y - half + 1.5,
        y2: ({ y }: { y: number }) => y + half - 1.5,
        ...{ insetLeft: 1, insetRight: 1.5 },
      }),
      Plot.text(cells, {
        x: ({ left, right }: { left: number; right: number }) => (left + right) / 2,
        ...{ y: 'y', text: 'text', fill: 'ink', fontSize: 11 },
      }),
      Plot.text(shown, {
        x: (box: Box) => box.x - box.width / 2 + 8,
        ...{ y: 'y', textAnchor: 'start', fontSize: 11.5 },
        text: ({ name }: Box) => names.get(name) ?? name,
      }),
      Plot.text(
        boxes.filter((box) => !isLayer(box)),
        {
          ...{ x: 'x', y: 'y', fill: 'var(--soft)', fontSize: 11.5 },
          text: ({ name }: Box) => shortNames([name], 15).get(name) ?? name,
        },
      ),
    ],
  })
  return html`<div class="graph-row"><div class="graph" role="region" aria-label="The graph of layers" tabindex="0">${picture}</div>
<div class="graph-key">${chips.map(({ title, scale }, at) =>
    colorBar(
      `layer-graph-colors-${at}`,
      chips.length > 1 ? `${sides[at]}: ${title}` : title,
      scale,
    ),
  )}</div></div>`
}

const sides = ['left', 'right']

/** What marks noise in the picture. */
export const graphNote = (report: ProbeReport): string | null =>
  report.networks.length > 1 && report.target
    ? 'A change marked ≈ is noise: below two standard errors.'
    : null
