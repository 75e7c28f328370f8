import type { PlotOptions } from '@observablehq/plot'
import { lazily } from '../core/lazily.js'
import { Markup } from './html.js'
import { libraries, Plot } from './libraries.js'

// Plot builds its SVG through a document; linkedom's is enough and escapes every text it writes.
const page = lazily(() => libraries.parseHTML('<!doctype html><html><body></body></html>'))
const svgNamespace = 'http://www.w3.org/2000/svg'

export interface FigureOptions extends PlotOptions {
  /** Unique in the page. */
  id: string
  /** What the picture is, for those who cannot see it. */
  title: string
  /** What it shows, in a sentence. */
  description: string
}

/** A plot as inline SVG that takes its colours from the page. */
export function figure({ id, title, description, ...options }: FigureOptions): Markup {
  const { document } = page
  const svg = Plot.plot({
    width: 460,
    style: { fontSize: '12px', overflow: 'visible' },
    ...options,
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
  return new Markup(svg.outerHTML)
}
