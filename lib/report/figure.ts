import type { PlotOptions } from '@observablehq/plot'
import { lazily } from '../core/lazily.js'
import { csvLink, type DataTable } from './data.js'
import { html, Markup } from './html.js'
import { libraries, Plot } from './libraries.js'

// Plot builds its SVG through a document; linkedom's is enough and escapes every text it writes.
const page = lazily(() => libraries.parseHTML('<!doctype html><html><body></body></html>'))
const svgNamespace = 'http://www.w3.org/2000/svg'

/** Pixels in a figure. */
export type Place = readonly [x: number, y: number]

/** Where a value of an axis lies in the figure, in pixels; for a band, its middle. */
export type Scale = (axis: 'x' | 'y' | 'fx' | 'fy', value: unknown) => number

/** The numbers of a figure: what it gives to save, and what it shows on hover. */
export interface FigureValues extends DataTable {
  /**
   * What the pointer chooses: the row nearest to it from left to right (`x`), from top to bottom
   * (`y`) or in both ways, all of whose values are then shown.
   */
  hover: 'x' | 'y' | 'xy'
  /** Where the value of a row in a column from the second on is drawn; null where it is not. */
  place(row: number, column: number, scale: Scale): Place | null
  /** CSS colours of the columns from the second on. */
  colors?: readonly string[]
}

export interface FigureOptions extends PlotOptions {
  /** Unique in the page. */
  id: string
  /** What the picture is, for those who cannot see it. */
  title: string
  /** What it shows, in a sentence. */
  description: string
  values?: FigureValues | undefined
  /** Attributes that the page's script reads. */
  attributes?: Readonly<Record<string, string>>
  /** In the place of the values' link. */
  link?: Markup | undefined
}

/** A plot as inline SVG that takes its colours from the page, and a link to its numbers. */
export function figure(options: FigureOptions): Markup {
  const { id, title, description, values, attributes = {}, link, ...plot } = options
  const { document } = page
  const svg = Plot.plot({
    width: 460,
    style: { fontSize: '12px', overflow: 'visible' },
    ...plot,
    className: 'plot',
    document,
  })
  for (const style of svg.querySelectorAll('style')) style.remove()
  const name = document.createElementNS(svgNamespace, 'title')
  const text = document.createElementNS(svgNamespace, 'desc')
  name.id = `${id}-title`
  text.id = `${id}-desc`
  name.textContent = title
  text.textContent = description
  svg.prepend(name, text)
  svg.setAttribute('id', id)
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-labelledby', `${id}-title`)
  svg.setAttribute('aria-describedby', `${id}-desc`)
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value)
  if (values) {
    svg.setAttribute('data-hover', values.hover)
    svg.setAttribute('data-places', placesOf(values, scaleOf(svg as never)))
    if (values.colors) svg.setAttribute('data-colors', values.colors.join('|'))
  }
  return html`<div class="plot-box">${new Markup(ownMarkers(svg.outerHTML, id))}${link ?? (values && csvLink(id, values))}</div>`
}

/** Plot numbers its arrowheads through all pages of a process: here they are the figure's own. */
function ownMarkers(svg: string, id: string): string {
  const found = [...new Set(svg.match(/plot-marker-\d+/g))]
  return svg.replace(/plot-marker-\d+/g, (name) => `${id}-marker-${found.indexOf(name)}`)
}

/** Rows by ";", a row's values by spaces: "x,y" in pixels, or nothing. */
function placesOf({ rows, columns, place }: FigureValues, scale: Scale): string {
  return rows
    .map((cells, row) =>
      columns
        .slice(1)
        .map((_, k) => {
          const found = cells[k + 1] === null ? null : place(row, k + 1, scale)
          return found?.every(Number.isFinite) ? found.map(Math.round).join(',') : ''
        })
        .join(' '),
    )
    .join(';')
}

interface Drawn {
  scale(name: string): { apply(value: unknown): number; bandwidth?: number } | undefined
}

function scaleOf(svg: Drawn): Scale {
  return (axis, value) => {
    const scale = svg.scale(axis)
    return scale ? scale.apply(value) + (scale.bandwidth ?? 0) / 2 : Number.NaN
  }
}
